//! [`Prints`]: what the jobs of a worker print, where it is captured.

use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;

use crate::sys;

/// After this the pipes are looked at again, and after twice as long each further time: the owner is woken by what was
/// printed, which takes it some 20 µs.
const FIRST_PAUSE: Duration = Duration::from_micros(20);

/// The longest of these pauses.
const LAST_PAUSE: Duration = Duration::from_millis(1);

/// The owner empties a pipe in a few reads. If so many looks have found another amount and never nothing, somebody goes on
/// printing whom the job has left behind, and the wait would be for him.
const CHANGES_MAX: u32 = 64;

/// The pipes into which jobs print; none where output is not captured.
pub(super) struct Prints {
    pipes: Vec<OwnedFd>,
}

impl Prints {
    pub(super) fn new(pipes: Vec<OwnedFd>) -> Self {
        Prints { pipes }
    }

    /// Waits until the owner has read what was printed, so that it knows by whom. See [`output`](crate::output).
    pub(super) fn settle(&self) {
        if self.pipes.is_empty() {
            return;
        }
        flush();
        let (mut before, mut changes, mut pause) = (self.unread(), 0, FIRST_PAUSE);
        while before > 0 && changes < CHANGES_MAX {
            let mut ends: Vec<_> =
                self.pipes.iter().map(|pipe| PollFd::new(pipe.as_fd(), PollFlags::empty())).collect();
            // It returns early if the other end is closed: then nobody reads.
            if ppoll(&mut ends, Some(TimeSpec::from_duration(pause)), None).is_ok_and(|closed| closed > 0) {
                return;
            }
            pause = (pause * 2).min(LAST_PAUSE);
            let now = self.unread();
            changes += u32::from(now != before);
            before = now;
        }
    }

    /// How many bytes the owner has not read.
    fn unread(&self) -> usize {
        self.pipes.iter().map(|pipe| sys::bytes_in(pipe).unwrap_or(0)).sum()
    }
}

/// Writes what was printed and is still kept in buffers of this process.
pub(super) fn flush() {
    // Nobody is left to tell that the stream is closed.
    let _ = std::io::stdout().flush();
    sys::flush_c_streams();
}
