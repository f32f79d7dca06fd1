//! The cell itself: the one place of this crate where safe code will not do, because the job goes in on one thread and
//! its output comes out on another, with nothing but the state word between them.
#![expect(unsafe_code, reason = "the stage is guarded by the state word, which the compiler cannot see")]

use std::mem;
use std::num::NonZero;
use std::ptr::NonNull;

use super::stage::{Again, Begun, Outcome, Stage, Started};
use super::state::{Finish, State, Take, Withdraw};
use crate::error::JobError;
use crate::panic::drop_quietly;
use crate::payload::Payload;
use crate::sync::UnsafeCell;

/// A job and its outcome, behind their state.
pub(crate) struct Cell<P: Payload> {
    state: State,
    /// Touched only by the owner that the page of the module names for the present phase.
    stage: UnsafeCell<Stage<P>>,
}

// SAFETY: a shared cell only ever moves a `P` in before it is shared, and a `P`, the future that it started, a `P::Output` or
// a `JobError` from one thread to another; all four are `Send`. No two threads get a reference to the same content: each
// access below is made by the one winner of a transition.
unsafe impl<P: Payload> Sync for Cell<P> {}

/// The right to run one job and to finish it: [`Cell::begin`] gives it out once.
#[must_use = "a job that was begun must be finished"]
#[derive(Debug)]
pub(crate) struct Ticket {
    /// The address of the cell, so that a ticket opens no other one.
    cell: NonZero<usize>,
}

impl<P: Payload> Cell<P> {
    pub(crate) fn new(payload: P) -> Self {
        Cell { state: State::pending(), stage: UnsafeCell::new(Stage::Job(payload)) }
    }

    /// A cell whose job is not in it, but encoded elsewhere.
    pub(crate) fn sealed() -> Self {
        Cell { state: State::pending(), stage: UnsafeCell::new(Stage::Empty) }
    }

    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    fn address(&self) -> NonZero<usize> {
        NonNull::from(self).addr()
    }

    /// Puts `next` in the stage and gives what was there.
    ///
    /// # Safety
    ///
    /// The caller is the owner of the stage in the present phase, as the page of the module says.
    #[inline]
    unsafe fn replace(&self, next: Stage<P>) -> Stage<P> {
        self.stage.with_mut(|stage| {
            // SAFETY: the caller owns the stage, so that nobody else reads or writes it now; it is always initialised.
            unsafe { mem::replace(&mut *stage, next) }
        })
    }

    /// Puts `next` in the stage, and drops what was there. Nearly always that is nothing; then what `next` is made of goes straight to its
    /// place. To write it elsewhere first and to move it as a whole costs more than the state word: the wide loads of such a move
    /// wait for the narrow stores before it.
    ///
    /// # Safety
    ///
    /// As [`replace`](Cell::replace).
    #[inline]
    unsafe fn fill(&self, next: Stage<P>) {
        let before = self.stage.with_mut(|stage| {
            // SAFETY: as in `replace`.
            let stage = unsafe { &mut *stage };
            if matches!(stage, Stage::Empty) {
                mem::forget(mem::replace(stage, next));
                None
            } else {
                Some(mem::replace(stage, next))
            }
        });
        if let Some(before) = before {
            drop_quietly(before);
        }
    }

    /// PENDING to RUNNING: the right to run the job, for one caller.
    #[inline]
    pub(crate) fn begin(&self) -> Option<Ticket> {
        self.state.begin().then(|| Ticket { cell: self.address() })
    }

    /// Moves the job out, to run it.
    #[inline]
    pub(crate) fn take_job(&self, ticket: &Ticket) -> Option<P> {
        match self.take_begun(ticket)? {
            Begun::Job(job) => Some(job),
            Begun::Started(started) => {
                drop_quietly(started);
                None
            }
        }
    }

    /// Moves out the job, or the future that it has started.
    #[inline]
    pub(crate) fn take_begun(&self, ticket: &Ticket) -> Option<Begun<P>> {
        match self.take_out(ticket) {
            Stage::Job(job) => Some(Begun::Job(job)),
            Stage::Started(future) => Some(Begun::Started(Started { future, spare: None })),
            Stage::StartedWithSpare(started) => Some(Begun::Started(*started)),
            Stage::Again(again) => {
                let Again { job, last } = *again;
                drop_quietly(last);
                job.map(Begun::Job)
            }
            _ => None,
        }
    }

    /// Puts the future back until it is polled again, maybe by another thread.
    pub(crate) fn put_started(&self, ticket: &Ticket, started: Started<P>) {
        let stage = match started {
            Started { future, spare: None } => Stage::Started(future),
            started => Stage::StartedWithSpare(Box::new(started)),
        };
        self.put(ticket, stage);
    }

    /// Puts a copy of the job in for its next attempt, beside what came of the last one.
    pub(crate) fn put_again(&self, ticket: &Ticket, again: Again<P>) {
        self.put(ticket, Stage::Again(Box::new(again)));
    }

    /// Moves out what came of the last attempt, and drops the copy for the next.
    pub(crate) fn take_last(&self, ticket: &Ticket) -> Option<Stage<P>> {
        match self.take_out(ticket) {
            Stage::Again(again) => {
                let Again { job, last } = *again;
                drop_quietly(job);
                Some(last)
            }
            _ => None,
        }
    }

    /// Moves out what is in the stage.
    #[inline]
    fn take_out(&self, ticket: &Ticket) -> Stage<P> {
        assert_eq!(ticket.cell, self.address(), "a ticket opens the cell that gave it out");
        // SAFETY: the cell is RUNNING and the caller is its owner: the one ticket of this cell exists, and `finish`,
        // which alone leaves RUNNING, consumes it.
        unsafe { self.replace(Stage::Empty) }
    }

    /// Puts `next` in the stage: a new one, or what came of the job, to [finish](Cell::finish) with.
    #[inline]
    pub(crate) fn put(&self, ticket: &Ticket, next: Stage<P>) {
        assert_eq!(ticket.cell, self.address(), "a ticket opens the cell that gave it out");
        // SAFETY: as in `take_out`.
        unsafe { self.fill(next) }
    }

    /// RUNNING to FINISHED, with what was put in the stage; true if somebody waits, whom the caller must ring.
    ///
    /// A job that was killed finishes as `Killed`, and its outcome is dropped. `before_done` is told whether the job
    /// failed, before anybody sees it; `overruled` is called if it was told that the job did not, and then a kill came.
    #[inline]
    pub(crate) fn finish(
        &self,
        ticket: Ticket,
        failed: bool,
        before_done: impl FnOnce(bool),
        overruled: impl FnOnce(),
    ) -> bool {
        if self.state.is_killed() {
            return self.finish_killed(&ticket, before_done);
        }
        before_done(failed);
        match self.state.finish(failed) {
            Finish::Done { waited } => waited,
            Finish::Killed => self.finish_killed(&ticket, |_| {
                if !failed {
                    overruled();
                }
            }),
        }
    }

    /// RUNNING to FINISHED for a job that was killed.
    #[cold]
    fn finish_killed(&self, ticket: &Ticket, before_done: impl FnOnce(bool)) -> bool {
        self.put(ticket, Stage::Failed(Box::new(JobError::Killed)));
        before_done(true);
        self.state.finish_even_killed(true)
    }

    /// PENDING to WITHDRAWN: the job is dropped, `before_done` runs, and then the cell is CANCELLED. The second part
    /// of the answer says that somebody waits, whom the caller must ring.
    pub(crate) fn withdraw(&self, before_done: impl FnOnce()) -> (Withdraw, bool) {
        let withdraw = self.state.withdraw();
        if withdraw != Withdraw::Won {
            return (withdraw, false);
        }
        // SAFETY: the cell is WITHDRAWN and this call is the winner of that transition.
        unsafe { self.fill(Stage::Empty) };
        before_done();
        (withdraw, self.state.settle())
    }

    /// FINISHED to TAKEN: what came of the job, for one caller; an error for the others. `None` if it is not done.
    #[inline]
    pub(crate) fn take(&self) -> Option<Stage<P>> {
        #[cold]
        fn failed<P: Payload>(error: JobError) -> Option<Stage<P>> {
            Some(Stage::Failed(Box::new(error)))
        }
        match self.state.take() {
            // SAFETY: the cell is TAKEN and this call is the winner of that transition.
            Take::Won => Some(unsafe { self.replace(Stage::Empty) }),
            Take::Already => failed(JobError::Taken),
            Take::Cancelled => failed(JobError::Cancelled),
            Take::NotDone => None,
        }
    }

    /// [`take`](Cell::take), as a reader wants it.
    #[inline]
    pub(crate) fn take_outcome(&self) -> Option<Outcome<P>> {
        self.take().map(Stage::into_outcome)
    }
}

impl<P: Payload> Drop for Cell<P> {
    fn drop(&mut self) {
        // The load acquires what the finisher wrote. An unread value may be of a type whose drop panics, and the last
        // owner may be a worker.
        let _ = self.state.is_done();
        // SAFETY: `&mut self`: nobody else has the cell.
        unsafe { self.fill(Stage::Empty) };
    }
}
