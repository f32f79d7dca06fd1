//! [`Process`].

use std::fmt;
use std::future::Future;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use executor_core::{Job, JobError, JobFuture};

use super::builder::ProcessBuilder;
use super::error::SpawnError;
use super::handle::ProcessHandle;
use crate::exit::Exit;

/// A child process that runs one job and ends with it.
///
/// A pool is for many jobs; this is for one that should have a process to itself: one that runs as long as the program,
/// may leak, or is to be ended by a signal.
///
/// ```
/// use executor_core::job;
/// use executor_process::Process;
///
/// #[job]
/// fn parse(text: String) -> Result<i64, String> {
///     text.parse().map_err(|_| format!("{text} is no number"))
/// }
///
/// let process = Process::spawn(parse::job("12".to_owned()))?;
/// assert_eq!(process.result()?, Ok(12));
///
/// let process = Process::spawn(parse::job("twelve".to_owned()))?;
/// assert!(!process.join().is_success());
/// assert_eq!(process.result()?, Err("twelve is no number".to_owned()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # How it ends
///
/// As a program would whose `main` is the job. The outcome is there when the process has ended.
///
/// | the job | [`exit_status`](Process::exit_status) | [`result`](Process::result) |
/// |---|---|---|
/// | returns a value | code 0 | the value |
/// | returns an error | code 1 | the error, as a value |
/// | panics | code 101 | [`JobError::Panicked`] |
/// | cannot be decoded, or its value cannot be encoded | code 1 | [`JobError::Decode`], [`JobError::Encode`] |
/// | calls `std::process::exit(3)` | code 3 | [`JobError::WorkerDied`], with the code |
/// | is ended by a signal, also by [`kill`](Process::kill) | the signal | [`JobError::WorkerDied`], with the signal |
///
/// The process does not wait for threads that the job has started. What was printed is flushed and exit handlers run, as
/// in `std::process::exit`; with [`StartMethod::Fork`](crate::StartMethod::Fork), where the handlers are those of
/// the program, only the former.
///
/// # Dropping
///
/// Dropping a process detaches it: it runs on, and its outcome is dropped. A [daemon](ProcessBuilder::daemon) is killed
/// instead. In both cases it is reaped as soon as it has ended.
///
/// No child outlives its program, whichever way that ends: what still runs at the end of `main` is killed, as threads
/// are. A program that is to wait joins its [`active_children`](crate::active_children) in the last line of `main`.
///
/// # Awaiting
///
/// A process is a future of its outcome, under any async runtime.
///
/// *Cancel safety*: polled by reference, as in a `select!` or under a timeout, it loses nothing and can still be killed.
/// Dropping it is as above.
#[must_use = "dropping a process detaches it, or kills it if it is a daemon"]
pub struct Process<T> {
    future: JobFuture<T>,
    guard: Guard,
}

/// Kills a daemon when it is dropped.
struct Guard(ProcessHandle);

impl Drop for Guard {
    fn drop(&mut self) {
        if self.0.is_daemon() {
            // It fails only if the process has become another user's, and then there is nothing to be done.
            let _ = self.0.kill();
        }
    }
}

impl Process<()> {
    /// A builder.
    pub fn builder() -> ProcessBuilder {
        ProcessBuilder::new()
    }
}

impl<T: 'static> Process<T> {
    pub(super) fn new(future: JobFuture<T>, handle: ProcessHandle) -> Self {
        Process { future, guard: Guard(handle) }
    }

    /// Starts a process for `job`, with the defaults of the [builder](Process::builder).
    ///
    /// # Errors
    ///
    /// As [`ProcessBuilder::spawn`].
    ///
    /// # Blocking
    ///
    /// As [`ProcessBuilder::spawn`].
    pub fn spawn<J: Job<Output = T>>(job: J) -> Result<Process<T>, SpawnError> {
        Process::builder().spawn(job)
    }

    /// A handle to the process, which has everything but the outcome and can be cloned.
    #[must_use]
    pub fn handle(&self) -> ProcessHandle {
        self.guard.0.clone()
    }

    /// The number of the process. See [`ProcessHandle::pid`].
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.guard.0.pid()
    }

    /// The name of the process.
    #[must_use]
    pub fn name(&self) -> &str {
        self.guard.0.name()
    }

    /// True if it is killed when it is dropped.
    #[must_use]
    pub fn is_daemon(&self) -> bool {
        self.guard.0.is_daemon()
    }

    /// True if the process has not ended.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.guard.0.is_alive()
    }

    /// How the process ended; `None` while it is alive.
    #[must_use]
    pub fn exit_status(&self) -> Option<Exit> {
        self.guard.0.exit_status()
    }

    /// Waits until the process has ended, and says how; the outcome stays. See [`ProcessHandle::join`].
    pub fn join(&self) -> Exit {
        self.guard.0.join()
    }

    /// Waits until the process has ended, for `limit` at most. See [`ProcessHandle::join_timeout`].
    pub fn join_timeout(&self, limit: Duration) -> Option<Exit> {
        self.guard.0.join_timeout(limit)
    }

    /// How far the job has come, as it [told](executor_core::JobContext::progress): done, and in total. `None` if it has
    /// told nothing.
    #[must_use]
    pub fn progress(&self) -> Option<(u64, u64)> {
        self.future.handle().progress()
    }

    /// Asks the job to stop. See [`ProcessHandle::request_stop`].
    pub fn request_stop(&self) {
        self.guard.0.request_stop();
    }

    /// Sends `SIGTERM`. See [`ProcessHandle::terminate`].
    ///
    /// # Errors
    ///
    /// As [`ProcessHandle::signal`].
    pub fn terminate(&self) -> io::Result<bool> {
        self.guard.0.terminate()
    }

    /// Sends `SIGKILL`. See [`ProcessHandle::kill`].
    ///
    /// # Errors
    ///
    /// As [`ProcessHandle::signal`].
    pub fn kill(&self) -> io::Result<bool> {
        self.guard.0.kill()
    }

    /// Sends the signal of this number. See [`ProcessHandle::signal`].
    ///
    /// # Errors
    ///
    /// As [`ProcessHandle::signal`].
    pub fn signal(&self, number: i32) -> io::Result<bool> {
        self.guard.0.signal(number)
    }

    /// Waits until the process has ended, and takes the outcome of its job.
    ///
    /// # Errors
    ///
    /// What kept the job from a value: the table [above](Process#how-it-ends) has them.
    ///
    /// # Blocking
    ///
    /// Until the process has ended.
    pub fn result(self) -> Result<T, JobError> {
        let Process { future, guard } = self;
        let outcome = future.result();
        drop(guard);
        outcome
    }

    /// Waits until the process has ended, for `limit` at most, and takes the outcome of its job. After a
    /// [`JobError::Timeout`] the process runs on, and can be asked again.
    ///
    /// # Errors
    ///
    /// [`JobError::Timeout`], what [`result`](Process::result) gives, and [`JobError::Taken`] if the outcome was taken.
    ///
    /// # Blocking
    ///
    /// For `limit` at most; zero does not block.
    pub fn result_timeout(&mut self, limit: Duration) -> Result<T, JobError> {
        self.future.result_timeout(limit)
    }
}

impl<T: 'static> Future for Process<T> {
    type Output = Result<T, JobError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.get_mut().future).poll(cx)
    }
}

/// The descriptor of the process, as [that of its handle](ProcessHandle#impl-AsFd-for-ProcessHandle).
impl<T> AsFd for Process<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.guard.0.as_fd()
    }
}

impl<T> fmt::Debug for Process<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process").field("handle", &self.guard.0).field("future", &self.future).finish()
    }
}
