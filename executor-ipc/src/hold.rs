//! [`Hold`]: who has the bytes of an arena, as the kernel counts.

use std::io::{self, PipeReader};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::{SFlag, fstat};

/// Both ends of a pipe to which nobody writes. Copies of the write end go to whoever gets the bytes.
#[derive(Debug)]
pub(crate) struct Hold {
    write_end: Arc<OwnedFd>,
    watch: Watch,
}

impl Hold {
    /// A hold of which nobody has a copy.
    pub(crate) fn new() -> io::Result<Hold> {
        let (read_end, write_end) = io::pipe()?;
        Ok(Hold { write_end: Arc::new(write_end.into()), watch: Watch(read_end) })
    }

    pub(crate) fn write_end(&self) -> &Arc<OwnedFd> {
        &self.write_end
    }

    /// Lets the copy of this process go.
    pub(crate) fn into_watch(self) -> Watch {
        self.watch
    }
}

/// The read end of a hold, at which its end is seen.
#[derive(Debug)]
pub(crate) struct Watch(PipeReader);

impl Watch {
    /// True once no copy of the hold is left, in any process or on its way to one. It stays so.
    pub(crate) fn is_over(&self) -> bool {
        // The hang-up is told without being asked for.
        let mut ends = [PollFd::new(self.0.as_fd(), PollFlags::empty())];
        let polled = poll(&mut ends, PollTimeout::ZERO);
        polled.is_ok() && ends[0].revents().is_some_and(|events| events.contains(PollFlags::POLLHUP))
    }
}

/// True if a descriptor that came from elsewhere can be a hold.
pub(crate) fn is_hold(descriptor: &OwnedFd) -> bool {
    let kind = |mode| SFlag::from_bits_truncate(mode) & SFlag::S_IFMT;
    fstat(descriptor).is_ok_and(|stat| kind(stat.st_mode) == SFlag::S_IFIFO)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_is_over_when_the_last_copy_is_closed() {
        let hold = Hold::new().unwrap();
        let copy = hold.write_end().try_clone().unwrap();
        assert!(is_hold(&copy));
        let watch = hold.into_watch();
        assert!(!watch.is_over());
        drop(copy);
        assert!(watch.is_over() && watch.is_over());
    }

    #[test]
    fn other_descriptors_are_no_holds() {
        assert!(!is_hold(&std::fs::File::open("/dev/null").unwrap().into()));
        assert!(!is_hold(&std::os::unix::net::UnixStream::pair().unwrap().0.into()));
    }
}
