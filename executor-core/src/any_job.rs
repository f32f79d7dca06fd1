//! A job whose type is known only when the program runs: [`AnyJob`], and the [`AnyOutput`] that it gives.

use std::any::type_name;
use std::borrow::Cow;
use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::codec;
use crate::error::JobError;
use crate::job::{Job, Work};

/// A job as a value: kept in a list beside others, stored, read back, sent inside another job.
///
/// Every job with an explicit name (`#[job(name = "…")]`, `register_job!(Type, name = "…")`) is one. What is stored
/// must outlive a refactoring, so it needs a name that somebody chose. In JSON it reads `{"name": {"argument": …}}`.
/// A `Box<dyn AnyJob>` is a [`Job`] itself and runs on every backend; its output is an [`AnyOutput`].
///
/// Reading one back looks its name up in the program that reads, which must link the crate of that job. An unknown
/// name is an error of the format that is read.
///
/// A `Box<dyn AnyJob>` costs more to send than the job in it, by 4 to 30 times, and buffers of bytes in it go one byte
/// at a time: use it where the type is not known, and the job itself where it is.
///
/// # Examples
///
/// ```
/// use executor_core::{AnyJob, Job, Work, job};
///
/// #[job(name = "text/count")]
/// fn count(text: &str) -> usize {
///     text.len()
/// }
///
/// let jobs: Vec<Box<dyn AnyJob>> = vec![Box::new(count::job("four")), Box::new(count::job("seven"))];
/// let stored = serde_json::to_string(&jobs)?;
/// assert_eq!(stored, r#"[{"text/count":{"text":"four"}},{"text/count":{"text":"seven"}}]"#);
///
/// for job in serde_json::from_str::<Vec<Box<dyn AnyJob>>>(&stored)? {
///     if let Work::Ready(output) = job.start() {
///         println!("{}", output.get::<usize>()?);
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[typetag::serde]
pub trait AnyJob: Send {
    /// The explicit name of the job.
    fn job_name(&self) -> &'static str;

    /// [`Job::start`], with the output made into an [`AnyOutput`].
    #[doc(hidden)]
    fn start_any(self: Box<Self>) -> Work<AnyOutput>;

    /// [`Job::duplicate`].
    #[doc(hidden)]
    fn duplicate_any(&self) -> Option<Box<dyn AnyJob>>;
}

impl fmt::Debug for dyn AnyJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AnyJob").field(&self.job_name()).finish()
    }
}

impl Job for Box<dyn AnyJob> {
    type Output = AnyOutput;

    fn start(self) -> Work<AnyOutput> {
        self.start_any()
    }

    crate::register_job!(Box<dyn AnyJob>);

    fn failed(output: &AnyOutput) -> bool {
        output.failed
    }

    fn duplicate(&self) -> Option<Self> {
        (**self).duplicate_any()
    }
}

/// The output of a job whose type was not known, until [`get`](AnyOutput::get) says what it is.
#[derive(Clone, Serialize, Deserialize)]
#[must_use = "the output of the job is inside; `get` takes it out"]
pub struct AnyOutput {
    job_name: Cow<'static, str>,
    type_name: Cow<'static, str>,
    failed: bool,
    /// The encoded output, or why it could not be encoded.
    encoded: Result<Vec<u8>, String>,
}

impl AnyOutput {
    fn of<J: Job>(output: &J::Output) -> Self {
        AnyOutput {
            job_name: J::entry().name().into(),
            type_name: type_name::<J::Output>().into(),
            failed: J::failed(output),
            encoded: codec::encode(output).map_err(|error| error.to_string()),
        }
    }

    /// The name of the job that gave this output.
    #[must_use]
    pub fn job_name(&self) -> &str {
        &self.job_name
    }

    /// The type of the output, as [`std::any::type_name`] calls it.
    #[must_use]
    pub fn type_name(&self) -> &str {
        &self.type_name
    }

    /// True where the job says that it failed, as [`Job::failed`] does for an `Err`.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.failed
    }

    /// The output. It can be taken more than once.
    ///
    /// # Errors
    ///
    /// [`JobError::Decode`] if the job returned another type than `T`, and [`JobError::Encode`] if what it returned
    /// could not be encoded.
    pub fn get<T: DeserializeOwned + 'static>(&self) -> Result<T, JobError> {
        let what = || format!("the output of job `{}`", self.job_name);
        let asked = type_name::<T>();
        if asked != self.type_name {
            let cause = format!("it is a `{}`, and was asked for as a `{asked}`", self.type_name);
            return Err(JobError::Decode { what: what(), cause: cause.into() });
        }
        match &self.encoded {
            Ok(bytes) => codec::decode(bytes).map_err(|cause| JobError::Decode { what: what(), cause: cause.into() }),
            Err(cause) => Err(JobError::Encode { what: what(), cause: cause.as_str().into() }),
        }
    }
}

impl fmt::Debug for AnyOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyOutput")
            .field("job_name", &self.job_name)
            .field("type_name", &self.type_name)
            .field("failed", &self.failed)
            .field("encoded", &self.encoded.as_ref().map(Vec::len))
            .finish()
    }
}

/// Runs `job`; [`register_job!`](crate::register_job) makes it the body of [`AnyJob::start_any`].
pub fn start_any<J: Job>(job: J) -> Work<AnyOutput> {
    match job.start() {
        Work::Ready(output) => Work::Ready(AnyOutput::of::<J>(&output)),
        Work::Future(output) => Work::future(async move { AnyOutput::of::<J>(&output.await) }),
    }
}

/// Copies `job`; [`register_job!`](crate::register_job) makes it the body of [`AnyJob::duplicate_any`].
pub fn duplicate_any<J: Job + AnyJob>(job: &J) -> Option<Box<dyn AnyJob>> {
    job.duplicate().map(|copy| Box::new(copy) as Box<dyn AnyJob>)
}
