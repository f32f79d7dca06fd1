//! [`Initializer`]: a job that every worker of a pool runs before its first.

use std::fmt;
use std::sync::Arc;

use crate::drive::drive;
use crate::error::JobError;
use crate::job::{Job, Work};
use crate::panic::{catch, drop_quietly};
use crate::payload::{JobPayload, Payload};
use crate::registry::JobEntry;

/// A job that every worker of a pool runs before its first. It usually leaves something for the jobs with
/// [`JobContext::set_worker_state`](crate::JobContext::set_worker_state).
#[derive(Clone)]
pub struct Initializer {
    name: &'static str,
    run: Arc<dyn Fn() -> Result<(), String> + Send + Sync>,
    encode: Arc<dyn Fn() -> Result<Vec<u8>, JobError> + Send + Sync>,
    entry: &'static JobEntry,
}

impl Initializer {
    /// An initializer that runs a copy of `job` in each worker.
    pub fn new<J: Job + Sync>(job: J) -> Self {
        let payload = Arc::new(JobPayload(job));
        let encoded = Arc::clone(&payload);
        Initializer {
            name: JobPayload::<J>::name(),
            run: Arc::new(move || {
                let JobPayload(copy) = payload.duplicate().map_err(|error| error.to_string())?;
                run_once(copy)
            }),
            encode: Arc::new(move || encoded.encode()),
            entry: J::entry(),
        }
    }

    /// What it is, and its encoded arguments, for workers that run elsewhere.
    ///
    /// # Errors
    ///
    /// [`JobError::Encode`] if it cannot be encoded.
    pub fn encode(&self) -> Result<(&'static JobEntry, Vec<u8>), JobError> {
        Ok((self.entry, (self.encode)()?))
    }

    /// Runs an initializer that came from elsewhere on the calling thread, which is on its
    /// [`Seat`](crate::backend::Seat).
    ///
    /// # Errors
    ///
    /// As [`run`](Initializer::run), and if it cannot be decoded.
    pub fn run_encoded(entry: &JobEntry, arguments: &[u8]) -> Result<(), String> {
        (entry.initialize)(arguments).map_err(|cause| failure(entry.name(), &cause))
    }

    /// Runs it on the calling thread, which is on its [`Seat`](crate::backend::Seat).
    ///
    /// # Errors
    ///
    /// What it came to if it panicked, returned a failure such as `Err`, or could not be copied for this worker.
    pub fn run(&self) -> Result<(), String> {
        (self.run)().map_err(|cause| failure(self.name, &cause))
    }
}

fn failure(name: &str, cause: &str) -> String {
    format!("the initializer `{name}` failed: {cause}")
}

pub(crate) fn run_once<J: Job>(job: J) -> Result<(), String> {
    let run = || {
        let output = match job.start() {
            Work::Ready(output) => output,
            Work::Future(future) => drive(None, future),
        };
        let failure = J::failed(&output).then(|| JobPayload::<J>::failure_text(&output));
        drop_quietly(output);
        failure
    };
    match catch(|| JobPayload::<J>::name().to_owned(), run) {
        Ok(None) => Ok(()),
        Ok(Some(text)) => Err(text.unwrap_or_else(|| "it returned an error".to_owned())),
        Err(error) => Err(error.to_string()),
    }
}

impl fmt::Debug for Initializer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Initializer").field(&self.name).finish()
    }
}
