//! Futures and streams of this backend under several runtimes, and submits that do not block.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use executor_async::AsyncExecutor;
use executor_core::{
    Backend, Executor, JobError, JobFuture, JobState, MapOptions, Rejection, as_completed, map, map_unordered,
};
use executor_testkit::{Gate, eventually, jobs};
use futures::{FutureExt, StreamExt};

use crate::tools::{Counter, Forever, pool, runtime, watched};

/// Everything that can be awaited of a pool.
async fn await_everything(pool: AsyncExecutor) {
    assert_eq!(pool.submit(jobs::echo::job(1)).await.unwrap(), 1);
    assert_eq!(pool.submit(jobs::double_async::job(2)).await.unwrap(), 4);
    assert_eq!(pool.submit_wait(jobs::echo_async::job(3)).await.await.unwrap(), 3);
    let text = String::from("captured");
    assert_eq!(pool.spawn(async move { text.len() }).await.unwrap(), 8);
    assert_eq!(pool.spawn_blocking(|| 4).await.unwrap(), 4);

    let futures = (0..20).map(|value| pool.submit(jobs::double_async::job(value)));
    let values: Vec<_> = as_completed(futures).into_stream().then(|done| async { done.await.unwrap() }).collect().await;
    assert_eq!(values.iter().sum::<u64>(), 380);
    let values: Vec<_> = map(pool.clone(), jobs::double_async::job, 0..20).into_stream().collect().await;
    let values: Vec<_> = values.into_iter().map(Result::unwrap).collect();
    assert_eq!(values, (0..20).map(|value| 2 * value).collect::<Vec<_>>());
    let values: Vec<_> = map_unordered(pool.clone(), jobs::echo::job, 0..20).into_stream().collect().await;
    assert_eq!(values.into_iter().map(Result::unwrap).sum::<u64>(), 190);
}

#[test]
fn everything_is_awaited_under_the_runtime_itself() {
    let _watch = watched();
    runtime().block_on(async { await_everything(AsyncExecutor::current().unwrap()).await });
}

#[test]
fn everything_is_awaited_under_another_tokio() {
    let _watch = watched();
    runtime().block_on(await_everything(pool()));
}

#[test]
fn everything_is_awaited_under_smol() {
    let _watch = watched();
    smol::block_on(await_everything(pool()));
}

#[test]
fn everything_is_awaited_under_futures() {
    let _watch = watched();
    futures::executor::block_on(await_everything(pool()));
}

#[test]
fn an_await_that_is_given_up_loses_nothing() {
    let _watch = watched();
    let gate = Gate::new();
    runtime().block_on(async {
        let pool = AsyncExecutor::current().unwrap();
        let mut future = pool.submit(jobs::pass_async::job(gate.pass(), 5));
        assert!(tokio::time::timeout(Duration::from_millis(5), &mut future).await.is_err());
        gate.open();
        assert_eq!(future.await.unwrap(), 5);
    });
}

#[test]
fn a_stream_that_is_dropped_cancels_what_has_not_begun() {
    let _watch = watched();
    let pool = AsyncExecutor::builder().workers(2).async_jobs(1).build().unwrap();
    let gate = Gate::new();
    let held = pool.submit(jobs::pass_async::job(gate.pass(), 1));
    gate.wait_for(1);
    let window = MapOptions::new().window(8);
    for in_order in [true, false] {
        let before = pool.stats().cancelled;
        let mut cx = Context::from_waker(Waker::noop());
        if in_order {
            let mut stream = pool.map_with(jobs::echo_async::job, 0.., window.clone()).unwrap().into_stream();
            assert!(stream.poll_next_unpin(&mut cx).is_pending());
        } else {
            let mut stream = pool.map_unordered_with(jobs::echo_async::job, 0.., window.clone()).unwrap().into_stream();
            assert!(pin!(stream.next()).poll(&mut cx).is_pending());
        }
        assert_eq!(pool.stats().cancelled, before + 8, "in order: {in_order}");
    }
    gate.open();
    assert_eq!(held.result().unwrap(), 1);
}

#[test]
fn a_submit_on_a_runtime_thread_is_refused_rather_than_blocked() {
    let _watch = watched();
    let runtime = runtime();
    let pool = AsyncExecutor::builder()
        .runtime(runtime.handle().clone())
        .blocking_threads(1)
        .async_jobs(1)
        .queue_capacity(1)
        .build()
        .unwrap();
    let gate = Gate::new();
    runtime.block_on(async {
        let held = pool.submit(jobs::pass_async::job(gate.pass(), 1));
        let queued = pool.submit(jobs::echo_async::job(2));
        let refused = pool.submit(jobs::echo_async::job(3));
        assert!(matches!(refused.await, Err(JobError::Rejected(Rejection::QueueFull))));
        assert!(pool.try_submit(jobs::echo_async::job(3)).unwrap_err().is_full());
        assert!(matches!(pool.spawn(async {}).await, Err(JobError::Rejected(Rejection::QueueFull))));
        let mut late = pin!(pool.submit_wait(jobs::echo_async::job(4)));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(matches!(late.as_mut().poll(&mut cx), Poll::Pending));
        gate.open();
        assert_eq!(late.await.await.unwrap(), 4);
        assert_eq!(held.await.unwrap() + queued.await.unwrap(), 3);
    });
}

#[test]
fn a_stream_ends_when_the_runtime_of_its_jobs_does() {
    let _watch = watched();
    let runtime = runtime();
    let pool = AsyncExecutor::on(runtime.handle().clone()).unwrap();
    let (polls, drops) = (Counter::default(), Counter::default());
    let futures: Vec<_> = (0..3).map(|_| pool.spawn(Forever::new(&polls, &drops))).collect();
    eventually("all are polled", || polls.get() == 3);
    drop(runtime);
    let ended = as_completed(futures).into_stream();
    let states: Vec<_> = futures::executor::block_on(ended.map(|done| done.state()).collect());
    assert_eq!(states, [JobState::Finished; 3]);
    assert_eq!(drops.get(), 3);
    assert_eq!(pool.snapshot().failed, 3);
}

#[test]
fn what_is_awaited_is_found_though_most_of_the_queue_was_cancelled() {
    let _watch = watched();
    let pool = AsyncExecutor::builder().workers(2).blocking_threads(1).build().unwrap();
    // The one thread waits, in the end, for an async job, which awaits a function that is behind many others.
    let (send, receive) = mpsc::channel::<JobFuture<u64>>();
    let holds = pool.spawn_blocking(move || receive.recv().unwrap().result().unwrap());
    let others: Vec<_> = (0..6000).map(|_| pool.spawn_blocking(|| {})).collect();
    let mut awaited = pool.submit(jobs::echo::job(7));
    let (noted, is_noted) = mpsc::channel();
    let mut polls = 0;
    let waits = pool.spawn(poll_fn(move |cx| {
        polls += 1;
        match polls {
            1 => cx.waker().wake_by_ref(),
            // The first poll is over, and with it what the executor notes of it.
            2 => noted.send(()).unwrap(),
            _ => {}
        }
        awaited.poll_unpin(cx).map(Result::unwrap)
    }));
    is_noted.recv().unwrap();
    assert!(others.iter().skip(1000).all(JobFuture::cancel));
    send.send(waits).unwrap();
    assert_eq!(holds.result().unwrap(), 7);
}
