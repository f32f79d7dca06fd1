//! Dropping the last handle of a pool.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use common::{count_threads, dawdle, named_pool, pool, watched};
use executor_core::{Backend, Executor, JobError, JobFuture, JobOptions, Retries, Shutdown, ShutdownError, job, map};
use executor_testkit::{Gate, Log, OddPayload, Pass, Pen, eventually, hang_guard};
use executor_thread::ThreadExecutor;

#[job]
fn echo(n: u64) -> u64 {
    n
}

#[job]
fn pass(gate: Pass, n: u64) -> u64 {
    gate.go();
    n
}

/// Fails at its first attempts.
#[job]
fn fail_before(pen: Pen, good: u64) -> Result<u64, u64> {
    let attempt = pen.write(0);
    if attempt < good { Err(attempt) } else { Ok(attempt) }
}

#[test]
fn a_drop_waits_until_everything_has_run() {
    let _watched = watched();
    for workers in [1, 2, 4] {
        let pool = pool(workers);
        let jobs: Vec<_> = (0..2000).map(|n| pool.submit(echo::job(n))).collect();
        drop(pool);
        for (n, mut job) in (0..).zip(jobs) {
            assert_eq!(job.try_result().unwrap().unwrap(), n);
        }
    }
}

#[test]
fn a_drop_waits_for_retries() {
    let _watched = watched();
    let log = Log::new();
    let options = JobOptions::new().retries(Retries::times(3).backoff(Duration::from_millis(5)));
    let pool = pool(2);
    let retried = pool.submit_with(fail_before::job(log.pen(), 3), options);
    drop(pool);
    assert!(retried.is_done());
    assert_eq!(retried.result().unwrap(), Ok(3));
}

#[test]
fn handles_in_jobs_keep_the_pool_alive() {
    let _watched = watched();
    for workers in [1, 2] {
        let pool = named_pool(workers, "dr-tree");
        let (tx, rx) = mpsc::channel();
        pool_tree(&pool, 6, &tx);
        // Not the last handle, as long as there are jobs to come.
        drop(pool);
        drop(tx);
        assert_eq!(rx.iter().count(), 127);
    }
    eventually("the threads are gone", || count_threads("dr-tree") == 0);
}

/// Sends, and spawns two jobs that do the same, down to some depth. Nobody waits for them.
fn pool_tree(pool: &ThreadExecutor, depth: u32, tx: &mpsc::Sender<()>) {
    tx.send(()).unwrap();
    if depth > 0 {
        for _ in 0..2 {
            // The job keeps its own handle, and drops it on a worker.
            let (own, tx) = (pool.clone(), tx.clone());
            drop(pool.spawn(move || pool_tree(&own, depth - 1, &tx)));
        }
    }
}

#[test]
fn clones_and_maps_keep_the_pool_alive() {
    let _watched = watched();
    let first = pool(2);
    let second = first.clone();
    drop(first);
    assert_eq!(second.submit(echo::job(1)).result().unwrap(), 1);
    let mut lazy = map(second.clone(), echo::job, 0..10_000);
    assert_eq!(lazy.next().unwrap().unwrap(), 0);
    let boxed: Box<dyn Backend> = Box::new(second);
    assert_eq!(boxed.submit(echo::job(2)).result().unwrap(), 2);
    drop(boxed);
    assert_eq!(lazy.map(Result::unwrap).sum::<u64>(), 49_995_000);
}

#[test]
fn a_drop_while_unwinding_cancels_what_has_not_begun() {
    let _watched = watched();
    for _ in 0..20 {
        let (hands_out, jobs) = mpsc::channel::<(Gate, JobFuture<u64>, Vec<JobFuture<u64>>)>();
        let opener = thread::spawn(move || {
            let (gate, running, pending) = jobs.recv().unwrap();
            // It happens in the drop, which then waits for the job that runs.
            eventually("the pending jobs are cancelled", || pending.iter().all(JobFuture::is_cancelled));
            assert!(running.is_running());
            gate.open();
            running.result().unwrap()
        });
        let panic = catch_unwind(AssertUnwindSafe(|| {
            let pool = pool(1);
            let gate = Gate::new();
            let running = pool.submit(pass::job(gate.pass(), 7));
            gate.wait_for(1);
            let pending = (0..50).map(|n| pool.submit(echo::job(n))).collect();
            hands_out.send((gate, running, pending)).unwrap();
            resume_unwind(Box::new(OddPayload(1)));
        }));
        assert_eq!(panic.unwrap_err().downcast_ref(), Some(&OddPayload(1)));
        assert_eq!(opener.join().unwrap(), 7);
    }
}

#[test]
fn a_drop_on_its_own_worker_does_not_wait() {
    let _watched = watched();
    for workers in [1, 2] {
        for _ in 0..50 {
            let pool = named_pool(workers, "dr-own");
            let gate = Gate::new();
            let (theirs, go) = (pool.clone(), gate.pass());
            let drops = pool.spawn(move || {
                go.go();
                // The last handle: what waits behind this job still runs.
                drop(theirs);
            });
            let behind: Vec<_> = (0..20).map(|n| pool.submit(echo::job(n))).collect();
            drop(pool);
            gate.open();
            drops.result().unwrap();
            for (n, job) in (0..).zip(behind) {
                assert_eq!(job.result().unwrap(), n);
            }
        }
    }
    eventually("the threads are gone", || count_threads("dr-own") == 0);
}

#[test]
fn a_callback_on_a_worker_may_drop_the_last_handle() {
    let _watched = watched();
    for round in 0..100 {
        let pool = named_pool(1, "dr-call");
        let gate = Gate::new();
        let job = pool.submit(pass::job(gate.pass(), 1));
        let behind = pool.submit(echo::job(2));
        let (tx, rx) = mpsc::channel();
        job.on_done(move |outcome| {
            drop(pool);
            tx.send(outcome.unwrap()).unwrap();
        });
        dawdle(round);
        gate.open();
        assert_eq!(rx.recv_timeout(hang_guard()), Ok(1));
        assert_eq!(behind.result().unwrap(), 2);
    }
    eventually("the threads are gone", || count_threads("dr-call") == 0);
}

#[test]
fn a_drop_after_an_expired_shutdown_does_not_wait_again() {
    let _watched = watched();
    let pool = named_pool(1, "dr-late");
    let gate = Gate::new();
    let running = pool.submit(pass::job(gate.pass(), 1));
    let behind = pool.submit(pass::job(gate.pass(), 2));
    gate.wait_for(1);
    let ended = pool.shutdown_timeout(Shutdown::Drain, Duration::from_millis(1));
    assert_eq!(ended, Err(ShutdownError::TimedOut { jobs: 2 }));
    // The gate is closed, so a drop that waits hangs.
    drop(pool);
    assert!(!running.is_done());
    gate.open();
    assert_eq!((running.result().unwrap(), behind.result().unwrap()), (1, 2));
    eventually("the threads are gone", || count_threads("dr-late") == 0);
}

#[test]
fn a_drop_after_a_shutdown_has_nothing_to_do() {
    let _watched = watched();
    for mode in [Shutdown::Drain, Shutdown::CancelPending, Shutdown::Kill] {
        let pool = pool(2);
        let clone = pool.clone();
        pool.shutdown(mode).unwrap();
        drop(pool);
        assert!(matches!(clone.submit(echo::job(1)).result(), Err(JobError::Rejected(_))));
    }
}

#[test]
fn a_drop_inside_a_job_of_another_pool_waits() {
    let _watched = watched();
    let outer = pool(2);
    for _ in 0..50 {
        let inner = pool(1);
        let ran = Arc::new(AtomicUsize::new(0));
        for _ in 0..100 {
            let ran = Arc::clone(&ran);
            drop(inner.spawn(move || ran.fetch_add(1, Ordering::Relaxed)));
        }
        let seen = outer.spawn(move || {
            drop(inner);
            ran.load(Ordering::Relaxed)
        });
        assert_eq!(seen.result().unwrap(), 100);
    }
}

#[test]
fn whichever_thread_drops_last_waits() {
    let _watched = watched();
    for round in 0..200 {
        let pool = pool(2);
        let ran = Arc::new(AtomicUsize::new(0));
        for _ in 0..50 {
            let ran = Arc::clone(&ran);
            drop(pool.spawn(move || ran.fetch_add(1, Ordering::Relaxed)));
        }
        thread::scope(|scope| {
            for thread in 0..3 {
                let handle = pool.clone();
                scope.spawn(move || {
                    dawdle(round * thread);
                    drop(handle);
                });
            }
            drop(pool);
        });
        assert_eq!(ran.load(Ordering::Relaxed), 50, "round {round}");
    }
}
