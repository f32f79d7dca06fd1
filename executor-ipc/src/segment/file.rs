//! What an object does with the file of its segment.

use std::io;
use std::ops::Range;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::fcntl::{FallocateFlags, OFlag, fallocate, open};
use nix::sys::stat::Mode;

use crate::segment::{PAGE_BYTES, Segment};

impl Segment {
    /// Gives the memory of these bytes back to the system, as far as it consists of whole pages. They are zeros from then on, in
    /// every process.
    ///
    /// A system that cannot do it keeps the memory.
    pub(crate) fn release(&self, bytes: Range<usize>) {
        let pages = bytes.start.next_multiple_of(PAGE_BYTES)..bytes.end - bytes.end % PAGE_BYTES;
        let [start, length] = [pages.start, pages.len()].map(i64::try_from);
        if let (Ok(start), Ok(length @ 1..)) = (start, length) {
            let how = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
            // It only gives back what nobody needs.
            fallocate(&*self.inner.file, how, start, length).ok();
        }
    }

    /// Opens the file once more. A lock that is taken by this descriptor is held until the last copy of it is closed: when this
    /// process has dropped it or has ended, and so have those that were forked from it.
    ///
    /// # Errors
    ///
    /// Those of the system, when descriptors have run out, or `/proc` is not mounted.
    pub(crate) fn reopen(&self) -> io::Result<OwnedFd> {
        let path = format!("/proc/self/fd/{}", self.inner.file.as_raw_fd());
        let opened = open(path.as_str(), OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty());
        opened.map_err(|error| {
            let error = io::Error::from(error);
            io::Error::new(error.kind(), format!("its memory cannot be opened again through /proc: {error}"))
        })
    }
}
