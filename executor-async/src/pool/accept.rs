//! Taking tasks in, and handing them to the runtime.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use executor_core::backend::{
    Control, JobRef, Next, Polled, Ran, Refused, Retry, Room, RoomTicket, Task, Ticket, quietly,
};

use super::Pool;
use crate::blocking;
use crate::board::{Board, Denied};
use crate::driver::{Batch, Driver};
use crate::order::{Order, Seating};
use crate::parked::{Parked, Stop};
use crate::slots::SlotKey;
use crate::worker::{Preparation, Shift};

impl Pool {
    pub(crate) fn accept(&self, task: Task, room: Room<'_>) -> Result<(), Refused> {
        let mut board = self.lock();
        match board.may_enter(&task, false) {
            Ok(()) => {
                let order = board.take_in(task);
                drop(board);
                self.carry_out(order);
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
        let above_bound = self.is_own_worker();
        let may_wait = blocking::is_allowed();
        // Cloning a waker is user code, so it comes before the lock.
        let mut waker = if let Room::Notify(waker, ticket) = room { Some((ticket, waker.clone())) } else { None };
        let mut replaced = None;
        let mut board = self.lock();
        board.waiting_for_room += 1;
        let admitted = loop {
            match board.may_enter(&task, above_bound) {
                Ok(()) => break Ok(board.take_in(task)),
                Err(again) => denied = again,
            }
            let deadline = match room {
                _ if !matches!(denied, Denied::Full) => break Err(task),
                Room::Wait if may_wait => None,
                Room::Until(deadline) if may_wait && Instant::now() < deadline => Some(deadline),
                _ => {
                    replaced = waker.take().and_then(|(ticket, waker)| board.notify_of_room(ticket, waker));
                    break Err(task);
                }
            };
            board = self.room.wait_until(board, deadline);
        };
        board.waiting_for_room -= 1;
        drop(board);
        // Dropping one is user code too.
        quietly(|| drop((replaced, waker)));
        match admitted {
            Ok(order) => {
                self.carry_out(order);
                Ok(())
            }
            Err(task) => Err(Refused::new(task, denied.into_error())),
        }
    }

    /// Hands to the runtime what a step under the lock led to.
    pub(super) fn carry_out(&self, order: Order) {
        // What nobody awaits any more is dropped here, after the lock.
        let Order { poll, drivers, thread, prepares, unawaited: _ } = order;
        if poll.is_none() && drivers == 0 && thread.is_none() && !prepares {
            return;
        }
        // Whoever calls has the pool.
        let Some(me) = self.me.upgrade() else { return };
        if let Some(task) = poll {
            me.hand_over(task.into_polled());
        }
        for _ in 0..drivers {
            drop(self.runtime.spawn(Driver::new(&me)));
        }
        // The runtime panics if the system has no thread for it; the shift is dropped then, which breaks the pool.
        if let Some((seating, first)) = thread {
            let shift = Shift::new(&me, seating, first);
            quietly(|| drop(self.runtime.spawn_blocking(|| shift.work())));
        }
        if prepares {
            let preparation = Preparation::new(&me);
            quietly(|| drop(self.runtime.spawn_blocking(|| preparation.work())));
        }
    }

    /// The next function for a thread; `None` if it is to end.
    pub(crate) fn next(&self, finished: Option<Ticket>) -> Option<Next> {
        let mut board = self.lock();
        let (next, over, order) = board.functions.next(finished);
        let woken = self.room_was_made(&mut board);
        drop(board);
        drop(over);
        woken.wake();
        self.carry_out(order);
        next
    }

    /// A thread leaves its seat.
    pub(crate) fn leave(&self, seating: Seating) {
        let mut board = self.lock();
        let order = board.functions.leave_seat(seating);
        self.end_if_over(board);
        self.carry_out(order);
    }

    /// Gives an async job a task of its own in the runtime, which begins it.
    pub(super) fn hand_over(self: &Arc<Self>, polled: Polled) {
        let Some(job) = polled.job().cloned() else { return };
        let parked = Parked::new(self);
        let slot = self.lock().asyncs.give_slot(&job, &parked, &polled);
        parked.spawn(slot, polled);
        self.stop_if_decided(&job, &parked);
    }

    /// Keeps a job that has begun on a driver, until it is woken.
    pub(crate) fn park(&self, job: &JobRef, parked: &Arc<Parked>, polled: Polled) {
        let mut board = self.lock();
        let slot = board.asyncs.park(job, parked, &polled);
        let ends = board.ends_parked();
        drop(board);
        if let Some(limit) = job.run_limit() {
            self.limit(slot, limit);
        }
        parked.settle(slot, polled);
        if ends {
            self.end_parked(job, parked);
        }
        self.stop_if_decided(job, parked);
    }

    /// Stops a job that was killed before it had a slot, where nobody found it.
    fn stop_if_decided(&self, job: &JobRef, parked: &Arc<Parked>) {
        if job.is_kill_decided() {
            parked.stop(Stop::Asked);
        }
    }

    /// Ends a job that waits while the pool kills what runs, or after the end of the runtime.
    fn end_parked(&self, job: &JobRef, parked: &Arc<Parked>) {
        if self.is_stopping() && job.decide_kill() {
            parked.stop(Stop::Asked);
        } else {
            parked.rouse();
        }
    }

    /// The runtime has ended: makes tasks of all jobs that lie outside of it, which it drops.
    pub(crate) fn rouse_all(&self) {
        let parked = self.lock().asyncs.end_of_runtime();
        parked.iter().for_each(|(_, parked)| parked.rouse());
    }

    /// The seat of the async jobs is initialized: those that wait may go.
    pub(crate) fn async_seat_is_ready(&self) {
        let mut board = self.lock();
        let order = board.asyncs.seat_is_ready();
        self.end_if_over(board);
        self.carry_out(order);
    }

    /// Takes from a driver what has ended, and gives it the next jobs; false if there are none, and the driver leaves.
    pub(crate) fn begin_asyncs(&self, batch: &mut Batch) -> bool {
        let mut board = self.lock();
        board.asyncs.driven_ended(std::mem::take(&mut batch.ended));
        board.asyncs.next(&mut batch.begun);
        let goes_on = !batch.begun.is_empty();
        if !goes_on {
            board.asyncs.driver_leaves();
        }
        let woken = self.room_was_made(&mut board);
        if goes_on {
            drop(board);
        } else {
            self.end_if_over(board);
        }
        woken.wake();
        goes_on
    }

    /// A driver lets others have their turn.
    pub(crate) fn end_turn(&self, ended: usize) {
        let mut board = self.lock();
        board.asyncs.driven_ended(ended);
        let woken = self.room_was_made(&mut board);
        drop(board);
        woken.wake();
    }

    /// An async job left the runtime: it ended, or will be tried again.
    pub(crate) fn ended(&self, slot: SlotKey, ran: Ran) {
        self.see_to_next(ran);
        let mut board = self.lock();
        let left = board.leave_slot(slot);
        let order = Order { drivers: board.asyncs.call_driver(), ..Order::default() };
        let woken = self.room_was_made(&mut board);
        self.end_if_over(board);
        drop(left);
        woken.wake();
        self.carry_out(order);
    }

    /// Sees to the next attempt of a job, if there is one: before it leaves its slot or its driver, so that the pool does not seem to
    /// be at its end meanwhile.
    pub(crate) fn see_to_next(&self, ran: Ran) {
        if let Ran::Again(retry) = ran {
            self.again(retry);
        }
    }

    /// Sees to the next attempt of a job.
    pub(crate) fn again(&self, retry: Retry) {
        let job = retry.job().cloned();
        if retry.delay().is_zero() {
            self.readmit(retry.into_task());
        } else {
            self.delay(retry);
        }
        // A request that came while the job was in neither place found nothing to end.
        if let Some(job) = job {
            if job.is_kill_decided() {
                self.carry_out_kill(&job);
            } else if job.stop_requested() {
                self.stop_retry(&job);
            }
        }
    }

    /// Puts a job in for its next attempt, and wakes workers that wait for it, because they can run it.
    pub(crate) fn readmit(&self, task: Task) {
        let job = task.job().cloned();
        let readmitted = self.lock().readmit(task);
        match readmitted {
            Ok(order) => self.carry_out(order),
            Err(task) => return self.give_up(task),
        }
        job.iter().for_each(JobRef::nudge);
    }

    /// Ends a job for which there is no next attempt after all.
    pub(crate) fn give_up(&self, task: Task) {
        task.cancel(&self.counts);
    }

    /// Called whenever the queue became shorter, or a slot free.
    pub(super) fn room_was_made(&self, board: &mut Board) -> Told<'_> {
        let room = (board.waiting_for_room > 0).then_some(&self.room);
        Told { room, wakers: board.take_room_wakers() }
    }
}

/// Submitters who are to be told, after the lock, that there may be room.
#[must_use]
pub(super) struct Told<'a> {
    room: Option<&'a crate::sync::Condvar>,
    wakers: BTreeMap<RoomTicket, Waker>,
}

impl Told<'_> {
    pub(super) fn wake(self) {
        if let Some(room) = self.room {
            room.notify_all();
        }
        for waker in self.wakers.into_values() {
            quietly(|| waker.wake());
        }
    }
}
