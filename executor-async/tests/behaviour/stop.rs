//! Stopping async jobs by force, and futures that behave badly.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use executor_async::AsyncExecutor;
use executor_core::{Executor, JobError, JobOptions, JobState, Retries, Shutdown, current, job};
use executor_testkit::{Gate, Log, ON_PURPOSE, Pen, eventually, jobs};

use crate::tools::{Counted, Counter, Forever, pool, runtime, watched};

#[test]
fn a_killed_job_is_dropped_at_its_await() {
    let _watch = watched();
    let pool = pool();
    for detached in [false, true] {
        let (polls, drops) = (Counter::default(), Counter::default());
        let future = pool.spawn(Forever::new(&polls, &drops));
        let handle = future.handle();
        // The future may be gone before the job is killed.
        let future = if detached { None } else { Some(future) };
        eventually("it is polled", || polls.get() == 1);
        assert!(handle.kill());
        eventually("it is dropped", || drops.get() == 1 && handle.is_done());
        assert!(!handle.kill() && handle.is_failed());
        if let Some(future) = future {
            assert!(matches!(future.result(), Err(JobError::Killed)));
        }
        assert_eq!(polls.get(), 1);
    }
    let stats = pool.stats();
    assert_eq!((stats.failed, stats.running, stats.queued), (2, 0, 0));
    assert_eq!(pool.submit(jobs::echo_async::job(1)).result().unwrap(), 1);
}

#[test]
fn a_killed_job_makes_room_for_the_next() {
    let _watch = watched();
    let pool = AsyncExecutor::builder().workers(1).async_jobs(1).build().unwrap();
    let (polls, drops) = (Counter::default(), Counter::default());
    let first = pool.spawn(Forever::new(&polls, &drops));
    eventually("it is polled", || polls.get() == 1);
    let second = pool.submit(jobs::echo_async::job(2));
    assert_eq!(second.state(), JobState::Pending);
    assert!(first.kill());
    assert_eq!(second.result().unwrap(), 2);
}

#[test]
fn a_function_is_not_killed() {
    let _watch = watched();
    let pool = pool();
    let gate = Gate::new();
    let future = pool.submit(jobs::pass::job(gate.pass(), 1));
    gate.wait_for(1);
    assert!(!future.kill());
    gate.open();
    assert_eq!(future.result().unwrap(), 1);
}

#[test]
fn what_the_runtime_has_not_polled_is_cancelled() {
    let _watch = watched();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let pool = AsyncExecutor::on(runtime.handle().clone()).unwrap();
    let drops = Counter::default();
    let futures: Vec<_> = (0..3)
        .map(|_| {
            let held = drops.drops();
            pool.spawn(async move { drop(held) })
        })
        .collect();
    assert!(futures.iter().all(|future| future.state() == JobState::Pending));
    assert!(futures[0].cancel() && futures[1].kill());
    assert_eq!(drops.get(), 2);
    runtime.block_on(async {
        let mut futures = futures.into_iter();
        assert!(futures.next().unwrap().await.unwrap_err().is_cancelled());
        assert!(futures.next().unwrap().await.unwrap_err().is_cancelled());
        futures.next().unwrap().await.unwrap();
    });
    assert_eq!((drops.get(), pool.stats().cancelled, pool.stats().finished), (3, 2, 1));
}

/// Writes its attempt, and awaits what never comes.
#[job]
async fn hang(pen: Pen) {
    pen.write(u64::from(current().attempt()));
    std::future::pending::<()>().await;
}

#[test]
fn an_async_job_is_dropped_at_its_run_limit() {
    let _watch = watched();
    let pool = pool();
    let limit = Duration::from_millis(10);
    let log = Log::new();
    let future = pool.submit_with(hang::job(log.pen()), JobOptions::new().run_limit(limit).name("stuck"));
    let error = future.result().unwrap_err();
    assert!(matches!(&error, JobError::RunLimit { job, limit: told } if job == "stuck" && *told == limit), "{error:?}");
    // A run limit is a failure like any other: it is tried again.
    let again = JobOptions::new().run_limit(limit).retries(Retries::times(2));
    let error = pool.submit_with(hang::job(log.pen()), again).result().unwrap_err();
    assert!(matches!(error, JobError::RunLimit { .. }), "{error:?}");
    assert_eq!(log.entries(), [1, 1, 2, 3]);
    // One that keeps to its limit is not touched.
    let options = JobOptions::new().run_limit(Duration::from_secs(3600));
    assert_eq!(pool.submit_with(jobs::double_async::job(4), options).result().unwrap(), 8);
    assert_eq!(pool.stats().failed, 2);
}

#[test]
fn a_function_past_its_limit_is_asked_to_stop() {
    let _watch = watched();
    let pool = pool();
    let options = JobOptions::new().run_limit(Duration::from_millis(10));
    let log = Log::new();
    let error = pool.submit_with(jobs::spin_until_stop::job(log.pen(), 1), options).result().unwrap_err();
    assert!(matches!(error, JobError::RunLimit { .. }), "{error:?}");
}

#[test]
fn a_job_is_killed_between_two_attempts() {
    let _watch = watched();
    let pool = pool();
    let log = Log::new();
    let options = JobOptions::new().retries(Retries::times(3).backoff(Duration::from_secs(3600)));
    let future = pool.submit_with(fail_async::job(log.pen()), options);
    log.wait_for(1);
    eventually("the back-off can be killed", || future.kill());
    assert!(matches!(future.result(), Err(JobError::Killed)));
    assert_eq!(log.entries(), [1]);
}

#[job]
async fn fail_async(pen: Pen) -> Result<(), String> {
    pen.write(u64::from(current().attempt()));
    Err("not this time".to_owned())
}

#[test]
fn kill_racing_an_async_job_leaves_one_outcome() {
    let _watch = watched();
    let pool = pool();
    for round in 0..2000 {
        let future = pool.submit(jobs::double_async::job(round));
        (0..round % 300).for_each(|_| std::hint::spin_loop());
        let killed = future.kill();
        match future.result() {
            Ok(value) => assert!(!killed && value == 2 * round),
            Err(JobError::Killed | JobError::Cancelled) => assert!(killed),
            Err(error) => panic!("{error:?}"),
        }
    }
    let stats = pool.stats();
    assert_eq!((stats.submitted(), stats.queued, stats.running), (2000, 0, 0));
}

#[test]
fn a_shutdown_that_kills_drops_what_is_suspended_and_cancels_the_rest() {
    let _watch = watched();
    let pool = AsyncExecutor::builder().workers(2).async_jobs(2).build().unwrap();
    let (polls, drops) = (Counter::default(), Counter::default());
    let futures: Vec<_> = (0..5).map(|_| pool.spawn(Forever::new(&polls, &drops))).collect();
    eventually("two are polled", || polls.get() == 2);
    pool.shutdown(Shutdown::Kill).unwrap();
    assert_eq!(drops.get(), 5);
    let ends: Vec<_> = futures.into_iter().map(|future| future.result().unwrap_err()).collect();
    assert_eq!(ends.iter().filter(|error| matches!(error, JobError::Killed)).count(), 2, "{ends:?}");
    assert_eq!(ends.iter().filter(|error| error.is_cancelled()).count(), 3, "{ends:?}");
}

/// Panics where it is told to.
pub(crate) struct Bomb {
    in_poll: bool,
    in_drop: bool,
    /// Taken by the first poll.
    polled: Option<Counter>,
    _drops: Counted,
}

impl Bomb {
    pub(crate) fn new(in_poll: bool, in_drop: bool, polled: &Counter, drops: &Counter) -> Self {
        Bomb { in_poll, in_drop, polled: Some(polled.clone()), _drops: drops.drops() }
    }
}

impl Future for Bomb {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if let Some(polled) = self.polled.take() {
            polled.add();
        }
        assert!(!self.in_poll, "a poll that panics, {ON_PURPOSE}");
        Poll::Pending
    }
}

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(!self.in_drop, "a drop that panics, {ON_PURPOSE}");
    }
}

#[test]
fn a_panic_in_poll_is_the_outcome() {
    let _watch = watched();
    let pool = pool();
    for in_drop in [false, true] {
        let (polls, drops) = (Counter::default(), Counter::default());
        let error = pool.spawn(Bomb::new(true, in_drop, &polls, &drops)).result().unwrap_err();
        assert!(
            matches!(&error, JobError::Panicked { message, location: Some(at), .. }
            if message.contains("poll") && at.contains("stop.rs")),
            "{error:?}"
        );
        assert_eq!((polls.get(), drops.get()), (1, 1));
    }
    assert_eq!(pool.submit(jobs::echo_async::job(1)).result().unwrap(), 1);
    assert_eq!(pool.stats().failed, 2);
}

#[test]
fn a_panic_in_drop_does_not_change_the_outcome() {
    let _watch = watched();
    let pool = pool();
    let (polls, drops) = (Counter::default(), Counter::default());
    let future = pool.spawn(Bomb::new(false, true, &polls, &drops));
    eventually("it is polled", || polls.get() == 1);
    assert!(future.kill());
    assert!(matches!(future.result(), Err(JobError::Killed)));
    assert_eq!(drops.get(), 1);
    assert_eq!(pool.submit(jobs::echo_async::job(1)).result().unwrap(), 1);
    pool.shutdown(Shutdown::Drain).unwrap();
}

#[test]
fn a_future_that_never_yields_ends_as_killed_when_it_returns_at_last() {
    let _watch = watched();
    let pool = pool();
    let go_on = Arc::new(AtomicBool::new(true));
    let (begun, theirs) = (Counter::default(), Arc::clone(&go_on));
    let count = begun.clone();
    let future = pool.spawn(async move {
        count.add();
        while theirs.load(Ordering::Acquire) {
            thread::yield_now();
        }
    });
    eventually("it runs", || begun.get() == 1);
    assert!(future.kill(), "it is decided that its value does not arrive");
    assert_eq!(future.state(), JobState::Running, "a future is done whose job still runs");
    // The other thread of the runtime goes on.
    assert_eq!(pool.submit(jobs::echo::job(1)).result().unwrap(), 1);
    go_on.store(false, Ordering::Release);
    assert!(matches!(future.result(), Err(JobError::Killed)));
}

/// Holds its thread until its run limit has passed.
#[job]
async fn hold_past_the_limit() {
    while !current().should_stop() {
        thread::yield_now();
    }
}

#[test]
fn a_future_that_never_yields_is_judged_by_its_limit_when_it_returns() {
    let _watch = watched();
    let options = JobOptions::new().run_limit(Duration::from_millis(5));
    let error = pool().submit_with(hold_past_the_limit::job(), options).result().unwrap_err();
    assert!(matches!(error, JobError::RunLimit { .. }), "{error:?}");
}

#[test]
fn the_future_of_a_job_is_dropped_in_its_context() {
    let _watch = watched();
    struct Tell(std::sync::mpsc::Sender<Option<u64>>);
    impl Drop for Tell {
        fn drop(&mut self) {
            let _ = self.0.send(current().id().map(|id| id.as_u64()));
        }
    }
    let runtime = runtime();
    let pool = AsyncExecutor::on(runtime.handle().clone()).unwrap();
    let (tx, rx) = std::sync::mpsc::channel();
    let (polled, tell) = (Counter::default(), Tell(tx));
    let count = polled.clone();
    let future = pool.spawn(async move {
        let _tell = tell;
        count.add();
        std::future::pending::<()>().await;
    });
    eventually("it is polled", || polled.get() == 1);
    assert!(future.kill());
    assert_eq!(rx.recv().unwrap(), Some(future.id().as_u64()));
}
