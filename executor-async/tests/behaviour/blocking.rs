//! A blocking wait on a thread of a runtime is an error; elsewhere it is none.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use executor_async::{AsyncExecutor, allow_blocking};
use executor_core::{Executor, JobError, Shutdown, ShutdownError, WaitFor, as_completed, wait};
use executor_testkit::{Gate, jobs};

use crate::tools::{pool, runtime, watched};

/// Tries every wait that blocks, for a job that is not done.
fn every_wait_is_refused(pool: &AsyncExecutor, gate: &Gate) {
    let held = || pool.submit(jobs::pass_async::job(gate.pass(), 1));
    let error = held().result().unwrap_err();
    assert!(matches!(error, JobError::WouldBlock { .. }), "{error:?}");
    assert!(error.to_string().contains(".await"), "{error}");
    let mut future = held();
    let error = future.result_timeout(Duration::from_secs(3600)).unwrap_err();
    assert!(matches!(error, JobError::WouldBlock { .. }), "{error:?}");
    // What does not block is no error.
    assert!(future.result_timeout(Duration::ZERO).unwrap_err().is_timeout());
    assert!(future.try_result().is_none());
    let error = pool.map(|value| jobs::pass_async::job(gate.pass(), value), 0..1).next().unwrap().unwrap_err();
    assert!(matches!(error, JobError::WouldBlock { .. }), "{error:?}");
    let panics = |wait: &dyn Fn()| {
        let thrown = catch_unwind(AssertUnwindSafe(wait)).unwrap_err();
        assert!(thrown.downcast_ref::<String>().is_some_and(|text| text.contains(".await")));
    };
    panics(&|| future.wait());
    panics(&|| drop(as_completed([held()]).next()));
    panics(&|| drop(wait([held()], WaitFor::All, None)));
}

#[test]
fn a_blocking_wait_on_a_runtime_thread_is_an_error_that_advises_to_await() {
    let _watch = watched();
    let gate = Gate::new();
    let own = pool();
    // In the root future, in a task, in a job, and on a thread that has only entered the runtime.
    let runtime = runtime();
    runtime.block_on(async { every_wait_is_refused(&own, &gate) });
    let pool = AsyncExecutor::on(runtime.handle().clone()).unwrap();
    let refuse = |on: &AsyncExecutor| {
        let (on, gate) = (on.clone(), Gate::new());
        async move { every_wait_is_refused(&on, &gate) }
    };
    runtime.block_on(async { tokio::spawn(refuse(&pool)).await.unwrap() });
    runtime.block_on(async { tokio::spawn(refuse(&own)).await.unwrap() });
    let waits = pool.spawn(refuse(&pool));
    waits.result().unwrap();
    let _entered = runtime.enter();
    every_wait_is_refused(&pool, &gate);
    drop(_entered);
    gate.open();
    drop(pool);
}

#[test]
fn a_shutdown_on_a_runtime_thread_is_an_error_and_begins_nothing() {
    let _watch = watched();
    let pool = pool();
    runtime().block_on(async {
        for told in [pool.shutdown(Shutdown::Drain), pool.shutdown_timeout(Shutdown::Kill, Duration::from_secs(1))] {
            let error = told.unwrap_err();
            assert!(matches!(error, ShutdownError::WouldBlock { .. }), "{error:?}");
            assert!(error.to_string().contains("shutdown_wait"), "{error}");
        }
        assert_eq!(pool.submit(jobs::echo::job(1)).await.unwrap(), 1);
    });
    pool.shutdown(Shutdown::Drain).unwrap();
}

#[test]
fn functions_may_block_where_they_run() {
    let _watch = watched();
    let pool = pool();
    let inner = pool.clone();
    let sum = pool.spawn_blocking(move || {
        let both = [inner.submit(jobs::echo::job(1)), inner.submit(jobs::echo_async::job(2))];
        both.into_iter().map(|future| future.result().unwrap()).sum::<u64>()
    });
    assert_eq!(sum.result().unwrap(), 3);
    // A closure on such a thread may wait for another executor, too.
    let other = AsyncExecutor::new(1).unwrap();
    let value = pool.spawn_blocking(move || other.submit(jobs::echo_async::job(4)).result().unwrap());
    assert_eq!(value.result().unwrap(), 4);
}

#[test]
fn a_job_on_a_runtime_that_a_function_drives_must_not_block() {
    let _watch = watched();
    let outer = pool();
    let refused = outer.spawn_blocking(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let inner = AsyncExecutor::on(runtime.handle().clone()).unwrap();
        let theirs = inner.clone();
        let job = inner.spawn(async move { theirs.spawn(async { 1 }).result() });
        runtime.block_on(job).unwrap()
    });
    assert!(matches!(refused.result().unwrap(), Err(JobError::WouldBlock { .. })));
}

#[test]
fn blocking_is_allowed_where_somebody_says_so() {
    let _watch = watched();
    let pool = pool();
    let runtime = runtime();
    runtime.block_on(async {
        let theirs = pool.clone();
        let value = tokio::task::spawn_blocking(move || {
            let refused = theirs.submit(jobs::pass_async::job(Gate::new().pass(), 1)).result();
            let value = allow_blocking(|| theirs.submit(jobs::echo_async::job(2)).result());
            (refused, value)
        });
        let (refused, value) = value.await.unwrap();
        // The gate is open once it is dropped, so that the first may have been done when it was asked.
        assert!(matches!(refused, Err(JobError::WouldBlock { .. }) | Ok(1)), "{refused:?}");
        assert_eq!(value.unwrap(), 2);
    });
}
