//! The runtime beneath: owned or given, of one thread, without a clock, or gone.

use std::time::Duration;

use executor_async::AsyncExecutor;
use executor_core::{BuildError, Executor, JobError, JobOptions, JobState, Retries, Shutdown, ShutdownError, job};
use executor_testkit::{Gate, Log, Pen, eventually, jobs};
use tokio::runtime::{Builder, Runtime};

use crate::tools::{Counter, Forever, pool, runtime, watched};

fn one_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn assert_broken<T: std::fmt::Debug>(outcome: Result<T, JobError>) {
    let error = outcome.unwrap_err();
    assert!(matches!(&error, JobError::Broken { cause } if cause.contains("runtime was shut down")), "{error:?}");
}

#[test]
fn a_runtime_that_was_given_stays_the_callers() {
    let _watch = watched();
    let runtime = runtime();
    let pool = AsyncExecutor::on(runtime.handle().clone()).unwrap();
    assert_eq!(pool.submit(jobs::echo_async::job(1)).result().unwrap(), 1);
    drop(pool);
    assert_eq!(runtime.block_on(async { tokio::spawn(async { 2 }).await.unwrap() }), 2);
}

#[test]
fn there_is_no_current_runtime_outside_of_one() {
    let _watch = watched();
    let error = AsyncExecutor::current().unwrap_err();
    assert!(matches!(error, BuildError::Invalid { .. }), "{error:?}");
    let text = error.to_string();
    assert!(
        text.starts_with("this is inside of no tokio runtime (") && text.contains("); call `AsyncExecutor::new`"),
        "{text}"
    );
}

#[test]
fn every_open_future_ends_when_the_runtime_does() {
    let _watch = watched();
    let runtime = runtime();
    let pool =
        AsyncExecutor::builder().runtime(runtime.handle().clone()).blocking_threads(1).async_jobs(2).build().unwrap();
    let (polls, drops) = (Counter::default(), Counter::default());
    let gate = Gate::new();
    let function = pool.submit(jobs::pass::job(gate.pass(), 1));
    gate.wait_for(1);
    let suspended: Vec<_> = (0..2).map(|_| pool.spawn(Forever::new(&polls, &drops))).collect();
    eventually("both are polled", || polls.get() == 2);
    let queued = [pool.submit(jobs::echo_async::job(2)), pool.submit(jobs::echo::job(3))];
    // The function runs on: its thread cannot be stopped.
    runtime.shutdown_background();
    suspended.into_iter().for_each(|future| assert_broken(future.result()));
    queued.into_iter().for_each(|future| assert_broken(future.result()));
    assert_eq!(drops.get(), 2);
    assert_broken(pool.submit(jobs::echo_async::job(4)).result());
    assert_broken(pool.submit(jobs::echo::job(5)).result());
    gate.open();
    assert_eq!(function.result().unwrap(), 1);
    let stats = pool.stats();
    assert_eq!((stats.finished, stats.failed, stats.queued, stats.running), (1, 4, 0, 0));
    pool.shutdown(Shutdown::Drain).unwrap();
}

#[test]
fn a_job_in_back_off_ends_when_the_runtime_does() {
    let _watch = watched();
    let runtime = runtime();
    let pool = AsyncExecutor::on(runtime.handle().clone()).unwrap();
    let log = Log::new();
    let options = JobOptions::new().retries(Retries::times(1).backoff(Duration::from_secs(3600)));
    let future = pool.submit_with(fail_slowly::job(log.pen()), options);
    log.wait_for(1);
    drop(runtime);
    assert!(!matches!(future.result(), Ok(Ok(_))));
}

#[job]
async fn fail_slowly(pen: Pen) -> Result<(), String> {
    pen.write(1);
    Err("not now".to_owned())
}

#[test]
fn an_idle_executor_whose_runtime_is_gone_says_so() {
    let _watch = watched();
    for runtime in [runtime(), one_thread()] {
        let pool = AsyncExecutor::on(runtime.handle().clone()).unwrap();
        drop(runtime);
        assert_broken(pool.submit(jobs::echo_async::job(1)).result());
        assert_broken(pool.submit(jobs::echo::job(1)).result());
        assert_broken(futures::executor::block_on(pool.submit_wait(jobs::echo::job(1))).result());
    }
    // The same where it was gone when the executor was built.
    let gone = runtime();
    let handle = gone.handle().clone();
    drop(gone);
    assert_broken(AsyncExecutor::on(handle).unwrap().submit(jobs::echo_async::job(1)).result());
}

#[test]
fn a_runtime_of_one_thread_runs_jobs_while_it_is_driven() {
    let _watch = watched();
    let runtime = one_thread();
    let pool = AsyncExecutor::on(runtime.handle().clone()).unwrap();
    let async_job = pool.submit(jobs::double_async::job(3));
    // A function has a thread of its own.
    assert_eq!(pool.submit(jobs::echo::job(1)).result().unwrap(), 1);
    assert_eq!(async_job.state(), JobState::Pending);
    let nested = pool.clone();
    runtime.block_on(async {
        assert_eq!(async_job.await.unwrap(), 6);
        let sum = nested.clone().spawn(async move {
            nested.submit(jobs::echo::job(1)).await.unwrap() + nested.submit(jobs::echo_async::job(2)).await.unwrap()
        });
        assert_eq!(sum.await.unwrap(), 3);
        let limited = pool.submit_with(pend::job(), JobOptions::new().run_limit(Duration::from_millis(5)));
        assert!(matches!(limited.await, Err(JobError::RunLimit { .. })));
        let (polls, drops) = (Counter::default(), Counter::default());
        let killed = pool.spawn(Forever::new(&polls, &drops));
        while polls.get() == 0 {
            tokio::task::yield_now().await;
        }
        assert!(killed.kill());
        assert!(matches!(killed.await, Err(JobError::Killed)));
        pool.shutdown_wait(Shutdown::Drain).await.unwrap();
    });
}

#[job]
async fn pend() {
    std::future::pending::<()>().await;
}

#[test]
fn dropping_an_executor_on_a_runtime_that_nobody_drives_does_not_hang() {
    let _watch = watched();
    let runtime = one_thread();
    let pool = AsyncExecutor::on(runtime.handle().clone()).unwrap();
    let kept = pool.submit(jobs::double_async::job(3));
    let lost = pool.spawn(std::future::pending::<()>());
    drop(pool);
    // What was accepted still runs, as long as the runtime does.
    assert_eq!(runtime.block_on(kept).unwrap(), 6);
    drop(runtime);
    assert_broken(lost.result());
}

#[test]
fn no_clock_of_the_runtime_is_needed() {
    let _watch = watched();
    let runtime = Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let pool = AsyncExecutor::on(runtime.handle().clone()).unwrap();
    let log = Log::new();
    let limit = Duration::from_millis(5);
    let future = pool.submit_with(pend::job(), JobOptions::new().run_limit(limit));
    assert!(matches!(future.result(), Err(JobError::RunLimit { .. })));
    let options = JobOptions::new().retries(Retries::times(2).backoff(limit));
    assert!(pool.submit_with(fail_slowly::job(log.pen()), options).result().unwrap().is_err());
    assert_eq!(log.len(), 3);
}

#[test]
fn a_drop_inside_a_runtime_does_not_wait_and_loses_nothing() {
    let _watch = watched();
    let runtime = runtime();
    let gate = Gate::new();
    for own in [true, false] {
        let futures = runtime.block_on(async {
            let pool = if own { pool() } else { AsyncExecutor::current().unwrap() };
            let futures =
                [pool.submit(jobs::pass::job(gate.pass(), 1)), pool.submit(jobs::pass_async::job(gate.pass(), 2))];
            // With the gate closed, a drop that waits would hang here.
            drop(pool);
            futures
        });
        gate.admit(2);
        assert_eq!(futures.map(|future| future.result().unwrap()), [1, 2]);
    }
}

#[test]
fn the_last_handle_may_be_dropped_by_an_async_job() {
    let _watch = watched();
    for _ in 0..20 {
        let pool = pool();
        let theirs = pool.clone();
        let (go, gone) = tokio::sync::oneshot::channel::<()>();
        let future = pool.spawn(async move {
            gone.await.unwrap();
            drop(theirs);
            7
        });
        drop(pool.clone());
        // The drop here may be the last one, and then it waits for the job; so the job is let go first.
        go.send(()).unwrap();
        drop(pool);
        assert_eq!(future.result().unwrap(), 7);
    }
}

#[test]
fn a_shutdown_is_awaited() {
    let _watch = watched();
    let runtime = runtime();
    for own in [true, false] {
        let gate = Gate::new();
        runtime.block_on(async {
            let pool = if own { pool() } else { AsyncExecutor::current().unwrap() };
            let job = pool.submit(jobs::pass_async::job(gate.pass(), 1));
            {
                let mut end = std::pin::pin!(pool.shutdown_wait(Shutdown::Drain));
                assert!(futures::poll!(end.as_mut()).is_pending());
            }
            // The wait was given up, and the shutdown goes on.
            assert!(pool.try_submit(jobs::echo::job(1)).unwrap_err().is_shut_down());
            gate.open();
            pool.shutdown_wait(Shutdown::Drain).await.unwrap();
            assert_eq!(job.state(), JobState::Finished);
            assert_eq!(job.await.unwrap(), 1);
            pool.shutdown_wait(Shutdown::Kill).await.unwrap();
        });
    }
}

#[test]
fn a_shutdown_awaited_by_an_own_job_is_refused() {
    let _watch = watched();
    let pool = pool();
    let theirs = pool.clone();
    let told = pool.spawn(async move { theirs.shutdown_wait(Shutdown::Kill).await });
    assert_eq!(told.result().unwrap(), Err(ShutdownError::OwnWorker));
    assert_eq!(pool.submit(jobs::echo_async::job(1)).result().unwrap(), 1);
}

#[test]
fn threads_of_an_own_runtime_bear_its_name_and_end_with_it() {
    let _watch = watched();
    let pool = AsyncExecutor::builder().workers(1).name("herbert").build().unwrap();
    let name = || std::thread::current().name().map(str::to_owned).unwrap_or_default();
    assert!(pool.spawn(async move { name() }).result().unwrap().starts_with("herbert-"));
    assert!(pool.spawn_blocking(name).result().unwrap().starts_with("herbert-"));
    drop(pool);
    let named = |entry: std::io::Result<std::fs::DirEntry>| {
        std::fs::read_to_string(entry.ok()?.path().join("comm")).ok().filter(|name| name.starts_with("herbert"))
    };
    // The system lists a thread for a moment after it was joined.
    eventually("its threads are gone", || match std::fs::read_dir("/proc/self/task") {
        Ok(tasks) => tasks.filter_map(named).count() == 0,
        Err(_) => true,
    });
}
