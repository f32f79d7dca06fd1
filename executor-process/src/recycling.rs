//! [`Recycling`]: when a worker has done its share.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use nix::unistd::{SysconfVar, sysconf};

use crate::start::Worker;

/// After how much a worker is replaced. A worker that has run nothing never is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Recycling {
    /// It is given no more jobs than these in its life.
    pub(crate) jobs: Option<u64>,
    /// It is replaced once it is so old.
    pub(crate) age: Option<Duration>,
    /// It is replaced once more of it is in memory.
    pub(crate) memory_bytes: Option<u64>,
}

impl Recycling {
    /// True if workers are replaced at all.
    pub(crate) fn is_on(&self) -> bool {
        self.jobs.is_some() || self.age.is_some() || self.memory_bytes.is_some()
    }

    /// Refuses what makes no sense.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        if self.jobs == Some(0) {
            return Err("workers that are recycled after 0 jobs never run one; set 1 or more");
        }
        if self.age == Some(Duration::ZERO) {
            return Err("workers cannot be recycled after no time at all; set how old they may become");
        }
        if self.memory_bytes == Some(0) {
            return Err("workers cannot do without memory; set how many bytes they may keep");
        }
        Ok(())
    }
}

/// How much of a process is in memory, read from `/proc`: 2 µs each time.
#[derive(Debug)]
pub(crate) struct Resident {
    statm: File,
    page_bytes: u64,
}

impl Resident {
    /// # Errors
    ///
    /// If the system does not show it, or the process has ended.
    pub(crate) fn of(process: &Worker) -> io::Result<Resident> {
        let resident = Resident::open(&process.pid.to_string())?;
        // The number was the worker's when the file was opened if it is so now.
        if process.pidfd().wait_ended(Duration::ZERO) {
            return Err(io::Error::other("the process has ended"));
        }
        Ok(resident)
    }

    /// Of this process, to see whether the system shows it.
    pub(crate) fn of_self() -> io::Result<Resident> {
        Resident::open("self")
    }

    fn open(process: &str) -> io::Result<Resident> {
        let statm = File::open(format!("/proc/{process}/statm"))?;
        let page_bytes = sysconf(SysconfVar::PAGE_SIZE)?.and_then(|bytes| u64::try_from(bytes).ok());
        Ok(Resident { statm, page_bytes: page_bytes.unwrap_or(4096) })
    }

    /// In bytes, those that are shared with other processes included; `None` if the process has ended.
    pub(crate) fn bytes(&self) -> Option<u64> {
        let mut text = [0; 128];
        let length = self.statm.read_at(&mut text, 0).ok()?;
        let text = std::str::from_utf8(&text[..length]).ok()?;
        let pages: u64 = text.split(' ').nth(1)?.parse().ok()?;
        Some(pages * self.page_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::Resident;

    #[test]
    fn memory_that_is_used_is_seen() {
        let resident = Resident::of_self().unwrap();
        let before = resident.bytes().unwrap();
        let used = vec![1_u8; 64 << 20];
        let after = resident.bytes().unwrap();
        assert!(after > before + (32 << 20), "{before} bytes before, {after} after");
        drop(used);
    }
}
