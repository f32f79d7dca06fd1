//! The cell itself: the one place of this crate where safe code will not do, because the job goes in on one thread and
//! its output comes out on another, with nothing but the state word between them.
#![expect(unsafe_code, reason = "the stage is guarded by the state word, which the compiler cannot see")]

use std::mem;
use std::num::NonZero;
use std::ptr::NonNull;

use super::stage::{Again, Begun, Stage, Started};
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
    unsafe fn replace(&self, next: Stage<P>) -> Stage<P> {
        self.stage.with_mut(|stage| {
            // SAFETY: the caller owns the stage, so that nobody else reads or writes it now; it is always initialised.
            unsafe { mem::replace(&mut *stage, next) }
        })
    }

    /// PENDING to RUNNING: the right to run the job, for one caller.
    pub(crate) fn begin(&self) -> Option<Ticket> {
        self.state.begin().then(|| Ticket { cell: self.address() })
    }

    /// Moves the job out, to run it.
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
        match self.exchange(ticket, Stage::Empty) {
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
        discard(self.exchange(ticket, stage));
    }

    /// Puts a copy of the job in for its next attempt, beside what came of the last one.
    pub(crate) fn put_again(&self, ticket: &Ticket, again: Again<P>) {
        discard(self.exchange(ticket, Stage::Again(Box::new(again))));
    }

    /// Moves out what came of the last attempt, and drops the copy for the next.
    pub(crate) fn take_last(&self, ticket: &Ticket) -> Option<Stage<P>> {
        match self.exchange(ticket, Stage::Empty) {
            Stage::Again(again) => {
                let Again { job, last } = *again;
                drop_quietly(job);
                Some(last)
            }
            _ => None,
        }
    }

    fn exchange(&self, ticket: &Ticket, next: Stage<P>) -> Stage<P> {
        assert_eq!(ticket.cell, self.address(), "a ticket opens the cell that gave it out");
        // SAFETY: the cell is RUNNING and the caller is its owner: the one ticket of this cell exists, and `finish`,
        // which alone leaves RUNNING, consumes it.
        unsafe { self.replace(next) }
    }

    /// RUNNING to FINISHED with `outcome`; true if somebody waits, whom the caller must ring.
    ///
    /// A job that was killed finishes as `Killed`, and its outcome is dropped. `before_done` is told whether the job
    /// failed, before anybody sees it; `overruled` is called if it was told that the job did not, and then a kill came.
    pub(crate) fn finish(
        &self,
        ticket: Ticket,
        outcome: Stage<P>,
        failed: bool,
        before_done: impl FnOnce(bool),
        overruled: impl FnOnce(),
    ) -> bool {
        let mut killed = self.state.is_killed();
        let stage = if killed { Stage::Failed(Box::new(JobError::Killed)) } else { outcome };
        discard(self.exchange(&ticket, stage));
        before_done(failed || killed);
        let mut overruled = (!failed && !killed).then_some(overruled);
        loop {
            match self.state.finish(failed || killed, killed) {
                Finish::Done { waited } => return waited,
                Finish::Killed => {
                    killed = true;
                    if let Some(overruled) = overruled.take() {
                        overruled();
                    }
                    discard(self.exchange(&ticket, Stage::Failed(Box::new(JobError::Killed))));
                }
            }
        }
    }

    /// PENDING to WITHDRAWN: the job is dropped, `before_done` runs, and then the cell is CANCELLED. The second part
    /// of the answer says that somebody waits, whom the caller must ring.
    pub(crate) fn withdraw(&self, before_done: impl FnOnce()) -> (Withdraw, bool) {
        let withdraw = self.state.withdraw();
        if withdraw != Withdraw::Won {
            return (withdraw, false);
        }
        // SAFETY: the cell is WITHDRAWN and this call is the winner of that transition.
        let job = unsafe { self.replace(Stage::Empty) };
        discard(job);
        before_done();
        (withdraw, self.state.settle())
    }

    /// FINISHED to TAKEN: what came of the job, for one caller; an error for the others. `None` if it is not done.
    pub(crate) fn take(&self) -> Option<Stage<P>> {
        let failed = |error| Some(Stage::Failed(Box::new(error)));
        match self.state.take() {
            // SAFETY: the cell is TAKEN and this call is the winner of that transition.
            Take::Won => Some(unsafe { self.replace(Stage::Empty) }),
            Take::Already => failed(JobError::Taken),
            Take::Cancelled => failed(JobError::Cancelled),
            Take::NotDone => None,
        }
    }
}

impl<P: Payload> Drop for Cell<P> {
    fn drop(&mut self) {
        // The load acquires what the finisher wrote. An unread value may be of a type whose drop panics, and the last
        // owner may be a worker.
        let _ = self.state.is_done();
        // SAFETY: `&mut self`: nobody else has the cell.
        discard(unsafe { self.replace(Stage::Empty) });
    }
}

/// Drops what a stage held, which may be a value whose drop panics.
#[inline]
fn discard<P: Payload>(stage: Stage<P>) {
    match stage {
        // Nearly always; it costs nothing.
        Stage::Empty => {}
        stage => drop_quietly(stage),
    }
}
