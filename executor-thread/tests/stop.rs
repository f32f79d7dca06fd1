//! Stopping jobs that run on threads: they are asked, and a shutdown that kills asks all of them.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::{dawdle, pool, watched};
use executor_core::{Executor, JobError, JobFuture, JobOptions, Retries, Shutdown, current, job};
use executor_testkit::{Gate, Log, Pass, Pen, eventually, hang_guard};

/// Goes on until it is asked to stop.
#[job]
fn spin(pen: Pen) -> u64 {
    let job = current();
    pen.write(1);
    while !job.should_stop() {
        thread::yield_now();
    }
    1
}

/// Awaits that it is asked to stop.
#[job]
async fn stopped(pen: Pen) -> u64 {
    pen.write(2);
    current().stopped().await;
    2
}

/// Awaits that it is asked to stop, beside work that never ends.
#[job]
async fn stopped_beside_work(pen: Pen) -> u64 {
    let job = current();
    let mut stopped = std::pin::pin!(job.stopped());
    pen.write(3);
    std::future::poll_fn(|cx| stopped.as_mut().poll(cx)).await;
    3
}

/// Writes what number its attempt has, and fails.
#[job]
fn fail(pen: Pen) -> Result<u64, u64> {
    Err(pen.write(4))
}

#[job]
fn pass(gate: Pass, n: u64) -> u64 {
    gate.go();
    n
}

#[test]
fn a_killing_shutdown_asks_every_running_job_to_stop() {
    let _watched = watched();
    for round in 0..100 {
        let pool = pool(3);
        let log = Log::new();
        let jobs = [
            pool.submit(spin::job(log.pen())),
            pool.submit(stopped::job(log.pen())),
            pool.submit(stopped_beside_work::job(log.pen())),
        ];
        log.wait_for(3);
        let pending = pool.submit(spin::job(log.pen()));
        dawdle(round);
        pool.shutdown(Shutdown::Kill).unwrap();
        // They were asked, and ended by themselves: a thread is not killed.
        for (expected, job) in (1..).zip(jobs) {
            assert_eq!(job.result().unwrap(), expected);
        }
        assert!(pending.is_cancelled());
        assert_eq!(log.len(), 3);
    }
}

/// The request may come before the job looks, while it looks, and after.
#[test]
fn no_request_of_a_killing_shutdown_is_missed() {
    let _watched = watched();
    for round in 0..500 {
        let pool = pool(1 + round % 2);
        let log = Log::new();
        let jobs = [pool.submit(stopped::job(log.pen())), pool.submit(spin::job(log.pen()))];
        dawdle(round);
        pool.shutdown_timeout(Shutdown::Kill, hang_guard()).unwrap();
        for job in jobs {
            assert!(job.is_done());
        }
    }
}

#[test]
fn the_other_shutdowns_ask_nobody() {
    let _watched = watched();
    for mode in [Shutdown::Drain, Shutdown::CancelPending] {
        let pool = pool(1);
        let log = Log::new();
        let job = pool.submit(spin::job(log.pen()));
        log.wait_for(1);
        thread::scope(|scope| {
            let ends = scope.spawn(|| pool.shutdown(mode));
            eventually("the pool refuses", || pool.try_submit(fail::job(log.pen())).is_err());
            assert!(job.is_running());
            job.request_stop();
            assert_eq!(ends.join().unwrap(), Ok(()));
        });
        assert_eq!(job.result().unwrap(), 1);
    }
}

#[test]
fn a_killing_shutdown_ends_waits_of_jobs_for_jobs() {
    let _watched = watched();
    for workers in [1, 2] {
        let pool = pool(workers);
        let log = Log::new();
        let (own, pen) = (pool.clone(), log.pen());
        let parent = pool.spawn(move || {
            let child = own.submit(stopped::job(pen));
            let value = child.result();
            (value, current().should_stop(), own.submit(spin::job(pen)).result())
        });
        log.wait_for(1);
        pool.shutdown(Shutdown::Kill).unwrap();
        let (child, asked, late) = parent.result().unwrap();
        assert_eq!(child.unwrap(), 2);
        assert!(asked);
        assert!(matches!(late, Err(JobError::Rejected(_))), "{late:?}");
    }
}

#[test]
fn a_killing_shutdown_ends_a_back_off() {
    let _watched = watched();
    let options = || JobOptions::new().retries(Retries::times(5).backoff(Duration::from_secs(3600)));
    for mode in [Shutdown::CancelPending, Shutdown::Kill] {
        let pool = pool(2);
        let log = Log::new();
        let job = pool.submit_with(fail::job(log.pen()), options());
        log.wait_for(1);
        pool.shutdown_timeout(mode, hang_guard()).unwrap();
        assert_eq!(job.result().unwrap(), Err(1));
        assert_eq!(log.len(), 1);
    }
    // The back-off of a job that a waiting worker claimed is spent on that worker.
    let pool = pool(1);
    let log = Log::new();
    let (own, pen) = (pool.clone(), log.pen());
    let parent = pool.spawn(move || own.submit_with(fail::job(pen), options()).result().unwrap());
    log.wait_for(1);
    pool.shutdown_timeout(Shutdown::Kill, hang_guard()).unwrap();
    assert_eq!(parent.result().unwrap(), Err(1));
}

#[test]
fn kill_is_cancel_before_a_job_runs_and_refused_after() {
    let _watched = watched();
    let pool = pool(1);
    let gate = Gate::new();
    let running = pool.submit(pass::job(gate.pass(), 1));
    let pending = pool.submit(pass::job(gate.pass(), 2));
    gate.wait_for(1);
    assert!(!running.kill());
    assert!(!running.kill());
    assert!(pending.kill());
    assert!(pending.is_cancelled());
    gate.open();
    assert_eq!(running.result().unwrap(), 1);
    assert!(pending.result().unwrap_err().is_cancelled());
    let stats = pool.stats();
    assert_eq!((stats.finished, stats.cancelled, stats.failed), (1, 1, 0));
}

#[test]
fn kill_ends_a_back_off() {
    let _watched = watched();
    for round in 0..50 {
        let pool = pool(1);
        let log = Log::new();
        let options = JobOptions::new().retries(Retries::times(5).backoff(Duration::from_secs(3600)));
        let job = pool.submit_with(fail::job(log.pen()), options);
        log.wait_for(1);
        dawdle(round);
        // It is false as long as the first attempt has not ended.
        eventually("the job is killed", || job.kill());
        assert!(matches!(job.result(), Err(JobError::Killed)));
        drop(pool);
        assert_eq!(log.len(), 1);
    }
}

#[test]
fn a_run_limit_asks_a_job_on_a_thread() {
    let _watched = watched();
    let pool = pool(2);
    let log = Log::new();
    let limit = Duration::from_millis(20);
    let submit = |job: u64| -> JobFuture<u64> {
        let options = JobOptions::new().run_limit(limit);
        if job == 1 {
            pool.submit_with(spin::job(log.pen()), options)
        } else {
            pool.submit_with(stopped::job(log.pen()), options)
        }
    };
    let began = Instant::now();
    for job in [submit(1), submit(2)] {
        assert!(matches!(job.result(), Err(JobError::RunLimit { .. })));
        assert!(began.elapsed() >= limit);
    }
    assert_eq!(pool.stats().failed, 2);
}

/// The driver of an async job parks its thread; a nested wait parks the same thread.
#[test]
fn a_request_reaches_a_job_below_another_one() {
    let _watched = watched();
    for round in 0..200 {
        let pool = pool(1);
        let log = Log::new();
        let (own, pen) = (pool.clone(), log.pen());
        let seen = Arc::new(AtomicBool::new(false));
        let saw = Arc::clone(&seen);
        let parent = pool.spawn(move || {
            let child = own.submit(stopped::job(pen));
            let outcome = child.result().unwrap();
            while !current().should_stop() {
                thread::yield_now();
            }
            saw.store(true, Ordering::Relaxed);
            outcome
        });
        log.wait_for(1);
        dawdle(round);
        parent.request_stop();
        // The parent was asked, and not its child, so that it is the pool's end that wakes the child.
        pool.shutdown_timeout(Shutdown::Kill, hang_guard()).unwrap();
        assert_eq!(parent.result().unwrap(), 2);
        assert!(seen.load(Ordering::Relaxed));
    }
}
