//! The steps of a drain loop: the next task, the tasks of others, a look around, and the way to bed.

use std::time::Duration;

use executor_core::backend::{Next, Ticket};

use super::Pool;
use crate::board::{Board, Call};
use crate::buffer::{BatchSize, Buffer};
use crate::sync::{now, park_until, thread};
use crate::tally::Own;

/// How long a sentinel naps while other workers run. So long, at the most, waits a job behind one that is slow where the
/// ones before it were quick, and parallel work of a job for the help of this worker. Long enough that the waking
/// costs a few per cent of a core.
const NAP: Duration = Duration::from_micros(100);

/// How often a loop that runs short jobs looks whether many wait: some µs.
const GATHER_LOOKS: u32 = 400;

/// How many looks are a spin, between two that let another thread have the core: a submitter, perhaps.
const LOOKS_PER_YIELD: u32 = 32;

fn pause(look: u32) {
    if look % LOOKS_PER_YIELD == LOOKS_PER_YIELD - 1 {
        thread::yield_now();
    } else {
        std::hint::spin_loop();
    }
}

impl Pool {
    /// The task whose turn it is, and more of the like into the worker's buffer. Drops the chunk at `finished`, of which
    /// no item waits.
    pub(crate) fn next(&self, worker: usize, finished: Option<Ticket>, batch: &mut BatchSize) -> Option<Next> {
        if let Some(task) = self.buffers[worker].pop() {
            return Some(Next { task, stays: None });
        }
        if batch.is_quick() {
            self.gather();
        }
        let mut board = self.lock();
        let over = finished.and_then(|place| board.remove(place));
        let next = board.pop();
        let mut taken = 1;
        // With a bound, what waits is counted in the queue alone.
        if next.is_some() && batch.tasks() > 1 && self.capacity.is_none() {
            self.buffers[worker].fill(|buffer| {
                board.pop_more(batch.tasks() - 1, buffer);
                taken += buffer.len();
            });
        }
        let backlog = board.queued_jobs() > 0;
        // One loop wakes the next, as long as there is more than those that are awake will do soon.
        let call = if next.is_some() { board.call(1) } else { Call::default() };
        let woken = self.room_was_made(&mut board);
        drop(board);
        drop(over);
        woken.wake();
        self.answer(call);
        if next.is_some() {
            let was_quick = batch.is_quick();
            batch.began(taken, backlog);
            self.say_quick(was_quick, batch.is_quick());
        }
        next
    }

    /// Says whether a loop runs short tasks, in place of what it said `before`.
    pub(crate) fn say_quick(&self, before: bool, now: bool) {
        if before != now {
            self.lock().set_quick(before, now);
        }
    }

    /// Takes some of what another loop took and has not begun. All of it under the lock of the board, so that a shutdown
    /// finds every task either in a buffer or begun.
    pub(crate) fn steal(&self, worker: usize) -> Option<Next> {
        let mut others = (1..self.workers).map(|offset| &self.buffers[(worker + offset) % self.workers]);
        let other = others.find(|buffer| !buffer.is_empty())?;
        let mut board = self.lock();
        let mut stolen = other.steal();
        let task = stolen.pop_front()?;
        // The first of them may prove slow, so that somebody must be awake for the others.
        let call = if stolen.is_empty() { Call::default() } else { board.call_one() };
        self.buffers[worker].fill(|buffer| buffer.extend(stolen));
        drop(board);
        self.answer(call);
        Some(Next { task, stays: None })
    }

    /// Looks for a task for a while, without the lock. False if it is time to leave.
    pub(crate) fn look(&self) -> bool {
        if self.looks == 0 || !self.lock().begin_look() {
            return false;
        }
        let found = (0..self.looks).any(|look| {
            pause(look);
            self.hint.is_some()
        });
        self.lock().end_look();
        found
    }

    /// Lets a few tasks gather before a loop that runs short ones comes to the lock again: to come for each of them costs
    /// more than they do, and holds up the submitter.
    fn gather(&self) {
        for look in 0..GATHER_LOOKS {
            if self.hint.is_many() {
                return;
            }
            pause(look);
        }
    }

    /// Says that the loop goes to sleep in rayon; or sleeps as the sentinel until it is called, and says for how long it
    /// slept.
    pub(crate) fn leave(&self) -> Option<Duration> {
        let mut board = self.lock();
        if self.tasks_wait(&board) {
            return Some(Duration::ZERO);
        }
        let Some(watch) = board.stand_sentinel(&thread::current()) else {
            board.sleep();
            self.end_if_over(board);
            return None;
        };
        let began = now();
        let nap_ends = watch.is_nap.then(|| began + NAP);
        while board.is_on(watch) {
            if nap_ends.is_some_and(|ends| now() >= ends) {
                if board.end_nap(watch) || self.tasks_wait(&board) {
                    return Some(began.elapsed());
                }
                board.sleep();
                self.end_if_over(board);
                return None;
            }
            drop(board);
            park_until(nap_ends);
            board = self.lock();
        }
        board.end_look();
        drop(board);
        Some(began.elapsed())
    }

    /// True if a task waits, in the queue or in a buffer.
    fn tasks_wait(&self, board: &Board) -> bool {
        board.jobs_wait() || !self.buffers.iter().all(Buffer::is_empty)
    }

    /// Waits inside rayon, where the worker helps with the parallel work of others, until the loop is called. False if it
    /// is to end, because the pool has.
    pub(crate) fn sleep_in_rayon(&self) -> bool {
        self.wait_for_call();
        self.lock().awake()
    }

    #[cfg(not(executor_loom))]
    fn wait_for_call(&self) {
        if let Some(caller) = self.caller() {
            caller.install(|| self.pass_call_on());
        }
    }

    /// Models have no rayon: each loop waits for itself.
    #[cfg(executor_loom)]
    fn wait_for_call(&self) {
        self.pass_call_on();
    }

    /// Returns when a loop is to wake.
    fn pass_call_on(&self) {
        let mut board = self.lock();
        while !board.has_ended() && !board.take_call() {
            let patience_ends = board.patience_ends();
            board = self.bell.wait_until(board, patience_ends);
        }
    }

    /// A loop of this pool is gone for good, and the pool is broken.
    pub(crate) fn lose_worker(&self) {
        let mut board = self.lock();
        board.sleep();
        self.end_if_over(board);
    }

    pub(crate) fn tally(&self, worker: usize) -> Own<'_> {
        Own(&self.counts[worker])
    }
}
