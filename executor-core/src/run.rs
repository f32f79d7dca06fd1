//! Running a job: its context around it, its panic caught, its outcome judged.

use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::carrier::{Supply, collected, supplied};
use crate::cell::{Stage, Started};
use crate::context;
use crate::drive::drive;
use crate::error::JobError;
use crate::job::{BoxFuture, Work};
use crate::job_ref::{AnyCell, Claim, JobRef};
use crate::panic::{catch, drop_quietly};
use crate::parcel::{Arrived, Slice};
use crate::payload::Payload;
use crate::sync::{park_until, thread};
use crate::task::Task;

/// Where a backend counts. Each method is called before the change can be seen through a future.
pub trait Tally {
    /// A job was begun for the first time.
    fn begun(&self);

    /// A job ended; a failed one with an error or an output that is a failure.
    fn ended(&self, failed: bool);

    /// A job that was told as ended, and not as failed, was killed before its future knew: it has failed instead. Only a backend
    /// that [decides](crate::backend::JobRef::decide_kill) about running jobs hears of this, and corrects its counts.
    fn overruled(&self) {}
}

/// What became of a task that was run.
#[derive(Debug)]
#[must_use = "a retry that is dropped completes its job as lost"]
pub enum Ran {
    /// The task is used up.
    Done,
    /// The job failed and has an attempt left.
    Again(Retry),
    /// A chunk used up its turn and has items left. They are in the task's other shares.
    Yielded,
}

/// A job between two attempts. It is still running, as its future sees it.
#[derive(Debug)]
#[must_use = "a retry that is dropped completes its job as lost"]
pub struct Retry {
    claim: Claim,
    delay: Duration,
}

impl Retry {
    pub(crate) fn new(claim: Claim, delay: Duration) -> Self {
        Retry { claim, delay }
    }

    /// The job.
    #[must_use]
    pub fn job(&self) -> Option<&JobRef> {
        self.claim.job()
    }

    /// How long the next attempt is to wait.
    #[must_use]
    pub fn delay(&self) -> Duration {
        self.delay
    }

    /// The claim on the job, for a backend that runs the next attempt elsewhere.
    pub fn into_claim(self) -> Claim {
        self.claim
    }

    /// The task of the next attempt, to be run when the delay has passed.
    pub fn into_task(self) -> Task {
        Task::claimed(self.claim)
    }

    /// Waits and tries again on this thread, until the job ends. A request to stop ends the wait, and the job.
    pub fn run_here(self, tally: &dyn Tally) {
        let mut retry = self;
        loop {
            if !retry.claim.job().is_some_and(|job| sleep_unless_stopped(job, retry.delay)) {
                return retry.claim.give_up(tally);
            }
            match retry.claim.run(tally) {
                Ran::Again(next) => retry = next,
                Ran::Done | Ran::Yielded => return,
            }
        }
    }
}

/// False if the job was asked to stop before `delay` had passed.
fn sleep_unless_stopped(job: &JobRef, delay: Duration) -> bool {
    let until = Instant::now() + delay;
    let waker = context::thread_waker(thread::current());
    let bells = &job.record().bells;
    let mut place = None;
    let slept = loop {
        if job.state_word().stop_requested() || job.record().control.is_stopping() {
            break false;
        }
        if Instant::now() >= until {
            break true;
        }
        bells.hang_stop(&mut place, &waker);
        if !job.state_word().stop_requested() {
            park_until(Some(until));
        }
    };
    if let Some(place) = place {
        bells.forget_stop(place);
    }
    slept
}

/// What came of one attempt.
pub(crate) struct Attempt<P: Payload> {
    pub(crate) stage: Stage<P>,
    pub(crate) failed: bool,
}

impl<P: Payload> Attempt<P> {
    pub(crate) fn failed(error: JobError) -> Self {
        Attempt { stage: Stage::Failed(Box::new(error)), failed: true }
    }

    pub(crate) fn arrived(outcome: Arrived) -> Self {
        match outcome {
            Arrived::Output { bytes, failed } => Attempt { stage: Stage::Bytes(bytes), failed },
            Arrived::Failed(error) => Attempt::failed(error),
        }
    }
}

/// Runs the payload of `cell` on this thread, inside the context that is set, and puts what it returned: from its registers to its
/// place, because to move it there with the frame around it costs more than all else. The answer says whether that is a
/// failure. Everything that the payload captured is dropped when this returns.
#[inline]
pub(crate) fn execute<P: Payload>(
    cell: &dyn AnyCell,
    item: u32,
    payload: P,
    put: impl FnOnce(Stage<P>),
) -> Result<bool, Box<JobError>> {
    if cell.record().control.encodes() {
        let (bytes, failed) = execute_encoded(cell, item, payload)?;
        put(Stage::Bytes(bytes));
        return Ok(failed);
    }
    execute_here(cell, item, payload, |value| put(Stage::Value(value)))
}

/// [`execute`] as if the job ran elsewhere.
fn execute_encoded<P: Payload>(cell: &dyn AnyCell, item: u32, payload: P) -> Result<(Slice, bool), Box<JobError>> {
    let carrier = cell.record().control.carrier();
    let (encoded, attachments) = collected(carrier, || payload.encode());
    drop_quietly(payload);
    let bytes = encoded?;
    let supply = carrier.zip(attachments.as_ref());
    let supply = supply.map(|(carrier, attachments)| Supply { carrier, attachments });
    let arrived = supplied(supply, || P::decode(&bytes))?;
    let mut returned = None;
    let failed = execute_here(cell, item, arrived, |value: P::Output| returned = Some(value))?;
    let (encoded, attachments) = collected(carrier, || returned.as_ref().map(P::encode_output).transpose());
    drop_quietly(returned);
    let bytes = Slice::from(encoded?.unwrap_or_default());
    Ok(match carrier.zip(attachments) {
        Some((carrier, attachments)) => (bytes.with_attachments(carrier, attachments), failed),
        None => (bytes, failed),
    })
}

#[inline]
fn execute_here<P: Payload>(
    cell: &dyn AnyCell,
    item: u32,
    payload: P,
    put: impl FnOnce(P::Output),
) -> Result<bool, Box<JobError>> {
    let spans = &cell.record().spans;
    let run = || {
        let (value, failed) = perform(payload);
        put(value);
        failed
    };
    Ok(catch(|| cell.name().to_owned(), || spans.run(item, run))?)
}

/// Runs the payload on this thread; gives what it returned, and whether that is a failure.
#[inline]
pub(crate) fn perform<P: Payload>(payload: P) -> (P::Output, bool) {
    let value = match payload.start() {
        Work::Ready(value) => value,
        Work::Future(future) => drive(context::running().as_ref(), future),
    };
    let failed = P::failed(&value);
    (value, failed)
}

/// Runs one attempt of `job`, which has options and whose cell is `cell`, on this thread, and judges it by its run limit.
pub(crate) fn attempt<P: Payload>(job: JobRef, cell: &dyn AnyCell, payload: P) -> Attempt<P> {
    if let Some(details) = cell.record().details() {
        details.begin_attempt();
    }
    let item = job.item();
    let mut stage = Stage::Empty;
    let ran = context::enter(job, || execute(cell, item, payload, |returned| stage = returned));
    let attempt = match ran {
        Ok(failed) => Attempt { stage, failed },
        Err(error) => Attempt { stage: Stage::Failed(error), failed: true },
    };
    judge(cell, attempt)
}

/// Judges an attempt that came to its end by the run limit of its job.
pub(crate) fn judge<P: Payload>(cell: &dyn AnyCell, attempt: Attempt<P>) -> Attempt<P> {
    if let Some(details) = cell.record().details()
        && let Some(limit) = details.options.run_limit
        && details.deadline().is_some_and(|deadline| Instant::now() >= deadline)
    {
        drop_quietly(attempt.stage);
        return Attempt::failed(JobError::RunLimit { job: cell.name().to_owned(), limit });
    }
    attempt
}

/// Starts an async job, inside the context that is set: what it is to be polled for, or what came of it at once.
pub(crate) fn start<P: Payload>(cell: &dyn AnyCell, payload: P) -> Result<BoxFuture<P::Output>, Attempt<P>> {
    if let Some(details) = cell.record().details() {
        details.begin_attempt();
    }
    let start = || match payload.start() {
        Work::Future(future) => Ok(future),
        Work::Ready(value) => {
            let failed = P::failed(&value);
            Err((value, failed))
        }
    };
    // Only a job that was submitted alone is polled.
    let started = catch(|| cell.name().to_owned(), || cell.record().spans.run(0, start));
    match started {
        Ok(Ok(future)) => Ok(future),
        Ok(Err((value, failed))) => Err(Attempt { stage: Stage::Value(value), failed }),
        Err(error) => Err(Attempt::failed(error)),
    }
}

/// Polls an async job once, inside the context that is set; `None` if it is not at its end.
pub(crate) fn poll<P: Payload>(
    cell: &dyn AnyCell,
    started: &mut Started<P>,
    cx: &mut Context<'_>,
) -> Option<Attempt<P>> {
    let poll = || {
        started.future.as_mut().poll(cx).map(|value| {
            let failed = P::failed(&value);
            (value, failed)
        })
    };
    let polled = catch(|| cell.name().to_owned(), || cell.record().spans.within(0, poll));
    match polled {
        Ok(Poll::Pending) => None,
        Ok(Poll::Ready((value, failed))) => Some(Attempt { stage: Stage::Value(value), failed }),
        Err(error) => Some(Attempt::failed(error)),
    }
}
