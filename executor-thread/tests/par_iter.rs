//! Parallel work inside a job: rayon's iterators and joins run on the pool of the job, and no other job on top of it.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod common;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::hint::spin_loop;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, PoisonError, mpsc};
use std::thread;

use common::{all_asleep, dawdle, named_pool, pool, watched};
use executor_core::{Executor, JobError, Shutdown, job};
use executor_testkit::{Gate, ON_PURPOSE, OddPayload, eventually, hang_guard};
use executor_thread::ThreadExecutor;
use rayon::prelude::*;

thread_local! {
    /// How many jobs and pieces of jobs are on the stack of this thread.
    static INSIDE: Cell<u32> = const { Cell::new(0) };
}

/// How often a job began on a thread that was inside another one, in the tests of this file together.
static ON_TOP: AtomicUsize = AtomicUsize::new(0);

/// Marks the thread as inside a job, or a piece of one.
struct Inside;

impl Inside {
    fn piece() -> Self {
        INSIDE.set(INSIDE.get() + 1);
        Inside
    }

    /// A job begins, and looks whether it does so on top of another.
    fn job() -> Self {
        if INSIDE.get() > 0 {
            ON_TOP.fetch_add(1, Ordering::Relaxed);
        }
        Inside::piece()
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        INSIDE.set(INSIDE.get() - 1);
    }
}

/// Sums up in parallel, in pieces that part again.
fn sum_in_pieces(pieces: u32) -> u32 {
    let piece = |n: u32| {
        let _inside = Inside::piece();
        let (left, right) = rayon::join(|| n / 2, || n - n / 2);
        left + right
    };
    (0..pieces).into_par_iter().with_max_len(1).map(piece).sum()
}

fn sum_to(n: u32) -> u32 {
    n * (n - 1) / 2
}

#[job]
fn parallel_squares(n: u64) -> u64 {
    (1..=n).into_par_iter().map(|n| n * n).sum()
}

#[test]
fn a_job_finds_the_rayon_pool_of_its_executor() {
    let _watched = watched();
    let pool = named_pool(3, "pi-names");
    let job = pool.spawn(|| {
        let names = Mutex::new(BTreeSet::new());
        (0..1000).into_par_iter().with_max_len(1).for_each(|_| {
            names.lock().unwrap().insert(thread::current().name().unwrap_or_default().to_owned());
        });
        (rayon::current_num_threads(), names.into_inner().unwrap())
    });
    let (threads, names) = job.result().unwrap();
    assert_eq!(threads, 3);
    assert!(names.iter().all(|name| name.starts_with("pi-names-")), "{names:?}");
    assert_eq!(pool.submit(parallel_squares::job(10)).result().unwrap(), 385);
}

#[test]
fn no_job_runs_on_top_of_one_that_waits_in_rayon() {
    let _watched = watched();
    for workers in [1, 2, 3] {
        let pool = pool(workers);
        let jobs: Vec<_> = (0..2000)
            .map(|_| {
                pool.spawn(|| {
                    let _inside = Inside::job();
                    sum_in_pieces(32)
                })
            })
            .collect();
        for job in jobs {
            assert_eq!(job.result().unwrap(), sum_to(32));
        }
        drop(pool);
        assert_eq!(ON_TOP.load(Ordering::Relaxed), 0, "of 2000 jobs began on top of others, {workers} workers");
    }
}

#[test]
fn a_lock_may_be_held_across_parallel_work() {
    let _watched = watched();
    let pool = pool(2);
    let lock = Arc::new(Mutex::new(0));
    let jobs: Vec<_> = (0..2000)
        .map(|_| {
            let lock = Arc::clone(&lock);
            pool.spawn(move || {
                // A job on top of another of these would wait here for the one below it, for ever.
                let mut done = lock.lock().unwrap();
                let _inside = Inside::job();
                assert_eq!(sum_in_pieces(16), sum_to(16));
                *done += 1;
            })
        })
        .collect();
    jobs.into_iter().for_each(|job| job.result().unwrap());
    assert_eq!(*lock.lock().unwrap(), 2000);
    assert_eq!(ON_TOP.load(Ordering::Relaxed), 0);
}

/// Waits, awake, until the flag is raised.
fn wait_for(flag: &AtomicBool) {
    while !flag.load(Ordering::Acquire) {
        thread::yield_now();
    }
}

/// The other worker helps with a piece of a job, and has to wait in turn for a piece of that. A job that comes just then
/// could want a lock that the first one holds, so it must not run there either.
#[test]
fn no_job_runs_on_top_of_a_piece_of_another_job() {
    let _watched = watched();
    let pool = pool(2);
    for _ in 0..20 {
        let flags: Arc<[AtomicBool; 3]> = Arc::default();
        let theirs = Arc::clone(&flags);
        let first = pool.spawn(move || {
            let [piece_began, inner_began, submitted] = &*theirs;
            let piece = || {
                // The second worker is here, because the first waits for this flag.
                piece_began.store(true, Ordering::Release);
                let _inside = Inside::piece();
                let inner = || {
                    // The first worker is here, because the second waits for this flag. What the second one finds
                    // while it waits for this half is the other job alone.
                    inner_began.store(true, Ordering::Release);
                    wait_for(submitted);
                    (0..1000).for_each(|_| thread::yield_now());
                };
                rayon::join(|| wait_for(inner_began), inner);
            };
            rayon::join(|| wait_for(piece_began), piece);
        });
        wait_for(&flags[1]);
        let other = pool.spawn(|| drop(Inside::job()));
        flags[2].store(true, Ordering::Release);
        first.result().unwrap();
        other.result().unwrap();
        assert_eq!(ON_TOP.load(Ordering::Relaxed), 0, "a job ran on top of a piece of another one");
    }
}

/// The worker that is called first has slept longest, and is in a piece that does not end.
#[test]
fn a_job_does_not_wait_for_a_long_piece_while_a_worker_sleeps() {
    let _watched = watched();
    let pool = pool(4);
    for _ in 0..20 {
        let gate = Gate::new();
        let [piece, own] = [gate.pass(), gate.pass()];
        let busy = pool.spawn(move || rayon::join(|| own.go(), || piece.go()));
        gate.wait_for(2);
        // As many as there are workers that are free.
        let jobs: Vec<_> = (0..2).map(|n| pool.spawn(move || n)).collect();
        for (n, mut job) in jobs.into_iter().enumerate() {
            assert_eq!(job.result_timeout(hang_guard()).unwrap(), n);
        }
        gate.open();
        busy.result().unwrap();
    }
}

/// A job that comes while a worker waits in rayon is taken over by an idle one, also if another is blocked for so long
/// that it never comes.
#[test]
fn an_idle_worker_takes_over_though_another_one_is_blocked() {
    let _watched = watched();
    let pool = named_pool(3, "pi-takes");
    let gate = Gate::new();
    let pass = gate.pass();
    let blocked = pool.spawn(move || pass.go());
    gate.wait_for(1);
    // The test and the busy job meet here before each round, before its submit and after it.
    let turn = Arc::new(Barrier::new(2));
    let theirs = Arc::clone(&turn);
    let busy = pool.spawn(move || {
        for _ in 0..3 {
            theirs.wait();
            let [helps, ends]: [AtomicBool; 2] = Default::default();
            let piece = || {
                helps.store(true, Ordering::Release);
                wait_for(&ends);
            };
            let own_half = || {
                // The third worker is in the other half.
                wait_for(&helps);
                theirs.wait();
                theirs.wait();
                while rayon::yield_now() == Some(rayon::Yield::Executed) {}
                ends.store(true, Ordering::Release);
            };
            rayon::join(own_half, piece);
        }
    });
    for round in 0..3 {
        // The third worker sleeps. It may nap before, so it is looked at several times.
        let mut looks = 0;
        eventually("the third worker sleeps", || {
            looks = if all_asleep("pi-takes") { looks + 1 } else { 0 };
            looks == 5
        });
        turn.wait();
        turn.wait();
        let mut job = pool.spawn(|| ());
        turn.wait();
        if job.result_timeout(hang_guard()).is_err() {
            std::mem::forget(pool.clone());
            panic!("round {round}: a job waits, and a worker sleeps: {:?}", pool.stats());
        }
    }
    gate.open();
    busy.result().unwrap();
    blocked.result().unwrap();
}

/// The two halves of a join meet, so that each needs a worker.
fn meet() -> (thread::ThreadId, thread::ThreadId) {
    let barrier = Barrier::new(2);
    let half = || {
        barrier.wait();
        thread::current().id()
    };
    rayon::join(half, half)
}

/// Runs [`meet`] as a job. If no other worker helps, the job never ends, and the pool with it is left behind.
#[track_caller]
fn assert_helped(pool: &ThreadExecutor) {
    let mut job = pool.spawn(meet);
    match job.result_timeout(hang_guard()) {
        Ok((left, right)) => assert_ne!(left, right),
        Err(error) => {
            std::mem::forget(pool.clone());
            panic!("no other worker helps with the parallel work of a job: {error}");
        }
    }
}

#[test]
fn parallel_work_is_helped_after_the_pool_was_idle() {
    let _watched = watched();
    let pool = named_pool(2, "pi-idle");
    for round in 0..300 {
        assert_helped(&pool);
        pool.spawn(|| ()).result().unwrap();
        if round % 3 == 0 {
            eventually("both workers sleep", || all_asleep("pi-idle"));
        } else {
            dawdle(round);
        }
    }
}

#[test]
fn parallel_work_is_helped_while_short_jobs_come() {
    let _watched = watched();
    let pool = pool(2);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let jobs: Vec<_> = (0..50).map(|n| pool.spawn(move || n)).collect();
                for job in jobs {
                    job.result().unwrap();
                }
            }
        });
        for _ in 0..300 {
            assert_helped(&pool);
        }
        over.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_panic_in_a_piece_is_that_of_the_job() {
    let _watched = watched();
    let pool = pool(2);
    for _ in 0..50 {
        let job = pool.spawn(|| {
            (0..100).into_par_iter().for_each(|n| {
                if n == 77 {
                    resume_unwind(Box::new(OddPayload(n)));
                }
            });
        });
        let error = job.result().unwrap_err();
        assert!(error.is_panic());
        let payload = catch_unwind(AssertUnwindSafe(|| error.resume())).unwrap_err();
        assert_eq!(payload.downcast_ref::<OddPayload>(), Some(&OddPayload(77)));
    }
    let text = pool.spawn(|| rayon::scope(|scope| scope.spawn(|_| panic!("a task of a scope panics {ON_PURPOSE}"))));
    match text.result() {
        Err(JobError::Panicked { message, .. }) => assert!(message.contains("a task of a scope"), "{message}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(pool.submit(parallel_squares::job(3)).result().unwrap(), 14);
}

#[test]
fn a_job_may_wait_for_jobs_inside_parallel_work() {
    let _watched = watched();
    for workers in [1, 2] {
        let pool = pool(workers);
        let inner = pool.clone();
        let job = pool.spawn(move || {
            let squares = (0..500u32).into_par_iter().with_max_len(1);
            squares.map(|n| inner.spawn(move || n * n).result().unwrap()).sum::<u32>()
        });
        assert_eq!(job.result().unwrap(), (0..500).map(|n| n * n).sum::<u32>());
    }
}

#[test]
fn what_a_job_leaves_to_rayon_is_run() {
    let _watched = watched();
    for workers in [1, 2] {
        let pool = pool(workers);
        for round in 0..500 {
            let (tx, rx) = mpsc::channel();
            pool.spawn(move || leave_behind(5, tx)).result().unwrap();
            assert_eq!(rx.recv_timeout(hang_guard()), Ok(()), "round {round} with {workers} workers");
        }
    }
}

/// Leaves a closure to rayon that leaves another, and so on; the last one sends.
fn leave_behind(more: u32, tx: mpsc::Sender<()>) {
    rayon::spawn(move || match more {
        0 => tx.send(()).unwrap(),
        more => leave_behind(more - 1, tx),
    });
}

#[test]
fn what_a_job_left_to_rayon_has_run_when_the_pool_ends() {
    let _watched = watched();
    for round in 0..200 {
        let pool = pool(1 + round % 2);
        let ran = Arc::new(AtomicUsize::new(0));
        let counts = Arc::clone(&ran);
        pool.spawn(move || {
            for _ in 0..10 {
                let ran = Arc::clone(&counts);
                rayon::spawn(move || {
                    (0..100).for_each(|_| spin_loop());
                    ran.fetch_add(1, Ordering::Relaxed);
                });
            }
        })
        .result()
        .unwrap();
        pool.shutdown(Shutdown::Drain).unwrap();
        assert_eq!(ran.load(Ordering::Relaxed), 10, "round {round}");
    }
}

#[test]
fn a_poisoned_lock_of_a_panicking_job_does_not_stop_the_others() {
    let _watched = watched();
    let pool = pool(2);
    let lock = Arc::new(Mutex::new(()));
    let jobs: Vec<_> = (0..100)
        .map(|n| {
            let lock = Arc::clone(&lock);
            pool.spawn(move || {
                let _locked = lock.lock().unwrap_or_else(PoisonError::into_inner);
                (0..8).into_par_iter().for_each(|piece| assert!(n % 10 > 0 || piece != 5, "it fails {ON_PURPOSE}"));
            })
        })
        .collect();
    let panics = jobs.into_iter().map(|job| job.result()).filter(Result::is_err).count();
    assert_eq!(panics, 10);
}
