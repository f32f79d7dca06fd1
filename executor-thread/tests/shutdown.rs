//! `shutdown`: from where it may be called, how often, how harshly, and what races it.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod common;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use common::{count_threads, dawdle, named_pool, pool, watched};
use executor_core::{
    Backend, Executor, JobError, JobFuture, JobOptions, Rejection, Retries, Shutdown, ShutdownError, current, job,
};
use executor_testkit::{Gate, Log, Pass, Pen, eventually, hang_guard};
use executor_thread::ThreadExecutor;

const MODES: [Shutdown; 3] = [Shutdown::Drain, Shutdown::CancelPending, Shutdown::Kill];

#[job]
fn echo(n: u64) -> u64 {
    n
}

#[job]
fn pass(gate: Pass, n: u64) -> u64 {
    gate.go();
    n
}

#[job]
fn fail(pen: Pen, gate: Pass) -> Result<u64, u64> {
    pen.write(0);
    gate.go();
    Err(0)
}

#[test]
fn a_worker_cannot_shut_its_own_pool_down() {
    let _watched = watched();
    for mode in MODES {
        let pool = pool(2);
        let own = pool.clone();
        let inside = pool.spawn(move || {
            let limit = Duration::from_secs(1);
            (own.shutdown(mode), own.shutdown_timeout(mode, limit), current().should_stop())
        });
        let refused = Err(ShutdownError::OwnWorker);
        assert_eq!(inside.result().unwrap(), (refused, refused, false));
        // Nothing was begun.
        assert_eq!(pool.submit(echo::job(1)).result().unwrap(), 1);
        let theirs = pool.clone();
        assert_eq!(pool.install(move || theirs.shutdown(mode)), refused);
    }
}

#[test]
fn a_worker_shuts_another_pool_down() {
    let _watched = watched();
    let outer = pool(1);
    for mode in MODES {
        let inner = pool(1);
        let job = inner.submit(echo::job(3));
        let outcome = outer.spawn(move || inner.shutdown(mode));
        assert_eq!(outcome.result().unwrap(), Ok(()));
        assert!(job.is_done());
    }
}

#[test]
fn a_shutdown_may_be_asked_for_again() {
    let _watched = watched();
    for first in MODES {
        for second in MODES {
            let pool = pool(2);
            let jobs: Vec<_> = (0..100).map(|n| pool.submit(echo::job(n))).collect();
            pool.shutdown(first).unwrap();
            let ended = pool.stats();
            pool.shutdown(second).unwrap();
            pool.shutdown_timeout(second, Duration::ZERO).unwrap();
            assert!(jobs.iter().all(JobFuture::is_done));
            assert_eq!(pool.stats(), ended);
        }
    }
}

#[test]
fn a_limit_that_passes_tells_how_many_jobs_are_left() {
    let _watched = watched();
    let pool = named_pool(2, "sh-limit");
    let gate = Gate::new();
    let jobs: Vec<_> = (0..7).map(|n| pool.submit(pass::job(gate.pass(), n))).collect();
    gate.wait_for(2);
    let brief = Duration::from_millis(1);
    assert_eq!(pool.shutdown_timeout(Shutdown::Drain, Duration::ZERO), Err(ShutdownError::TimedOut { jobs: 7 }));
    assert_eq!(pool.shutdown_timeout(Shutdown::Drain, brief), Err(ShutdownError::TimedOut { jobs: 7 }));
    assert_eq!(pool.shutdown_timeout(Shutdown::CancelPending, brief), Err(ShutdownError::TimedOut { jobs: 2 }));
    gate.open();
    pool.shutdown_timeout(Shutdown::Drain, hang_guard()).unwrap();
    let finished = jobs.into_iter().map(JobFuture::result).filter(Result::is_ok).count();
    assert_eq!(finished, 2);
    eventually("the threads are gone", || count_threads("sh-limit") == 0);
}

#[test]
fn a_limit_is_not_used_up_where_there_is_nothing_to_wait_for() {
    let _watched = watched();
    for mode in MODES {
        let pool = named_pool(3, "sh-early");
        assert_eq!(pool.submit(echo::job(1)).result().unwrap(), 1);
        // A day: the hang guard ends this test long before.
        pool.shutdown_timeout(mode, Duration::from_secs(86_400)).unwrap();
        pool.shutdown_timeout(mode, Duration::MAX).unwrap();
    }
    eventually("the threads are gone", || count_threads("sh-early") == 0);
}

/// One shutdown waits for a job that waits for a harsher one.
#[test]
fn a_later_shutdown_may_be_harsher() {
    let _watched = watched();
    let pool = pool(1);
    let gate = Gate::new();
    let pass = gate.pass();
    let stops = pool.spawn(move || {
        pass.go();
        while !current().should_stop() {
            thread::yield_now();
        }
        5
    });
    gate.wait_for(1);
    let pending: Vec<_> = (0..20).map(|n| pool.submit(echo::job(n))).collect();
    thread::scope(|scope| {
        let drains = scope.spawn(|| pool.shutdown(Shutdown::Drain));
        eventually("the pool refuses", || pool.try_submit(echo::job(1)).is_err());
        assert!(pending.iter().all(|job| !job.is_done()));
        let cancels = scope.spawn(|| pool.shutdown(Shutdown::CancelPending));
        eventually("the pending jobs are cancelled", || pending.iter().all(JobFuture::is_cancelled));
        gate.open();
        let kills = scope.spawn(|| pool.shutdown(Shutdown::Kill));
        for ends in [drains, cancels, kills] {
            assert_eq!(ends.join().unwrap(), Ok(()));
        }
    });
    assert_eq!(stops.result().unwrap(), 5);
}

#[test]
fn a_later_shutdown_is_not_gentler() {
    let _watched = watched();
    let pool = pool(1);
    let gate = Gate::new();
    let running = pool.submit(pass::job(gate.pass(), 1));
    let pending = pool.submit(echo::job(2));
    gate.wait_for(1);
    pool.begin_shutdown(Shutdown::CancelPending);
    pool.begin_shutdown(Shutdown::Drain);
    assert!(pending.is_cancelled());
    gate.open();
    pool.shutdown(Shutdown::Drain).unwrap();
    assert_eq!(running.result().unwrap(), 1);
}

#[test]
fn a_cancelling_shutdown_begins_no_further_job() {
    let _watched = watched();
    for round in 0..300 {
        let workers = 2 + round % 2;
        let pool = pool(workers);
        let jobs: Vec<_> = (0..2000).map(|n| pool.submit(echo::job(n))).collect();
        dawdle(round * 20);
        pool.begin_shutdown(Shutdown::CancelPending);
        let now = pool.stats();
        let began = now.running + now.finished;
        pool.shutdown(Shutdown::CancelPending).unwrap();
        let stats = pool.stats();
        // Each worker may have had one in its hands.
        assert!(stats.finished <= began + workers as u64, "round {round}: {began} had begun, then {stats:?}");
        assert_eq!(stats.finished + stats.cancelled, 2000);
        assert_eq!(jobs.iter().filter(|job| job.is_cancelled()).count() as u64, stats.cancelled);
    }
}

/// The job fails after the shutdown began: it is not tried again, and nobody waits for its back-off of an hour.
#[test]
fn a_cancelling_shutdown_tries_nothing_again() {
    let _watched = watched();
    for mode in [Shutdown::CancelPending, Shutdown::Kill] {
        for backoff in [Duration::ZERO, Duration::from_secs(3600)] {
            for begins_first in [false, true] {
                let pool = pool(1);
                let (log, gate) = (Log::new(), Gate::new());
                let options = JobOptions::new().retries(Retries::times(1_000_000).backoff(backoff));
                let job = pool.submit_with(fail::job(log.pen(), gate.pass()), options);
                gate.wait_for(1);
                if begins_first {
                    pool.begin_shutdown(mode);
                    gate.open();
                } else {
                    gate.open();
                    pool.begin_shutdown(mode);
                }
                pool.shutdown_timeout(mode, hang_guard()).unwrap();
                assert!(!begins_first || log.len() == 1, "{} attempts", log.len());
                assert_eq!(job.result().unwrap(), Err(0));
            }
        }
    }
}

#[test]
fn every_future_of_a_submit_that_races_a_shutdown_is_done() {
    let _watched = watched();
    let mut refused = 0;
    for round in 0..2000 {
        let mode = MODES[round % 3];
        let pool = if round % 2 == 0 {
            pool(1 + round % 3)
        } else {
            ThreadExecutor::builder().workers(1 + round % 3).queue_capacity(2).build().unwrap()
        };
        let begin = Barrier::new(5);
        let ran = Arc::new(AtomicUsize::new(0));
        let outcomes: Vec<_> = thread::scope(|scope| {
            let submitters: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        begin.wait();
                        let submit = |_| {
                            let ran = Arc::clone(&ran);
                            pool.spawn(move || ran.fetch_add(1, Ordering::Relaxed))
                        };
                        (0..5).map(submit).map(JobFuture::result).collect::<Vec<_>>()
                    })
                })
                .collect();
            begin.wait();
            dawdle(round);
            pool.shutdown(mode).unwrap();
            submitters.into_iter().flat_map(|submitter| submitter.join().unwrap()).collect()
        });
        let ended = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        assert_eq!(ended, ran.load(Ordering::Relaxed), "round {round}");
        for error in outcomes.into_iter().filter_map(Result::err) {
            match error {
                JobError::Rejected(Rejection::ShutDown) => refused += 1,
                JobError::Cancelled if mode != Shutdown::Drain => {}
                error => panic!("round {round}, {mode:?}: {error}"),
            }
        }
        assert_eq!(pool.stats().submitted(), pool.stats().finished + pool.stats().cancelled);
    }
    assert!(refused > 0, "no shutdown came before a submit");
}

#[test]
fn many_threads_shut_a_pool_down_at_once() {
    let _watched = watched();
    for round in 0..200 {
        let pool = pool(2);
        let jobs: Vec<_> = (0..20).map(|n| pool.submit(echo::job(n))).collect();
        let all_ended = AtomicBool::new(true);
        thread::scope(|scope| {
            for thread in 0..4 {
                let (pool, jobs, all_ended) = (&pool, &jobs, &all_ended);
                scope.spawn(move || {
                    pool.shutdown(MODES[(round + thread) % 3]).unwrap();
                    all_ended.fetch_and(jobs.iter().all(JobFuture::is_done), Ordering::Relaxed);
                });
            }
        });
        assert!(all_ended.load(Ordering::Relaxed));
    }
}
