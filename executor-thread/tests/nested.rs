//! Jobs that wait for jobs of their own pool, by every way of waiting, on pools of one and two workers.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread;

use common::{pool, watched};
use executor_core::{Executor, JobFuture, WaitFor, as_completed, job, wait};
use executor_testkit::{Gate, ON_PURPOSE, hang_guard};
use executor_thread::ThreadExecutor;

#[job]
fn echo(n: u64) -> u64 {
    n
}

/// Goes down `depth` levels, each of them a job that the one above waits for.
fn dig(pool: &ThreadExecutor, depth: u32) -> u32 {
    if depth == 0 {
        return 0;
    }
    let own = pool.clone();
    pool.spawn(move || dig(&own, depth - 1)).result().unwrap() + 1
}

#[test]
fn waits_nest_as_deep_as_the_stack_allows() {
    let _watched = watched();
    for workers in [1, 2] {
        let pool = ThreadExecutor::builder().workers(workers).stack_size(64 << 20).build().unwrap();
        assert_eq!(dig(&pool, 1000), 1000);
        let own = pool.clone();
        assert_eq!(pool.spawn(move || dig(&own, 1000)).result().unwrap(), 1000);
    }
}

fn fib(pool: &ThreadExecutor, n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let [first, second] = [n - 1, n - 2].map(|n| {
        let own = pool.clone();
        pool.spawn(move || fib(&own, n))
    });
    first.result().unwrap() + second.result().unwrap()
}

#[test]
fn a_tree_of_waits_ends() {
    let _watched = watched();
    for workers in [1, 2] {
        let pool = pool(workers);
        let own = pool.clone();
        assert_eq!(pool.spawn(move || fib(&own, 16)).result().unwrap(), 987);
        assert_eq!(fib(&pool, 10), 55);
    }
}

/// Strangers that want the lock are in the queue before the holder of it waits, and their turn comes before its child's.
#[test]
fn a_waiting_job_may_hold_a_lock_that_queued_jobs_want() {
    let _watched = watched();
    for workers in [1, 2] {
        let pool = pool(workers);
        for _ in 0..50 {
            let lock = Arc::new(Mutex::new(0));
            let gate = Gate::new();
            let (own, theirs, pass) = (pool.clone(), Arc::clone(&lock), gate.pass());
            let holder = pool.spawn(move || {
                let mut locked = theirs.lock().unwrap();
                pass.go();
                let children: Vec<_> = (0..10).map(|n| own.submit(echo::job(n))).collect();
                *locked += children.into_iter().map(|child| child.result().unwrap()).sum::<u64>();
            });
            gate.wait_for(1);
            let strangers: Vec<_> = (0..100)
                .map(|_| {
                    let theirs = Arc::clone(&lock);
                    pool.spawn(move || *theirs.lock().unwrap() += 1)
                })
                .collect();
            gate.open();
            holder.result().unwrap();
            strangers.into_iter().for_each(|stranger| stranger.result().unwrap());
            assert_eq!(*lock.lock().unwrap(), 145);
        }
    }
}

/// Runs `parent` as a job of a pool of one worker, in which many strangers wait, and then of two.
fn assert_ends(parent: impl Fn(&ThreadExecutor) -> u64 + Clone + Send + 'static, expected: u64) {
    for workers in [1, 2] {
        let pool = pool(workers);
        for _ in 0..50 {
            let (own, parent) = (pool.clone(), parent.clone());
            let strangers: Vec<_> = (0..20).map(|n| pool.submit(echo::job(n))).collect();
            let mut job = pool.spawn(move || parent(&own));
            match job.result_timeout(hang_guard()) {
                Ok(value) => assert_eq!(value, expected),
                Err(error) => {
                    std::mem::forget(pool);
                    panic!("with {workers} workers: {error}");
                }
            }
            strangers.into_iter().for_each(|stranger| assert!(stranger.result().is_ok()));
        }
    }
}

fn children(pool: &ThreadExecutor) -> Vec<JobFuture<u64>> {
    (0..30).map(|n| pool.submit(echo::job(n))).collect()
}

#[test]
fn as_completed_inside_a_job() {
    let _watched = watched();
    assert_ends(|pool| as_completed(children(pool)).map(|done| done.result().unwrap()).sum(), 435);
}

#[test]
fn wait_for_all_inside_a_job() {
    let _watched = watched();
    assert_ends(|pool| wait(children(pool), WaitFor::All, None).done.len() as u64, 30);
}

#[test]
fn wait_for_the_first_inside_a_job() {
    let _watched = watched();
    let first = |pool: &ThreadExecutor| {
        let waited = wait(children(pool), WaitFor::First, None);
        assert!(!waited.done.is_empty());
        waited.done.into_iter().chain(waited.not_done).map(|child| child.result().unwrap()).sum()
    };
    assert_ends(first, 435);
}

#[test]
fn map_inside_a_job() {
    let _watched = watched();
    assert_ends(|pool| pool.map(echo::job, 0..300).map(Result::unwrap).sum(), 44_850);
    assert_ends(|pool| pool.map_unordered(echo::job, 0..300).map(Result::unwrap).sum(), 44_850);
}

#[test]
fn wait_by_handle_inside_a_job() {
    let _watched = watched();
    let by_handle = |pool: &ThreadExecutor| {
        let children = children(pool);
        children.iter().for_each(|child| child.handle().wait());
        children.into_iter().map(|mut child| child.try_result().unwrap().unwrap()).sum()
    };
    assert_ends(by_handle, 435);
}

#[test]
fn a_callback_on_a_worker_waits_for_a_job() {
    let _watched = watched();
    for workers in [1, 2] {
        let pool = pool(workers);
        for n in 0..100 {
            let (own, (tx, rx)) = (pool.clone(), mpsc::channel());
            let gate = Gate::new();
            let pass = gate.pass();
            let job = pool.spawn(move || pass.go());
            job.on_done(move |_| tx.send(own.submit(echo::job(n)).result().unwrap()).unwrap());
            gate.open();
            assert_eq!(rx.recv_timeout(hang_guard()), Ok(n));
        }
    }
}

#[test]
fn a_panic_of_a_child_is_an_error_for_its_parent() {
    let _watched = watched();
    let pool = pool(1);
    let own = pool.clone();
    let parent = pool.spawn(move || {
        let child = own.spawn(|| panic!("a child fails {ON_PURPOSE}"));
        let failed = child.result().unwrap_err().is_panic();
        (failed, own.submit(echo::job(3)).result().unwrap())
    });
    assert_eq!(parent.result().unwrap(), (true, 3));
}

/// Each of two running jobs waits for a child that the other one submitted.
#[test]
fn two_workers_wait_for_each_other_s_children() {
    let _watched = watched();
    let pool = pool(2);
    for round in 0..500 {
        let both_run = Arc::new(Barrier::new(2));
        let (tx_left, rx_left) = mpsc::channel();
        let (tx_right, rx_right) = mpsc::channel();
        let parents = [(tx_left, rx_right), (tx_right, rx_left)].map(|(tx, rx): (mpsc::Sender<JobFuture<u64>>, _)| {
            let (own, both_run) = (pool.clone(), Arc::clone(&both_run));
            pool.spawn(move || {
                both_run.wait();
                let grandchild = own.clone();
                tx.send(own.spawn(move || grandchild.submit(echo::job(round)).result().unwrap())).unwrap();
                rx.recv().unwrap().result().unwrap()
            })
        });
        for mut parent in parents {
            assert_eq!(parent.result_timeout(hang_guard()).unwrap(), round);
        }
    }
}

#[test]
fn a_child_claimed_by_its_parent_runs_once() {
    let _watched = watched();
    let pool = pool(2);
    let runs = Arc::new(AtomicUsize::new(0));
    let parents: Vec<_> = (0..2000)
        .map(|_| {
            let (own, runs) = (pool.clone(), Arc::clone(&runs));
            pool.spawn(move || {
                let child = own.spawn(move || {
                    runs.fetch_add(1, Ordering::Relaxed);
                    thread::current().id()
                });
                child.result().unwrap()
            })
        })
        .collect();
    for parent in parents {
        let _ = parent.result().unwrap();
    }
    assert_eq!(runs.load(Ordering::Relaxed), 2000);
    assert_eq!(pool.stats().finished, 4000);
    assert_eq!(pool.stats().queued, 0);
}
