//! [`JobFuture`]: the result to come.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::backend::Control;
use crate::bells::Waiter;
use crate::drive::note_awaited;
use crate::error::{JobError, unboxed};
use crate::handle::JobHandle;
use crate::job_ref::{AnyCell, JobRef, StateText};
use crate::single::FutureCell;
use crate::state::{JobId, JobState};
use crate::waiting::{Limit, block_on};

/// The result of a submitted job, to come. It can be waited for, awaited, cancelled and called back from.
///
/// A job has one future, and its value can be taken once; a [`handle`](JobFuture::handle) sees everything but the
/// value, and can be cloned.
///
/// # Waiting on a worker
///
/// A worker of the job's own pool that waits here without a limit runs the job itself, there and then, if no other
/// worker has begun it; so jobs may submit jobs and wait for them, on a pool of any size, as deep as the stack allows.
/// A wait with a limit does not.
#[must_use = "dropping a future detaches its job: it still runs, and its value is dropped"]
pub struct JobFuture<T> {
    cell: Arc<dyn FutureCell<T>>,
}

impl<T: 'static> JobFuture<T> {
    pub(crate) fn new(cell: Arc<impl FutureCell<T> + 'static>) -> Self {
        JobFuture { cell }
    }

    pub(crate) fn job(&self) -> JobRef {
        JobRef::of_any(Arc::clone(&self.cell) as Arc<dyn AnyCell>, 0)
    }

    pub(crate) fn control(&self) -> &Arc<dyn Control> {
        &self.cell.record().control
    }

    /// The number of the job.
    #[must_use]
    pub fn id(&self) -> JobId {
        self.cell.record().id
    }

    /// How far the job has come.
    #[must_use]
    pub fn state(&self) -> JobState {
        self.job().state()
    }

    /// True if the job ended or was cancelled.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.cell.state(0).is_done()
    }

    /// True if a worker has begun the job and not ended it.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.state() == JobState::Running
    }

    /// True if the job was cancelled before it began.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.state() == JobState::Cancelled
    }

    /// A handle to the job, which sees everything but the value.
    #[must_use]
    pub fn handle(&self) -> JobHandle {
        JobHandle::new(self.job())
    }

    /// Waits until the job is done, and leaves its outcome in place.
    ///
    /// # Panics
    ///
    /// On a thread that must not block, such as one of an async runtime that runs the job: await the future there.
    pub fn wait(&self) {
        if !self.is_done() {
            self.handle().wait();
        }
    }

    /// Waits until the job is done, for `limit` at most; true if it is.
    ///
    /// # Panics
    ///
    /// As [`wait`](JobFuture::wait).
    #[must_use = "the answer says whether the job is done"]
    pub fn wait_timeout(&self, limit: Duration) -> bool {
        self.handle().wait_timeout(limit)
    }

    /// Waits until the job is done and takes its outcome.
    ///
    /// # Errors
    ///
    /// What kept the job from a value; [`JobError::WouldBlock`] on a thread that must not block.
    ///
    /// # Blocking
    ///
    /// Until the job is done. A worker of the same pool runs the job itself if no other has begun it.
    pub fn result(self) -> Result<T, JobError> {
        loop {
            if let Some(outcome) = self.cell.take() {
                return unboxed(outcome);
            }
            block_on(&self.job(), Limit::None)?;
        }
    }

    /// Waits until the job is done, for `limit` at most, and takes its outcome. After a [`JobError::Timeout`] the
    /// future can be asked again.
    ///
    /// # Errors
    ///
    /// [`JobError::Timeout`], and what [`result`](JobFuture::result) gives.
    ///
    /// # Blocking
    ///
    /// For `limit` at most; zero does not block.
    pub fn result_timeout(&mut self, limit: Duration) -> Result<T, JobError> {
        if let Some(outcome) = self.cell.take() {
            return unboxed(outcome);
        }
        block_on(&self.job(), Limit::after(limit))?;
        self.cell.take().map_or(Err(JobError::Timeout), unboxed)
    }

    /// Takes the outcome if the job is done, and does not wait.
    pub fn try_result(&mut self) -> Option<Result<T, JobError>> {
        self.take().map(unboxed)
    }

    /// The outcome as it comes from the cell.
    #[inline]
    pub(crate) fn take(&mut self) -> Option<Result<T, Box<JobError>>> {
        self.cell.take()
    }

    /// Cancels the job if it has not begun; true if it never ran and never will. See [`JobHandle::cancel`].
    pub fn cancel(&self) -> bool {
        self.handle().cancel()
    }

    /// Asks the job to stop. See [`JobHandle::request_stop`].
    pub fn request_stop(&self) {
        self.handle().request_stop();
    }

    /// Stops the job by force where the backend can. See [`JobHandle::kill`].
    pub fn kill(&self) -> bool {
        self.handle().kill()
    }

    /// Calls `callback` with the outcome when the job is done, on the thread that [`JobHandle::on_done`] names. A panic in it is
    /// caught.
    pub fn on_done(self, callback: impl FnOnce(Result<T, JobError>) + Send + 'static) -> JobHandle {
        let handle = self.handle();
        self.job().hang(Waiter::Callback(
            0,
            Box::new(move |_| {
                if let Some(outcome) = self.cell.take() {
                    callback(unboxed(outcome));
                }
            }),
        ));
        handle
    }
}

/// Awaits the outcome, under any async runtime.
///
/// # Cancel safety
///
/// Dropping the future detaches the job. Polling it by reference, in a `select!`, loses nothing.
impl<T: 'static> Future for JobFuture<T> {
    type Output = Result<T, JobError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(outcome) = self.cell.take() {
            return Poll::Ready(unboxed(outcome));
        }
        let job = self.job();
        job.hang(Waiter::Task(cx.waker().clone()));
        match self.cell.take() {
            Some(outcome) => Poll::Ready(unboxed(outcome)),
            None => {
                note_awaited(&job);
                Poll::Pending
            }
        }
    }
}

impl<T> fmt::Debug for JobFuture<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobFuture")
            .field("id", &self.cell.record().id)
            .field("state", &StateText(&*self.cell, 0))
            .finish()
    }
}
