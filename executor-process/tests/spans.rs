//! The laws of spans on [`ProcessExecutor`]; the spans of its workers; and what they print, inside the spans of their jobs.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "these are tests of what is printed"
)]

use executor_core::{BuildError, Executor, JobOptions, Retries, Shutdown, current, job};
use executor_process::{Process, ProcessExecutor};
use executor_testkit::spans::{Recorder, SpanNote, install_recorder, span_around};
use executor_testkit::{Config, Subject, Verdict, check, eventually, jobs, span_laws};
use tracing::{Level, Span, info_span};

struct Processes;

impl Subject for Processes {
    type Pool = ProcessExecutor;

    fn build(config: &mut Config) -> Result<ProcessExecutor, BuildError> {
        let workers = config.take_workers().unwrap_or(2);
        // The panics that the laws throw on purpose would be printed there.
        ProcessExecutor::builder().workers(workers).discard_output().build()
    }

    // The threads that have the children of the program stay for the next one.
    fn is_lasting_thread(name: &str) -> bool {
        name.starts_with("process-")
    }
}

span_laws!(
    Processes,
    // No subscriber sees into another process.
    not_claimed = [job_runs_inside_its_span, async_job_is_polled_inside_its_span, job_of_a_job_is_its_child]
);

/// Runs a test alone, as the laws are.
fn alone(name: &'static str, test: impl FnOnce(&Recorder)) {
    let law = |_: &_| -> Verdict {
        test(Recorder::installed());
        Ok(())
    };
    check::<Processes>(name, law).unwrap();
}

/// A span that submits, and its note.
fn submitter() -> (Span, SpanNote) {
    let span = info_span!("submitter");
    let note = Recorder::installed().of(&span);
    (span, note)
}

/// Prints its number to both streams, and ends its worker before its last attempt.
#[job]
fn print(number: u32, attempts: u32) -> u32 {
    println!("{number} to stdout");
    eprintln!("{number} to stderr");
    if current().attempt() < attempts {
        std::process::abort();
    }
    number
}

#[test]
fn lines_are_events_inside_the_span_of_their_job() {
    alone("lines", |recorder| {
        let pool = ProcessExecutor::builder().workers(2).trace_output().build().unwrap();
        let (span, note) = submitter();
        let map = span.in_scope(|| pool.map(|number| print::job(number, 1), 0..100));
        assert_eq!(map.map(Result::unwrap).sum::<u32>(), 4950);
        let retried = JobOptions::new().retries(Retries::times(1));
        let retried = span.in_scope(|| pool.submit_with(print::job(100, 2), retried));
        assert_eq!(retried.result().unwrap(), 100);
        pool.shutdown(Shutdown::Drain).unwrap();
        let spans = recorder.children(&note);
        assert_eq!(spans.len(), 101);
        for (number, span) in spans.iter().enumerate() {
            assert!(span.is_closed, "{span:?}");
            let events = recorder.events_in(span);
            let attempts = if number == 100 { 2 } else { 1 };
            for (level, stream) in [(Level::INFO, "stdout"), (Level::WARN, "stderr")] {
                let told = events.iter().filter(|event| event.value("stream") == Some(stream));
                let told = told.inspect(|event| {
                    assert_eq!((event.target, event.level), ("executor_process::output", level));
                    assert_eq!(event.value("message"), Some(&*format!("{number} to {stream}")));
                    assert_eq!(event.value("job_id"), span.values("id").first().copied());
                });
                assert_eq!(told.count(), attempts);
            }
        }
        assert_eq!(spans[100].values("attempt"), ["1", "2"]);
    });
}

/// Gives the span around it from attempt `good` on.
#[job]
fn span_at(good: u32) -> Result<Vec<(String, String)>, ()> {
    if current().attempt() < good { Err(()) } else { Ok(span_around()) }
}

#[test]
fn a_worker_has_spans_that_name_job_and_submitter() {
    alone("workers", |_| {
        let pool = ProcessExecutor::builder().workers(1).discard_output().build().unwrap();
        let (span, note) = submitter();
        let before = span.in_scope(|| pool.submit(span_around::job()));
        assert_eq!(before.result().unwrap(), [], "the worker has no subscriber");
        pool.submit(install_recorder::job()).result().unwrap();
        let wanted = |id: u64, name: &str, attempt: u32, submitter: Option<u64>| {
            let fields = [("id", id.to_string()), ("name", name.to_owned()), ("worker", "0".to_owned())];
            let attempt = ("attempt", attempt.to_string());
            let submitter = submitter.map(|number| ("submitter", number.to_string()));
            let fields = fields.into_iter().chain([attempt]).chain(submitter);
            fields.map(|(name, value)| (name.to_owned(), value)).collect::<Vec<_>>()
        };
        let future = span.in_scope(|| pool.submit(span_around::job()));
        let (id, name) = (future.id().as_u64(), future.handle().name().to_owned());
        assert_eq!(future.result().unwrap(), wanted(id, &name, 1, Some(note.number)));
        let options = JobOptions::new().retries(Retries::times(2)).name("again");
        let future = span.in_scope(|| pool.submit_with(span_at::job(3), options));
        let id = future.id().as_u64();
        assert_eq!(future.result().unwrap(), Ok(wanted(id, "again", 3, Some(note.number))));
        let future = pool.submit(span_around::job());
        let id = future.id().as_u64();
        assert_eq!(future.result().unwrap(), wanted(id, &name, 1, None));
        let map = span.in_scope(|| pool.map(|()| span_around::job(), [(); 50]));
        let mut spans = map.map(Result::unwrap);
        let submitter = ("submitter".to_owned(), note.number.to_string());
        assert!(spans.by_ref().all(|fields| fields.contains(&submitter)));
        drop(spans);
    });
}

/// Ends its worker.
#[job]
fn die() {
    std::process::abort();
}

#[test]
fn the_span_of_a_job_ends_with_its_worker() {
    alone("deaths", |recorder| {
        let pool = ProcessExecutor::builder().workers(2).discard_output().build().unwrap();
        let (span, note) = submitter();
        span.in_scope(|| pool.submit(die::job())).result().unwrap_err();
        let gate = executor_testkit::Gate::new();
        let killed = span.in_scope(|| pool.submit(jobs::pass::job(gate.pass(), 1)));
        gate.wait_for(1);
        assert!(killed.kill());
        killed.result().unwrap_err();
        eventually("both are closed", || recorder.children(&note).iter().all(|span| span.is_closed));
        let workers = recorder.children(&note).into_iter().map(|span| span.values("worker").len());
        assert_eq!(workers.collect::<Vec<_>>(), [1, 1]);
    });
}

#[test]
fn the_job_of_a_process_has_a_span() {
    alone("process", |recorder| {
        let (span, note) = submitter();
        let process = span.in_scope(|| Process::spawn(jobs::echo::job(5)).unwrap());
        assert_eq!(process.result().unwrap(), 5);
        eventually("it is closed", || recorder.children(&note).iter().all(|span| span.is_closed));
        let spans = recorder.children(&note);
        assert!(spans.len() == 1 && spans[0].values("name")[0].contains("echo"), "{spans:?}");
    });
}
