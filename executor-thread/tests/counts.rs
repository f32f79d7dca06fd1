//! The counts of a pool: each accepted job is in one column of every snapshot, runs as often as it should, and ends once.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod common;

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use common::{Dice, dawdle, pool, watched};
use executor_core::{
    Executor, JobError, JobFuture, JobOptions, MapOptions, Retries, Shutdown, Stats, as_completed, job,
};
use executor_testkit::{Gate, Log, ON_PURPOSE, Pass, Pen, eventually};
use executor_thread::ThreadExecutor;

#[job]
fn echo(n: u64) -> u64 {
    n
}

/// Fails in one of two ways.
#[job]
fn fail(n: u64) -> Result<u64, u64> {
    if n.is_multiple_of(2) { Err(n) } else { panic!("a job fails {ON_PURPOSE}") }
}

/// Writes which attempt it is, and fails.
#[job]
fn try_in_vain(pen: Pen) -> Result<u64, u64> {
    Err(pen.write(0))
}

#[job]
fn pass(gate: Pass) {
    gate.go();
}

/// The five columns.
fn columns(stats: Stats) -> [u64; 5] {
    [stats.queued, stats.running, stats.finished, stats.failed, stats.cancelled]
}

/// A pool whose one worker is at a gate. The gate is to be dropped first, so that a test that fails does not hang.
fn blocked_pool(capacity: usize) -> (ThreadExecutor, Gate) {
    let pool = ThreadExecutor::builder().workers(1).queue_capacity(capacity).build().unwrap();
    let gate = Gate::new();
    drop(pool.submit(pass::job(gate.pass())));
    gate.wait_for(1);
    (pool, gate)
}

#[test]
fn every_job_is_in_one_column() {
    let _watched = watched();
    let (pool, gate) = blocked_pool(1000);
    assert_eq!(columns(pool.stats()), [0, 1, 0, 0, 0]);
    let good: Vec<_> = (0..10).map(|n| pool.submit(echo::job(n))).collect();
    let bad: Vec<_> = (0..6).map(|n| pool.submit(fail::job(n))).collect();
    assert_eq!(columns(pool.stats()), [16, 1, 0, 0, 0]);
    assert!(good[..4].iter().all(JobFuture::cancel));
    assert_eq!(columns(pool.stats()), [12, 1, 0, 0, 4]);
    // It is true a second time too, and is not counted again.
    assert!(good[..4].iter().all(JobFuture::cancel));
    assert_eq!(columns(pool.stats()), [12, 1, 0, 0, 4]);
    gate.open();
    good[4..].iter().for_each(JobFuture::wait);
    bad.iter().for_each(JobFuture::wait);
    assert_eq!(columns(pool.stats()), [0, 0, 7, 6, 4]);
    pool.shutdown(Shutdown::Drain).unwrap();
    assert!(matches!(pool.submit(echo::job(1)).result(), Err(JobError::Rejected(_))));
    // A refused job was never there.
    assert_eq!(columns(pool.stats()), [0, 0, 7, 6, 4]);
    assert_eq!((pool.stats().workers, pool.stats().worker_restarts), (1, 0));
}

#[test]
fn a_refused_job_is_in_no_column() {
    let _watched = watched();
    let (pool, gate) = blocked_pool(2);
    let waiting = [pool.try_submit(echo::job(1)).unwrap(), pool.try_submit(echo::job(2)).unwrap()];
    for n in 0..100 {
        let refused = pool.try_submit(echo::job(n)).unwrap_err();
        assert!(refused.is_full(), "{refused}");
    }
    assert_eq!(columns(pool.stats()), [2, 1, 0, 0, 0]);
    gate.open();
    waiting.iter().for_each(JobFuture::wait);
    assert_eq!(columns(pool.stats()), [0, 0, 3, 0, 0]);
}

#[test]
fn a_map_that_is_dropped_counts_what_it_had_handed_over() {
    let _watched = watched();
    for in_order in [true, false] {
        let (pool, gate) = blocked_pool(4);
        // The window is larger than the queue, so that some of it waits for room when the map is dropped.
        let options = MapOptions::new().window(20);
        if in_order {
            drop(pool.map_with(echo::job, 0..100, options).unwrap());
        } else {
            drop(pool.map_unordered_with(echo::job, 0..100, options).unwrap());
        }
        let dropped = pool.stats();
        assert_eq!(columns(dropped), [0, 1, 0, 0, dropped.cancelled], "in order: {in_order}");
        assert!((1..=4).contains(&dropped.cancelled), "in order: {in_order}, {dropped:?}");
        gate.open();
        pool.shutdown(Shutdown::Drain).unwrap();
        assert_eq!(columns(pool.stats()), [0, 0, 1, 0, dropped.cancelled], "in order: {in_order}");
    }
}

#[test]
fn a_job_is_counted_once_however_often_it_is_tried() {
    let _watched = watched();
    let pool = pool(2);
    let log = Log::new();
    let options = JobOptions::new().retries(Retries::times(3));
    drop(pool.submit_with(try_in_vain::job(log.pen()), options).result());
    assert_eq!((log.len(), columns(pool.stats())), (4, [0, 0, 0, 1, 0]));

    // Between two attempts it runs, though on no worker.
    let options = JobOptions::new().retries(Retries::times(3).backoff(Duration::from_secs(3600)));
    let rests = pool.submit_with(try_in_vain::job(log.pen()), options);
    log.wait_for(5);
    assert_eq!(columns(pool.stats()), [0, 1, 0, 1, 0]);
    eventually("the job rests and is killed", || rests.kill());
    assert_eq!((log.len(), columns(pool.stats())), (5, [0, 0, 0, 2, 0]));
}

/// A waiting worker runs what it waits for, so that more jobs run than there are workers.
#[test]
fn a_job_below_another_one_is_counted_beside_it() {
    let _watched = watched();
    let pool = pool(1);
    let gate = Gate::new();
    let (own, go) = (pool.clone(), gate.pass());
    let parent = pool.spawn(move || own.submit(pass::job(go)).result().unwrap());
    gate.wait_for(1);
    let behind = pool.submit(echo::job(1));
    assert_eq!(columns(pool.stats()), [1, 2, 0, 0, 0]);
    gate.open();
    parent.result().unwrap();
    behind.result().unwrap();
    assert_eq!(columns(pool.stats()), [0, 0, 3, 0, 0]);
}

#[test]
fn a_shutdown_counts_all_that_was_accepted() {
    let _watched = watched();
    for round in 0..60 {
        let mode = [Shutdown::Drain, Shutdown::CancelPending, Shutdown::Kill][round % 3];
        let pool = pool(2);
        let together = Barrier::new(3);
        let outcomes: Vec<_> = thread::scope(|scope| {
            let submit = |thread| {
                let (pool, together) = (&pool, &together);
                move || {
                    together.wait();
                    dawdle(round * thread);
                    (0..100).map(|n| pool.submit(echo::job(n))).collect::<Vec<_>>()
                }
            };
            let submitters: Vec<_> = (0..2).map(|thread| scope.spawn(submit(thread))).collect();
            together.wait();
            dawdle(round * 3);
            pool.shutdown(mode).unwrap();
            submitters.into_iter().flat_map(|thread| thread.join().unwrap()).map(JobFuture::result).collect()
        });
        let (mut finished, mut cancelled) = (0, 0);
        for outcome in outcomes {
            match outcome {
                Ok(_) => finished += 1,
                Err(JobError::Cancelled) => cancelled += 1,
                Err(JobError::Rejected(_)) => {}
                Err(error) => panic!("{mode:?}: {error}"),
            }
        }
        assert_eq!(columns(pool.stats()), [0, 0, finished, 0, cancelled], "{mode:?}");
    }
}

/// Compares how many jobs were seen done with how many are counted as ended.
struct Observer {
    pool: ThreadExecutor,
    seen: AtomicU64,
    /// How often the count was short. The observer does not panic, because a panic of a callback is swallowed.
    short: AtomicU64,
}

impl Observer {
    /// To be called for each job, after it was seen done.
    fn saw_one(&self) {
        let seen = self.seen.fetch_add(1, Ordering::AcqRel) + 1;
        let stats = self.pool.stats();
        if stats.finished + stats.failed + stats.cancelled < seen {
            self.short.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Whatever way one learns of the end of a job, it is in the counts by then.
#[test]
fn who_sees_a_job_done_sees_it_counted() {
    let _watched = watched();
    let pool = pool(2);
    let observer = Arc::new(Observer { pool: pool.clone(), seen: AtomicU64::new(0), short: AtomicU64::new(0) });
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for n in 0..150 {
                    pool.submit(echo::job(n)).wait();
                    observer.saw_one();
                    drop(pool.submit(fail::job(n)).result());
                    observer.saw_one();
                    let job = pool.submit(echo::job(n));
                    job.cancel();
                    job.wait();
                    observer.saw_one();
                    let jobs: Vec<_> = (0..3).map(|n| pool.submit(echo::job(n))).collect();
                    as_completed(jobs).for_each(|_| observer.saw_one());
                    pool.map(echo::job, 0..3).for_each(|_| observer.saw_one());
                    pool.map_unordered(echo::job, 0..3).for_each(|_| observer.saw_one());
                    let called = Arc::clone(&observer);
                    pool.submit(echo::job(n)).on_done(move |_| called.saw_one());
                }
            });
        }
    });
    // The callbacks run on workers, and have run when those have ended.
    pool.shutdown(Shutdown::Drain).unwrap();
    assert_eq!(observer.seen.load(Ordering::Relaxed), 3 * 150 * 13);
    assert_eq!(observer.short.load(Ordering::Relaxed), 0, "a job was seen done that was not counted");
}

const MARKED: usize = 30_000;

/// How often each marked job ran.
static RUNS: [AtomicU32; MARKED] = [const { AtomicU32::new(0) }; MARKED];

#[job]
fn mark(index: usize) {
    RUNS[index].fetch_add(1, Ordering::Relaxed);
}

#[test]
fn a_job_runs_once_or_was_cancelled() {
    let _watched = watched();
    let pool = pool(3);
    let cancelled: Vec<usize> = thread::scope(|scope| {
        let ride = |thread: usize| {
            let pool = &pool;
            move || {
                let mut dice = Dice::new(thread as u64 + 1);
                let mut cancelled = Vec::new();
                let mut indices = (thread..MARKED).step_by(3).peekable();
                while indices.peek().is_some() {
                    let row: Vec<_> = indices.by_ref().take(1 + dice.below(40) as usize).collect();
                    let jobs: Vec<_> = row.iter().map(|&index| pool.submit(mark::job(index))).collect();
                    for (index, job) in row.iter().zip(&jobs) {
                        if dice.below(3) == 0 && job.cancel() {
                            cancelled.push(*index);
                        }
                    }
                    jobs.iter().for_each(JobFuture::wait);
                }
                cancelled
            }
        };
        let riders: Vec<_> = (0..3).map(|thread| scope.spawn(ride(thread))).collect();
        riders.into_iter().flat_map(|rider| rider.join().unwrap()).collect()
    });
    pool.shutdown(Shutdown::Drain).unwrap();
    let mut expected = vec![1; MARKED];
    cancelled.iter().for_each(|&index| expected[index] = 0);
    let wrong = (0..MARKED).find(|&index| RUNS[index].load(Ordering::Relaxed) != expected[index]);
    assert_eq!(wrong, None, "this job should have run {} times", wrong.map_or(1, |index| expected[index]));
    let never = cancelled.len() as u64;
    assert_eq!(columns(pool.stats()), [0, 0, MARKED as u64 - never, 0, never]);
}

/// Sets a flag when it is dropped, so that other threads stop though this one unwinds.
struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn snapshots_are_consistent_while_all_columns_change() {
    let _watched = watched();
    let pool = pool(3);
    let over = AtomicBool::new(false);
    let submitted: u64 = thread::scope(|scope| {
        let submitters: Vec<_> = (0..3)
            .map(|thread| {
                let pool = &pool;
                scope.spawn(move || {
                    let mut dice = Dice::new(thread + 1);
                    let mut submitted = 0;
                    for _ in 0..200 {
                        let jobs: Vec<_> = (0..dice.below(50)).map(|n| pool.submit(echo::job(n))).collect();
                        let bad: Vec<_> = (0..dice.below(4)).map(|n| pool.submit(fail::job(n))).collect();
                        let mut pulled = 0;
                        let items = (0..50).inspect(|_| pulled += 1);
                        pool.map(echo::job, items).take(dice.below(50) as usize).for_each(drop);
                        submitted += (jobs.len() + bad.len() + pulled) as u64;
                        let _cancelled = jobs.iter().step_by(3).filter(|job| job.cancel()).count();
                        jobs.iter().for_each(JobFuture::wait);
                    }
                    submitted
                })
            })
            .collect();
        scope.spawn(|| {
            let mut before = pool.stats();
            while !over.load(Ordering::Relaxed) {
                // A column that is found by subtraction and goes below 0 panics here.
                let now = pool.stats();
                let story = format!("{before:?}, then {now:?}");
                // What has ended stays so, and the sum only grows.
                assert!(now.submitted() >= before.submitted(), "{story}");
                assert!(now.finished >= before.finished, "{story}");
                assert!(now.failed >= before.failed && now.cancelled >= before.cancelled, "{story}");
                before = now;
            }
        });
        let _over = SetOnDrop(&over);
        submitters.into_iter().map(|submitter| submitter.join().unwrap()).sum()
    });
    pool.shutdown(Shutdown::Drain).unwrap();
    let stats = pool.stats();
    assert_eq!((stats.submitted(), stats.queued, stats.running), (submitted, 0, 0), "{stats:?}");
}
