//! [`CurrentProcess`]: what a process knows of itself.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Noted in each process that was started for jobs, before any of them runs.
static BIRTH: Mutex<Option<Arc<Birth>>> = Mutex::new(None);

#[derive(Debug)]
struct Birth {
    name: String,
    owner: u32,
}

/// What this process is among those of its program. From [`current_process`].
#[derive(Clone, Debug)]
pub struct CurrentProcess {
    birth: Option<Arc<Birth>>,
}

/// This process: the program itself, or one that it, or a job of it, has started for jobs.
///
/// # Examples
///
/// ```
/// use executor_core::job;
/// use executor_process::{Process, current_process};
///
/// #[job]
/// fn who_am_i() -> (String, Option<u32>) {
///     (current_process().name().to_owned(), current_process().parent())
/// }
///
/// let process = Process::builder().name("indexer").spawn(who_am_i::job())?;
/// assert_eq!(process.result()?, ("indexer".to_owned(), Some(std::process::id())));
/// assert_eq!(current_process().parent(), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn current_process() -> CurrentProcess {
    CurrentProcess { birth: birth().clone() }
}

impl CurrentProcess {
    /// The number of the process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        std::process::id()
    }

    /// The name that the process was given: that of its [`Process`](crate::Process), `resize-3` in a pool that is named
    /// `resize`, and `main` in the program itself.
    #[must_use]
    pub fn name(&self) -> &str {
        self.birth.as_ref().map_or("main", |birth| &birth.name)
    }

    /// The number of the process that started this one for jobs, which is alive as long as this one is; `None` in the
    /// program itself. It need not be the parent that the system knows, which may be a fork server.
    #[must_use]
    pub fn parent(&self) -> Option<u32> {
        self.birth.as_ref().map(|birth| birth.owner)
    }
}

/// Notes what a new process is. One that was forked may have the note of the process that it is a copy of.
pub(crate) fn note_birth(name: String, owner: i32) {
    *birth() = Some(Arc::new(Birth { name, owner: owner.unsigned_abs() }));
}

fn birth() -> MutexGuard<'static, Option<Arc<Birth>>> {
    // Nothing under it is left half done by a panic.
    BIRTH.lock().unwrap_or_else(PoisonError::into_inner)
}
