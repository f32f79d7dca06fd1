//! The pool: what its handles, its jobs and its futures share.
//!
//! # Two kinds of jobs
//!
//! | | waits | runs |
//! |---|---|---|
//! | async job, or future | until fewer than the limit have begun | polled once by a [`Driver`](crate::driver::Driver); if it is not at its end then, it has a slot, lies in its [`Parked`](crate::parked::Parked), and is a task of its own, a [`Poller`](crate::poller::Poller), once it was woken |
//! | function, or closure | for one of the workers | on a blocking thread of the runtime, a [`Shift`](crate::worker::Shift) on a seat |
//!
//! Each kind has a queue with priorities. The async jobs that drivers have count against the limit, as slots do; there is a
//! driver while one waits and the limit has room. A thread that ends its shift saw, under the lock, that no function waits; a
//! function that comes later calls a thread.
//!
//! # No deadlock by waiting
//!
//! * A function that blocks on a function which nobody has begun runs it itself.
//! * An async job that is awaited on a worker of the pool, or blocked on there, goes to the runtime at once, above the limit: out of
//!   the queue, or from a driver that has taken it and polls another one.
//! * An async job that awaits a queued function needs a thread. Some thread comes to it, unless each of them blocks on
//!   another job, maybe on this very one: then one more thread runs what is awaited. A thread counts as blocked from its first
//!   wait to the end of its job; that may call a thread more than needed, and never one fewer.
//!
//! # The runtime may end first
//!
//! It then drops its tasks: the pollers end their jobs as broken, and the [`Watch`](crate::watch::Watch), which is such a task,
//! ends all that waits, in the queue and in slots. From that, nobody waits for a runtime that is gone.
//!
//! # Lock order
//!
//! There is one lock, that of the [`Board`]. What leaves it (tasks, wakers, calls of the runtime) is used after it, so that no
//! user code runs under it. The place of the timer's thread has a lock that is taken alone, and so have the posts of
//! those who poll.

mod accept;
mod control;
mod end;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;

use executor_core::Stats;
use executor_core::backend::{Capabilities, Initializer, PoolId, Seat, current_seat};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::Notify;

#[cfg(feature = "tracing")]
use crate::blocked::Posts;
use crate::board::{Board, Limits};
use crate::sync::{Condvar, Mutex, MutexGuard};
use crate::tally::Counts;
use crate::watch::Watch;

/// Why a pool is broken whose runtime ended.
pub(crate) const RUNTIME_GONE: &str =
    "its tokio runtime was shut down; shut the executor down first, or build another one on another runtime";

/// What the handles, the jobs and the futures of one pool share.
pub(crate) struct Pool {
    pub(crate) me: Weak<Pool>,
    pub(crate) id: PoolId,
    limits: Limits,
    pub(crate) runtime: Handle,
    initializer: Option<Initializer>,
    /// The seat that all async jobs share.
    pub(crate) async_seat: Arc<Seat>,
    board: Mutex<Board>,
    pub(crate) counts: Counts,
    /// Every running job is asked to stop.
    stopping: AtomicBool,
    /// What has not begun is cancelled.
    gives_up: AtomicBool,
    room: Condvar,
    pub(crate) ended: Condvar,
    pub(crate) ended_async: Notify,
    pub(crate) timer: Condvar,
    pub(crate) timer_thread: Mutex<Option<JoinHandle<()>>>,
    #[cfg(feature = "tracing")]
    pub(crate) posts: Posts,
}

impl Pool {
    pub(crate) fn start(id: PoolId, limits: Limits, initializer: Option<Initializer>, runtime: Handle) -> Arc<Self> {
        let pool = Arc::new_cyclic(|me| Pool {
            me: Weak::clone(me),
            id,
            limits,
            runtime,
            initializer,
            async_seat: Seat::new(id, limits.functions),
            board: Mutex::new(Board::new(id, limits)),
            counts: Counts::default(),
            stopping: AtomicBool::new(false),
            gives_up: AtomicBool::new(false),
            room: Condvar::default(),
            ended: Condvar::default(),
            ended_async: Notify::new(),
            timer: Condvar::default(),
            timer_thread: Mutex::new(None),
            #[cfg(feature = "tracing")]
            posts: Posts::new(limits.blocked),
        });
        drop(pool.runtime.spawn(Watch(Arc::clone(&pool))));
        pool
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Board> {
        self.board.lock()
    }

    /// True on a thread that runs a job of this pool.
    pub(crate) fn is_own_worker(&self) -> bool {
        current_seat(|seat| seat.is_some_and(|seat| seat.pool() == self.id))
    }

    /// True if what has not begun is cancelled: what drivers have taken too, as far as they see it in time.
    pub(crate) fn gives_up(&self) -> bool {
        // A driver that sees it late runs one job more, as if it had begun it before.
        self.gives_up.load(Ordering::Relaxed)
    }

    /// True if the runtime has no thread of its own: somebody must drive it, maybe this very thread.
    pub(crate) fn is_driven_by_others(&self) -> bool {
        self.runtime.runtime_flavor() == RuntimeFlavor::CurrentThread
    }

    /// Runs what comes before the first job of a seat.
    pub(crate) fn initialize(&self) -> Result<(), String> {
        self.initializer.as_ref().map_or(Ok(()), Initializer::run)
    }

    pub(crate) fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::in_process();
        capabilities.drops_async = true;
        capabilities.queue_capacity = Some(self.limits.waiting).filter(|&jobs| jobs != usize::MAX);
        capabilities
    }

    pub(crate) fn stats(&self) -> Stats {
        let read = self.counts.read();
        let board = self.lock();
        let mut stats = Stats::default();
        stats.workers = self.limits.functions;
        stats.queued = board.accepted - read.begun - board.cancelled;
        stats.running = read.begun - read.finished - read.failed;
        stats.finished = read.finished;
        stats.failed = read.failed;
        stats.cancelled = board.cancelled;
        stats
    }
}
