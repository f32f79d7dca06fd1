//! One submitted job: the one allocation that a submit makes.

use std::sync::Arc;
use std::task::Context;
use std::time::Duration;

use crate::backend::Control;
use crate::cell::{Again, Begun, Cell, Outcome, Spare, Stage, Started, State, Ticket, Withdraw};
use crate::context;
use crate::drive::noting_awaited;
use crate::error::JobError;
use crate::job_ref::{AnyCell, Claim, JobRef};
use crate::options::JobOptions;
use crate::panic::{drop_quietly, quietly};
use crate::parcel::{Arrived, Callbacks, Landed};
use crate::payload::Payload;
use crate::record::{Details, Record};
use crate::row::{Row, finish_counted, overruled};
use crate::run::{self, Attempt, Ran, Retry, Tally, execute};
use crate::trace::{SpanNews, Submitter};
use crate::unread;

/// One job: its record and its cell.
pub(crate) struct Single<P: Payload> {
    record: Record,
    cell: Cell<P>,
}

/// What came of an attempt, and the copy for the next.
type Over<P> = (Attempt<P>, Spare<P>);

impl<P: Payload> Single<P> {
    #[inline]
    pub(crate) fn new(
        payload: P,
        options: Option<JobOptions>,
        control: Arc<dyn Control>,
        submitter: &Submitter,
    ) -> Arc<Self> {
        let record = Record::traced(1, P::name(), control, options, submitter);
        Arc::new(Single { record, cell: Cell::new(payload) })
    }

    /// A job that is encoded and runs elsewhere.
    pub(crate) fn sealed(options: Option<JobOptions>, control: Arc<dyn Control>, submitter: &Submitter) -> Arc<Self> {
        let record = Record::traced(1, P::name(), control, options, submitter);
        Arc::new(Single { record, cell: Cell::sealed() })
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

    /// Ends the job, whose outcome is in its place; true if somebody waits, whom the caller must ring.
    #[inline]
    fn finish(&self, ticket: Ticket, failed: bool, tally: Option<&dyn Tally>) -> bool {
        let counted = |failed| {
            if let Some(tally) = tally {
                tally.ended(failed);
            }
        };
        self.cell.finish(ticket, failed, counted, || overruled(tally))
    }

    fn complete(self: Arc<Self>, ticket: Ticket, attempt: Attempt<P>, tally: Option<&dyn Tally>) {
        self.cell.put(&ticket, attempt.stage);
        self.complete_put(ticket, attempt.failed, tally);
    }

    /// [`complete`](Single::complete), where the outcome is in its place.
    #[inline]
    fn complete_put(self: Arc<Self>, ticket: Ticket, failed: bool, tally: Option<&dyn Tally>) {
        self.record.spans.close(0).tell();
        if self.finish(ticket, failed, tally) {
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
        self.cell.put(&ticket, attempt.stage);
        let waited = self.finish(ticket, attempt.failed, tally);
        JobRef::new(self, 0).ring_threads(waited)
    }

    /// True if a failed attempt may be followed by another: nobody wants the job to end.
    fn may_try_again(&self) -> bool {
        let state = self.cell.state();
        !state.stop_requested() && !state.is_killed() && !self.record.control.is_stopping()
    }

    /// Ends an attempt that another follows, after `delay`.
    fn put_again(self: Arc<Self>, ticket: Ticket, again: Again<P>, delay: Duration) -> (Retry, SpanNews) {
        let attempt = self.record.details().map_or(1, Details::next_attempt);
        let news = self.record.spans.next_attempt(0, attempt);
        self.cell.put_again(&ticket, again);
        (Retry::new(Claim::new(JobRef::new(self, 0), ticket), delay), news)
    }

    /// Counts an attempt, and makes the copy for the next one, if there may be one.
    #[inline]
    fn begin_attempt(&self, payload: &P, tally: &dyn Tally) -> Result<Spare<P>, JobError> {
        if self.record.details().is_none_or(|details| details.attempt() == 1) {
            tally.begun();
        }
        self.spare(payload)
    }

    /// Moves the job out for an attempt, and makes the copy for the next one, if there may be one.
    #[inline]
    fn take_attempt(&self, ticket: &Ticket, tally: &dyn Tally) -> Result<(P, Spare<P>), JobError> {
        let Some(payload) = self.cell.take_job(ticket) else {
            return Err(JobError::Lost { job: P::name().to_owned() });
        };
        match self.begin_attempt(&payload, tally) {
            Ok(spare) => Ok((payload, spare)),
            Err(error) => {
                drop_quietly(payload);
                Err(error)
            }
        }
    }

    /// Runs a job without options: nothing is judged, and there is one attempt.
    #[inline]
    fn run_plain(self: Arc<Self>, ticket: Ticket, tally: &dyn Tally) {
        tally.begun();
        let ran = match self.cell.take_job(&ticket) {
            Some(payload) => context::enter(JobRef::new(Arc::clone(&self), 0), || {
                execute(&*self, 0, payload, |returned| self.cell.put(&ticket, returned))
            }),
            None => Err(Box::new(JobError::Lost { job: P::name().to_owned() })),
        };
        let failed = ran.unwrap_or_else(|error| {
            self.cell.put(&ticket, Stage::Failed(error));
            true
        });
        self.complete_put(ticket, failed, Some(tally));
    }

    /// Polls the job once, inside its context, and starts it before if that is to be done. A future that is not at its end is back
    /// in the cell, and the answer has the jobs that it awaits.
    fn poll_here(&self, ticket: &Ticket, cx: &mut Context<'_>, tally: &dyn Tally) -> Result<Over<P>, Vec<JobRef>> {
        let mut started = match self.cell.take_begun(ticket) {
            Some(Begun::Started(started)) => started,
            Some(Begun::Job(payload)) => {
                let spare = match self.begin_attempt(&payload, tally) {
                    Ok(spare) => spare,
                    Err(error) => {
                        drop_quietly(payload);
                        return Ok((Attempt::failed(error), None));
                    }
                };
                match run::start(self, payload) {
                    Ok(future) => Started { future, spare },
                    Err(attempt) => return Ok((attempt, spare)),
                }
            }
            None => return Ok((Attempt::failed(JobError::Lost { job: P::name().to_owned() }), None)),
        };
        let (polled, awaited) = noting_awaited(|| run::poll(self, &mut started, cx));
        let Some(attempt) = polled else {
            self.cell.put_started(ticket, started);
            return Err(awaited);
        };
        let spare = self.drop_started(started);
        Ok((run::judge(self, attempt), spare))
    }

    /// Drops what an async job captured and holds, inside its context; gives the copy for its next attempt.
    fn drop_started(&self, Started { future, spare }: Started<P>) -> Spare<P> {
        quietly(|| self.record.spans.within(0, || drop(future)));
        spare
    }

    /// Ends an attempt: the job is done, or will be tried again.
    #[inline]
    fn end_attempt(self: Arc<Self>, ticket: Ticket, attempt: Attempt<P>, spare: Spare<P>, tally: &dyn Tally) -> Ran {
        if let Some(spare) = spare {
            if attempt.failed && self.may_try_again() {
                let (copy, delay) = *spare;
                let (retry, mut news) = self.put_again(ticket, Again { job: Some(copy), last: attempt.stage }, delay);
                news.tell();
                return Ran::Again(retry);
            }
            drop_quietly(spare);
        }
        self.complete(ticket, attempt, Some(tally));
        Ran::Done
    }

    /// The copy for a next attempt and the wait before it, where the options ask for one.
    fn spare(&self, payload: &P) -> Result<Spare<P>, JobError> {
        let Some(delay) = self.record.details().and_then(|details| details.delay()) else { return Ok(None) };
        Ok(Some(Box::new((payload.duplicate()?, delay))))
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
        if self.record.details().is_none() {
            self.run_plain(ticket, tally);
            return Ran::Done;
        }
        let (payload, spare) = match self.take_attempt(&ticket, tally) {
            Ok(taken) => taken,
            Err(error) => return self.end_attempt(ticket, Attempt::failed(error), None, tally),
        };
        let attempt = run::attempt(JobRef::new(Arc::clone(&self), 0), &*self, payload);
        self.end_attempt(ticket, attempt, spare, tally)
    }

    fn is_async(&self) -> bool {
        P::is_async()
    }

    fn poll(self: Arc<Self>, _: u32, ticket: Ticket, cx: &mut Context<'_>, tally: &dyn Tally) -> Result<Ran, Claim> {
        let job = JobRef::new(Arc::clone(&self), 0);
        match context::enter(job, || self.poll_here(&ticket, cx, tally)) {
            Ok((attempt, spare)) => {
                // The pool kills what runs, and need not know of a poll that is under way. A job that is killed already stays so.
                if self.record.control.is_stopping() {
                    let _ = self.cell.state().kill();
                }
                Ok(self.end_attempt(ticket, attempt, spare, tally))
            }
            Err(awaited) => {
                // What it awaits may be ended by a job of the same pool that needs room: the pool sees to that.
                awaited.iter().filter(|job| !job.state_word().is_done()).for_each(|job| {
                    job.record().control.help(job);
                });
                Err(Claim::new(JobRef::new(self, 0), ticket))
            }
        }
    }

    fn end(self: Arc<Self>, _: u32, ticket: Ticket, error: JobError, tally: &dyn Tally) -> Ran {
        let job = JobRef::new(Arc::clone(&self), 0);
        let spare = context::enter(job, || match self.cell.take_begun(&ticket) {
            Some(Begun::Started(started)) => self.drop_started(started),
            Some(Begun::Job(payload)) => {
                drop_quietly(payload);
                None
            }
            None => None,
        });
        self.end_attempt(ticket, Attempt::failed(error), spare, tally)
    }

    fn fail(self: Arc<Self>, _: u32, ticket: Ticket, error: JobError, tally: Option<&dyn Tally>) -> Option<Callbacks> {
        self.complete_quietly(ticket, Attempt::failed(error), tally)
    }

    fn arrive(self: Arc<Self>, _: u32, ticket: Ticket, outcome: Arrived, tally: &dyn Tally) -> Landed {
        let attempt = Attempt::arrived(outcome);
        let delay = self.record.details().and_then(Details::delay);
        if let Some(delay) = delay.filter(|_| attempt.failed && self.may_try_again()) {
            let job = JobRef::new(Arc::clone(&self), 0);
            let (retry, news) = self.put_again(ticket, Again { job: None, last: attempt.stage }, delay);
            return Landed { retry: Some(retry), callbacks: Callbacks::of_news(job, news) };
        }
        Landed { retry: None, callbacks: self.complete_quietly(ticket, attempt, Some(tally)) }
    }

    fn arrive_row(&self, this: &Arc<dyn AnyCell>, mut row: Row<'_>, tally: &dyn Tally) -> Vec<Callbacks> {
        let Some((_, ticket, output)) = row.next() else { return Vec::new() };
        let waited = finish_counted(&self.cell, ticket, output, tally);
        if !waited && !self.cell.state().is_failed() && !self.record.spans.are_open() {
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
        let (withdraw, waited) = self.cell.withdraw(|| {
            self.record.spans.close_unrun(0).tell();
            before_done();
        });
        if waited {
            JobRef::new(self, 0).ring();
        }
        withdraw != Withdraw::Begun
    }
}

/// The end at which the value is taken.
pub(crate) trait FutureCell<T>: AnyCell {
    /// The outcome, for one caller, once the job is done.
    fn take(&self) -> Option<Result<T, Box<JobError>>>;
}

impl<P: Payload> FutureCell<P::Output> for Single<P> {
    fn take(&self) -> Option<Outcome<P>> {
        self.cell.take_outcome()
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
                    drop_quietly(value);
                }
                Some(Stage::Bytes(slice)) => {
                    if let Ok(value) = slice.decode(P::decode_output) {
                        text = P::failure_text(&value);
                        drop_quietly(value);
                    }
                }
                stage => drop_quietly(stage),
            }
            let given = self.record.details().and_then(|details| details.options.name.as_deref());
            unread::report(self.record.id, given.unwrap_or_else(|| P::name()), error, text);
        }
    }
}
