//! What a user writes: the [`Job`] trait and the [`Work`] it starts.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::registry::JobEntry;

/// A piece of work that can run on every backend.
///
/// A job is plain data: the arguments of a function, owned, and encodable with serde in both directions, so that the
/// same value runs on a thread, in a worker process or on another machine. Write one with [`#[job]`](crate::job) on
/// a function; a hand-written implementation needs [`register_job!`](crate::register_job) beside it.
///
/// Postcard, the format in which jobs travel, is not self-describing. Types that use `#[serde(untagged)]`,
/// `#[serde(tag = "…")]`, `#[serde(flatten)]` or `skip_serializing_if`, and `serde_json::Value`, do not survive it.
/// `InlineExecutor::builder().encode(true)` finds such a type in a unit test.
///
/// # Examples
///
/// ```
/// use executor_core::{Executor, InlineExecutor, Job, Work, register_job};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Double(u64);
///
/// impl Job for Double {
///     type Output = u64;
///     fn start(self) -> Work<u64> {
///         Work::Ready(self.0 * 2)
///     }
///     register_job!(Double);
/// }
///
/// let future = InlineExecutor::new().submit(Double(21));
/// assert_eq!(future.result()?, 42);
/// # Ok::<(), executor_core::JobError>(())
/// ```
pub trait Job: Serialize + DeserializeOwned + Send + 'static {
    /// What the job returns. It may be a `Result`, which arrives as the job returned it.
    type Output: Serialize + DeserializeOwned + Send + 'static;

    /// Runs the job, or makes the future that does.
    fn start(self) -> Work<Self::Output>;

    /// True where [`start`](Job::start) does nothing but make a [`Work::Future`], as for a job made of an `async fn`.
    ///
    /// A backend with an async runtime then makes the job a task there. It calls `start` of any other job on a thread that
    /// may block.
    fn is_async() -> bool {
        false
    }

    /// The entry of this type in the table of jobs; [`register_job!`](crate::register_job) writes it.
    #[doc(hidden)]
    fn entry() -> &'static JobEntry;

    /// True where `output` is a failure that the job itself reports, as `Err` is.
    ///
    /// Retries, [`WaitFor::FirstError`](crate::WaitFor::FirstError), [`Stats::failed`](crate::Stats::failed) and the
    /// unread-failure hook go by it. It is asked where the job ran.
    fn failed(_output: &Self::Output) -> bool {
        false
    }

    /// What a failure that the job itself reports says, for messages; `None` where it cannot be shown.
    fn failure_text(_output: &Self::Output) -> Option<String> {
        None
    }

    /// A second copy of the job for a later attempt, or `None` where only the codec can make one.
    fn duplicate(&self) -> Option<Self> {
        None
    }
}

/// A future that was boxed to be driven or polled.
pub(crate) type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What [`Job::start`] gives: the value, or the future that will.
pub enum Work<T> {
    /// The job ran; this is what it returned.
    Ready(T),
    /// The job is asynchronous; the backend drives this to its end.
    Future(Pin<Box<dyn Future<Output = T> + Send>>),
}

impl<T> Work<T> {
    /// Boxes `future`: the one allocation that an asynchronous job costs more than a plain one.
    pub fn future(future: impl Future<Output = T> + Send + 'static) -> Self {
        Work::Future(Box::pin(future))
    }
}

impl<T> fmt::Debug for Work<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Work::Ready(_) => "Ready(..)",
            Work::Future(_) => "Future(..)",
        })
    }
}
