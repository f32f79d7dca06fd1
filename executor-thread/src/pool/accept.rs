//! Taking tasks in, and waking whoever is to run them.

use std::sync::Arc;
use std::time::Instant;

use executor_core::backend::{Refused, Retry, Room, Task};

use super::{Pool, Woken};
use crate::board::{Board, Call, Denied};
use crate::sync::atomic::Ordering;

impl Pool {
    pub(crate) fn accept(self: &Arc<Self>, task: Task, room: Room<'_>) -> Result<(), Refused> {
        let mut task = Some(task);
        let mut waits = false;
        let mut above_bound = false;
        // Cloning a waker is user code, so it comes before the lock.
        let mut waker = if let Room::Notify(waker) = room { Some(waker.clone()) } else { None };
        let mut board = self.lock();
        loop {
            let denied = match board.admit(&mut task, above_bound) {
                Ok(call) => {
                    self.update_hint(&board);
                    board.waiting_for_room -= usize::from(waits);
                    drop(board);
                    self.answer(call);
                    return Ok(());
                }
                Err(denied) => denied,
            };
            if matches!(denied, Denied::Full) {
                if self.own_worker().is_some() {
                    above_bound = true;
                    continue;
                }
                let deadline = match room {
                    Room::Wait => Some(None),
                    Room::Until(deadline) if Instant::now() < deadline => Some(Some(deadline)),
                    _ => None,
                };
                if let Some(deadline) = deadline {
                    board.waiting_for_room += usize::from(!waits);
                    waits = true;
                    board = self.room.wait_until(board, deadline);
                    continue;
                }
                board.room_wakers.extend(waker.take());
            }
            board.waiting_for_room -= usize::from(waits);
            drop(board);
            // A task that was denied is where it was.
            return task.map_or(Ok(()), |task| Err(Refused::new(task, denied.into_error())));
        }
    }

    /// Wakes the loops that were called, and spawns those that are new.
    pub(super) fn answer(self: &Arc<Self>, call: Call) {
        if let Some(sentinel) = call.sentinel {
            sentinel.unpark();
        }
        #[cfg(executor_loom)]
        crate::spawn::spawn_loops_in_model(self, call.loops);
        #[cfg(not(executor_loom))]
        if call.loops > 0
            && let Some(rayon) = self.rayon()
        {
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
        let delay = retry.delay();
        if delay.is_zero() {
            self.readmit(retry.into_task());
        } else {
            crate::timer::delay(self, retry);
        }
    }

    /// Puts a job in for its next attempt, and wakes workers that wait for it, because they can run it.
    pub(crate) fn readmit(self: &Arc<Self>, task: Task) {
        let job = task.job().cloned();
        let mut board = self.lock();
        let call = board.readmit(task);
        self.update_hint(&board);
        drop(board);
        self.answer(call);
        if let Some(job) = job {
            job.nudge();
        }
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
