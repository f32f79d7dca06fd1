//! Why an executor did not accept a job.

use std::error::Error;
use std::fmt;

use super::JobError;

/// Why an executor did not accept a job.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// The executor was shut down.
    #[error("the executor is shut down")]
    ShutDown,
    /// The queue is full.
    #[error(
        "the queue is full; wait for room with `submit_wait`, or build the executor with a larger `queue_capacity`"
    )]
    QueueFull,
    /// An option asks for what this backend cannot do.
    #[error("this executor does not honour `{option}`; leave it out, or choose an executor that does")]
    Unsupported {
        /// The name of the option.
        option: &'static str,
    },
}

/// A job that [`try_submit`](crate::Executor::try_submit) could not hand over, given back.
pub struct TrySubmitError<J> {
    job: J,
    error: JobError,
}

impl<J> TrySubmitError<J> {
    pub(crate) fn new(job: J, error: JobError) -> Self {
        TrySubmitError { job, error }
    }

    /// The job.
    pub fn into_job(self) -> J {
        self.job
    }

    /// Why it was not accepted.
    pub fn error(&self) -> &JobError {
        &self.error
    }

    /// True if the queue was full, so that trying again later may do.
    pub fn is_full(&self) -> bool {
        matches!(self.error, JobError::Rejected(Rejection::QueueFull))
    }

    /// True if the executor is shut down.
    pub fn is_shut_down(&self) -> bool {
        matches!(self.error, JobError::Rejected(Rejection::ShutDown))
    }
}

impl<J> fmt::Debug for TrySubmitError<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrySubmitError").field("error", &self.error).finish_non_exhaustive()
    }
}

impl<J> fmt::Display for TrySubmitError<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<J> Error for TrySubmitError<J> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}
