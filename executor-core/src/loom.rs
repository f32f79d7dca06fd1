//! Models of the cell and its waiters: every interleaving of a few threads, within loom's bound on preemptions.

use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use crate::backend::{Control, JobRef, Tally, Task};
use crate::cell::{Cell, Stage};
use crate::error::JobError;
use crate::future::JobFuture;
use crate::map::Chunk;
use crate::options::Priority;
use crate::payload::ClosurePayload;
use crate::single::Single;
use crate::state::JobState;
use crate::trace::Submitter;

/// A pool that only hangs on tasks. Whoever runs this model's tasks is its worker.
struct Bare {
    helps: bool,
}

struct NoTally;

impl Tally for NoTally {
    fn begun(&self) {}
    fn ended(&self, _: bool) {}
}

impl Control for Bare {
    fn is_own_worker(&self) -> bool {
        self.helps
    }
    fn help(&self, job: &JobRef) -> bool {
        job.claim().is_some_and(|claim| {
            let _ = claim.run(&NoTally);
            true
        })
    }
    fn withdrawn(&self, _: &JobRef) {}
    fn kill(&self, _: &JobRef) -> bool {
        false
    }
    fn stop_requested(&self, _: &JobRef) {}
    fn is_stopping(&self) -> bool {
        false
    }
}

/// A closure that counts its runs, and captures something that counts its drops.
type Counted = ClosurePayload<Box<dyn FnOnce() -> u32 + Send>>;

#[derive(Clone)]
struct Counter(Arc<AtomicUsize>);

impl Counter {
    fn new() -> Self {
        Counter(Arc::new(AtomicUsize::new(0)))
    }
    fn add(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
    fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

struct CountsDrop(Counter);

impl Drop for CountsDrop {
    fn drop(&mut self) {
        self.0.add();
    }
}

/// The ends of a job and, third, its cell: a model keeps it to its end, because loom does not see the count of the
/// standard `Arc`, which orders the last drop after all else.
fn submit(helps: bool, runs: &Counter, drops: &Counter) -> (Task, JobFuture<u32>, Arc<Single<Counted>>) {
    let (runs, captured) = (runs.clone(), CountsDrop(drops.clone()));
    let closure: Box<dyn FnOnce() -> u32 + Send> = Box::new(move || {
        let _captured = captured;
        runs.add();
        7
    });
    let cell = Single::new(ClosurePayload(closure), None, Arc::new(Bare { helps }), &Submitter::here());
    let task = Task::pending(JobRef::new(Arc::clone(&cell), 0));
    (task, JobFuture::new(Arc::clone(&cell)), cell)
}

fn run(task: Task) {
    let _ = task.run(&NoTally, crate::sync::now);
}

#[test]
fn finish_against_cancel_against_wait() {
    loom::model(|| {
        let (runs, drops) = (Counter::new(), Counter::new());
        let (task, future, _cell) = submit(false, &runs, &drops);
        let handle = future.handle();
        let worker = thread::spawn(move || run(task));
        let canceller = thread::spawn(move || handle.cancel());
        let outcome = future.result();
        // What the job captured is gone before its future is done.
        assert_eq!(drops.get(), 1);
        worker.join().unwrap();
        match (outcome, canceller.join().unwrap()) {
            (Ok(7), false) => assert_eq!(runs.get(), 1),
            (Err(JobError::Cancelled), true) => assert_eq!(runs.get(), 0),
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn two_cancels_agree() {
    loom::model(|| {
        let (runs, drops) = (Counter::new(), Counter::new());
        let (task, future, _cell) = submit(false, &runs, &drops);
        let (one, two) = (future.handle(), future.handle());
        let first = thread::spawn(move || one.cancel());
        assert!(two.cancel());
        assert!(first.join().unwrap());
        run(task);
        assert!(matches!(future.result(), Err(JobError::Cancelled)));
        assert_eq!((runs.get(), drops.get()), (0, 1));
    });
}

#[test]
fn finish_against_drop_of_the_future() {
    loom::model(|| {
        let (runs, drops) = (Counter::new(), Counter::new());
        let (task, future, _cell) = submit(false, &runs, &drops);
        let worker = thread::spawn(move || run(task));
        drop(future);
        worker.join().unwrap();
        assert_eq!((runs.get(), drops.get()), (1, 1));
    });
}

#[test]
fn drop_of_the_task_against_wait() {
    loom::model(|| {
        let (runs, drops) = (Counter::new(), Counter::new());
        let (task, future, _cell) = submit(false, &runs, &drops);
        let backend = thread::spawn(move || drop(task));
        assert!(matches!(future.result(), Err(JobError::Lost { .. })));
        backend.join().unwrap();
        assert_eq!((runs.get(), drops.get()), (0, 1));
    });
}

#[test]
fn callback_against_finish() {
    loom::model(|| {
        let (runs, drops) = (Counter::new(), Counter::new());
        let (task, future, _cell) = submit(false, &runs, &drops);
        let called = Counter::new();
        let worker = thread::spawn(move || run(task));
        let in_callback = called.clone();
        let handle = future.on_done(move |outcome| {
            assert!(matches!(outcome, Ok(7)));
            in_callback.add();
        });
        let in_second = called.clone();
        handle.on_done(move |job| {
            assert_eq!(job.state(), JobState::Finished);
            in_second.add();
        });
        worker.join().unwrap();
        assert_eq!(called.get(), 2);
    });
}

#[test]
fn claim_while_waiting_against_a_worker() {
    loom::model(|| {
        let (runs, drops) = (Counter::new(), Counter::new());
        let (task, future, _cell) = submit(true, &runs, &drops);
        let worker = thread::spawn(move || run(task));
        assert!(matches!(future.result(), Ok(7)));
        worker.join().unwrap();
        assert_eq!((runs.get(), drops.get()), (1, 1));
    });
}

#[test]
fn kill_against_finish() {
    loom::model(|| {
        let cell = Arc::new(Cell::new(ClosurePayload(|| 7)));
        let ticket = cell.begin().unwrap();
        let killed = {
            let cell = Arc::clone(&cell);
            thread::spawn(move || cell.state().kill())
        };
        cell.put(&ticket, Stage::Value(7));
        let _ = cell.finish(ticket, false, |_| {}, || {});
        let outcome = cell.take().unwrap().into_outcome();
        match (outcome, killed.join().unwrap()) {
            (Ok(7), false) => {}
            (Err(error), true) if matches!(*error, JobError::Killed) => {}
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn await_against_finish() {
    struct Woken(AtomicUsize);
    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    loom::model(|| {
        let (runs, drops) = (Counter::new(), Counter::new());
        let (task, mut future, _cell) = submit(false, &runs, &drops);
        let worker = thread::spawn(move || run(task));
        let woken = Arc::new(Woken(AtomicUsize::new(0)));
        let waker = Waker::from(Arc::clone(&woken));
        let polled = std::pin::Pin::new(&mut future).poll(&mut Context::from_waker(&waker));
        worker.join().unwrap();
        match polled {
            Poll::Ready(outcome) => assert!(matches!(outcome, Ok(7))),
            Poll::Pending => {
                assert!(woken.0.load(Ordering::SeqCst) >= 1, "a poll that was pending is woken");
                assert!(matches!(future.try_result(), Some(Ok(7))));
            }
        }
    });
}

#[test]
fn two_workers_and_a_reader_on_one_chunk() {
    loom::model(|| {
        let runs = Counter::new();
        let jobs: Vec<_> = (0..2)
            .map(|n| {
                let runs = runs.clone();
                ClosurePayload(move || {
                    runs.add();
                    n
                })
            })
            .collect();
        let control = Arc::new(Bare { helps: false });
        let (task, chunk) = Chunk::new(jobs.into_iter(), Priority::Normal, control, Arc::default(), &Submitter::here());
        let task = task.unwrap();
        let share = task.share().unwrap();
        let one = thread::spawn(move || run(task));
        let two = thread::spawn(move || run(share));
        one.join().unwrap();
        two.join().unwrap();
        assert!(chunk.is_ended());
        for index in 0..2 {
            assert_eq!(chunk.take(index).unwrap().unwrap(), index);
        }
        assert_eq!(runs.get(), 2);
    });
}
