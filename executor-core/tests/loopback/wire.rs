//! What is written on the pipes: a head in postcard, and bytes behind it that are nobody's business on the way.

use std::time::Duration;

use executor_core::JobError;
use executor_core::backend::RunOptions;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// From the pool to a worker.
#[derive(Serialize, Deserialize)]
pub(crate) enum Order {
    /// The first one: the table that the pool knows, and the initializer, whose arguments come behind.
    Init { digest: u64, initializer: Option<u32> },
    /// Run a job, whose arguments come behind.
    Run { number: u64, job: u32, id: u64, stop: bool, options: Option<Options> },
    /// The job of this run is asked to stop.
    Stop { number: u64 },
    /// Every job is asked to stop.
    StopAll,
    /// No order comes after this.
    End,
}

/// [`RunOptions`], owned.
#[derive(Serialize, Deserialize)]
pub(crate) struct Options {
    name: Option<String>,
    attempt: u32,
    run_limit: Option<Duration>,
}

impl Options {
    pub(crate) fn of(run: RunOptions<'_>) -> Self {
        Options { name: run.name.map(str::to_owned), attempt: run.attempt, run_limit: run.run_limit }
    }

    pub(crate) fn borrow(&self) -> RunOptions<'_> {
        RunOptions::new(self.name.as_deref(), self.attempt, self.run_limit)
    }
}

/// From a worker to the pool.
#[derive(Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) worker: usize,
    pub(crate) news: News,
}

#[derive(Serialize, Deserialize)]
pub(crate) enum News {
    /// The pool itself wants its dispatcher to look around.
    Kick,
    /// The worker is initialized.
    Ready,
    /// The worker cannot be initialized.
    Broken(String),
    /// The run was withdrawn before it began.
    Skipped { number: u64 },
    /// How far the job of a run has come.
    Progress { number: u64, done: u64, total: u64 },
    /// What the job of a run returned comes behind, and after it a byte that says whether it is a failure.
    Output { number: u64 },
    /// Why there is no output.
    Failed { number: u64, why: Failure },
}

/// What of a [`JobError`] can travel.
#[derive(Serialize, Deserialize)]
pub(crate) enum Failure {
    Panicked { job: String, message: String, location: Option<String> },
    Encode { what: String, cause: String },
    Decode { what: String, cause: String },
    RunLimit { job: String, limit: Duration },
    Lost { job: String },
    Other(String),
}

impl From<JobError> for Failure {
    fn from(error: JobError) -> Self {
        match error {
            JobError::Panicked { job, message, location, payload: _ } => Failure::Panicked { job, message, location },
            JobError::Encode { what, cause } => Failure::Encode { what, cause: cause.to_string() },
            JobError::Decode { what, cause } => Failure::Decode { what, cause: cause.to_string() },
            JobError::RunLimit { job, limit } => Failure::RunLimit { job, limit },
            JobError::Lost { job } => Failure::Lost { job },
            other => Failure::Other(other.to_string()),
        }
    }
}

impl From<Failure> for JobError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Panicked { job, message, location } => JobError::panicked_elsewhere(job, message, location),
            Failure::Encode { what, cause } => JobError::Encode { what, cause: cause.into() },
            Failure::Decode { what, cause } => JobError::Decode { what, cause: cause.into() },
            Failure::RunLimit { job, limit } => JobError::RunLimit { job, limit },
            Failure::Lost { job } => JobError::Lost { job },
            Failure::Other(cause) => JobError::Broken { cause },
        }
    }
}

/// A frame with this head; more may be written behind it.
pub(crate) fn frame(head: &impl Serialize) -> Vec<u8> {
    postcard::to_stdvec(head).expect("a head can be encoded")
}

/// The head of a frame, and where what is behind it begins.
pub(crate) fn open<T: DeserializeOwned>(frame: &[u8]) -> (T, usize) {
    let (head, rest) = postcard::take_from_bytes(frame).expect("the other side wrote a head");
    (head, frame.len() - rest.len())
}
