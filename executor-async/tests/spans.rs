//! The laws of spans on [`AsyncExecutor`]; and what becomes of the span of a job that is suspended, or dropped.

use executor_async::AsyncExecutor;
use executor_core::BuildError;
use executor_testkit::spans::{Recorder, SpanNote};
use executor_testkit::{Config, Gate, Subject, Verdict, check, span_laws};

struct Runtime;

impl Subject for Runtime {
    type Pool = AsyncExecutor;

    fn build(config: &mut Config) -> Result<AsyncExecutor, BuildError> {
        // One async job at a time, where the law wants one worker.
        let workers = config.take_workers();
        let builder = AsyncExecutor::builder().workers(workers.unwrap_or(2));
        match workers {
            Some(workers) => builder.async_jobs(workers).build(),
            None => builder.build(),
        }
    }
}

span_laws!(Runtime, not_claimed = []);

/// Says so when it is dropped.
struct Says;

impl Drop for Says {
    fn drop(&mut self) {
        tracing::info!("dropped");
    }
}

#[test]
fn the_future_of_a_job_is_dropped_inside_its_span() {
    let law = |_: &_| -> Verdict {
        let recorder = Recorder::installed();
        let pool = AsyncExecutor::builder().workers(1).build().unwrap();
        let polled = Gate::new();
        let (says, pass) = (Says, polled.pass());
        let future = pool.spawn(async move {
            let _says = says;
            pass.go_async().await;
        });
        polled.wait_for(1);
        let id = future.id().as_u64();
        assert!(future.kill());
        assert!(future.result().is_err());
        let [span] = <[SpanNote; 1]>::try_from(recorder.of_job(id)).unwrap();
        let events = recorder.events_in(&span);
        assert_eq!(events.iter().map(|event| event.value("message")).collect::<Vec<_>>(), [Some("dropped")]);
        assert!(span.is_closed && span.entered == span.left, "{span:?}");
        Ok(())
    };
    check::<Runtime>("drop", law).unwrap();
}

#[test]
fn a_span_is_left_while_its_job_is_suspended() {
    let law = |_: &_| -> Verdict {
        let recorder = Recorder::installed();
        let pool = AsyncExecutor::builder().workers(1).build().unwrap();
        let gate = Gate::new();
        let pass = gate.pass();
        let suspended = pool.spawn(async move { pass.go_async().await });
        gate.wait_for(1);
        // The one thread of the runtime has another job meanwhile, outside of the span of this one.
        let other = pool.spawn(async { tracing::Span::current().id().map(|id| id.into_u64()) });
        let note = recorder.of_job(other.id().as_u64()).remove(0);
        assert_eq!(other.result().unwrap(), Some(note.number));
        let span = recorder.of_job(suspended.id().as_u64()).remove(0);
        assert!(!span.is_closed && span.entered > 0 && span.entered == span.left, "{span:?}");
        gate.open();
        suspended.result().unwrap();
        assert!(recorder.of_job(note.values("id")[0].parse().unwrap())[0].is_closed);
        Ok(())
    };
    check::<Runtime>("suspended", law).unwrap();
}
