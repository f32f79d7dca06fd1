//! The pool: what its handles, its dispatcher and its futures share.
//!
//! # Who does what
//!
//! * A *submitter* encodes its job, leaves it in the [`Inbox`], or puts it on the [`Board`] where that has to be asked, and rings
//!   the dispatcher if that sleeps.
//! * The *dispatcher*, one thread, has the workers: it sends them what waits, takes in what they tell, and sees to those that
//!   die. No code of the user's runs on it. See [`dispatch`](crate::dispatch).
//! * Whoever *cancels* a job takes it back on the spot: from the queue, or, if it was sent and has not begun, from its worker's
//!   page. Nobody has to be asked.
//! * Wakers and callbacks run on the *callback thread*, which begins with the first of them. What workers print is told on the
//!   *output thread*, where it is captured; see [`output`](crate::output).
//!
//! # Where a job is
//!
//! | place | what takes it away |
//! |---|---|
//! | waiting in its [`Load`](crate::load::Load) | being sent; a cancel; a shutdown |
//! | in a [`Frame`](crate::board::Frame), not begun | its worker begins it; a cancel, or an idle worker, by the page |
//! | in a frame, begun | its outcome; the death of its worker |
//! | delayed, between two attempts | its moment; a stop; a shutdown |
//!
//! In its cell a job is pending until its first outcome arrives, a retry or a kill is decided. Whether it has begun is in
//! the page, and [`Control::begun_elsewhere`](executor_core::backend::Control::begun_elsewhere) looks there.
//!
//! # Lock order
//!
//! That of the board, and behind it that of the inbox. No code of the user's runs under them, and no system call but a ring.

mod accept;
mod control;
mod end;

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use executor_core::Stats;
use executor_core::backend::{Capabilities, Force, PoolId};

use crate::bell::{Bell, Ring};
use crate::board::{Board, Desk};
use crate::callbacks::CallbackThread;
use crate::inbox::Inbox;
use crate::output::OutputThread;

/// What a pool is made of.
pub(crate) struct Plan<'a> {
    pub(crate) id: PoolId,
    pub(crate) workers: usize,
    pub(crate) capacity: Option<usize>,
    /// Wakes the dispatcher.
    pub(crate) bell: Bell,
    pub(crate) name: &'a str,
    /// Workers are replaced when they have done their share.
    pub(crate) is_recycled: bool,
}

/// What the handles, the dispatcher and the futures of one pool share.
pub(crate) struct Pool {
    pub(crate) id: PoolId,
    pub(crate) workers: usize,
    pub(crate) capacity: Option<usize>,
    board: Mutex<Board>,
    pub(crate) inbox: Inbox,
    pub(crate) room: Condvar,
    pub(crate) ended: Condvar,
    /// Wakes the dispatcher.
    pub(crate) bell: Bell,
    pub(crate) callbacks: CallbackThread,
    /// Where lines go that workers print; `None` where they are not captured.
    pub(crate) output: Option<OutputThread>,
    /// How many places for workers there are: two for each where a replacement starts before a worker leaves.
    pub(crate) places: usize,
    /// The dispatcher, to be joined.
    thread: Mutex<Option<std::thread::JoinHandle<()>>>,
}

impl Pool {
    pub(crate) fn new(plan: Plan, output: Option<OutputThread>) -> Arc<Self> {
        let Plan { id, workers, capacity, bell, name, is_recycled } = plan;
        let places = if is_recycled { 2 * workers } else { workers };
        Arc::new(Pool {
            id,
            workers,
            capacity,
            board: Mutex::new(Board::new(places)),
            // A bound is kept by the board.
            inbox: Inbox::new(capacity.is_none()),
            room: Condvar::new(),
            ended: Condvar::new(),
            bell,
            callbacks: CallbackThread::new(id, name),
            output,
            places,
            thread: Mutex::new(None),
        })
    }

    pub(crate) fn set_thread(&self, thread: std::thread::JoinHandle<()>) {
        *self.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
    }

    /// The dispatcher has ended, and all workers before it.
    pub(crate) fn has_ended(&self) {
        if let Some(output) = &self.output {
            output.close();
        }
        self.lock().ended = true;
        self.ended.notify_all();
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Board> {
        let mut board = self.board.lock().unwrap_or_else(PoisonError::into_inner);
        self.empty_inbox(&mut board);
        board
    }

    fn empty_inbox(&self, board: &mut Board) {
        for load in self.inbox.take() {
            board.admit(load);
        }
    }

    /// Has every submit come to the board from here on, which now says no, or minds the order.
    fn close_inbox(&self, board: &mut Board) {
        self.inbox.close();
        self.empty_inbox(board);
    }

    /// Lets the lock go, and wakes the dispatcher if it sleeps.
    pub(crate) fn ring(&self, board: MutexGuard<'_, Board>) {
        drop(board);
        if self.inbox.wake() {
            self.bell.ring(Ring::Owner);
        }
    }

    pub(crate) fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::in_process();
        capabilities.kill = true;
        capabilities.run_limit = Some(Force::Enforced);
        capabilities.encodes = true;
        capabilities.survives_crash = true;
        capabilities.queue_capacity = self.capacity;
        capabilities
    }

    pub(crate) fn stats(&self) -> Stats {
        let board = self.lock();
        let running: u64 = board.desks.iter().map(Desk::running).sum();
        let open = board.accepted - board.cancelled - board.finished - board.failed;
        // A job that is tried again is running from its first begin to its last end.
        let between = board.loads.keys().filter(|&key| board.loads.get(key).is_some_and(|load| load.is_between()));
        let running = (running + board.arriving + between.count() as u64).min(open);
        let mut stats = Stats::default();
        stats.workers = self.workers;
        stats.queued = open - running;
        stats.running = running;
        stats.finished = board.finished;
        stats.failed = board.failed;
        stats.cancelled = board.cancelled;
        stats.worker_restarts = board.restarts.total();
        stats.restarts = board.restarts;
        stats
    }
}
