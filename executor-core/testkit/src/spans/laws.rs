//! The laws of spans.

#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    clippy::missing_errors_doc,
    reason = "a law is a test: it panics if it is broken, and is an error if it is not claimed"
)]

use std::collections::BTreeSet;

use executor_core::backend::Capabilities;
use executor_core::{Executor, JobFuture, JobOptions, MapOptions, Retries};
use tracing::subscriber::with_default;
use tracing::{Span, info_span};
use tracing_subscriber::Registry;

use super::jobs::{say, say_async};
use super::recorder::{Recorder, SpanNote};
use crate::jobs::{self, Hosted};
use crate::lab::Lab;
use crate::log::Log;
use crate::subject::Subject;
use crate::time::eventually;
use crate::verdict::{Claim, Verdict};

/// The span that submits.
struct Submitter {
    span: Span,
    note: SpanNote,
}

impl Submitter {
    fn new() -> Self {
        let recorder = Recorder::installed();
        let span = info_span!("submitter");
        let note = recorder.of(&span);
        Submitter { span, note }
    }

    /// The spans of what was submitted, all of them closed.
    fn closed(&self) -> Vec<SpanNote> {
        let children = || Recorder::installed().children(&self.note);
        eventually("all spans are closed", || children().iter().all(|note| note.is_closed));
        children()
    }

    /// The one span of what was submitted, closed.
    fn one(&self) -> SpanNote {
        let [one] = <[SpanNote; 1]>::try_from(self.closed()).unwrap();
        one
    }
}

fn text(future: &JobFuture<impl Send + 'static>) -> String {
    future.id().as_u64().to_string()
}

/// True if jobs run in this process, where their spans can be entered.
fn is_entered(capabilities: &Capabilities) -> bool {
    !capabilities.survives_crash
}

/// The span of a job is a child of the one around its submit, and tells number, name, worker and attempt.
pub fn job_is_a_child_of_its_submitter<S: Subject>(lab: &Lab<S>) -> Verdict {
    let submitter = Submitter::new();
    let pool = lab.pool();
    for name in [None, Some("nightly report")] {
        let submitter = Submitter::new();
        let future = submitter.span.in_scope(|| match name {
            None => pool.submit(jobs::echo::job(1)),
            Some(name) => pool.submit_with(jobs::echo::job(1), JobOptions::new().name(name)),
        });
        let (id, name) = (text(&future), future.handle().name().to_owned());
        assert_eq!(future.result().unwrap(), 1);
        let span = submitter.one();
        assert_eq!((span.name, span.target), ("job", "executor_core::job"));
        assert_eq!((span.values("id"), span.values("name")), (vec![&*id], vec![&*name]));
        assert_eq!(span.values("attempt"), ["1"]);
        let worker: usize = span.values("worker")[0].parse().unwrap();
        assert!(span.values("worker").len() == 1 && worker < pool.workers());
        assert_eq!((span.entered, span.left), if is_entered(&pool.capabilities()) { (1, 1) } else { (0, 0) });
    }
    let future = submitter.span.in_scope(|| pool.try_submit(jobs::echo::job(2)).unwrap());
    assert_eq!(future.result().unwrap(), 2);
    submitter.one();
    Ok(())
}

/// A job that is submitted outside of any span has one all the same, without a parent.
pub fn job_without_a_span_around_it_is_a_root<S: Subject>(lab: &Lab<S>) -> Verdict {
    let recorder = Recorder::installed();
    let pool = lab.pool();
    let future = pool.submit(jobs::echo::job(1));
    let id = future.id().as_u64();
    future.result().unwrap();
    let ids: Vec<_> = pool.map(|()| jobs::who_am_i::job(), [(); 20]).map(|who| who.unwrap().id.unwrap()).collect();
    drop(pool);
    for id in [id].into_iter().chain(ids) {
        eventually("its span is closed", || recorder.of_job(id).iter().all(|note| note.is_closed));
        let spans = recorder.of_job(id);
        assert!(spans.len() == 1 && spans[0].parent.is_none(), "{spans:?}");
    }
    Ok(())
}

/// What a job tells is inside its span, and so is what it tells after it submitted or waited.
pub fn job_runs_inside_its_span<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    pool.claims(Claim::SharedMemory)?;
    let submitter = Submitter::new();
    submitter.span.in_scope(|| pool.submit(say::job("hello"))).result().unwrap();
    let events = Recorder::installed().events_in(&submitter.one());
    assert_eq!(events.iter().map(|event| event.value("message")).collect::<Vec<_>>(), [Some("hello")]);
    Ok(())
}

/// Each poll of an async job is inside its span, and nothing else is: between two polls its worker is outside.
pub fn async_job_is_polled_inside_its_span<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    pool.claims(Claim::SharedMemory)?;
    let recorder = Recorder::installed();
    let submitters: Vec<_> = (0..8).map(|_| Submitter::new()).collect();
    let submit = |(number, submitter): (u32, &Submitter)| {
        submitter.span.in_scope(|| pool.submit(say_async::job(format!("I am {number}"), 20)))
    };
    let futures: Vec<_> = (0..).zip(&submitters).map(submit).collect();
    futures.into_iter().for_each(|future| future.result().unwrap());
    for (number, submitter) in submitters.iter().enumerate() {
        let span = submitter.one();
        let events = recorder.events_in(&span);
        let wanted = format!("I am {number}");
        assert!(events.iter().all(|event| event.value("message") == Some(&wanted)), "{events:?}");
        assert_eq!(events.len(), 21);
        assert!(span.entered >= 1 && span.entered == span.left, "{span:?}");
    }
    // A worker that is done with them is outside of all.
    let rest = submitters[0].span.in_scope(|| pool.submit(say::job("I am another")));
    let id = rest.id().as_u64();
    rest.result().unwrap();
    assert_eq!(recorder.events_in(&recorder.of_job(id)[0]).len(), 1);
    Ok(())
}

/// A job that a job submits is a child of that one.
pub fn job_of_a_job_is_its_child<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    pool.claims(Claim::SharedMemory)?;
    let hosted = Hosted::new(pool.into_pool());
    let host = hosted.host();
    let submitter = Submitter::new();
    let outer = submitter.span.in_scope(|| {
        let pool = host.pool();
        [pool.submit(jobs::submit_inside::job(host, 7)), pool.submit(jobs::await_sibling::job(host, 7))]
    });
    outer.into_iter().for_each(|future| assert_eq!(future.result().unwrap(), Ok(7)));
    let spans = submitter.closed();
    assert_eq!(spans.len(), 2);
    for span in spans {
        let inner = Recorder::installed().children(&span);
        assert!(inner.len() == 1 && inner[0].is_closed && inner[0].values("name")[0].contains("echo"), "{inner:?}");
    }
    Ok(())
}

/// Each item of a map has a span, whose parent is the span around the call of `map`, wherever and whenever the rest is pulled.
pub fn items_of_a_map_are_children_of_its_caller<S: Subject>(lab: &Lab<S>) -> Verdict {
    const ITEMS: usize = 700;
    let pool = lab.pool();
    let input = || 0..ITEMS as u64;
    let check = |submitter: &Submitter| {
        let spans = submitter.closed();
        let ids: BTreeSet<_> = spans.iter().flat_map(|span| span.values("id")).collect();
        assert_eq!((spans.len(), ids.len()), (ITEMS, ITEMS));
        for span in &spans {
            assert!(span.values("name")[0].contains("echo"), "{span:?}");
            assert_eq!((span.values("attempt"), span.values("worker").len()), (vec!["1"], 1));
            let entered = usize::from(is_entered(&pool.capabilities()));
            assert_eq!((span.entered, span.left), (entered, entered));
        }
    };
    let submitter = Submitter::new();
    let lazily = MapOptions::new().window(100);
    let map = submitter.span.in_scope(|| pool.map_with(jobs::echo::job, input(), lazily).unwrap());
    // Read inside of another span, which is nobody's parent.
    let reader = Submitter::new();
    reader.span.in_scope(|| assert!(map.map(Result::unwrap).eq(input())));
    check(&submitter);
    let submitter = Submitter::new();
    let map = submitter.span.in_scope(|| pool.map_unordered(jobs::echo::job, input()));
    assert_eq!(reader.span.in_scope(|| map.map(Result::unwrap).sum::<u64>()), input().sum());
    check(&submitter);
    let submitter = Submitter::new();
    let options = MapOptions::new().job(JobOptions::new().name("an echo"));
    let map = submitter.span.in_scope(|| pool.map_with(jobs::echo::job, input(), options).unwrap());
    assert_eq!(reader.span.in_scope(|| map.map(Result::unwrap).sum::<u64>()), input().sum());
    check(&submitter);
    assert!(reader.closed().is_empty());
    Ok(())
}

/// A map whose caller had a subscriber of its own goes on under that, wherever the rest is pulled.
pub fn map_stays_with_the_subscriber_of_its_caller<S: Subject>(lab: &Lab<S>) -> Verdict {
    const ITEMS: u64 = 700;
    Recorder::installed();
    let pool = lab.pool();
    let (map, spans) = with_default(Registry::default(), || {
        // So many that the other subscriber has no span of the last one's number.
        let spans: Vec<_> = (0..5000).map(|_| info_span!("submitter")).collect();
        let lazily = MapOptions::new().window(100);
        (spans[4999].in_scope(|| pool.map_with(jobs::echo::job, 0..ITEMS, lazily).unwrap()), spans)
    });
    assert_eq!(map.map(Result::unwrap).sum::<u64>(), (0..ITEMS).sum());
    drop(spans);
    Ok(())
}

/// The span of a job that is tried again tells each attempt.
pub fn each_attempt_is_seen<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    pool.claims(Claim::Retries)?;
    let submitter = Submitter::new();
    let log = Log::new();
    let options = JobOptions::new().retries(Retries::times(5));
    let future = submitter.span.in_scope(|| pool.submit_with(jobs::fail_before::job(log.pen(), 3), options));
    assert_eq!(future.result().unwrap(), Ok(3));
    let span = submitter.one();
    assert_eq!(span.values("attempt"), ["1", "2", "3"]);
    let entered = if is_entered(&pool.capabilities()) { 3 } else { 0 };
    assert_eq!((span.entered, span.left), (entered, entered));
    Ok(())
}

/// A span is closed when its job is done, though its future is there and its output was not taken.
pub fn span_ends_with_its_job<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let submitter = Submitter::new();
    let future = submitter.span.in_scope(|| pool.submit(jobs::echo::job(1)));
    future.wait();
    if is_entered(&pool.capabilities()) {
        assert!(Recorder::installed().of_job(future.id().as_u64())[0].is_closed);
    }
    submitter.one();
    // And so is the one around its submit, when that is let go of.
    let Submitter { span, note } = submitter;
    drop(span);
    assert!(Recorder::installed().spans()[note.key].is_closed);
    assert_eq!(future.result().unwrap(), 1);
    Ok(())
}

/// A job that panics leaves its span.
pub fn panic_leaves_the_span<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let submitter = Submitter::new();
    let future = submitter.span.in_scope(|| pool.submit(jobs::blow_up::job("no")));
    assert!(future.result().is_err());
    let span = submitter.one();
    assert_eq!(span.entered, span.left);
    Ok(())
}

/// The span of a job that is cancelled is closed at once, and was never entered.
pub fn cancelled_job_closes_its_span<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.single()?;
    let busy = pool.occupy()?;
    let submitter = Submitter::new();
    let future = submitter.span.in_scope(|| pool.submit(jobs::echo::job(1)));
    assert!(future.cancel());
    let span = Recorder::installed().children(&submitter.note).pop().unwrap();
    assert!(span.is_closed && span.entered == 0 && span.values("worker").is_empty(), "{span:?}");
    busy.release();
    Ok(())
}
