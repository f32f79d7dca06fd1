//! [`Polled`]: a task that its backend polls, on an async runtime, instead of running it.

use std::fmt;
use std::task::{Context, Poll};
use std::time::Instant;

use crate::backend::{Ran, Tally, Task};
use crate::error::JobError;
use crate::job_ref::{Claim, JobRef};

/// A task that its backend polls, from [`Task::into_polled`].
///
/// The first poll begins the job; until then it can be cancelled. A job that is polled can be stopped between two polls:
/// [`end`](Polled::end) drops its future. Dropping this completes the job as [`JobError::Lost`].
#[must_use = "dropping it completes its job as lost"]
pub struct Polled(Part);

enum Part {
    /// Not begun, or no job that can be polled.
    Task(Task),
    /// Begun.
    Claim(Claim),
    /// Nothing: the job ended.
    Used,
}

impl Polled {
    pub(crate) fn new(task: Task) -> Self {
        Polled(match task.into_claimed() {
            Ok(claim) => Part::Claim(claim),
            Err(task) => Part::Task(task),
        })
    }

    /// The job; `None` once it has ended.
    #[must_use]
    pub fn job(&self) -> Option<&JobRef> {
        match &self.0 {
            Part::Task(task) => task.job(),
            Part::Claim(claim) => claim.job(),
            Part::Used => None,
        }
    }

    /// Notes where the backend keeps it, as [`Task::set_place`] does.
    pub fn set_place(&self, place: u64) {
        if let Some(job) = self.job() {
            job.record().set_place(place);
        }
    }

    /// Polls the job once, inside its context, and tells what became of it. A job that is not async, and the items of a chunk,
    /// are run to their end. One that was cancelled or claimed meanwhile is passed over.
    ///
    /// A job that comes to its end while the pool [stops](crate::backend::Control::is_stopping) ends as killed.
    ///
    /// If the job awaits jobs that nobody has begun, [`Control::help`](crate::backend::Control::help) is called for each.
    pub fn poll(&mut self, cx: &mut Context<'_>, tally: &dyn Tally) -> Poll<Ran> {
        let polled = match std::mem::replace(&mut self.0, Part::Used) {
            Part::Claim(claim) => claim.poll(cx, tally),
            Part::Task(task) => match task.into_claim() {
                Ok(Some(claim)) => claim.poll(cx, tally),
                Ok(None) => return Poll::Ready(Ran::Done),
                Err(task) => return Poll::Ready(task.run(tally, Instant::now)),
            },
            Part::Used => return Poll::Ready(Ran::Done),
        };
        match polled {
            Ok(ran) => Poll::Ready(ran),
            Err(claim) => {
                self.0 = Part::Claim(claim);
                Poll::Pending
            }
        }
    }

    /// Ends the attempt here and now: drops the future of the job, inside its context, and then the job ends with `error`,
    /// or as killed if that was [decided](JobRef::decide_kill), or is tried again. A job that has not begun is given back.
    ///
    /// # Errors
    ///
    /// The task, if no poll has begun it.
    pub fn end(mut self, error: JobError, tally: &dyn Tally) -> Result<Ran, Task> {
        match std::mem::replace(&mut self.0, Part::Used) {
            Part::Claim(claim) => Ok(claim.end(error, tally)),
            Part::Task(task) => Err(task),
            Part::Used => Ok(Ran::Done),
        }
    }
}

/// A job that was claimed from wherever its task lies, which is passed over there.
impl From<Claim> for Polled {
    fn from(claim: Claim) -> Self {
        Polled(Part::Claim(claim))
    }
}

impl fmt::Debug for Polled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Polled").field(&self.job()).finish()
    }
}
