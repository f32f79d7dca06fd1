//! [`Task`]: a submitted job as a backend sees it.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use crate::backend::Backend;
use crate::error::JobError;
use crate::future::JobFuture;
use crate::job_ref::{Claim, JobRef};
use crate::map::Share;
use crate::options::Priority;
use crate::parcel::Parcel;
use crate::payload::{ClosurePayload, FuturePayload, Payload};
use crate::polled::Polled;
use crate::record::Record;
use crate::run::{Ran, Tally};
use crate::single::Single;
use crate::trace::Submitter;

/// A submitted job, or a chunk of a `map`, to be run once. Dropping it completes what has not begun as
/// [`JobError::Lost`].
pub struct Task(Content);

enum Content {
    /// A job that waits for its first attempt.
    Pending(JobRef),
    /// A job that waits for a later attempt. Boxed, so that a task is small: the queue moves it often.
    Claimed(Box<Claim>),
    /// One worker's share of a chunk.
    Share(Share),
    /// Jobs that are encoded, to be run elsewhere.
    Parcel(Arc<Parcel>),
    /// Nothing: the task was used.
    Used,
}

impl Task {
    #[inline]
    pub(crate) fn pending(job: JobRef) -> Self {
        Task(Content::Pending(job))
    }

    pub(crate) fn claimed(claim: Claim) -> Self {
        Task(Content::Claimed(Box::new(claim)))
    }

    pub(crate) fn share_of(share: Share) -> Self {
        Task(Content::Share(share))
    }

    pub(crate) fn parcel(parcel: Parcel) -> Self {
        Task(Content::Parcel(Arc::new(parcel)))
    }

    /// The encoded jobs, for a backend whose [`Control::travels`](crate::backend::Control::travels).
    ///
    /// # Errors
    ///
    /// Gives back a task that stays in this process, such as a closure or one made for another backend.
    pub fn into_parcel(mut self) -> Result<Arc<Parcel>, Task> {
        match self.take() {
            Content::Parcel(parcel) => Ok(parcel),
            content => Err(Task(content)),
        }
    }

    /// A task of a parcel that was not accepted after all.
    pub fn from_parcel(parcel: Arc<Parcel>) -> Self {
        Task(Content::Parcel(parcel))
    }

    #[inline]
    fn take(&mut self) -> Content {
        std::mem::replace(&mut self.0, Content::Used)
    }

    #[inline]
    fn record(&self) -> Option<&Record> {
        match &self.0 {
            Content::Pending(job) => Some(job.record()),
            Content::Claimed(claim) => claim.job().map(JobRef::record),
            Content::Share(share) => Some(share.record()),
            Content::Parcel(parcel) => Some(parcel.record()),
            Content::Used => None,
        }
    }

    /// How many jobs have not begun in it: 1, or the rest of a chunk.
    #[must_use]
    #[inline]
    pub fn jobs(&self) -> usize {
        match &self.0 {
            Content::Pending(_) | Content::Claimed(_) => 1,
            Content::Share(share) => share.pending(),
            Content::Parcel(parcel) => parcel.pending(),
            Content::Used => 0,
        }
    }

    /// Which of the waiting tasks goes first.
    #[must_use]
    #[inline]
    pub fn priority(&self) -> Priority {
        match &self.0 {
            Content::Pending(job) => job.priority(),
            _ => self.record().map_or(Priority::Normal, Record::priority),
        }
    }

    /// Notes where the backend keeps the task, under a lock of the backend's; [`JobRef::place`] tells it.
    #[inline]
    pub fn set_place(&self, place: u64) {
        if let Some(record) = self.record() {
            record.set_place(place);
        }
    }

    /// True if `job` is the job of this task, or one of its chunk.
    #[must_use]
    pub fn is_of(&self, job: &JobRef) -> bool {
        self.record().is_some_and(|record| std::ptr::eq(record, job.record()))
    }

    /// The job; `None` for a chunk, which has several.
    #[must_use]
    #[inline]
    pub fn job(&self) -> Option<&JobRef> {
        match &self.0 {
            Content::Pending(job) => Some(job),
            Content::Claimed(claim) => claim.job(),
            Content::Share(_) | Content::Parcel(_) | Content::Used => None,
        }
    }

    /// True for a job that waits for a later attempt: it is running as its future sees it, and counted so.
    #[must_use]
    pub fn is_retry(&self) -> bool {
        matches!(self.0, Content::Claimed(_))
    }

    /// A further end of a chunk, so that another worker can help with it; `None` for a task of one job.
    #[must_use]
    #[inline]
    pub fn share(&self) -> Option<Task> {
        match &self.0 {
            Content::Share(share) => Some(Task(Content::Share(share.clone()))),
            _ => None,
        }
    }

    /// Runs it on this thread: the job, or items of the chunk until none is left or `turn_ends` has come. A job that was
    /// cancelled or claimed meanwhile is passed over.
    #[inline]
    pub fn run(mut self, tally: &dyn Tally, turn_ends: impl FnOnce() -> Instant) -> Ran {
        match self.take() {
            Content::Pending(job) => match job.into_claim() {
                Some(claim) => claim.run(tally),
                None => Ran::Done,
            },
            Content::Claimed(claim) => claim.run(tally),
            Content::Share(share) => share.run(tally, turn_ends()),
            // A backend of this process was given what is to run elsewhere; dropping it says so to the futures.
            Content::Parcel(_) | Content::Used => Ran::Done,
        }
    }

    /// True for an async job; see [`Job::is_async`](crate::Job::is_async). The items of a chunk are no such job.
    #[must_use]
    #[inline]
    pub fn is_async(&self) -> bool {
        self.job().is_some_and(JobRef::is_async)
    }

    /// The task, to be polled by a backend that has an async runtime.
    pub fn into_polled(self) -> Polled {
        Polled::new(self)
    }

    /// The claim of a job that waits for a later attempt.
    pub(crate) fn into_claimed(mut self) -> Result<Claim, Task> {
        match self.take() {
            Content::Claimed(claim) => Ok(*claim),
            content => Err(Task(content)),
        }
    }

    /// Begins the one job of the task; `None` if it was cancelled or claimed meanwhile.
    pub(crate) fn into_claim(mut self) -> Result<Option<Claim>, Task> {
        match self.take() {
            Content::Pending(job) => Ok(job.into_claim()),
            Content::Claimed(claim) => Ok(Some(*claim)),
            content => Err(Task(content)),
        }
    }

    /// Cancels what has not begun. A job between two attempts ends with what came of the last one.
    pub fn cancel(mut self, tally: &dyn Tally) {
        match self.take() {
            Content::Pending(job) => {
                job.record().control.cancel(&job);
            }
            Content::Claimed(claim) => claim.give_up(tally),
            Content::Share(share) => share.cancel(),
            Content::Parcel(parcel) => parcel.jobs().for_each(|job| {
                job.record().control.cancel(&job);
            }),
            Content::Used => {}
        }
    }

    /// Ends a job that waits for a later attempt as killed; true if this task was one.
    pub fn kill_retry(mut self, tally: &dyn Tally) -> bool {
        match self.take() {
            Content::Claimed(claim) => {
                claim.fail(JobError::Killed, Some(tally));
                true
            }
            content => {
                self.0 = content;
                false
            }
        }
    }

    /// Completes everything in it that has not begun with an error of its own, and counts each end in `tally`.
    pub fn fail(mut self, error: JobError, tally: Option<&dyn Tally>) {
        match self.take() {
            Content::Pending(job) => {
                if let Some(claim) = job.into_claim() {
                    claim.fail(error, tally);
                }
            }
            Content::Claimed(claim) => claim.fail(error, tally),
            Content::Share(share) => share.fail(&error, tally),
            Content::Parcel(parcel) => parcel.fail(error, tally),
            Content::Used => {}
        }
    }

    /// Withdraws what no backend has accepted, so that none counts it, and nobody takes it for a failure.
    pub(crate) fn withdraw(mut self) {
        match self.take() {
            Content::Pending(job) => {
                job.withdraw(|| {});
            }
            Content::Share(share) => share.withdraw(),
            Content::Parcel(parcel) => parcel.jobs().for_each(|job| {
                job.withdraw(|| {});
            }),
            Content::Claimed(_) | Content::Used => {}
        }
    }
}

impl Drop for Task {
    #[inline]
    fn drop(&mut self) {
        if let Content::Pending(job) = self.take()
            && let Some(claim) = job.into_claim()
        {
            // Dropping the claim completes the job as lost. A share does the like when it is the last of its chunk.
            drop(claim);
        }
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Content::Pending(job) => f.debug_tuple("Task").field(job).finish(),
            Content::Claimed(claim) => f.debug_tuple("Task").field(claim).finish(),
            Content::Share(share) => f.debug_tuple("Task").field(share).finish(),
            Content::Parcel(parcel) => f.debug_tuple("Task").field(parcel).finish(),
            Content::Used => f.write_str("Task(used)"),
        }
    }
}

/// The task and the future of a closure, for the `spawn` of a backend in this process. The closure may capture
/// anything that can cross threads.
pub fn closure_task<F, T>(backend: &(impl Backend + ?Sized), closure: F) -> (Task, JobFuture<T>)
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    local_task(backend, ClosurePayload(closure))
}

/// [`closure_task`] for a future: an async job that stays in this process.
pub fn future_task<F>(backend: &(impl Backend + ?Sized), future: F) -> (Task, JobFuture<F::Output>)
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    local_task(backend, FuturePayload(future))
}

fn local_task<P: Payload>(backend: &(impl Backend + ?Sized), payload: P) -> (Task, JobFuture<P::Output>) {
    let cell = Single::new(payload, None, Arc::clone(backend.control()), &Submitter::here());
    (Task::pending(JobRef::new(Arc::clone(&cell), 0)), JobFuture::new(cell))
}
