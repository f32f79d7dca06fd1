//! [`JobRef`]: one job, whatever its type.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::task::Context;
use std::time::{Duration, Instant};

use crate::backend::{Ran, Tally};
use crate::bells::Waiter;
use crate::cell::{State, Ticket};
use crate::error::JobError;
use crate::options::Priority;
use crate::parcel::{Arrived, Callbacks, Landed};
use crate::record::Record;
use crate::row::Row;
use crate::state::{JobId, JobState};

/// A cell whose payload type is erased: one job, or the jobs of a chunk, told apart by their index.
pub(crate) trait AnyCell: Send + Sync {
    fn record(&self) -> &Record;

    fn state(&self, index: u32) -> &State;

    fn type_name(&self) -> &'static str;

    /// The name given at submit, else that of the type.
    fn name(&self) -> &str {
        let given = self.record().details().and_then(|details| details.options.name.as_deref());
        given.unwrap_or_else(|| self.type_name())
    }

    /// PENDING to RUNNING, for one caller.
    fn begin(&self, index: u32) -> Option<Ticket>;

    /// The same for jobs in a row.
    fn begin_row(&self, items: Range<u32>) -> Vec<Option<Ticket>> {
        items.map(|index| self.begin(index)).collect()
    }

    /// Runs the job that `ticket` opens.
    fn run(self: Arc<Self>, index: u32, ticket: Ticket, tally: &dyn Tally) -> Ran;

    /// True for an async job, which a backend may poll.
    fn is_async(&self) -> bool {
        false
    }

    /// Polls the job that `ticket` opens, and starts it if that is the first poll; gives it back if it is not at its end. A cell
    /// that is never polled runs the job to its end.
    fn poll(self: Arc<Self>, index: u32, ticket: Ticket, _: &mut Context<'_>, tally: &dyn Tally) -> Result<Ran, Claim> {
        Ok(self.run(index, ticket, tally))
    }

    /// Ends the attempt of a job that is not polled any more, with an error.
    fn end(self: Arc<Self>, index: u32, ticket: Ticket, error: JobError, tally: &dyn Tally) -> Ran {
        drop(self.fail(index, ticket, error, Some(tally)));
        Ran::Done
    }

    /// Completes the job that `ticket` opens with an error, for good.
    fn fail(
        self: Arc<Self>,
        index: u32,
        ticket: Ticket,
        error: JobError,
        tally: Option<&dyn Tally>,
    ) -> Option<Callbacks>;

    /// Ends an attempt of the job that `ticket` opens, which ran elsewhere.
    fn arrive(self: Arc<Self>, index: u32, ticket: Ticket, outcome: Arrived, tally: &dyn Tally) -> Landed;

    /// Ends jobs that ran elsewhere and were counted, each with its output. `this` is the cell itself. See
    /// [`RowClaim::arrive`](crate::row::RowClaim::arrive).
    fn arrive_row(&self, this: &Arc<dyn AnyCell>, row: Row<'_>, tally: &dyn Tally) -> Vec<Callbacks>;

    /// Takes in how long some jobs of a chunk took elsewhere.
    fn learn(&self, _items: u32, _took: Duration) {}

    /// Completes a job between two attempts with what came of the last one.
    fn give_up(self: Arc<Self>, index: u32, ticket: Ticket, tally: &dyn Tally) -> Option<Callbacks>;

    /// PENDING to CANCELLED; true if the job is withdrawn now or was before.
    fn withdraw(self: Arc<Self>, index: u32, before_done: &mut dyn FnMut()) -> bool;
}

/// One job, whatever its type: what a [`Control`](crate::backend::Control) is asked about.
#[derive(Clone)]
pub struct JobRef {
    cell: Arc<dyn AnyCell>,
    index: u32,
    /// Kept here too, where a queue reads it.
    priority: Priority,
}

impl JobRef {
    /// Generic, so that what the cell knows of itself is read without a call through its table.
    #[inline]
    pub(crate) fn new(cell: Arc<impl AnyCell + 'static>, index: u32) -> Self {
        let priority = cell.record().priority();
        JobRef { cell, index, priority }
    }

    pub(crate) fn of_any(cell: Arc<dyn AnyCell>, index: u32) -> Self {
        let priority = cell.record().priority();
        JobRef { cell, index, priority }
    }

    #[inline]
    pub(crate) fn record(&self) -> &Record {
        self.cell.record()
    }

    pub(crate) fn priority(&self) -> Priority {
        self.priority
    }

    /// True for an async job; see [`Job::is_async`](crate::Job::is_async).
    #[must_use]
    pub fn is_async(&self) -> bool {
        self.cell.is_async()
    }

    /// Turns to another job of the same chunk.
    pub(crate) fn turn_to(&mut self, index: u32) {
        self.index = index;
    }

    pub(crate) fn state_word(&self) -> &State {
        self.cell.state(self.index)
    }

    /// The number of the job.
    #[must_use]
    pub fn id(&self) -> JobId {
        self.record().id.offset(self.index)
    }

    /// The name of the job: the one given at submit, else its own.
    #[must_use]
    pub fn name(&self) -> &str {
        self.cell.name()
    }

    pub(crate) fn state_text(&self) -> impl fmt::Debug + '_ {
        StateText(&*self.cell, self.index)
    }

    /// Which item of its chunk the job is; 0 for a job that was submitted alone.
    #[must_use]
    pub fn item(&self) -> u32 {
        self.index
    }

    /// How far the job has come.
    #[must_use]
    pub fn state(&self) -> JobState {
        state_of(&*self.cell, self.index)
    }

    /// True if the job ended or was cancelled.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.state_word().is_done()
    }

    /// How long the present attempt may run; `None` without a limit.
    #[must_use]
    pub fn run_limit(&self) -> Option<Duration> {
        self.record().details()?.options.run_limit
    }

    /// Where the backend keeps the task, as it told with [`Task::set_place`](crate::backend::Task::set_place).
    #[must_use]
    pub fn place(&self) -> u64 {
        self.record().place()
    }

    /// Withdraws the job if it has not begun: drops it, calls `before_done`, and then its future is done. True if the
    /// job never ran and never will; `before_done` is called by the first withdrawal only.
    pub fn withdraw(&self, before_done: impl FnOnce()) -> bool {
        let mut before_done = Some(before_done);
        Arc::clone(&self.cell).withdraw(self.index, &mut || {
            if let Some(before_done) = before_done.take() {
                before_done();
            }
        })
    }

    /// Begins the job if nobody has. The claim runs it.
    #[must_use]
    pub fn claim(&self) -> Option<Claim> {
        let ticket = self.cell.begin(self.index)?;
        Some(Claim::new(self.clone(), ticket))
    }

    /// [`claim`](JobRef::claim), without the cost of a second reference.
    #[inline]
    pub(crate) fn into_claim(self) -> Option<Claim> {
        let ticket = self.cell.begin(self.index)?;
        Some(Claim::new(self, ticket))
    }

    /// Decides that this running job ends as killed, for a backend that is about to stop it by force; its value will not
    /// arrive, even if it comes. False if the job has not begun or is done. The task must still be completed.
    #[must_use]
    pub fn decide_kill(&self) -> bool {
        self.state_word().kill()
    }

    /// True once it was [decided](JobRef::decide_kill) that the job ends as killed.
    #[must_use]
    pub fn is_kill_decided(&self) -> bool {
        self.state_word().is_killed()
    }

    /// Wakes those who wait for this job on a worker of its pool, so that they look whether they can run it.
    pub fn nudge(&self) {
        self.record().bells.nudge();
    }

    /// Rings the threads that wait for the job, which is done, if `waited`. What is left is code of the user's, and so are
    /// the end of the job's span and the report of a failure that nobody reads.
    pub(crate) fn ring_threads(self, waited: bool) -> Option<Callbacks> {
        let others = if waited { self.record().bells.ring_threads(self.index) } else { Vec::new() };
        let span = self.record().spans.close(self.index);
        let is_heard_of = !others.is_empty() || self.state_word().is_failed() || span.is_some();
        is_heard_of.then(|| Callbacks::new(self, others, span))
    }

    /// Rings the bells of the job, which is done.
    pub(crate) fn ring(&self) {
        self.record().bells.ring(self);
    }

    /// Hangs a waiter in; it is rung here and now if the job is done.
    pub(crate) fn hang(&self, waiter: Waiter) {
        self.record().bells.hang(waiter);
        if !self.state_word().wait() {
            self.ring();
        }
    }

    /// The span of the job, until it is done. It is weak, so that no code of the subscriber's runs where this is dropped; whoever
    /// upgrades it keeps the span open.
    #[cfg(feature = "tracing")]
    #[cfg_attr(docsrs, doc(cfg(feature = "tracing")))]
    #[must_use]
    pub fn span(&self) -> std::sync::Weak<tracing::Span> {
        self.record().spans.weak(self.index)
    }

    /// Asks the job to stop: for a worker to which the request of a [guest](crate::backend::Guests) is passed on.
    pub fn request_stop(&self) {
        if self.state_word().request_stop() {
            self.record().bells.ring_stop();
            self.record().control.stop_requested(self);
        }
    }

    /// Notes how far the job has come that runs elsewhere, so that its handles know it when it is done, too.
    pub fn set_progress(&self, done: u64, total: u64) {
        self.record().bells.set_progress(done, total);
    }

    /// True once the job's user asked it to stop.
    #[must_use]
    pub fn stop_requested(&self) -> bool {
        self.state_word().stop_requested()
    }

    /// When the present attempt passes its run limit.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.record().details()?.deadline()
    }

    /// True once the job was asked to stop: by its user, by its run limit or by the end of its pool.
    pub(crate) fn should_stop(&self) -> bool {
        self.state_word().stop_requested()
            || self.record().control.is_stopping()
            || self.deadline().is_some_and(|deadline| Instant::now() >= deadline)
    }
}

impl fmt::Debug for JobRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobRef")
            .field("id", &self.id())
            .field("name", &self.name())
            .field("state", &self.state_text())
            .finish()
    }
}

/// How far a job has come, wherever it is.
fn state_of(cell: &(impl AnyCell + ?Sized), index: u32) -> JobState {
    let state = cell.state(index).job_state();
    let record = cell.record();
    if state == JobState::Pending && record.control.begun_elsewhere(record.id.offset(index), record.place()) {
        return JobState::Running;
    }
    state
}

/// The state of a job, for debugging: how it finished is a part of it.
pub(crate) struct StateText<'a, C: AnyCell + ?Sized>(pub(crate) &'a C, pub(crate) u32);

impl<C: AnyCell + ?Sized> fmt::Debug for StateText<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match state_of(self.0, self.1) {
            JobState::Running => JobState::Running.fmt(f),
            _ => self.0.state(self.1).fmt(f),
        }
    }
}

/// A job that was begun and must be ended. Dropping it completes the job as [`JobError::Lost`].
#[must_use = "dropping a claim completes its job as lost"]
pub struct Claim {
    /// Gone once the job is run or completed.
    begun: Option<(JobRef, Ticket)>,
}

impl Claim {
    #[inline]
    pub(crate) fn new(job: JobRef, ticket: Ticket) -> Self {
        Claim { begun: Some((job, ticket)) }
    }

    /// The job.
    #[must_use]
    pub fn job(&self) -> Option<&JobRef> {
        self.begun.as_ref().map(|(job, _)| job)
    }

    /// Runs the job on this thread, to its end or to its next attempt.
    #[inline]
    pub fn run(mut self, tally: &dyn Tally) -> Ran {
        match self.begun.take() {
            Some((JobRef { cell, index, .. }, ticket)) => cell.run(index, ticket, tally),
            None => Ran::Done,
        }
    }

    /// Polls the job once; gives it back if it is not at its end. See [`Polled`](crate::backend::Polled).
    pub(crate) fn poll(mut self, cx: &mut Context<'_>, tally: &dyn Tally) -> Result<Ran, Claim> {
        match self.begun.take() {
            Some((JobRef { cell, index, .. }, ticket)) => cell.poll(index, ticket, cx, tally),
            None => Ok(Ran::Done),
        }
    }

    /// Drops the future of a job that was polled, and ends the attempt with an error.
    pub(crate) fn end(mut self, error: JobError, tally: &dyn Tally) -> Ran {
        match self.begun.take() {
            Some((JobRef { cell, index, .. }, ticket)) => cell.end(index, ticket, error, tally),
            None => Ran::Done,
        }
    }

    /// Completes the job with an error, for good, and calls who waits for it.
    pub fn fail(self, error: JobError, tally: Option<&dyn Tally>) {
        drop(self.fail_quietly(error, tally));
    }

    /// [`fail`](Claim::fail), with the code of the user's left to the caller, as [`arrive`](Claim::arrive) leaves it.
    pub fn fail_quietly(mut self, error: JobError, tally: Option<&dyn Tally>) -> Option<Callbacks> {
        let (JobRef { cell, index, .. }, ticket) = self.begun.take()?;
        cell.fail(index, ticket, error, tally)
    }

    /// Ends the attempt of a job that ran elsewhere, with what came of it: the job is done, or will be tried again. Threads
    /// that wait for it are woken here and now; code of the user's is left to the caller.
    ///
    /// The `tally` is told of the end only: that the job began is known to the backend alone, and counted by it.
    pub fn arrive(mut self, outcome: Arrived, tally: &dyn Tally) -> Landed {
        match self.begun.take() {
            Some((JobRef { cell, index, .. }, ticket)) => cell.arrive(index, ticket, outcome, tally),
            None => Landed { retry: None, callbacks: None },
        }
    }

    /// Completes a job between two attempts with what came of the last one, and calls who waits for it.
    pub fn give_up(self, tally: &dyn Tally) {
        drop(self.give_up_quietly(tally));
    }

    /// [`give_up`](Claim::give_up), with the code of the user's left to the caller, as [`arrive`](Claim::arrive) leaves it.
    pub fn give_up_quietly(mut self, tally: &dyn Tally) -> Option<Callbacks> {
        let (JobRef { cell, index, .. }, ticket) = self.begun.take()?;
        cell.give_up(index, ticket, tally)
    }
}

impl Drop for Claim {
    #[inline]
    fn drop(&mut self) {
        if let Some((job, ticket)) = self.begun.take() {
            let error = JobError::Lost { job: job.name().to_owned() };
            drop(job.cell.fail(job.index, ticket, error, None));
        }
    }
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Claim").field(&self.job()).finish()
    }
}
