//! [`Holder`]: who has a lock, for people who look for it.

use std::fmt;
use std::fs;
use std::path::PathBuf;

/// A thread, by the number that the system has for it.
#[derive(Clone, Copy)]
pub(crate) struct Holder {
    thread: u32,
}

impl Holder {
    pub(crate) fn new(thread: u32) -> Holder {
        Holder { thread }
    }

    /// The process of the thread, if the system still knows.
    fn process(self) -> Option<u32> {
        let status = fs::read_to_string(self.file("status")).ok()?;
        status.lines().find_map(|line| line.strip_prefix("Tgid:"))?.trim().parse().ok()
    }

    fn name(self) -> Option<String> {
        fs::read_to_string(self.file("comm")).ok().map(|name| name.trim_end().to_owned())
    }

    fn file(self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{name}", self.thread))
    }
}

/// `thread 1234 "name" of process 1200`, as far as the system tells.
impl fmt::Debug for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "thread {}", self.thread)?;
        if let Some(name) = self.name() {
            write!(f, " {name:?}")?;
        }
        self.process().map_or(Ok(()), |process| write!(f, " of process {process}"))
    }
}
