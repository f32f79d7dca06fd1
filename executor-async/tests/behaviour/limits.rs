//! How many jobs run at once, in which order, and what goes above the limits.

use std::time::Duration;

use executor_async::AsyncExecutor;
use executor_core::{BuildError, Executor, JobOptions, Priority, as_completed, current, job};
use executor_testkit::{Gate, Log, Pen, eventually, jobs};
use futures::future::join_all;

use crate::tools::{runtime, watched};

/// One function and one async job at once.
fn narrow() -> AsyncExecutor {
    AsyncExecutor::builder().workers(2).blocking_threads(1).async_jobs(1).build().unwrap()
}

#[test]
fn as_many_async_jobs_run_as_was_said() {
    let _watch = watched();
    let pool = AsyncExecutor::builder().workers(2).async_jobs(3).build().unwrap();
    let gate = Gate::new();
    let futures: Vec<_> = (0..10).map(|value| pool.submit(jobs::pass_async::job(gate.pass(), value))).collect();
    gate.wait_for(3);
    // Functions are not held up by them.
    assert_eq!(pool.submit(jobs::echo::job(1)).result().unwrap(), 1);
    assert_eq!((pool.stats().running, pool.stats().queued, gate.arrived()), (3, 7, 3));
    gate.admit(1);
    gate.wait_for(4);
    assert_eq!((pool.stats().running, gate.arrived()), (3, 4));
    gate.open();
    assert_eq!(futures.into_iter().map(|future| future.result().unwrap()).sum::<u64>(), 45);
}

#[test]
fn many_async_jobs_wait_on_few_threads() {
    let _watch = watched();
    let pool = AsyncExecutor::new(2).unwrap();
    let (open, opened) = tokio::sync::watch::channel(false);
    let futures: Vec<_> = (0..5000_u64)
        .map(|value| {
            let mut opened = opened.clone();
            pool.spawn(async move {
                opened.wait_for(|&open| open).await.unwrap();
                value
            })
        })
        .collect();
    eventually("all of them run", || pool.stats().running == 5000);
    open.send(true).unwrap();
    assert_eq!(as_completed(futures).map(|done| done.result().unwrap()).sum::<u64>(), 4999 * 2500);
}

/// Writes its value.
#[job]
async fn note_async(pen: Pen, value: u64) {
    pen.write(value);
}

#[test]
fn async_jobs_wait_by_priority() {
    let _watch = watched();
    let pool = narrow();
    let gate = Gate::new();
    let held = pool.submit(jobs::pass_async::job(gate.pass(), 0));
    gate.wait_for(1);
    let log = Log::new();
    let futures: Vec<_> = [(3, Priority::Low), (2, Priority::Normal), (1, Priority::High)]
        .into_iter()
        .map(|(value, priority)| {
            let options = JobOptions::new().priority(priority);
            pool.submit_with(note_async::job(log.pen(), value), options)
        })
        .collect();
    gate.open();
    held.result().unwrap();
    futures.into_iter().for_each(|future| future.result().unwrap());
    assert_eq!(log.entries(), [1, 2, 3]);
}

#[test]
fn an_async_job_that_is_awaited_goes_above_the_limit() {
    let _watch = watched();
    let pool = narrow();
    let inner = pool.clone();
    let future = pool.spawn(async move {
        let deeper = inner.clone();
        let middle = inner.spawn(async move { deeper.spawn(async { 1 }).await.unwrap() + 1 });
        middle.await.unwrap() + 1
    });
    assert_eq!(future.result().unwrap(), 3);
    let inner = pool.clone();
    let many = pool.spawn(async move { join_all((0..100).map(|value| inner.spawn(async move { value }))).await.len() });
    assert_eq!(many.result().unwrap(), 100);
}

#[test]
fn a_function_that_is_awaited_by_whom_the_only_thread_waits_for_runs() {
    let _watch = watched();
    let pool = narrow();
    for depth in [1, 3] {
        assert_eq!(
            pool.spawn_blocking({
                let pool = pool.clone();
                move || ladder(&pool, depth)
            })
            .result()
            .unwrap(),
            depth
        );
    }
    // The same where the thread waits for a set.
    let inner = pool.clone();
    let sum = pool.spawn_blocking(move || {
        let steps = (0..40).map(|value| {
            let pool = inner.clone();
            inner.spawn(async move { pool.spawn_blocking(move || value).await.unwrap() })
        });
        as_completed(steps.collect::<Vec<_>>()).map(|done| done.result().unwrap()).sum::<u64>()
    });
    assert_eq!(sum.result().unwrap(), 780);
}

/// Blocks on an async job that awaits a function that does the same, as deep as was said.
fn ladder(pool: &AsyncExecutor, depth: u32) -> u32 {
    if depth == 0 {
        return 0;
    }
    let theirs = pool.clone();
    let step = pool.spawn(async move {
        let pool = theirs.clone();
        theirs.spawn_blocking(move || ladder(&pool, depth - 1)).await.unwrap() + 1
    });
    step.result().unwrap()
}

#[test]
fn functions_that_are_awaited_do_not_multiply_the_threads() {
    let _watch = watched();
    let pool = narrow();
    let inner = pool.clone();
    let workers = pool.spawn(async move {
        let functions = (0..100).map(|_| inner.spawn_blocking(|| current().worker().unwrap()));
        join_all(functions).await.into_iter().map(Result::unwrap).collect::<Vec<_>>()
    });
    assert_eq!(workers.result().unwrap(), [0; 100]);
}

#[test]
fn the_queue_bounds_both_kinds() {
    let _watch = watched();
    let pool = AsyncExecutor::builder().workers(1).async_jobs(1).queue_capacity(2).build().unwrap();
    let gate = Gate::new();
    let held = [pool.submit(jobs::pass::job(gate.pass(), 0)), pool.submit(jobs::pass_async::job(gate.pass(), 0))];
    gate.wait_for(2);
    let queued = [pool.submit(jobs::echo::job(1)), pool.submit(jobs::echo_async::job(2))];
    assert!(pool.try_submit(jobs::echo::job(3)).unwrap_err().is_full());
    assert!(pool.try_submit(jobs::echo_async::job(3)).unwrap_err().is_full());
    assert!(queued[1].cancel());
    let again = pool.try_submit(jobs::echo::job(3)).unwrap();
    gate.open();
    assert!(held.into_iter().all(|future| future.result().is_ok()));
    assert_eq!(again.result().unwrap(), 3);
}

#[test]
fn numbers_that_make_no_sense_are_refused() {
    let _watch = watched();
    let runtime = runtime();
    for (builder, word) in [
        (AsyncExecutor::builder().workers(0), "workers"),
        (AsyncExecutor::builder().workers(32_769), "workers"),
        (AsyncExecutor::builder().blocking_threads(0), "blocking threads"),
        (AsyncExecutor::builder().async_jobs(0), "async jobs"),
        (AsyncExecutor::builder().queue_capacity(0), "queue"),
        (AsyncExecutor::builder().name("a\0b"), "NUL"),
        (AsyncExecutor::builder().runtime(runtime.handle().clone()).workers(2), "blocking_threads"),
    ] {
        let error = builder.build().unwrap_err();
        assert!(matches!(&error, BuildError::Invalid { what } if what.contains(word)), "{error:?}");
    }
    let most = AsyncExecutor::builder().workers(1).async_jobs(usize::MAX).queue_capacity(usize::MAX).build().unwrap();
    assert_eq!(most.submit(jobs::echo_async::job(1)).result().unwrap(), 1);
    assert!(most.submit(jobs::echo::job(1)).result_timeout(Duration::from_secs(60)).is_ok());
}
