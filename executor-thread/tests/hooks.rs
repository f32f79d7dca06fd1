//! What runs at both ends of a worker's life: the hooks and the initializer.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod common;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use common::{pool, watched};
use executor_core::{Executor, JobError, Shutdown, current, job};
use executor_testkit::{BombPayload, Gate, Log, ON_PURPOSE, Pass, Pen, eventually};
use executor_thread::{ThreadExecutor, ThreadExecutorBuilder};

/// What hooks were told.
type Told = Arc<Mutex<Vec<usize>>>;

fn note(told: &Told) -> impl Fn(usize) + Send + Sync + 'static {
    let told = Arc::clone(told);
    move |worker| told.lock().unwrap().push(worker)
}

fn sorted(told: &Told) -> Vec<usize> {
    let mut told = told.lock().unwrap().clone();
    told.sort_unstable();
    told
}

#[job]
fn echo(n: u64) -> u64 {
    n
}

/// Law 299, 308.
#[test]
fn each_hook_runs_once_for_each_worker() {
    let _watched = watched();
    let ends: [fn(&ThreadExecutor); 4] = [
        |_| (),
        |pool| pool.shutdown(Shutdown::Drain).unwrap(),
        |pool| pool.shutdown(Shutdown::CancelPending).unwrap(),
        |pool| pool.shutdown(Shutdown::Kill).unwrap(),
    ];
    for end in ends {
        let (started, exited) = (Told::default(), Told::default());
        let builder = ThreadExecutor::builder().workers(3);
        let pool = builder.on_worker_start(note(&started)).on_worker_exit(note(&exited)).build().unwrap();
        assert_eq!(pool.submit(echo::job(1)).result().unwrap(), 1);
        assert_eq!(sorted(&exited), []);
        end(&pool);
        let is_shut_down = pool.submit(echo::job(1)).result().is_err();
        // The exit hooks have run when a shutdown returned, and when the drop did.
        assert!(!is_shut_down || sorted(&exited) == [0, 1, 2], "{:?}", sorted(&exited));
        drop(pool);
        assert_eq!((sorted(&started), sorted(&exited)), (vec![0, 1, 2], vec![0, 1, 2]));
    }
}

thread_local! {
    /// What the start hook left on this thread.
    static MARK: Cell<Option<usize>> = const { Cell::new(None) };
}

#[test]
fn hooks_run_on_the_thread_of_their_worker_before_and_after_its_jobs() {
    let _watched = watched();
    let left = Told::default();
    let notes = note(&left);
    let pool = ThreadExecutor::builder()
        .workers(3)
        .on_worker_start(|worker| MARK.set(Some(worker)))
        .on_worker_exit(move |worker| {
            assert_eq!(current().worker(), Some(worker));
            // What the last job of this worker left.
            notes(MARK.get().unwrap());
        })
        .build()
        .unwrap();
    let all_run = Arc::new(Barrier::new(3));
    let jobs: Vec<_> = (0..3)
        .map(|_| {
            let all_run = Arc::clone(&all_run);
            pool.spawn(move || {
                all_run.wait();
                let mark = MARK.get();
                MARK.set(mark.map(|mark| mark + 10));
                (mark, current().worker())
            })
        })
        .collect();
    for job in jobs {
        let (mark, worker) = job.result().unwrap();
        assert!(worker.is_some());
        assert_eq!(mark, worker);
    }
    drop(pool);
    assert_eq!(sorted(&left), [10, 11, 12]);
}

/// Law 109, G3.
#[test]
fn a_panic_in_an_exit_hook_concerns_nobody() {
    let _watched = watched();
    for throw in [panics, throws_bomb] {
        let exited = Told::default();
        let notes = note(&exited);
        let builder = ThreadExecutor::builder().workers(2).on_worker_exit(move |worker| {
            notes(worker);
            throw();
        });
        let pool = builder.build().unwrap();
        assert_eq!(pool.submit(echo::job(1)).result().unwrap(), 1);
        pool.shutdown(Shutdown::Drain).unwrap();
        assert_eq!(sorted(&exited), [0, 1]);
    }
}

fn panics() {
    panic!("a hook fails {ON_PURPOSE}");
}

/// Throws what panics when it is dropped.
fn throws_bomb() {
    resume_unwind(Box::new(BombPayload));
}

/// Checks that a pool of two workers is broken, by all of its doors, and gives the cause.
#[track_caller]
fn assert_broken(builder: ThreadExecutorBuilder) -> String {
    let pool = builder.workers(2).build().unwrap();
    // The cause comes to light when a worker starts, which may be after this.
    let first: Vec<_> = (0..20).map(|n| pool.submit(echo::job(n))).collect();
    let broken = |error: &JobError| matches!(error, JobError::Broken { .. });
    eventually("the pool is broken", || pool.try_submit(echo::job(1)).is_err_and(|refused| broken(refused.error())));
    let Err(JobError::Broken { cause }) = pool.submit(echo::job(1)).result() else { panic!("a job was accepted") };
    for (n, job) in (0..).zip(first) {
        match job.result() {
            // The other worker ran it before this one failed.
            Ok(value) => assert_eq!(value, n),
            Err(JobError::Broken { cause: same }) => assert_eq!(same, cause),
            Err(error) => panic!("{error}"),
        }
    }
    assert!(pool.map(echo::job, 0..3).all(|result| result.is_err_and(|error| broken(&error))));
    let stats = pool.stats();
    assert_eq!((stats.queued, stats.running), (0, 0), "{stats:?}");
    pool.shutdown(Shutdown::Drain).unwrap();
    cause
}

/// Law 104, 109, G3.
#[test]
fn a_panic_in_a_start_hook_breaks_the_pool_and_says_why() {
    let _watched = watched();
    for (throw, message) in [(panics as fn(), "a hook fails"), (throws_bomb, "no text")] {
        let exited = Told::default();
        let builder = ThreadExecutor::builder().on_worker_start(move |_| throw()).on_worker_exit(note(&exited));
        let cause = assert_broken(builder);
        assert!(cause.contains("start hook") && cause.contains(message), "{cause}");
        assert_eq!(sorted(&exited), [0, 1]);
    }
}

/// Leaves its mark as the state of the worker.
#[job]
fn leave_mark(pen: Pen, mark: u64) -> bool {
    pen.write(current().worker().map_or(u64::MAX, |worker| worker as u64));
    current().set_worker_state(Mark(mark))
}

/// [`leave_mark`], after it was suspended.
#[job]
async fn leave_mark_async(pen: Pen, gate: Pass, mark: u64) -> bool {
    gate.go_async().await;
    leave_mark(pen, mark)
}

#[job]
fn fail(text: &str) -> Result<(), String> {
    Err(text.to_owned())
}

#[job]
fn blow_up(text: &str) {
    panic!("{text} {ON_PURPOSE}");
}

struct Mark(u64);

#[job]
fn mark() -> Option<u64> {
    current().worker_state::<Mark>().map(|mark| mark.0)
}

/// Law 103, 107.
#[test]
fn the_initializer_runs_once_in_each_worker_before_its_first_job() {
    let _watched = watched();
    let log = Log::new();
    let pool = ThreadExecutor::builder().workers(3).initializer(leave_mark::job(log.pen(), 7)).build().unwrap();
    let jobs: Vec<_> = (0..300).map(|_| pool.submit(mark::job())).collect();
    assert!(jobs.into_iter().all(|job| job.result().unwrap() == Some(7)));
    log.wait_for(3);
    drop(pool);
    assert_eq!(log.entries().into_iter().collect::<BTreeSet<_>>(), BTreeSet::from([0, 1, 2]));
    assert_eq!(log.len(), 3);
}

#[test]
fn an_async_initializer_is_driven_to_its_end() {
    let _watched = watched();
    let (log, gate) = (Log::new(), Gate::new());
    let initializer = leave_mark_async::job(log.pen(), gate.pass(), 8);
    let pool = ThreadExecutor::builder().workers(2).initializer(initializer).build().unwrap();
    let jobs: Vec<_> = (0..10).map(|_| pool.submit(mark::job())).collect();
    gate.wait_for(2);
    assert!(jobs.iter().all(|job| !job.is_done()));
    gate.open();
    assert!(jobs.into_iter().all(|job| job.result().unwrap() == Some(8)));
    // The other worker may still be at it.
    log.wait_for(2);
}

#[test]
fn the_start_hook_comes_before_the_initializer() {
    let _watched = watched();
    let log = Log::new();
    let pen = log.pen();
    let pool = ThreadExecutor::builder()
        .workers(1)
        .on_worker_start(move |_| drop(pen.write(100).to_string()))
        .initializer(leave_mark::job(log.pen(), 1))
        .build()
        .unwrap();
    assert_eq!(pool.submit(mark::job()).result().unwrap(), Some(1));
    assert_eq!(log.entries(), [100, 0]);
}

/// Gives what panics when it is dropped.
#[job]
fn leave_bomb() -> Bomb {
    Bomb
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("the output of an initializer is dropped {ON_PURPOSE}");
    }
}

#[test]
fn an_initializer_may_return_what_panics_when_it_is_dropped() {
    let _watched = watched();
    let pool = ThreadExecutor::builder().workers(2).initializer(leave_bomb::job()).build().unwrap();
    assert_eq!(pool.submit(echo::job(1)).result().unwrap(), 1);
    pool.shutdown(Shutdown::Drain).unwrap();
}

/// Law 104.
#[test]
fn a_failing_initializer_breaks_the_pool_and_says_why() {
    let _watched = watched();
    let cause = assert_broken(ThreadExecutor::builder().initializer(blow_up::job("no licence was found")));
    assert!(cause.contains("no licence was found") && cause.contains("blow_up"), "{cause}");
    let cause = assert_broken(ThreadExecutor::builder().initializer(fail::job("no licence was found")));
    assert!(cause.contains("initializer") && cause.contains("fail"), "{cause}");
}

/// One worker of two cannot begin, while the other one runs jobs and a map: each of them ends, and is counted once.
#[test]
fn a_pool_that_breaks_at_work_ends_every_job_and_counts_it_once() {
    let _watched = watched();
    for round in 0..200 {
        let late = Arc::new(Barrier::new(2));
        let theirs = Arc::clone(&late);
        let fails = move |worker| {
            if worker == 1 {
                theirs.wait();
                panic!("the start hook fails {ON_PURPOSE}");
            }
        };
        let pool = ThreadExecutor::builder().workers(2).on_worker_start(fails).build().unwrap();
        let breaks = thread::spawn(move || {
            common::dawdle(round * 100);
            late.wait();
        });
        let jobs: Vec<_> = (0..100).map(|n| pool.submit(echo::job(n))).collect();
        let mut cancelled = 0;
        for job in jobs.iter().rev().step_by(3) {
            cancelled += u64::from(job.cancel());
        }
        let own = pool.clone();
        // A worker that waits for the others claims them while the pool breaks.
        let claims = pool.spawn(move || own.map(echo::job, 0..100).filter(Result::is_ok).count() as u64);
        let (mut ended, mut failed) = (0, 0);
        for (n, job) in (0..).zip(jobs) {
            match job.result() {
                Ok(value) => {
                    assert_eq!(value, n);
                    ended += 1;
                }
                Err(JobError::Cancelled) => {}
                Err(JobError::Broken { cause }) => {
                    assert!(cause.contains("start hook"), "{cause}");
                    failed += 1;
                }
                other => panic!("{other:?}"),
            }
        }
        drop(claims.result());
        breaks.join().unwrap();
        assert_eq!(ended + failed + cancelled, 100);
        eventually("the pool is idle", || pool.stats().running == 0);
        let stats = pool.stats();
        assert_eq!((stats.queued, stats.cancelled), (0, cancelled), "round {round}: {stats:?}");
        // A submit after the break is refused, which counts nowhere.
        assert!(stats.finished >= ended, "round {round}: {stats:?}");
    }
}

#[test]
fn hooks_of_one_pool_are_not_those_of_another() {
    let _watched = watched();
    let count = Arc::new(AtomicUsize::new(0));
    let counts = Arc::clone(&count);
    let hooked = ThreadExecutor::builder().workers(2).on_worker_start(move |_| {
        counts.fetch_add(1, Ordering::Relaxed);
    });
    let pools = [hooked.clone().build().unwrap(), hooked.build().unwrap(), pool(2)];
    drop(pools);
    assert_eq!(count.load(Ordering::Relaxed), 4);
}
