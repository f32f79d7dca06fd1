//! When an async job is polled, and by what it is woken.

use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use executor_async::{AsyncExecutor, allow_blocking};
use executor_core::{Executor, JobError, JobFuture, Shutdown};
use executor_testkit::{Gate, eventually, scaled};

use crate::tools::{pool, runtime, watched};

/// A future that counts its polls, then sends each waker, and is ready at the poll with this number.
fn polled(ready_at: usize) -> (impl Future<Output = usize> + Send + 'static, Arc<AtomicUsize>, mpsc::Receiver<Waker>) {
    let polls = Arc::new(AtomicUsize::new(0));
    let (wakers, received) = mpsc::channel();
    let count = Arc::clone(&polls);
    let future = poll_fn(move |cx| {
        let poll = count.fetch_add(1, Ordering::SeqCst) + 1;
        let _ = wakers.send(cx.waker().clone());
        if poll >= ready_at { Poll::Ready(poll) } else { Poll::Pending }
    });
    (future, polls, received)
}

#[test]
fn a_job_that_waits_is_polled_once_for_each_wake() {
    let _watch = watched();
    let pool = pool();
    let (future, polls, wakers) = polled(3);
    let job = pool.spawn(future);
    for poll in 1..=2 {
        let waker = wakers.recv().unwrap();
        // What was submitted later has ended: nobody polls the first one by himself.
        for n in 0..100 {
            assert_eq!(pool.spawn(async move { n }).result().unwrap(), n);
        }
        assert_eq!(polls.load(Ordering::SeqCst), poll);
        waker.wake();
    }
    assert_eq!(job.result().unwrap(), 3);
    assert_eq!(polls.load(Ordering::SeqCst), 3);
}

#[test]
fn a_wake_during_the_first_poll_is_not_lost() {
    let _watch = watched();
    let pool = pool();
    for by_another_thread in [false, true] {
        let jobs: Vec<_> = (0..200)
            .map(|_| {
                let mut polls = 0;
                pool.spawn(poll_fn(move |cx| {
                    polls += 1;
                    if polls == 3 {
                        return Poll::Ready(polls);
                    }
                    let waker = cx.waker().clone();
                    if by_another_thread {
                        thread::spawn(|| waker.wake()).join().unwrap()
                    } else {
                        waker.wake()
                    }
                    Poll::Pending
                }))
            })
            .collect();
        for job in jobs {
            assert_eq!(job.result().unwrap(), 3);
        }
    }
}

#[test]
fn a_waker_that_is_kept_wakes_nobody_else() {
    let _watch = watched();
    let pool = pool();
    let (ready, _, wakers) = polled(1);
    assert_eq!(pool.spawn(ready).result().unwrap(), 1);
    let stale = wakers.recv().unwrap();
    // The next jobs come to where the first one was.
    let (waits, polls, wakers) = polled(2);
    let job = pool.spawn(waits);
    let waker = wakers.recv().unwrap();
    stale.wake_by_ref();
    assert_eq!(pool.spawn(async { 7 }).result().unwrap(), 7);
    assert_eq!(polls.load(Ordering::SeqCst), 1);
    waker.wake_by_ref();
    assert_eq!(job.result().unwrap(), 2);
    // After the end of the pool they wake nobody at all.
    pool.shutdown(Shutdown::Drain).unwrap();
    drop(pool);
    stale.wake();
    waker.wake();
}

#[test]
fn a_job_that_waits_ends_with_its_runtime() {
    let _watch = watched();
    for sleeps in [false, true] {
        let runtime = runtime();
        let pool = AsyncExecutor::on(runtime.handle().clone()).unwrap();
        let held = Arc::new(());
        let theirs = Arc::clone(&held);
        let (begun, begins) = mpsc::channel();
        let job = pool.spawn(async move {
            begun.send(()).unwrap();
            if sleeps {
                // The runtime wakes it at its own end.
                tokio::time::sleep(Duration::from_secs(3600)).await;
            } else {
                std::future::pending::<()>().await;
            }
            drop(theirs);
        });
        begins.recv().unwrap();
        drop(runtime);
        assert!(matches!(job.result(), Err(JobError::Broken { .. })));
        eventually("what it held is dropped", || Arc::strong_count(&held) == 1);
    }
}

#[test]
fn jobs_that_a_driver_took_together_may_wait_for_one_another_in_place() {
    const JOBS: usize = 64;
    let _watch = watched();
    let pool = pool();
    let futures: Arc<Mutex<Vec<Option<JobFuture<usize>>>>> = Arc::default();
    // Both drivers are kept, so that the jobs gather, and are taken several at a time.
    let (gates, kept): (Vec<_>, Vec<_>) = (0..2)
        .map(|_| {
            let gate = Gate::new();
            let pass = gate.pass();
            let (begun, begins) = mpsc::channel();
            let job = pool.spawn(async move {
                begun.send(()).unwrap();
                tokio::task::block_in_place(|| pass.go());
            });
            begins.recv().unwrap();
            (gate, job)
        })
        .unzip();
    let mut later = futures.lock().unwrap();
    for n in 0..JOBS {
        let futures = Arc::clone(&futures);
        later.push(Some(pool.spawn(async move {
            let next = futures.lock().unwrap().get_mut(n + 1).and_then(Option::take);
            let Some(next) = next else { return 1 };
            1 + tokio::task::block_in_place(|| allow_blocking(|| next.result())).unwrap()
        })));
    }
    let mut first = later[0].take().unwrap();
    drop(later);
    drop(gates);
    assert_eq!(first.result_timeout(scaled(Duration::from_secs(60))).unwrap(), JOBS);
    for job in kept {
        job.result().unwrap();
    }
}
