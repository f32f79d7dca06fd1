//! Taking tasks in, and waking whoever is to run them.

use std::sync::Arc;

use executor_core::backend::{Control, JobRef, Refused, Retry, Room, RoomTicket, Task, quietly};

use super::{Pool, Woken};
use crate::board::{Board, Call, Denied};
use crate::sync::now;

impl Pool {
    #[inline]
    pub(crate) fn accept(&self, task: Task, room: Room<'_>) -> Result<(), Refused> {
        let mut board = self.lock();
        let jobs = task.jobs();
        match board.may_enter(jobs, false) {
            Ok(()) => {
                let call = board.take_in(task, jobs);
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

    /// An async submitter does not wait for room any more.
    pub(crate) fn forget_room(&self, ticket: RoomTicket) {
        let waker = self.lock().forget_room(ticket);
        // Dropping a waker is user code, so it comes after the lock.
        quietly(|| drop(waker));
    }

    /// Goes on with a task that was denied, as `room` allows.
    #[cold]
    fn accept_denied(&self, task: Task, mut denied: Denied, room: Room<'_>) -> Result<(), Refused> {
        let above_bound = self.own_worker().is_some();
        // Cloning a waker is user code, so it comes before the lock.
        let mut waker = if let Room::Notify(waker, ticket) = room { Some((ticket, waker.clone())) } else { None };
        let mut replaced = None;
        let mut board = self.lock();
        board.waiting_for_room += 1;
        let admitted = loop {
            let jobs = task.jobs();
            match board.may_enter(jobs, above_bound) {
                Ok(()) => break Ok(board.take_in(task, jobs)),
                Err(again) => denied = again,
            }
            let deadline = match room {
                _ if !matches!(denied, Denied::Full) => break Err(task),
                Room::Wait => None,
                Room::Until(deadline) if now() < deadline => Some(deadline),
                _ => {
                    replaced = waker.take().and_then(|(ticket, waker)| board.notify_of_room(ticket, waker));
                    break Err(task);
                }
            };
            board = self.room.wait_until(board, deadline);
        };
        board.waiting_for_room -= 1;
        self.update_hint(&board);
        drop(board);
        // Dropping one is user code too.
        quietly(|| drop(replaced));
        match admitted {
            Ok(call) => {
                self.answer(call);
                Ok(())
            }
            Err(task) => Err(Refused::new(task, denied.into_error())),
        }
    }

    /// Wakes the loops that were called.
    #[inline]
    pub(super) fn answer(&self, call: Call) {
        if let Some(sentinel) = call.sentinel {
            sentinel.unpark();
        }
        if call.rings {
            self.bell.notify_all();
        }
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
    pub(crate) fn readmit(&self, task: Task) {
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
        self.hint.set(board.queued_jobs());
    }

    /// Called whenever the queue became shorter.
    pub(super) fn room_was_made(&self, board: &mut Board) -> Woken<'_> {
        self.update_hint(board);
        let room = (board.waiting_for_room > 0).then_some(&self.room);
        Woken { room, wakers: board.take_room_wakers() }
    }
}
