//! [`JobError`]: why a job has no value; and [`WaitTimeout`], where several were waited for.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use super::worker_death::LastWords;
use super::{PanicPayload, Rejection, WorkerDeath};

/// An error of any type that can cross threads.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// Why a job has no value. Each future has an error of its own.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JobError {
    /// The job was cancelled before it began; it never ran.
    #[error("the job was cancelled before it began")]
    Cancelled,
    /// The job was running and was killed on request.
    #[error("the job was killed while it ran")]
    Killed,
    /// The wait ended before the job did. The job goes on, and the future can be asked again.
    #[error("the job was not done within the time limit of the wait; it goes on, and its future can be asked again")]
    Timeout,
    /// The value was taken before, by an earlier call or by an await.
    #[error("the outcome of the job was taken before; it can be taken once")]
    Taken,
    /// The job ran longer than its run limit.
    #[error("job `{job}` passed its run limit of {limit:?} and has no result; raise the limit, or let the job do less")]
    RunLimit {
        /// The name of the job.
        job: String,
        /// The limit that was set in [`JobOptions::run_limit`](crate::JobOptions::run_limit).
        limit: Duration,
    },
    /// The job panicked. [`JobError::resume`] goes on with that panic.
    #[error("job `{job}` panicked{}: {message}", At(location.as_deref()))]
    Panicked {
        /// The name of the job.
        job: String,
        /// The message of the panic, or a note that its payload is no text.
        message: String,
        /// File, line and column, where known.
        location: Option<String>,
        /// What was thrown, if it was thrown in this process.
        payload: PanicPayload,
    },
    /// The job could not be encoded to travel, or its output could not.
    #[error("{what} cannot be encoded; check its `Serialize`, and how large it is")]
    Encode {
        /// What could not be encoded.
        what: String,
        /// What the encoder said.
        #[source]
        cause: BoxError,
    },
    /// The job could not be decoded where it arrived, or its output could not.
    #[error("{what} cannot be decoded; check that its `Deserialize` reads what its `Serialize` writes")]
    Decode {
        /// What could not be decoded.
        what: String,
        /// What the decoder said.
        #[source]
        cause: BoxError,
    },
    /// No job of that name is linked into this program.
    #[error(
        "no job named `{name}` is linked into this program; a crate whose jobs are used by name only must be named in code too"
    )]
    UnknownJob {
        /// The name that was looked for.
        name: String,
    },
    /// The worker process that ran the job died. The job is not run again unless its retries allow.
    #[error("worker process {pid} died while it ran job `{job}`: {death}{}", LastWords(stderr.as_deref()))]
    WorkerDied {
        /// The name of the job.
        job: String,
        /// The number of the process.
        pid: u32,
        /// How it died.
        death: WorkerDeath,
        /// What the worker last wrote to its standard error while it ran the job, where the backend captures that: some lines,
        /// of which the beginning may be missing. `None` if it wrote nothing, or nobody listened.
        stderr: Option<String>,
    },
    /// The job ended, and the worker process died before its outcome arrived. What the job did is done.
    #[error(
        "job `{job}` ended, but its outcome was lost with worker process {pid}: {death}; it is not run again unless its \
         retries allow that"
    )]
    OutcomeLost {
        /// The name of the job.
        job: String,
        /// The number of the process.
        pid: u32,
        /// How it died.
        death: WorkerDeath,
    },
    /// The executor did not accept the job.
    #[error("the job was not accepted: {0}")]
    Rejected(Rejection),
    /// The task was dropped by its backend before it ended. This is a fault of the backend.
    #[error("the executor dropped job `{job}` without finishing it; this is a fault of the executor")]
    Lost {
        /// The name of the job.
        job: String,
    },
    /// The executor cannot run jobs any more.
    #[error("the executor is broken and runs no more jobs: {cause}")]
    Broken {
        /// What broke it.
        cause: String,
    },
    /// Waiting here would block a thread that must not block.
    #[error("this thread must not block on the job: {advice}")]
    WouldBlock {
        /// What to do instead.
        advice: &'static str,
    },
}

/// The outcome of a job as the user gets it. Inside, its error is boxed.
#[inline]
pub(crate) fn unboxed<T>(outcome: Result<T, Box<JobError>>) -> Result<T, JobError> {
    outcome.map_err(|error| *error)
}

impl JobError {
    /// Goes on with the panic of the job on this thread, with its own payload where there is one.
    ///
    /// # Panics
    ///
    /// Always, if the job panicked. Any other error is given back.
    #[must_use = "an error that is no panic is given back"]
    pub fn resume(self) -> JobError {
        match self {
            JobError::Panicked { payload, message, .. } => {
                std::panic::resume_unwind(payload.into_inner().unwrap_or_else(|| Box::new(message)))
            }
            other => other,
        }
    }

    /// The panic of a job in another process, whose payload stayed there.
    #[must_use]
    pub fn panicked_elsewhere(job: String, message: String, location: Option<String>) -> JobError {
        JobError::Panicked { job, message, location, payload: PanicPayload::new(None) }
    }

    /// The same refusal for another job, which gets an error of its own.
    pub(crate) fn to_another(&self) -> JobError {
        match self {
            JobError::Rejected(why) => JobError::Rejected(why.clone()),
            JobError::Broken { cause } => JobError::Broken { cause: cause.clone() },
            other => JobError::Broken { cause: other.to_string() },
        }
    }

    /// True if the job panicked.
    #[must_use]
    pub fn is_panic(&self) -> bool {
        matches!(self, JobError::Panicked { .. })
    }

    /// True if the job was cancelled before it began.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        matches!(self, JobError::Cancelled)
    }

    /// True if only the wait ended, and the job goes on.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self, JobError::Timeout)
    }
}

struct At<'a>(Option<&'a str>);

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(location) => write!(f, " at {location}"),
            None => Ok(()),
        }
    }
}

/// How many futures were still open when the limit of a wait passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{open} of {total} jobs were not done within the time limit of the wait")]
pub struct WaitTimeout {
    /// How many are not done.
    pub open: usize,
    /// How many there were at the start.
    pub total: usize,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::JobError;

    #[test]
    fn errors_say_what_happened_and_what_to_do() {
        let limited = JobError::RunLimit { job: "resize".into(), limit: Duration::from_millis(20) };
        assert_eq!(
            limited.to_string(),
            "job `resize` passed its run limit of 20ms and has no result; raise the limit, or let the job do less"
        );
        let encode = JobError::Encode { what: "the output of job `resize`".into(), cause: "too long".into() };
        assert_eq!(
            encode.to_string(),
            "the output of job `resize` cannot be encoded; check its `Serialize`, and how large it is"
        );
    }
}
