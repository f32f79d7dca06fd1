#![expect(unsafe_code, reason = "memory that several processes map is reached by address")]
//! [`Mapping`]: memory that is a file, as one process sees it; and [`Filling`] and [`Held`], the two ways to the bytes of an
//! arena.

use std::ffi::c_void;
use std::io;
use std::num::NonZeroUsize;
use std::ops::{Deref, DerefMut};
use std::os::fd::{AsFd, OwnedFd};
use std::ptr::NonNull;
use std::slice;
use std::sync::Arc;

use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous};
#[cfg(not(miri))]
use nix::sys::mman::{mmap, munmap};

#[cfg(miri)]
use heap::{mmap, munmap};

/// How long a huge page is where others have 4096 bytes: 2 MiB.
pub(crate) const HUGE_PAGE_BYTES: usize = 2 << 20;

/// Of `linux/mman.h`, since Linux 6.1. It works whatever the setting of the system is, unless that forbids it.
const MADV_COLLAPSE: libc::c_int = 25;

/// A whole file, mapped. It lends nothing by itself, since somebody else may write to the memory.
#[derive(Debug)]
pub(crate) struct Mapping {
    /// The first of `bytes` bytes. They stay mapped until the drop.
    start: NonNull<c_void>,
    bytes: NonZeroUsize,
    /// True if they stay mapped after it.
    is_kept: bool,
}

// SAFETY: a mapping belongs to the whole process and to no thread of it.
unsafe impl Send for Mapping {}
// SAFETY: as above; nothing is reached through a shared reference but by `Filling`, `Held` and `Segment`, which say why they may.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps the first `bytes` of a file whose size is sealed and is not less.
    fn new(file: &impl AsFd, bytes: NonZeroUsize, access: ProtFlags) -> io::Result<Mapping> {
        // SAFETY: a new mapping, at an address of the kernel's choice, replaces no other. Nothing is read here.
        let start = unsafe { mmap(None, bytes, access, MapFlags::MAP_SHARED, file, 0) }?;
        Ok(Mapping { start, bytes, is_kept: false })
    }

    /// Maps a file of this size for reading.
    pub(crate) fn readable(file: &impl AsFd, bytes: NonZeroUsize) -> io::Result<Mapping> {
        Mapping::new(file, bytes, ProtFlags::PROT_READ)
    }

    /// Maps a file of this size for reading and writing, as others do. If it consists of huge pages, it lies as they must.
    pub(crate) fn shared(file: &impl AsFd, bytes: NonZeroUsize) -> io::Result<Mapping> {
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        if !bytes.get().is_multiple_of(HUGE_PAGE_BYTES) {
            return Mapping::new(file, bytes, access);
        }
        // Addresses for one page more, of which some are not needed.
        let room = bytes.checked_add(HUGE_PAGE_BYTES).ok_or(io::ErrorKind::OutOfMemory)?;
        // SAFETY: a new mapping, at an address of the kernel's choice, replaces no other.
        let start = unsafe { mmap_anonymous(None, room, ProtFlags::PROT_NONE, MapFlags::MAP_PRIVATE) }?;
        let mut reserved = Mapping { start, bytes: room, is_kept: false };
        let before = start.addr().get().next_multiple_of(HUGE_PAGE_BYTES) - start.addr().get();
        // SAFETY: it is within what was just reserved, as it is less than a page behind the start of it.
        let place = unsafe { start.add(before) };
        let flags = MapFlags::MAP_SHARED | MapFlags::MAP_FIXED;
        // SAFETY: what it replaces is a part of what was just reserved, in which nothing is.
        let start = unsafe { mmap(Some(place.addr()), bytes, access, flags, file, 0) }?;
        // What is reserved behind it, and before it, is given back.
        if let Some(behind) = NonZeroUsize::new(HUGE_PAGE_BYTES - before) {
            // SAFETY: it is the end of what was reserved.
            drop(Mapping { start: unsafe { start.add(bytes.get()) }, bytes: behind, is_kept: false });
        }
        match NonZeroUsize::new(before) {
            Some(before) => reserved.bytes = before,
            None => reserved.keep(),
        }
        Ok(Mapping { start, bytes, is_kept: false })
    }

    /// Takes the memory at once, in huge pages.
    ///
    /// # Errors
    ///
    /// If the system has none, or is older than Linux 6.1.
    pub(crate) fn take_huge_pages(&self) -> io::Result<()> {
        let advise = |advice| {
            // SAFETY: the range is this mapping, and what a program can see in it stays as it is.
            match unsafe { libc::madvise(self.start.as_ptr(), self.bytes.get(), advice) } {
                0 => Ok(()),
                _ => Err(io::Error::last_os_error()),
            }
        };
        // Only pages that are there can be put together. Some of them may be in use for a moment, by the system itself.
        advise(libc::MADV_POPULATE_WRITE)?;
        let is_for_a_moment = |error: &io::Error| matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EBUSY));
        let mut collapsed = advise(MADV_COLLAPSE);
        for _ in 0..3 {
            if collapsed.as_ref().is_err_and(is_for_a_moment) {
                collapsed = advise(MADV_COLLAPSE);
            }
        }
        collapsed
    }

    /// Leaves the memory mapped for ever.
    pub(crate) fn keep(&mut self) {
        self.is_kept = true;
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes.get()
    }

    /// The first byte. It is aligned to a page, which has 4096 bytes or more.
    pub(crate) fn first(&self) -> NonNull<u8> {
        self.start.cast()
    }
}

/// Memory for Miri, which has no files to map: of the heap, for one mapping of each file.
#[cfg(miri)]
mod heap {
    use std::alloc::{self, Layout};

    use super::*;

    fn layout(bytes: usize) -> Layout {
        Layout::from_size_align(bytes, 4096).expect("a mapping is not longer than all memory")
    }

    /// # Safety
    ///
    /// None is needed: it takes no place from anybody.
    pub(super) unsafe fn mmap(
        _place: Option<NonZeroUsize>,
        bytes: NonZeroUsize,
        _access: ProtFlags,
        _flags: MapFlags,
        _file: &impl AsFd,
        _offset: i64,
    ) -> io::Result<NonNull<c_void>> {
        // SAFETY: the size is not zero.
        let start = unsafe { alloc::alloc_zeroed(layout(bytes.get())) };
        NonNull::new(start.cast()).ok_or_else(|| io::ErrorKind::OutOfMemory.into())
    }

    /// # Safety
    ///
    /// It is what `mmap` gave for so many bytes, and nobody uses it any more.
    pub(super) unsafe fn munmap(start: NonNull<c_void>, bytes: usize) -> io::Result<()> {
        // SAFETY: as the caller says.
        unsafe { alloc::dealloc(start.as_ptr().cast(), layout(bytes)) };
        Ok(())
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        if self.is_kept {
            return;
        }
        // SAFETY: the mapping is this value's own, of this length, and what was lent of it has ended.
        let unmapped = unsafe { munmap(self.start, self.bytes.get()) };
        debug_assert!(unmapped.is_ok(), "a mapping of our own can be unmapped");
    }
}

/// The memory of an arena in the process that fills it.
#[derive(Debug)]
pub(crate) struct Filling(Mapping);

impl Filling {
    /// Maps the memory of a new arena, to which no other process has a descriptor, and of which there is no other mapping
    /// for writing. `bytes` is the size of the file.
    pub(crate) fn new(file: &impl AsFd, bytes: NonZeroUsize) -> io::Result<Filling> {
        Ok(Filling(Mapping::new(file, bytes, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE)?))
    }
}

impl Deref for Filling {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the bytes are mapped until the drop, are initialized by the kernel with zeros, and are written to through
        // `deref_mut` alone: the seal of the arena keeps every other process from it.
        unsafe { slice::from_raw_parts(self.0.first().as_ptr(), self.0.bytes()) }
    }
}

impl DerefMut for Filling {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above; and nobody else reads them: this process has no other reference, as the borrow says, and whoever
        // has the bytes elsewhere has the hold, without which alone the pool gives an arena out to be filled again.
        unsafe { slice::from_raw_parts_mut(self.0.first().as_ptr(), self.0.bytes()) }
    }
}

/// The memory of an arena that another process filled, together with the hold by which it is not filled again.
#[derive(Debug)]
pub(crate) struct Held {
    mapping: Arc<Mapping>,
    hold: Arc<OwnedFd>,
}

impl Held {
    /// `hold` came with the very message that told of the contents.
    pub(crate) fn new(mapping: Arc<Mapping>, hold: Arc<OwnedFd>) -> Held {
        Held { mapping, hold }
    }

    pub(crate) fn hold(&self) -> &Arc<OwnedFd> {
        &self.hold
    }
}

impl Deref for Held {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the bytes are mapped until the drop. They are written to by the process that filled them only, and there
        // through `Filling::deref_mut`, which the pool allows to nobody as long as this hold is open.
        unsafe { slice::from_raw_parts(self.mapping.first().as_ptr(), self.mapping.bytes()) }
    }
}
