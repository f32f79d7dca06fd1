//! [`ProcessHandle`] and [`active_children`].

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::keeper;
use super::life::Life;
use crate::exit::Exit;

/// A child process, whatever its job returns: all of a [`Process`](crate::Process) but the outcome. A handle; clones mean
/// one process. Dropping it does nothing to the process.
#[derive(Clone)]
pub struct ProcessHandle {
    life: Arc<Life>,
}

/// The children of this program that have not ended, in the order in which they were spawned. Those that have ended are
/// not listed, and the system has forgotten them: nobody needs to join a child for that.
///
/// Workers of pools are not listed.
///
/// # Examples
///
/// What a program writes at its end that is not to leave before its children:
///
/// ```
/// for child in executor_process::active_children() {
///     child.join();
/// }
/// ```
#[must_use]
pub fn active_children() -> Vec<ProcessHandle> {
    let children = keeper::children().into_iter().filter(|life| life.exit().is_none());
    children.map(ProcessHandle::new).collect()
}

impl ProcessHandle {
    pub(super) fn new(life: Arc<Life>) -> Self {
        ProcessHandle { life }
    }

    /// The number of the process, also after its end, when another process may have it.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.life.pid
    }

    /// The name of the process.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.life.name
    }

    /// True if it is killed when its [`Process`](crate::Process) is dropped.
    #[must_use]
    pub fn is_daemon(&self) -> bool {
        self.life.daemon
    }

    /// True if the process has not ended.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.exit_status().is_none()
    }

    /// How the process ended; `None` while it is alive.
    #[must_use]
    pub fn exit_status(&self) -> Option<Exit> {
        self.life.exit()
    }

    /// Waits until the process has ended, and says how. It may be asked again.
    pub fn join(&self) -> Exit {
        self.life.wait(None).unwrap_or(Exit::Unknown)
    }

    /// Waits until the process has ended, for `limit` at most; `None` if it is alive then. A limit of zero returns at once.
    pub fn join_timeout(&self, limit: Duration) -> Option<Exit> {
        if limit.is_zero() {
            return self.exit_status();
        }
        // A limit that no clock reaches is none.
        self.life.wait(Instant::now().checked_add(limit))
    }

    /// Asks the job to stop: [`should_stop`](executor_core::JobContext::should_stop) becomes true in it, and
    /// [`stopped`](executor_core::JobContext::stopped) is done.
    pub fn request_stop(&self) {
        self.life.request_stop();
    }

    /// Sends `SIGTERM`, which ends the process unless its job has a handler for it. False if the process has ended.
    ///
    /// # Errors
    ///
    /// As [`signal`](ProcessHandle::signal).
    pub fn terminate(&self) -> io::Result<bool> {
        self.life.signal(libc::SIGTERM)
    }

    /// Sends `SIGKILL`, which ends the process. False if the process has ended.
    ///
    /// It is over when [`join`](ProcessHandle::join) says so. Programs that the job has started are not reached.
    ///
    /// # Errors
    ///
    /// As [`signal`](ProcessHandle::signal).
    pub fn kill(&self) -> io::Result<bool> {
        self.life.signal(libc::SIGKILL)
    }

    /// Sends the signal of this number to this process, and never to another that has its number by now. False if the
    /// process has ended.
    ///
    /// `SIGINT` does nothing, unless the job has a handler for it: Ctrl-C reaches all processes of a program, and the one
    /// that started the others decides.
    ///
    /// # Errors
    ///
    /// If there is no such signal, or the system does not allow it, as when the process has become another user's.
    pub fn signal(&self, number: i32) -> io::Result<bool> {
        self.life.signal(number)
    }
}

/// The descriptor of the process, which is readable once the process has ended: for [`wait_any`](executor_ipc::wait_any), which waits for
/// several processes and receivers at once, or an event loop. It must not be read from.
impl AsFd for ProcessHandle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.life.pidfd.as_fd()
    }
}

impl fmt::Debug for ProcessHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessHandle")
            .field("name", &self.name())
            .field("pid", &self.pid())
            .field("daemon", &self.is_daemon())
            .field("exit_status", &self.exit_status())
            .finish()
    }
}
