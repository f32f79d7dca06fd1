//! Spans, as `tracing` has them.

use std::ops::Range;
use std::sync::{Arc, Weak};

use tracing::dispatcher::with_default;
use tracing::level_filters::LevelFilter;
use tracing::span::Id;
use tracing::{Level, Span, field, info_span};

use crate::context::current_seat;
use crate::job_ref::AnyCell;
use crate::panic::quietly;
use crate::record::Details;
use crate::state::JobId;
use crate::sync::Mutex;

/// The target of the spans, by which a filter finds them.
const TARGET: &str = "executor_core::job";

/// True if somebody may want such spans.
#[inline]
fn are_wanted() -> bool {
    LevelFilter::current() >= Level::INFO
}

/// Whose children the spans of jobs are.
#[derive(Clone)]
pub(crate) enum Submitter {
    /// The span that is current when a job is submitted.
    Here,
    /// The span that was current for the caller of a map, which submits more later; maybe none.
    Caller(Span),
}

impl Submitter {
    #[inline]
    pub(crate) fn here() -> Self {
        Submitter::Here
    }

    /// For what is submitted later in the name of whoever calls now.
    pub(crate) fn caller() -> Self {
        Submitter::Caller(Span::current())
    }

    fn id(&self) -> Option<Id> {
        match self {
            Submitter::Here => Span::current().id(),
            Submitter::Caller(span) => span.id(),
        }
    }

    /// Runs `f` under the subscriber of the span, which alone knows that. Another may be the current one by now.
    fn under_subscriber<R>(&self, f: impl FnOnce() -> R) -> R {
        let Submitter::Caller(span) = self else { return f() };
        match span.with_subscriber(|(_, subscriber)| subscriber.clone()) {
            Some(subscriber) => with_default(&subscriber, f),
            None => f(),
        }
    }

    fn open(&self, id: u64, name: &str) -> Span {
        match self {
            Submitter::Here => info_span!(target: TARGET, "job", id, name, worker = field::Empty, attempt = 1),
            Submitter::Caller(span) => {
                info_span!(target: TARGET, parent: span, "job", id, name, worker = field::Empty, attempt = 1)
            }
        }
    }
}

/// The spans of the jobs of a record: nothing, where nobody wants them.
pub(crate) struct Spans(Option<Box<Open>>);

struct Open {
    /// The number of the span of the submitter, for another process.
    submitter: Option<u64>,
    jobs: Box<[Mutex<Slot>]>,
}

/// The span of one job.
#[derive(Default)]
struct Slot {
    /// Gone once the job is done. Shared, so that it can be given to another thread without a call of the subscriber.
    span: Option<Arc<Span>>,
    /// The worker in another process that has the job.
    worker: Option<usize>,
}

impl Spans {
    pub(crate) fn none() -> Self {
        Spans(None)
    }

    /// Opens the spans of `jobs` jobs, of which `first` is the number of the first.
    #[inline]
    pub(crate) fn open(submitter: &Submitter, first: JobId, jobs: usize, name: &str) -> Self {
        if !are_wanted() {
            return Spans(None);
        }
        Spans(submitter.under_subscriber(|| Open::of(submitter, first, jobs, name)))
    }

    /// True if there are spans that must be closed.
    #[inline]
    pub(crate) fn are_open(&self) -> bool {
        self.0.is_some()
    }

    /// Runs `f`, an attempt of a job or the begin of one, inside the span of the job, and notes there which worker does.
    #[inline]
    pub(crate) fn run<R>(&self, item: u32, f: impl FnOnce() -> R) -> R {
        match &self.0 {
            None => f(),
            Some(open) => open.run(item, f),
        }
    }

    /// Runs `f`, a further piece of an attempt, inside the span of the job.
    #[inline]
    pub(crate) fn within<R>(&self, item: u32, f: impl FnOnce() -> R) -> R {
        match &self.0 {
            None => f(),
            Some(open) => open.within(item, f),
        }
    }

    /// The span of a job, until the job is done.
    pub(crate) fn weak(&self, item: u32) -> Weak<Span> {
        let Some(open) = &self.0 else { return Weak::new() };
        open.jobs[item as usize].lock().span.as_ref().map_or_else(Weak::new, Arc::downgrade)
    }

    /// The number of the submitter's span, if there is one and anybody wants the spans of these jobs.
    pub(crate) fn submitter(&self) -> Option<u64> {
        self.0.as_ref()?.submitter
    }

    /// Notes which worker of another process has these jobs.
    pub(crate) fn note_worker(&self, items: Range<u32>, worker: usize) {
        let Some(open) = &self.0 else { return };
        for slot in &open.jobs[items.start as usize..items.end as usize] {
            slot.lock().worker = Some(worker);
        }
    }

    /// A job is to be tried again: this will be its attempt number `attempt`.
    #[inline]
    pub(crate) fn next_attempt(&self, item: u32, attempt: u32) -> SpanNews {
        let span = self.0.as_ref().and_then(|open| open.span(item));
        SpanNews { span, worker: None, attempt: Some(attempt) }
    }

    /// Takes the span out of a job that ends: it closes with the news.
    #[inline]
    pub(crate) fn close(&self, item: u32) -> SpanNews {
        let Some(open) = &self.0 else { return SpanNews { span: None, worker: None, attempt: None } };
        let Slot { span, worker } = std::mem::take(&mut *open.jobs[item as usize].lock());
        SpanNews { span, worker, attempt: None }
    }

    /// [`close`](Spans::close), for a job that no worker has begun, though one may have had it.
    #[inline]
    pub(crate) fn close_unrun(&self, item: u32) -> SpanNews {
        SpanNews { worker: None, ..self.close(item) }
    }
}

impl Open {
    fn span(&self, item: u32) -> Option<Arc<Span>> {
        self.jobs[item as usize].lock().span.clone()
    }

    // Apart, so that it is not in the way of jobs that have no span.
    #[inline(never)]
    fn run<R>(&self, item: u32, f: impl FnOnce() -> R) -> R {
        let Some(span) = self.span(item) else { return f() };
        if let Some(worker) = current_seat(|seat| seat.map(|seat| seat.worker())) {
            span.record("worker", worker);
        }
        span.in_scope(f)
    }

    #[inline(never)]
    fn within<R>(&self, item: u32, f: impl FnOnce() -> R) -> R {
        match self.span(item) {
            None => f(),
            Some(span) => span.in_scope(f),
        }
    }

    #[inline(never)]
    fn of(submitter: &Submitter, first: JobId, jobs: usize, name: &str) -> Option<Box<Open>> {
        let mut slots = Vec::new();
        for (item, id) in (0..jobs).zip(first.as_u64()..) {
            let span = submitter.open(id, name);
            if span.is_disabled() {
                continue;
            }
            if slots.is_empty() {
                slots.resize_with(jobs, || Mutex::new(Slot::default()));
            }
            slots[item].lock().span = Some(Arc::new(span));
        }
        if slots.is_empty() {
            return None;
        }
        let submitter = submitter.id().map(|id| id.into_u64());
        Some(Box::new(Open { submitter, jobs: slots.into() }))
    }
}

/// What the subscriber is to hear of a span, where code of the user's may run.
#[must_use = "the subscriber must hear of it: `tell`"]
pub(crate) struct SpanNews {
    span: Option<Arc<Span>>,
    worker: Option<usize>,
    attempt: Option<u32>,
}

impl SpanNews {
    #[inline]
    pub(crate) fn is_some(&self) -> bool {
        self.span.is_some()
    }

    /// Tells the subscriber, and lets go of the span.
    #[inline]
    pub(crate) fn tell(&mut self) {
        let Some(span) = self.span.take() else { return };
        quietly(|| {
            if let Some(worker) = self.worker {
                span.record("worker", worker);
            }
            if let Some(attempt) = self.attempt {
                span.record("attempt", attempt);
            }
            drop(span);
        });
    }
}

/// Runs `f`, an attempt of a guest, a job that came from another process, inside a span of this one. `submitter` is the number of the
/// submitter's span where the job came from.
#[inline]
pub(crate) fn around_guest<R>(cell: &dyn AnyCell, item: u32, submitter: Option<u64>, f: impl FnOnce() -> R) -> R {
    if !are_wanted() {
        return f();
    }
    let (record, name) = (cell.record(), cell.name());
    let id = record.id.offset(item).as_u64();
    let worker = current_seat(|seat| seat.map(|seat| seat.worker()));
    let attempt = record.details().map_or(1, Details::attempt);
    info_span!(target: TARGET, "job", id, name, worker, attempt, submitter).in_scope(f)
}
