//! [`JobHandle`]: a job as seen by those who do not get its value.

use std::fmt;
use std::time::Duration;

use crate::bells::Waiter;
use crate::job_ref::JobRef;
use crate::state::{JobId, JobState};
use crate::waiting::{Limit, block_on};

/// A handle to a job: its number, state and progress, and the three ways to stop it. Cheap to clone; it keeps the
/// job's cell, and so an outcome that nobody took, alive.
#[derive(Clone)]
pub struct JobHandle {
    job: JobRef,
}

impl JobHandle {
    pub(crate) fn new(job: JobRef) -> Self {
        JobHandle { job }
    }

    /// The number of the job.
    #[must_use]
    pub fn id(&self) -> JobId {
        self.job.id()
    }

    /// The name of the job: the one given at submit, else its own.
    #[must_use]
    pub fn name(&self) -> &str {
        self.job.name()
    }

    /// How far the job has come.
    #[must_use]
    pub fn state(&self) -> JobState {
        self.job.state()
    }

    /// True if the job ended or was cancelled.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.job.state_word().is_done()
    }

    /// True if the job is done and came to a failure: an error, or an output that is one. A cancelled job has not failed.
    #[must_use]
    pub fn is_failed(&self) -> bool {
        let state = self.job.state_word();
        state.is_done() && state.is_failed()
    }

    /// What the job last told with [`JobContext::progress`](crate::JobContext::progress): how much is done, of how
    /// much.
    #[must_use]
    pub fn progress(&self) -> Option<(u64, u64)> {
        let record = self.job.record();
        record.control.progress_elsewhere(&self.job).or_else(|| record.bells.progress())
    }

    /// Cancels the job if it has not begun; true if it never ran and never will.
    ///
    /// A callback on the job has run when this returns, and what the job captured is dropped.
    pub fn cancel(&self) -> bool {
        self.job.record().control.cancel(&self.job)
    }

    /// Asks the job to stop. Nothing is dropped; a job that does not look goes on.
    pub fn request_stop(&self) {
        self.job.request_stop();
    }

    /// Stops the job by force where the backend can; true if its value will not arrive. On a job that has not begun it
    /// is [`cancel`](JobHandle::cancel).
    pub fn kill(&self) -> bool {
        self.cancel() || (!self.is_done() && self.job.record().control.kill(&self.job))
    }

    /// Waits until the job is done.
    ///
    /// # Panics
    ///
    /// On a thread that must not block, such as one of an async runtime that runs the job.
    pub fn wait(&self) {
        if let Err(error) = block_on(&self.job, Limit::None) {
            panic!("{error}");
        }
    }

    /// Waits until the job is done, for `limit` at most; true if it is.
    ///
    /// # Panics
    ///
    /// As [`wait`](JobHandle::wait).
    #[must_use = "the answer says whether the job is done"]
    pub fn wait_timeout(&self, limit: Duration) -> bool {
        match block_on(&self.job, Limit::after(limit)) {
            Ok(done) => done,
            Err(error) => panic!("{error}"),
        }
    }

    /// Calls `callback` when the job is done: on the thread that ended or cancelled it, or here and now if it is done.
    /// Where jobs run in other processes, one thread of the pool's stands for those that end there.
    /// Callbacks run in the order in which they were added; a panic in one is caught and concerns no other.
    pub fn on_done(&self, callback: impl FnOnce(&JobHandle) + Send + 'static) {
        self.job.hang(Waiter::Callback(self.job.item(), Box::new(move |job| callback(&JobHandle::new(job.clone())))));
    }
}

impl fmt::Debug for JobHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobHandle")
            .field("id", &self.id())
            .field("name", &self.name())
            .field("state", &self.job.state_text())
            .finish()
    }
}
