//! One submitted job: the one allocation that a submit makes.

use std::sync::Arc;
use std::time::Duration;

use crate::backend::Control;
use crate::cell::{Again, Cell, Stage, State, Ticket, Withdraw};
use crate::error::JobError;
use crate::job_ref::{AnyCell, Claim, JobRef};
use crate::options::JobOptions;
use crate::parcel::{Arrived, Callbacks, Landed, Slice};
use crate::payload::Payload;
use crate::record::{Details, Record};
use crate::row::recount;
use crate::run::{self, Attempt, Ran, Retry, Tally};
use crate::state::JobId;
use crate::unread;

/// One job: its record and its cell.
pub(crate) struct Single<P: Payload> {
    record: Record,
    cell: Cell<P>,
}

impl<P: Payload> Single<P> {
    pub(crate) fn new(payload: P, options: Option<JobOptions>, control: Arc<dyn Control>) -> Arc<Self> {
        Arc::new(Single { record: Record::new(JobId::take(1), control, options), cell: Cell::new(payload) })
    }

    /// A job that is encoded and runs elsewhere.
    pub(crate) fn sealed(options: Option<JobOptions>, control: Arc<dyn Control>) -> Arc<Self> {
        Arc::new(Single { record: Record::new(JobId::take(1), control, options), cell: Cell::sealed() })
    }

    /// Ends a job that nobody has heard of yet.
    pub(crate) fn fail_unsent(self: &Arc<Self>, error: JobError) {
        if let Some(ticket) = self.cell.begin() {
            Arc::clone(self).complete(ticket, Attempt::failed(error), None);
        }
    }

    /// Takes the job back from a task that was refused. Its future, of which nobody has heard, is never done.
    pub(crate) fn reclaim(&self) -> Option<P> {
        let ticket = self.cell.begin()?;
        self.cell.take_job(&ticket)
    }

    /// Ends the job; true if somebody waits, whom the caller must ring.
    fn finish(&self, ticket: Ticket, attempt: Attempt<P>, tally: Option<&dyn Tally>) -> bool {
        self.cell.finish(ticket, attempt.stage, attempt.failed, |failed| {
            if let Some(tally) = tally {
                tally.ended(failed);
            }
        })
    }

    fn complete(self: Arc<Self>, ticket: Ticket, attempt: Attempt<P>, tally: Option<&dyn Tally>) {
        if self.finish(ticket, attempt, tally) {
            JobRef::new(self, 0).ring();
        }
    }

    /// [`complete`](Single::complete), with the code of the user's left to the caller.
    fn complete_quietly(
        self: Arc<Self>,
        ticket: Ticket,
        attempt: Attempt<P>,
        tally: Option<&dyn Tally>,
    ) -> Option<Callbacks> {
        let waited = self.finish(ticket, attempt, tally);
        JobRef::new(self, 0).ring_threads(waited)
    }

    /// True if a failed attempt may be followed by another: nobody wants the job to end.
    fn may_try_again(&self) -> bool {
        let state = self.cell.state();
        !state.stop_requested() && !state.is_killed() && !self.record.control.is_stopping()
    }

    /// Ends an attempt that another follows, after `delay`.
    fn put_again(self: Arc<Self>, ticket: Ticket, again: Again<P>, delay: Duration) -> Retry {
        if let Some(details) = self.record.details() {
            details.next_attempt();
        }
        self.cell.put_again(&ticket, again);
        Retry::new(Claim::new(JobRef::new(self, 0), ticket), delay)
    }

    /// The copy for a next attempt and the wait before it, where the options ask for one.
    fn spare(&self, payload: &P) -> Result<Option<(P, Duration)>, JobError> {
        let Some(delay) = self.record.details().and_then(|details| details.delay()) else { return Ok(None) };
        Ok(Some((payload.duplicate()?, delay)))
    }
}

impl<P: Payload> AnyCell for Single<P> {
    fn record(&self) -> &Record {
        &self.record
    }

    fn state(&self, _: u32) -> &State {
        self.cell.state()
    }

    fn type_name(&self) -> &'static str {
        P::name()
    }

    fn begin(&self, _: u32) -> Option<Ticket> {
        self.cell.begin()
    }

    fn run(self: Arc<Self>, _: u32, ticket: Ticket, tally: &dyn Tally) -> Ran {
        if self.record.details().is_none_or(|details| details.attempt() == 1) {
            tally.begun();
        }
        let Some(payload) = self.cell.take_job(&ticket) else {
            let error = JobError::Lost { job: P::name().to_owned() };
            self.complete(ticket, Attempt::failed(error), Some(tally));
            return Ran::Done;
        };
        let spare = match self.spare(&payload) {
            Ok(spare) => spare,
            Err(error) => {
                crate::panic::drop_quietly(payload);
                self.complete(ticket, Attempt::failed(error), Some(tally));
                return Ran::Done;
            }
        };
        let attempt = run::attempt(JobRef::new(Arc::clone(&self), 0), &*self, payload);
        if let Some((copy, delay)) = spare
            && attempt.failed
            && self.may_try_again()
        {
            return Ran::Again(self.put_again(ticket, Again { job: Some(copy), last: attempt.stage }, delay));
        }
        self.complete(ticket, attempt, Some(tally));
        Ran::Done
    }

    fn fail(self: Arc<Self>, _: u32, ticket: Ticket, error: JobError, tally: Option<&dyn Tally>) -> Option<Callbacks> {
        self.complete_quietly(ticket, Attempt::failed(error), tally)
    }

    fn arrive(self: Arc<Self>, _: u32, ticket: Ticket, outcome: Arrived, tally: &dyn Tally) -> Landed {
        let attempt = Attempt::arrived(outcome);
        let delay = self.record.details().and_then(Details::delay);
        if let Some(delay) = delay.filter(|_| attempt.failed && self.may_try_again()) {
            let retry = self.put_again(ticket, Again { job: None, last: attempt.stage }, delay);
            return Landed { retry: Some(retry), callbacks: None };
        }
        Landed { retry: None, callbacks: self.complete_quietly(ticket, attempt, Some(tally)) }
    }

    fn arrive_row(
        &self,
        this: &Arc<dyn AnyCell>,
        row: &mut dyn Iterator<Item = (u32, Ticket, Slice)>,
        tally: &dyn Tally,
    ) -> Vec<Callbacks> {
        let Some((_, ticket, output)) = row.next() else { return Vec::new() };
        let waited = self.cell.finish(ticket, Stage::Bytes(output), false, |failed| recount(failed, tally));
        if !waited && !self.cell.state().is_failed() {
            return Vec::new();
        }
        JobRef::of_any(Arc::clone(this), 0).ring_threads(waited).into_iter().collect()
    }

    fn give_up(self: Arc<Self>, _: u32, ticket: Ticket, tally: &dyn Tally) -> Option<Callbacks> {
        let attempt = match self.cell.take_last(&ticket) {
            Some(stage) => Attempt { stage, failed: true },
            None => Attempt::failed(JobError::Lost { job: P::name().to_owned() }),
        };
        self.complete_quietly(ticket, attempt, Some(tally))
    }

    fn withdraw(self: Arc<Self>, _: u32, before_done: &mut dyn FnMut()) -> bool {
        let (withdraw, waited) = self.cell.withdraw(before_done);
        if waited {
            JobRef::new(self, 0).ring();
        }
        withdraw != Withdraw::Begun
    }
}

/// The end at which the value is taken.
pub(crate) trait FutureCell<T>: AnyCell {
    /// The outcome, for one caller, once the job is done.
    fn take(&self) -> Option<Result<T, JobError>>;
}

impl<P: Payload> FutureCell<P::Output> for Single<P> {
    fn take(&self) -> Option<Result<P::Output, JobError>> {
        self.cell.take().map(Stage::into_outcome)
    }
}

impl<P: Payload> Drop for Single<P> {
    fn drop(&mut self) {
        let state = self.cell.state();
        if state.is_failed() && state.is_finished_untaken() {
            let (mut error, mut text) = (None, None);
            match self.cell.take() {
                Some(Stage::Failed(failure)) => error = Some(*failure),
                Some(Stage::Value(value)) => {
                    text = P::failure_text(&value);
                    crate::panic::drop_quietly(value);
                }
                Some(Stage::Bytes(slice)) => {
                    if let Ok(value) = P::decode_output(slice.bytes()) {
                        text = P::failure_text(&value);
                        crate::panic::drop_quietly(value);
                    }
                }
                stage => crate::panic::drop_quietly(stage),
            }
            let given = self.record.details().and_then(|details| details.options.name.as_deref());
            unread::report(self.record.id, given.unwrap_or_else(|| P::name()), error, text);
        }
    }
}
