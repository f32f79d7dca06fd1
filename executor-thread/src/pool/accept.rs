//! Taking tasks in, and waking whoever is to run them.

use std::sync::Arc;
use std::time::Instant;

use executor_core::backend::{Control, JobRef, Refused, Retry, Room, Task};

use super::{Pool, Woken};
use crate::board::{Board, Call, Denied};
use crate::sync::atomic::Ordering;

impl Pool {
    pub(crate) fn accept(self: &Arc<Self>, task: Task, room: Room<'_>) -> Result<(), Refused> {
        let mut task = Some(task);
        let mut board = self.lock();
        match board.admit(&mut task, false) {
            Ok(call) => {
                self.update_hint(&board);
                drop(board);
                self.answer(call);
                Ok(())
            }
            Err(denied) => {
                drop(board);
                self.accept_denied(task, denied, room)
            }
        }
    }

    /// Goes on with a task that was denied, as `room` allows.
    #[cold]
    fn accept_denied(
        self: &Arc<Self>,
        mut task: Option<Task>,
        mut denied: Denied,
        room: Room<'_>,
    ) -> Result<(), Refused> {
        let above_bound = self.own_worker().is_some();
        // Cloning a waker is user code, so it comes before the lock.
        let mut waker = if let Room::Notify(waker) = room { Some(waker.clone()) } else { None };
        let mut board = self.lock();
        board.waiting_for_room += 1;
        let admitted = loop {
            match board.admit(&mut task, above_bound) {
                Ok(call) => break Some(call),
                Err(again) => denied = again,
            }
            let deadline = match room {
                _ if !matches!(denied, Denied::Full) => break None,
                Room::Wait => None,
                Room::Until(deadline) if Instant::now() < deadline => Some(deadline),
                _ => {
                    board.room_wakers.extend(waker.take());
                    break None;
                }
            };
            board = self.room.wait_until(board, deadline);
        };
        board.waiting_for_room -= 1;
        self.update_hint(&board);
        drop(board);
        match (admitted, task) {
            (Some(call), _) => {
                self.answer(call);
                Ok(())
            }
            // A task that was denied is where it was.
            (None, Some(task)) => Err(Refused::new(task, denied.into_error())),
            (None, None) => Ok(()),
        }
    }

    /// Wakes the loops that were called, and spawns those that are new.
    #[inline]
    pub(super) fn answer(self: &Arc<Self>, call: Call) {
        if call.sentinel.is_none() && call.loops == 0 {
            return;
        }
        self.wake(call);
    }

    fn wake(self: &Arc<Self>, call: Call) {
        if let Some(sentinel) = call.sentinel {
            sentinel.unpark();
        }
        #[cfg(executor_loom)]
        crate::spawn::spawn_loops_in_model(self, call.loops);
        #[cfg(not(executor_loom))]
        if let Some(rayon) = self.rayon() {
            (0..call.loops).for_each(|_| crate::spawn::spawn_loop(self, &rayon));
        }
    }

    /// Asks every worker to look at the queue.
    pub(crate) fn broadcast(self: &Arc<Self>) {
        let Some(rayon) = self.rayon() else { return };
        let pool = Arc::clone(self);
        rayon.spawn_broadcast(move |_| crate::drain::answer_broadcast(&pool));
    }

    /// Sees to the next attempt of a job.
    pub(crate) fn again(self: &Arc<Self>, retry: Retry) {
        let job = retry.job().cloned();
        if retry.delay().is_zero() {
            self.readmit(retry.into_task());
        } else {
            crate::timer::delay(self, retry);
        }
        // A request that came while the job was in neither place found nothing to end.
        if let Some(job) = job.filter(JobRef::stop_requested) {
            self.stop_requested(&job);
        }
    }

    /// Puts a job in for its next attempt, and wakes workers that wait for it, because they can run it.
    pub(crate) fn readmit(self: &Arc<Self>, task: Task) {
        let job = task.job().cloned();
        let mut board = self.lock();
        let readmitted = board.readmit(task);
        self.update_hint(&board);
        drop(board);
        match readmitted {
            Ok(call) => self.answer(call),
            Err(task) => return self.give_up(task),
        }
        if let Some(job) = job {
            job.nudge();
        }
    }

    /// Ends a job for which there is no next attempt after all.
    pub(crate) fn give_up(&self, task: Task) {
        self.with_tally(|tally| task.cancel(tally));
    }

    /// Tells the loops that look how many jobs wait. Called under the lock.
    fn update_hint(&self, board: &Board) {
        // A hint: what it hints at is read again under the lock.
        self.hint.store(board.queued_jobs(), Ordering::Relaxed);
    }

    /// Called whenever the queue became shorter.
    pub(super) fn room_was_made(&self, board: &mut Board) -> Woken<'_> {
        self.update_hint(board);
        let room = (board.waiting_for_room > 0).then_some(&self.room);
        Woken { room, wakers: std::mem::take(&mut board.room_wakers) }
    }
}
