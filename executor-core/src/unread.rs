//! The hook that hears of failures nobody read.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use crate::error::JobError;
use crate::panic::quietly;
use crate::state::JobId;

/// A failure that no one took from its future.
#[derive(Debug)]
#[non_exhaustive]
pub struct UnreadFailure {
    /// The number of the job.
    pub id: JobId,
    /// The name of the job.
    pub name: String,
    /// What went wrong; `None` if the job returned an output that is a failure, such as `Err`.
    pub error: Option<JobError>,
    /// What such an output says, where it can be shown.
    pub text: Option<String>,
}

impl fmt::Display for UnreadFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "nobody read the failure of job {} `{}`: ", self.id, self.name)?;
        match (&self.error, &self.text) {
            (Some(error), _) => error.fmt(f),
            (None, Some(text)) => write!(f, "it returned an error: {text}"),
            (None, None) => f.write_str("it returned an error"),
        }
    }
}

type Hook = Arc<dyn Fn(UnreadFailure) + Send + Sync>;

static HOOK: RwLock<Option<Hook>> = RwLock::new(None);

/// Sets what is called, once, for each failed job whose outcome nobody took: its future was dropped, and it was not
/// handed to a callback. Cancelled jobs have not failed. There is one hook for the program; the last one set counts.
///
/// It is called by whoever lets go of the job last, which may be a worker, so it should be short. A panic in it is
/// caught.
///
/// # Examples
///
/// ```
/// executor_core::on_unread_failure(|failure| eprintln!("{failure}"));
/// ```
pub fn on_unread_failure(hook: impl Fn(UnreadFailure) + Send + Sync + 'static) {
    let hook: Hook = Arc::new(hook);
    let before = HOOK.write().unwrap_or_else(PoisonError::into_inner).replace(hook);
    // What a hook captured may have a failure of its own to report, so that it is dropped after the lock.
    drop(before);
}

pub(crate) fn report(id: JobId, name: &str, error: Option<JobError>, text: Option<String>) {
    let hook = HOOK.read().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some(hook) = hook {
        // It may have been replaced meanwhile, and then it is dropped here.
        quietly(move || hook(UnreadFailure { id, name: name.to_owned(), error, text }));
    }
}
