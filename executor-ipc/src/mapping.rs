#![expect(unsafe_code, reason = "memory that several processes map is reached by address")]
//! [`Mapping`]: the memory of an arena, as one process sees it; and [`Filling`] and [`Held`], the two ways to its bytes.

use std::ffi::c_void;
use std::io;
use std::num::NonZeroUsize;
use std::ops::{Deref, DerefMut};
use std::os::fd::{AsFd, OwnedFd};
use std::ptr::NonNull;
use std::slice;
use std::sync::Arc;

use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

/// A whole file, mapped. It lends nothing by itself, since somebody else may write to the memory.
#[derive(Debug)]
pub(crate) struct Mapping {
    /// The first of `bytes` bytes. They stay mapped until the drop.
    start: NonNull<c_void>,
    bytes: NonZeroUsize,
}

// SAFETY: a mapping belongs to the whole process and to no thread of it.
unsafe impl Send for Mapping {}
// SAFETY: as above; nothing is reached through a shared reference but by `Filling` and `Held`, which say why they may.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps the first `bytes` of a file whose size is sealed and is not less.
    fn new(file: &impl AsFd, bytes: NonZeroUsize, access: ProtFlags) -> io::Result<Mapping> {
        // SAFETY: a new mapping, at an address of the kernel's choice, replaces no other. Nothing is read here.
        let start = unsafe { mmap(None, bytes, access, MapFlags::MAP_SHARED, file, 0) }?;
        Ok(Mapping { start, bytes })
    }

    /// Maps a file of this size for reading.
    pub(crate) fn readable(file: &impl AsFd, bytes: NonZeroUsize) -> io::Result<Mapping> {
        Mapping::new(file, bytes, ProtFlags::PROT_READ)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes.get()
    }

    fn first(&self) -> NonNull<u8> {
        self.start.cast()
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
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
