//! The file of a segment, and what an object does with it.

use std::io;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::fcntl::{FallocateFlags, OFlag, SealFlag, fallocate, open};
use nix::sys::stat::{Mode, fstat};

use crate::segment::shape::TRAILER_BYTES;
use crate::segment::{PAGE_BYTES, Segment};

/// What is promised to whoever gets a segment: its size stays.
pub(super) fn seals() -> SealFlag {
    SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SEAL
}

/// A new file without a name, of so many zeros, and sealed so.
///
/// # Errors
///
/// Those of the system, when descriptors have run out, or no file can be so long.
#[cfg(not(miri))]
pub(super) fn of_zeros(length: NonZeroUsize) -> io::Result<OwnedFd> {
    use nix::fcntl::{FcntlArg, fcntl};
    use nix::sys::memfd::{MFdFlags, memfd_create};
    use nix::unistd::ftruncate;

    let file = memfd_create(c"executor-shared", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)?;
    ftruncate(&file, i64::try_from(length.get()).map_err(|_| io::ErrorKind::FileTooLarge)?)?;
    fcntl(&file, FcntlArg::F_ADD_SEALS(seals()))?;
    Ok(file)
}

/// Miri has no such files. It is a descriptor that stands for one: the memory is the heap's, and goes to no other process.
#[cfg(miri)]
pub(super) fn of_zeros(_length: NonZeroUsize) -> io::Result<OwnedFd> {
    Ok(io::pipe()?.0.into())
}

/// How long a file is that came from elsewhere.
///
/// # Errors
///
/// If no segment is so long.
pub(super) fn length(file: &OwnedFd) -> io::Result<NonZeroUsize> {
    let bytes = usize::try_from(fstat(file)?.st_size).map_err(|_| io::ErrorKind::FileTooLarge)?;
    let length = NonZeroUsize::new(bytes).filter(|bytes| bytes.get().is_multiple_of(TRAILER_BYTES));
    length.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "it has no trailer"))
}

impl Segment {
    /// Gives the memory of these bytes back to the system, as far as it consists of whole pages. They are zeros from then on, in
    /// every process.
    ///
    /// A system that cannot do it keeps the memory.
    pub(crate) fn release(&self, bytes: Range<usize>) {
        if cfg!(miri) {
            // Memory of the heap has no such parts.
            return;
        }
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
