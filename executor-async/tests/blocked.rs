//! Async jobs that block the runtime are told of while they do.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use executor_async::{AsyncExecutor, AsyncExecutorBuilder};
use executor_core::{BuildError, Executor, JobFuture, JobId, Shutdown, job};
use executor_testkit::spans::{EventNote, Recorder};
use executor_testkit::{Gate, eventually, jobs};
use tokio::sync::Notify;
use tracing::{Level, info_span};

/// After how long the tests want to hear of a job.
const LIMIT: Duration = Duration::from_millis(20);

fn builder() -> AsyncExecutorBuilder {
    Recorder::installed();
    AsyncExecutor::builder().workers(3)
}

/// What was told of the job.
fn warnings(id: JobId) -> Vec<EventNote> {
    let id = id.as_u64().to_string();
    let is_of = |event: &EventNote| event.target == "executor_async::blocked" && event.value("job_id") == Some(&id);
    Recorder::installed().events().into_iter().filter(is_of).collect()
}

/// A job that blocks in each of its polls, until it may go on to the next.
struct Blocker {
    future: JobFuture<()>,
    may_go: Arc<AtomicU32>,
}

impl Blocker {
    fn start(pool: &AsyncExecutor, polls: u32) -> Self {
        let may_go = Arc::new(AtomicU32::new(0));
        let theirs = Arc::clone(&may_go);
        let future = pool.spawn(async move {
            for poll in 1..=polls {
                while theirs.load(Ordering::Acquire) < poll {
                    thread::yield_now();
                }
                tokio::task::yield_now().await;
            }
        });
        Blocker { future, may_go }
    }

    /// Waits until so many warnings tell of it, and lets it go on to the next poll.
    fn is_noticed(&self, times: usize) {
        eventually("the job that blocks is noticed", || warnings(self.future.id()).len() == times);
        self.may_go.fetch_add(1, Ordering::Release);
    }

    fn end(self) {
        self.future.result().unwrap();
    }
}

/// As long as it takes to notice two polls, each of which takes longer than a job may block.
fn a_while(pool: &AsyncExecutor) {
    let other = Blocker::start(pool, 2);
    other.is_noticed(1);
    other.is_noticed(2);
    other.end();
}

#[test]
fn a_job_that_blocks_is_told_of_once_for_each_poll() {
    let pool = builder().warn_when_blocked_for(LIMIT).build().unwrap();
    let blocker = Blocker::start(&pool, 3);
    let id = blocker.future.id();
    for poll in 1..=3 {
        eventually("it is noticed", || warnings(id).len() == poll);
        a_while(&pool);
        assert_eq!(warnings(id).len(), poll, "once is enough");
        blocker.may_go.fetch_add(1, Ordering::Release);
    }
    blocker.end();
    a_while(&pool);
    assert_eq!(warnings(id).len(), 3);
    pool.shutdown(Shutdown::Drain).unwrap();
}

/// Blocks until it may go on, by the name of a job.
#[job(name = "greedy")]
async fn block(gate: executor_testkit::Pass) {
    gate.go();
}

#[test]
fn the_warning_names_the_job_and_is_inside_its_span() {
    let pool = builder().warn_when_blocked_for(LIMIT).name("herd").build().unwrap();
    let recorder = Recorder::installed();
    let (gate, span) = (Gate::new(), info_span!("submitter"));
    let future = span.in_scope(|| pool.submit(block::job(gate.pass())));
    let id = future.id();
    eventually("it is noticed", || warnings(id).len() == 1);
    let warning = warnings(id).remove(0);
    gate.open();
    future.result().unwrap();
    assert_eq!((warning.level, warning.value("job")), (Level::WARN, Some("greedy")));
    assert!(warning.value("thread").unwrap().starts_with("herd-"), "{warning:?}");
    assert!(warning.value("blocked_for").unwrap().ends_with("ms"), "{warning:?}");
    assert!(warning.value("message").unwrap().contains("spawn_blocking"), "{warning:?}");
    assert_eq!(warning.span, Some(recorder.of_job(id.as_u64())[0].key));
}

#[test]
fn jobs_that_wait_and_functions_are_not_told_of() {
    // Longer than a busy machine keeps a thread from going on that has a µs left of its poll.
    let pool = builder().warn_when_blocked_for(5 * LIMIT).blocking_threads(2).build().unwrap();
    let (gate, over) = (Gate::new(), Arc::new(Notify::new()));
    let theirs = Arc::clone(&over);
    let awaits = pool.spawn(async move { theirs.notified().await });
    let function = pool.submit(jobs::pass::job(gate.pass(), 2));
    let theirs = gate.pass();
    let closure = pool.spawn_blocking(move || theirs.go());
    gate.wait_for(2);
    a_while(&pool);
    gate.open();
    over.notify_one();
    let ids = [awaits.id(), function.id(), closure.id()];
    awaits.result().unwrap();
    assert_eq!(function.result().unwrap(), 2);
    closure.result().unwrap();
    assert!(ids.into_iter().all(|id| warnings(id).is_empty()));
}

#[test]
fn a_job_that_yields_is_not_told_of_and_the_default_is_a_second() {
    let pool = builder().build().unwrap();
    let over = Arc::new(AtomicU32::new(0));
    let theirs = Arc::clone(&over);
    let yields = pool.spawn(async move {
        while theirs.load(Ordering::Acquire) == 0 {
            tokio::task::yield_now().await;
        }
    });
    let other = Blocker::start(&pool, 1);
    other.is_noticed(1);
    let [warning] = <[EventNote; 1]>::try_from(warnings(other.future.id())).unwrap();
    let seconds: f64 = warning.value("blocked_for").unwrap().strip_suffix('s').unwrap().parse().unwrap();
    assert!(seconds >= 1.0, "{seconds}");
    other.end();
    over.store(1, Ordering::Release);
    let id = yields.id();
    yields.result().unwrap();
    assert!(warnings(id).is_empty());
}

#[test]
fn a_poll_that_may_take_no_time_is_refused() {
    let error = builder().warn_when_blocked_for(Duration::ZERO).build().unwrap_err();
    assert!(matches!(&error, BuildError::Invalid { what } if what.contains("`warn_when_blocked_for`")), "{error:?}");
    // One that may take for ever is not.
    let pool = builder().warn_when_blocked_for(Duration::MAX).build().unwrap();
    assert_eq!(pool.submit(jobs::echo_async::job(1)).result().unwrap(), 1);
}
