//! What can go wrong with a job, with a submit and with a shutdown.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::sync::Mutex;
use std::time::Duration;

use thiserror::Error;

use crate::job::Job;

/// An error of any type that can cross threads.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// Why a job has no value. Each future has an error of its own.
#[derive(Debug, Error)]
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
    #[error(
        "job `{job}` passed its run limit of {limit:?} and what it returned was dropped; raise the limit or shorten the job"
    )]
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
    #[error("{what} cannot be encoded; check its `Serialize`")]
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

/// How many characters of a worker's last words an error shows.
const LAST_WORDS_CHARS: usize = 400;

/// The last words of a worker on one line.
struct LastWords<'a>(Option<&'a str>);

impl fmt::Display for LastWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.0.into_iter().flat_map(str::lines).map(str::trim).filter(|line| !line.is_empty());
        let text = lines.collect::<Vec<_>>().join(" | ").replace(char::is_control, "\u{fffd}");
        if text.is_empty() {
            return Ok(());
        }
        let begin = text.char_indices().rev().nth(LAST_WORDS_CHARS - 1).map_or(0, |(begin, _)| begin);
        let cut = if begin > 0 { "…" } else { "" };
        write!(f, "; it last wrote to its standard error: {cut}{}", &text[begin..])
    }
}

/// What a panicking job threw, kept for [`JobError::resume`]. Empty if the panic came from another process.
pub struct PanicPayload(Mutex<Option<Box<dyn Any + Send>>>);

impl PanicPayload {
    pub(crate) fn new(payload: Option<Box<dyn Any + Send>>) -> Self {
        PanicPayload(Mutex::new(payload))
    }

    fn into_inner(self) -> Option<Box<dyn Any + Send>> {
        let mut this = self;
        this.take()
    }

    fn take(&mut self) -> Option<Box<dyn Any + Send>> {
        self.0.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner).take()
    }
}

impl Drop for PanicPayload {
    fn drop(&mut self) {
        // A payload may itself panic when it is dropped.
        crate::panic::drop_quietly(self.take());
    }
}

impl fmt::Debug for PanicPayload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PanicPayload(..)")
    }
}

/// How a worker process died.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum WorkerDeath {
    /// It exited, which a job must not do; the code is what it gave.
    #[error("it exited with code {0}")]
    Exited(i32),
    /// A signal ended it.
    #[error("signal {number} ({name}) ended it")]
    Signalled {
        /// The number of the signal.
        number: i32,
        /// Its name, such as `SIGSEGV`.
        name: &'static str,
    },
    /// Nobody can say how.
    #[error("it ended, and nobody can say how")]
    Unknown,
}

/// Why an executor did not accept a job.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
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

/// Why a shutdown did not reach its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ShutdownError {
    /// The time limit passed first. The executor refuses new jobs, and goes on with these.
    #[error("{jobs} jobs were left when the time limit of the shutdown passed; they go on")]
    TimedOut {
        /// How many jobs were queued or running.
        jobs: usize,
    },
    /// It was called on a worker of the executor itself, which would wait for its own end.
    #[error("an executor cannot be shut down from one of its own jobs; drop the handle there, or shut down outside")]
    OwnWorker,
    /// Waiting for the end here would block a thread that must not block; nothing was begun.
    #[error("this thread must not block until the executor has ended: {advice}")]
    WouldBlock {
        /// What to do instead.
        advice: &'static str,
    },
}

/// An executor could not be built.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A number in the builder makes no sense.
    #[error("{what}")]
    Invalid {
        /// What is wrong, and what would be right.
        what: String,
    },
    /// Two jobs claim one name.
    #[error(transparent)]
    DuplicateJobName(#[from] DuplicateJobName),
    /// The system refused to start a worker.
    #[error("worker {worker} could not be started: {cause}")]
    Start {
        /// The number of the worker, from 0.
        worker: usize,
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
}

/// Two jobs with one explicit name are linked into this program.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("two jobs are named `{name}`, at {first} and at {second}; give one of them another name")]
pub struct DuplicateJobName {
    pub(crate) name: &'static str,
    pub(crate) first: &'static str,
    pub(crate) second: &'static str,
}

impl DuplicateJobName {
    /// The name that is taken twice.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name
    }
}

/// An option asks for something impossible, such as a window of no items.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{what}")]
pub struct OptionError {
    pub(crate) what: String,
}

/// How many futures were still open when the limit of a wait passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{open} of {total} jobs were not done within the time limit of the wait")]
pub struct WaitTimeout {
    /// How many are not done.
    pub open: usize,
    /// How many there were at the start.
    pub total: usize,
}

/// The name of a job's type, for messages.
pub(crate) fn job_name<J: Job>() -> &'static str {
    J::entry().name()
}

#[cfg(test)]
mod tests {
    use super::{JobError, WorkerDeath};

    fn died(stderr: Option<&str>) -> String {
        let stderr = stderr.map(str::to_owned);
        JobError::WorkerDied { job: "resize".into(), pid: 7, death: WorkerDeath::Exited(3), stderr }.to_string()
    }

    #[test]
    fn last_words_are_one_line() {
        let plain = "worker process 7 died while it ran job `resize`: it exited with code 3";
        assert_eq!(died(None), plain);
        assert_eq!(died(Some(" \n\n")), plain);
        let text = died(Some("thread 'main' panicked:\n  no\tway\r\n\nnote: x\n"));
        let words = "thread 'main' panicked: | no\u{fffd}way | note: x";
        assert_eq!(text, format!("{plain}; it last wrote to its standard error: {words}"));
    }

    #[test]
    fn long_last_words_lose_their_beginning() {
        let text = died(Some(&format!("a{}z", "é".repeat(1000))));
        assert!(text.ends_with(&format!("error: …{}z", "é".repeat(399))), "{text}");
    }
}
