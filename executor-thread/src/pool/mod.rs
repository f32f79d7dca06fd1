//! The pool: what its handles, its workers and its futures share.
//!
//! # Loops
//!
//! Jobs wait in our own queue. Each worker has one *loop* at the bottom of its stack, as long as the pool lives: it takes
//! tasks from the queue until that is empty, and then sleeps. All of it is decided under one lock:
//!
//! | who | under the lock | afterwards |
//! |---|---|---|
//! | submit | pushes; calls loops, if there are more jobs than loops that look for one | wakes them |
//! | loop | pops a task | runs it, comes again |
//! | loop, queue empty | says that it looks | looks at a hint for a bounded time, comes again |
//! | loop, queue still empty | says that it sleeps | waits inside rayon, for a call or for a piece of parallel work |
//! | the last such loop | becomes the sentinel | sleeps until a submit calls it |
//!
//! *A task that is pushed is run:* the push sees, under the lock, either a loop that sleeps, and calls it; or none, and
//! each loop comes to the lock again before it sleeps, and finds the task; or enough loops that look, which come to the
//! lock again too. A call is counted until a loop comes, so that none is lost on one that was about to sleep.
//!
//! *Nothing on top of a job.* While a job waits in rayon for its own parallel work, its worker runs pieces of such work.
//! A loop is no rayon job, and so never among them: no other job begins on top of this one, which may hold a lock that
//! the other wants. How a loop that waits inside rayon is called: see [`caller`](crate::caller).
//!
//! *The sentinel.* To wake a worker through rayon takes some 20 µs more than to unpark a thread. So the last loop of an
//! idle pool sleeps here. That takes a worker from rayon only while no job runs and nobody from outside uses rayon
//! ([`Pool::visit`]), when there is nothing for it to do there; a closure that a job left in rayon is run before, or by
//! the others.
//!
//! *Batches.* Where many short jobs wait, a loop takes some of them at one go, into a buffer of its own. What is in a
//! buffer can be stolen: a loop sleeps only when, under the lock, all buffers are empty, and they are filled only under
//! the lock. Whoever leaves tasks in a buffer sees to it that somebody is awake for them, should the first prove slow: a
//! batch is at most half of what waits, so that the rest calls a loop or is left to a sentinel that naps; and a thief calls
//! one.
//!
//! # Lock order
//!
//! The state of the pool has one lock, that of the [`Board`]. Tasks leave it before they are run, cancelled or dropped,
//! and wakers before they are woken, so that no user code runs under it. `rayon` and `threads` are locked alone.

mod accept;
mod control;
mod end;
mod steps;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::{JoinHandle, Thread};
use std::time::Duration;

use executor_core::Stats;
use executor_core::backend::{Capabilities, PoolId, RoomTicket, Tally, current_seat, quietly};

use crate::board::Board;
use crate::buffer::Buffer;
use crate::hint::Hint;
use crate::sync::atomic::AtomicBool;
use crate::sync::{Condvar, Mutex, MutexGuard};
use crate::tally::{Counts, Own};

/// What the handles, the workers and the futures of one pool share. Aligned to two cache lines, so that the count of
/// its [`Arc`], which every submit changes, is not on the line of the lock, which every worker changes.
#[repr(align(128))]
pub(crate) struct Pool {
    pub(crate) id: PoolId,
    workers: usize,
    capacity: Option<usize>,
    board: Mutex<Board>,
    hint: Hint,
    /// How often a loop that found nothing looks at the hint before it goes to sleep.
    looks: u32,
    room: Condvar,
    ended: Condvar,
    pub(crate) timer: Condvar,
    /// Every running job is asked to stop.
    stopping: AtomicBool,
    /// One for each worker.
    buffers: Box<[Buffer]>,
    counts: Box<[Counts]>,
    /// What is counted on threads that are no workers.
    outside: Counts,
    rayon: Mutex<Option<Arc<rayon::ThreadPool>>>,
    caller: Mutex<Option<Arc<rayon::ThreadPool>>>,
    /// Tells the caller that loops were called, or that the pool has ended.
    bell: Condvar,
    threads: Mutex<Threads>,
}

#[derive(Default)]
struct Threads {
    to_join: Vec<JoinHandle<()>>,
    to_unpark: Vec<Thread>,
}

impl Pool {
    pub(crate) fn new(id: PoolId, workers: usize, capacity: Option<usize>, looks: u32) -> Arc<Self> {
        Arc::new(Pool {
            id,
            workers,
            capacity,
            board: Mutex::new(Board::new(workers, capacity.unwrap_or(usize::MAX))),
            hint: Hint::new(),
            looks,
            room: Condvar::new(),
            ended: Condvar::new(),
            timer: Condvar::new(),
            stopping: AtomicBool::new(false),
            buffers: (0..workers).map(|_| Buffer::new()).collect(),
            counts: (0..workers).map(|_| Counts::default()).collect(),
            outside: Counts::default(),
            rayon: Mutex::new(None),
            caller: Mutex::new(None),
            bell: Condvar::new(),
            threads: Mutex::new(Threads::default()),
        })
    }

    pub(crate) fn set_rayon(&self, rayon: rayon::ThreadPool) {
        *self.rayon.lock() = Some(Arc::new(rayon));
    }

    pub(crate) fn set_caller(&self, caller: rayon::ThreadPool) {
        *self.caller.lock() = Some(Arc::new(caller));
    }

    /// The rayon pool; `None` once this pool has ended.
    pub(crate) fn rayon(&self) -> Option<Arc<rayon::ThreadPool>> {
        self.rayon.lock().clone()
    }

    /// The pool of the thread that calls sleeping loops; `None` once this pool has ended.
    #[cfg(not(executor_loom))]
    fn caller(&self) -> Option<Arc<rayon::ThreadPool>> {
        self.caller.lock().clone()
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Board> {
        self.board.lock()
    }

    /// The number of the calling thread among this pool's workers.
    pub(crate) fn own_worker(&self) -> Option<usize> {
        current_seat(|seat| seat.filter(|seat| seat.pool() == self.id).map(|seat| seat.worker()))
    }

    fn with_tally<R>(&self, f: impl FnOnce(&dyn Tally) -> R) -> R {
        match self.own_worker() {
            Some(worker) => f(&Own(&self.counts[worker])),
            None => f(&self.outside),
        }
    }

    /// Lets a caller from outside use the rayon pool, with all of its workers; `None` once this pool has ended.
    pub(crate) fn visit<R>(&self, visit: impl FnOnce(&rayon::ThreadPool) -> R) -> Option<R> {
        struct Visit<'a>(&'a Pool);
        impl Drop for Visit<'_> {
            fn drop(&mut self) {
                self.0.lock().end_visit();
            }
        }
        let rayon = self.rayon()?;
        let sentinel = self.lock().visit();
        let _visit = Visit(self);
        if let Some(sentinel) = sentinel {
            sentinel.unpark();
        }
        Some(visit(&rayon))
    }

    pub(crate) fn thread_started(&self, thread: JoinHandle<()>) {
        self.lock().threads += 1;
        let mut threads = self.threads.lock();
        threads.to_unpark.push(thread.thread().clone());
        threads.to_join.push(thread);
    }

    pub(crate) fn thread_ended(&self) {
        self.lock().threads -= 1;
        self.ended.notify_all();
    }

    pub(crate) fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::in_process();
        capabilities.queue_capacity = self.capacity;
        capabilities
    }

    pub(crate) fn stats(&self) -> Stats {
        let sums = Counts::sum(self.counts.iter().chain([&self.outside]));
        let board = self.lock();
        let mut stats = Stats::default();
        stats.workers = self.workers;
        stats.queued = board.accepted - sums.begun - board.cancelled;
        stats.running = sums.begun - sums.finished - sums.failed;
        stats.finished = sums.finished;
        stats.failed = sums.failed;
        stats.cancelled = board.cancelled;
        stats
    }
}

/// Submitters who are to be told, after the lock, that there may be room.
#[must_use]
struct Woken<'a> {
    room: Option<&'a Condvar>,
    wakers: BTreeMap<RoomTicket, std::task::Waker>,
}

impl Woken<'_> {
    fn wake(self) {
        if let Some(room) = self.room {
            room.notify_all();
        }
        for waker in self.wakers.into_values() {
            quietly(|| waker.wake());
        }
    }
}

/// How long a chunk may keep a worker before it looks at the queue again, for a job of a higher priority.
pub(crate) const TURN: Duration = Duration::from_micros(500);
