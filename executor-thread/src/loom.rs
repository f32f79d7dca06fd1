//! Models of the queue's idle protocol and of the end of a pool. Loops are threads of the model; one that sleeps and is
//! never called, or a task that is never run, is a deadlock, which loom reports.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use executor_core::backend::{Backend, Capabilities, Control, PoolId, Refused, Room, Seat, Task, closure_task};
use executor_core::{JobError, JobFuture, Rejection, Shutdown, Stats};
use loom::thread;

use crate::pool::Pool;

/// A handle without the drop rule, which would wait for threads of the system.
#[derive(Clone)]
struct Handle {
    pool: Arc<Pool>,
    control: Arc<dyn Control>,
    threads: Arc<Mutex<Vec<thread::JoinHandle<()>>>>,
}

impl Handle {
    fn new(workers: usize, capacity: Option<usize>) -> Self {
        let pool = Pool::new(PoolId::new(), workers, capacity, 0);
        let threads = (0..workers)
            .map(|worker| {
                let pool = Arc::clone(&pool);
                thread::spawn(move || {
                    let _seat = Seat::new(pool.id, worker).take();
                    crate::drain::live(&pool);
                })
            })
            .collect();
        Handle { control: Arc::clone(&pool) as Arc<dyn Control>, pool, threads: Arc::new(Mutex::new(threads)) }
    }

    /// Ends the pool, and waits until every loop has ended, with all that it dropped.
    fn end(&self) {
        self.begin_shutdown(Shutdown::Drain);
        for thread in std::mem::take(&mut *self.threads.lock().unwrap()) {
            thread.join().unwrap();
        }
    }

    fn submit(&self, runs: &Arc<AtomicUsize>) -> JobFuture<()> {
        let runs = Arc::clone(runs);
        let (task, future) = closure_task(self, move || {
            runs.fetch_add(1, Ordering::SeqCst);
        });
        if let Err(refused) = self.accept(task, Room::Wait) {
            refused.fail();
        }
        future
    }
}

impl Backend for Handle {
    fn id(&self) -> PoolId {
        self.pool.id
    }
    fn control(&self) -> &Arc<dyn Control> {
        &self.control
    }
    fn accept(&self, task: Task, room: Room<'_>) -> Result<(), Refused> {
        self.pool.accept(task, room)
    }
    fn begin_shutdown(&self, mode: Shutdown) {
        self.pool.begin_shutdown(mode);
    }
    fn wait_ended(&self, _: Option<Instant>) -> usize {
        0
    }
    fn snapshot(&self) -> Stats {
        self.pool.stats()
    }
    fn capabilities(&self) -> Capabilities {
        self.pool.capabilities()
    }
}

fn counter() -> Arc<AtomicUsize> {
    Arc::new(AtomicUsize::new(0))
}

#[test]
fn every_pushed_task_is_run_once() {
    loom::model(|| {
        let (handle, runs) = (Handle::new(2, None), counter());
        let first = handle.submit(&runs);
        let second = handle.submit(&runs);
        first.result().unwrap();
        second.result().unwrap();
        handle.end();
        assert_eq!(runs.load(Ordering::SeqCst), 2);
        assert_eq!(handle.snapshot().finished, 2);
    });
}

#[test]
fn a_submit_calls_the_loop_that_goes_to_sleep() {
    loom::model(|| {
        let (handle, runs) = (Handle::new(1, None), counter());
        handle.submit(&runs).result().unwrap();
        handle.submit(&runs).result().unwrap();
        handle.end();
        assert_eq!(runs.load(Ordering::SeqCst), 2);
    });
}

#[test]
fn submits_from_two_threads_are_both_run() {
    loom::model(|| {
        let (handle, runs) = (Handle::new(1, None), counter());
        let other = {
            let (handle, runs) = (handle.clone(), Arc::clone(&runs));
            thread::spawn(move || handle.submit(&runs).result())
        };
        handle.submit(&runs).result().unwrap();
        other.join().unwrap().unwrap();
        handle.end();
        assert_eq!(runs.load(Ordering::SeqCst), 2);
    });
}

#[test]
fn a_submit_against_a_shutdown_is_refused_cancelled_or_run() {
    for mode in [Shutdown::Drain, Shutdown::CancelPending] {
        loom::model(move || {
            let (handle, runs) = (Handle::new(1, None), counter());
            let submitter = {
                let (handle, runs) = (handle.clone(), Arc::clone(&runs));
                thread::spawn(move || handle.submit(&runs).result())
            };
            handle.begin_shutdown(mode);
            let outcome = submitter.join().unwrap();
            handle.end();
            let ran = match outcome {
                Ok(()) => 1,
                Err(JobError::Rejected(Rejection::ShutDown)) => 0,
                Err(JobError::Cancelled) if mode == Shutdown::CancelPending => 0,
                other => panic!("a fourth outcome: {other:?}"),
            };
            assert_eq!(runs.load(Ordering::SeqCst), ran);
        });
    }
}

#[test]
fn a_submitter_that_waits_for_room_gets_it() {
    loom::model(|| {
        let (handle, runs) = (Handle::new(1, Some(1)), counter());
        let futures = [handle.submit(&runs), handle.submit(&runs), handle.submit(&runs)];
        for future in futures {
            future.result().unwrap();
        }
        handle.end();
        assert_eq!(runs.load(Ordering::SeqCst), 3);
    });
}

#[test]
fn a_cancel_against_a_loop_counts_once() {
    loom::model(|| {
        let (handle, runs) = (Handle::new(1, None), counter());
        let future = handle.submit(&runs);
        let job = future.handle();
        let cancelled = job.cancel();
        let outcome = future.result();
        assert_eq!(outcome.is_ok(), !cancelled);
        handle.end();
        let stats = handle.snapshot();
        assert_eq!((stats.submitted(), stats.queued), (1, 0));
        assert_eq!(stats.cancelled, u64::from(cancelled));
        assert_eq!(runs.load(Ordering::SeqCst), usize::from(!cancelled));
    });
}
