//! [`Exit`].

use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};

/// How a process ended.
///
/// # Examples
///
/// ```
/// use executor_process::Exit;
///
/// let exit = Exit::Signal { number: 11, core_dumped: false };
/// assert_eq!(exit.signal_name(), Some("SIGSEGV"));
/// assert_eq!(exit.to_string(), "signal 11 (SIGSEGV) ended it");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Exit {
    /// It exited with this code, 0 to 255.
    Code(i32),
    /// A signal ended it.
    Signal {
        /// The number of the signal.
        number: i32,
        /// True if the system wrote a core file.
        core_dumped: bool,
    },
    /// It ended, and nobody can say how: the fork server that would have known was killed and its workers with it, or
    /// this program ignores `SIGCHLD`, so that the system keeps no status.
    Unknown,
}

impl Exit {
    /// From the status that `wait` gives.
    pub(crate) fn from_status(status: i32) -> Exit {
        let status = ExitStatus::from_raw(status);
        match (status.code(), status.signal()) {
            (Some(code), _) => Exit::Code(code),
            (None, Some(number)) => Exit::Signal { number, core_dumped: status.core_dumped() },
            (None, None) => Exit::Unknown,
        }
    }

    /// True if it exited with code 0.
    #[must_use]
    pub fn is_success(&self) -> bool {
        matches!(self, Exit::Code(0))
    }

    /// The name of the signal that ended it, such as `SIGSEGV`; `None` if none did.
    #[must_use]
    pub fn signal_name(&self) -> Option<&'static str> {
        match *self {
            Exit::Signal { number, .. } => Some(Signal::try_from(number).map_or("a real-time signal", Signal::as_str)),
            Exit::Code(_) | Exit::Unknown => None,
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Exit::Code(code) => write!(f, "it exited with code {code}"),
            Exit::Signal { number, core_dumped } => {
                let name = self.signal_name().unwrap_or_default();
                let core = if core_dumped { " and left a core file" } else { "" };
                write!(f, "signal {number} ({name}) ended it{core}")
            }
            Exit::Unknown => f.write_str("it ended, and nobody can say how"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Exit;

    #[test]
    fn a_status_is_read_as_the_system_means_it() {
        assert_eq!(Exit::from_status(3 << 8), Exit::Code(3));
        assert_eq!(Exit::from_status(9), Exit::Signal { number: 9, core_dumped: false });
        assert_eq!(Exit::from_status(6 | 0x80), Exit::Signal { number: 6, core_dumped: true });
    }

    #[test]
    fn a_real_time_signal_has_no_name_of_its_own() {
        let exit = Exit::from_status(40);
        assert_eq!(exit, Exit::Signal { number: 40, core_dumped: false });
        assert_eq!(exit.to_string(), "signal 40 (a real-time signal) ended it");
    }
}
