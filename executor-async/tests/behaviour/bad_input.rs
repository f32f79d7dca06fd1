//! Jobs that behave badly while they are stopped by others than themselves: by a limit, by the end of the pool, by the end of the
//! runtime. How they do when they are killed is in `stop`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use executor_async::AsyncExecutor;
use executor_core::{
    Executor, Job, JobError, JobFuture, JobOptions, JobState, Shutdown, ShutdownError, Work, job, register_job,
};
use executor_testkit::{ON_PURPOSE, eventually, jobs};
use serde::{Deserialize, Serialize};

use crate::stop::Bomb;
use crate::tools::{Counter, pool, runtime, watched};

/// A job that does not yield until it may.
struct Stubborn {
    may_yield: Arc<AtomicBool>,
}

impl Stubborn {
    /// Starts it, and waits until it runs. Once it may yield, it ends with 7, or awaits what never comes.
    fn start(pool: &AsyncExecutor, ends: bool) -> (Stubborn, JobFuture<u32>) {
        let may_yield = Arc::new(AtomicBool::new(false));
        let (begun, theirs) = (Counter::default(), Arc::clone(&may_yield));
        let count = begun.clone();
        let future = pool.spawn(async move {
            count.add();
            while !theirs.load(Ordering::Acquire) {
                thread::yield_now();
            }
            if !ends {
                std::future::pending::<()>().await;
            }
            7
        });
        eventually("it runs", || begun.get() == 1);
        (Stubborn { may_yield }, future)
    }

    fn yields(&self) {
        self.may_yield.store(true, Ordering::Release);
    }
}

fn is_broken<T>(outcome: &Result<T, JobError>) -> bool {
    matches!(outcome, Err(JobError::Broken { cause }) if cause.contains("runtime was shut down"))
}

#[test]
fn a_shutdown_says_that_a_job_is_left_that_never_yields() {
    let _watch = watched();
    for ends in [true, false] {
        let pool = pool();
        let (stubborn, future) = Stubborn::start(&pool, ends);
        let left = pool.shutdown_timeout(Shutdown::Kill, Duration::from_millis(20)).unwrap_err();
        assert_eq!(left, ShutdownError::TimedOut { jobs: 1 });
        assert_eq!(future.state(), JobState::Running, "a future is done whose job still runs");
        stubborn.yields();
        pool.shutdown(Shutdown::Kill).unwrap();
        assert!(matches!(future.result(), Err(JobError::Killed)));
        assert_eq!((pool.stats().failed, pool.stats().running), (1, 0));
    }
}

#[test]
fn a_job_in_its_poll_when_the_runtime_ends_keeps_what_it_returns() {
    let _watch = watched();
    for ends in [true, false] {
        let runtime = runtime();
        let pool = AsyncExecutor::on(runtime.handle().clone()).unwrap();
        let (stubborn, future) = Stubborn::start(&pool, ends);
        runtime.shutdown_background();
        eventually("the pool hears of the end", || is_broken(&pool.submit(jobs::echo::job(1)).result()));
        assert_eq!(future.state(), JobState::Running, "a future is done whose job still runs");
        stubborn.yields();
        let outcome = future.result();
        assert!(if ends { matches!(outcome, Ok(7)) } else { is_broken(&outcome) }, "{outcome:?}");
        pool.shutdown(Shutdown::Drain).unwrap();
    }
}

#[test]
fn drops_that_panic_when_the_runtime_ends_do_no_harm() {
    let _watch = watched();
    let runtime = runtime();
    let pool = AsyncExecutor::builder().runtime(runtime.handle().clone()).async_jobs(3).build().unwrap();
    let (polls, drops) = (Counter::default(), Counter::default());
    let bomb = |_| pool.spawn(Bomb::new(false, true, &polls, &drops));
    // Three that are suspended, and two that wait for their turn.
    let futures: Vec<_> = (0..5).map(bomb).collect();
    eventually("three are polled", || polls.get() == 3);
    drop(runtime);
    for future in futures {
        let outcome = future.result();
        assert!(is_broken(&outcome), "{outcome:?}");
    }
    assert_eq!(drops.get(), 5);
    assert_eq!((pool.stats().failed, pool.stats().queued, pool.stats().running), (5, 0, 0));
    pool.shutdown(Shutdown::Drain).unwrap();
}

#[test]
fn drops_that_panic_when_the_pool_ends_do_no_harm() {
    let _watch = watched();
    let pool = AsyncExecutor::builder().workers(2).async_jobs(3).build().unwrap();
    let (polls, drops) = (Counter::default(), Counter::default());
    let futures: Vec<_> = (0..5).map(|_| pool.spawn(Bomb::new(false, true, &polls, &drops))).collect();
    eventually("three are polled", || polls.get() == 3);
    pool.shutdown(Shutdown::Kill).unwrap();
    let ends: Vec<_> = futures.into_iter().map(|future| future.result().unwrap_err()).collect();
    assert_eq!(ends.iter().filter(|error| matches!(error, JobError::Killed)).count(), 3, "{ends:?}");
    assert_eq!(ends.iter().filter(|error| error.is_cancelled()).count(), 2, "{ends:?}");
    assert_eq!(drops.get(), 5);
}

/// Awaits what never comes, with a value that panics when it is dropped.
#[job]
async fn hold_a_bomb() {
    struct Throws;
    impl Drop for Throws {
        fn drop(&mut self) {
            panic!("a drop that panics, {ON_PURPOSE}");
        }
    }
    let _throws = Throws;
    std::future::pending::<()>().await;
}

#[test]
fn a_drop_that_panics_at_the_run_limit_does_not_change_the_outcome() {
    let _watch = watched();
    let pool = pool();
    let options = JobOptions::new().run_limit(Duration::from_millis(5));
    let error = pool.submit_with(hold_a_bomb::job(), options).result().unwrap_err();
    assert!(matches!(error, JobError::RunLimit { .. }), "{error:?}");
    assert_eq!(pool.submit(jobs::echo_async::job(1)).result().unwrap(), 1);
}

/// A job that says it is async, and panics where it is to make its future.
#[derive(Serialize, Deserialize)]
struct PanicsAtStart;

impl Job for PanicsAtStart {
    type Output = u32;

    fn is_async() -> bool {
        true
    }

    fn start(self) -> Work<u32> {
        panic!("a start that panics, {ON_PURPOSE}")
    }

    register_job!(PanicsAtStart);
}

#[test]
fn a_panic_before_the_first_poll_is_the_outcome() {
    let _watch = watched();
    let pool = pool();
    let error = pool.submit(PanicsAtStart).result().unwrap_err();
    assert!(matches!(&error, JobError::Panicked { message, .. } if message.contains("start")), "{error:?}");
    assert_eq!(pool.submit(jobs::echo_async::job(1)).result().unwrap(), 1);
}
