#![expect(unsafe_code, reason = "memory that several processes write to is reached by address")]
//! [`Segment`]: memory that several processes read and write, under the locks and the shared values of this crate.
//!
//! It is a file without a name (a `memfd`) of zeros at first. Every holder maps it for reading and writing. Its size is
//! sealed before anybody maps it, so that no access can fault by a cut, and it is gone with the last holder, however that
//! ends.
//!
//! ```text
//! 0                         bytes        a multiple of 64              the end of the file
//! │ the object, aligned to a page │ (gap) │ trailer: magic, kind, bytes, type of its elements │
//! ```
//!
//! The object comes first, so that it may want any alignment up to that of a page. The trailer is written once, by the maker,
//! and looked at once by each receiver, which keeps what it learned: whoever writes nonsense there later harms nobody.
//!
//! # What others may write, and why that is sound
//!
//! Holders are processes of one program that keep to the rules of its locks, as threads do. What they leave may be nonsense all
//! the same, because one may be killed in the middle of a write:
//!
//! * what synchronizes is reached by [`Atom`]s only, and of what is read there no length or index is believed;
//! * values of users are plain data (`bytemuck::AnyBitPattern`), for which any bytes are a value. They are reached by
//!   reference only while a lock is held, or while whoever makes the object has it alone.
//!
//! A segment that comes to a process which has it is [found](known) there, and not mapped again. Should two threads get one at the
//! same time, the process has two addresses for the same memory. That is as sound as two processes are: between two uses of a
//! value there is always a lock or an atomic of the same memory.
//!
//! # Locks that are never released
//!
//! A guard that is forgotten leaves its lock in the list that the C library keeps for the thread, by address. So the last handle
//! of a process leaves the memory mapped if a thread of this process has a lock of it. A thread that ends gives up what it has.

mod atom;
mod file;
mod known;
mod shape;
mod travel;

use std::io;
use std::num::NonZeroUsize;
use std::os::fd::OwnedFd;
use std::ptr::NonNull;
use std::slice;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::arena::seals_of;
use crate::mapping::{HUGE_PAGE_BYTES, Mapping};
use crate::sync::robust::RobustLock;

pub(crate) use shape::Shape;

pub use atom::Atom;

use file::seals;
use known::Identity;
use shape::{TRAILER_BYTES, Words};

/// The smallest page of any machine we run on, to which every object is aligned.
const PAGE_BYTES: usize = 4096;

/// In what pages memory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pages {
    /// As the system does it: each page is taken when it is first touched.
    Usual,
    /// In huge ones, taken at once.
    Huge,
}

/// Memory of one object, shared with other processes. Clones are the same mapping.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    mapping: Mapping,
    file: Arc<OwnedFd>,
    identity: Identity,
    shape: Shape,
    /// How many bytes the object has: at least a trailer less than the mapping. None until that is known.
    bytes: usize,
}

impl Segment {
    /// Memory for an object of so many bytes, all of them zero.
    ///
    /// # Errors
    ///
    /// Those of the system, when descriptors, addresses or memory have run out.
    pub(crate) fn new(shape: Shape, bytes: usize) -> io::Result<Segment> {
        Segment::in_pages(Pages::Usual, shape, bytes)
    }

    /// As [`new`](Segment::new), in such pages.
    ///
    /// # Errors
    ///
    /// As [`new`](Segment::new); and if there are no such pages.
    pub(crate) fn in_pages(pages: Pages, shape: Shape, bytes: usize) -> io::Result<Segment> {
        let unit = match pages {
            Pages::Usual => TRAILER_BYTES,
            Pages::Huge => HUGE_PAGE_BYTES,
        };
        let end = bytes.checked_next_multiple_of(TRAILER_BYTES).and_then(|end| end.checked_add(TRAILER_BYTES));
        let file_bytes = end.and_then(|end| end.checked_next_multiple_of(unit));
        let length = file_bytes.and_then(NonZeroUsize::new).ok_or(io::ErrorKind::FileTooLarge)?;
        let file = file::of_zeros(length)?;
        let identity = Identity::of(&file)?;
        let mut inner = Inner::map(Arc::new(file), identity, length, shape)?;
        if pages == Pages::Huge {
            inner.mapping.take_huge_pages().map_err(no_huge_pages)?;
        }
        for (place, word) in inner.trailer().iter().zip(shape.trailer(bytes)) {
            // Whoever reads it gets the descriptor later, by a call of the system.
            place.store(word, Ordering::Relaxed);
        }
        inner.bytes = bytes;
        Ok(Segment::add(inner))
    }

    /// Takes in what came in a message, if it is an object of this shape with at least so many bytes.
    ///
    /// # Errors
    ///
    /// Why it is not, or why it cannot be mapped.
    fn receive(file: Arc<OwnedFd>, shape: Shape, bytes_min: usize) -> Result<Segment, String> {
        if !seals_of(&file).contains(seals()) {
            return Err("the descriptor that came is no memory whose size is sealed".into());
        }
        let no_memory = |error| format!("its memory cannot be mapped: {error}");
        let identity = Identity::of(&file).map_err(no_memory)?;
        if let Some(known) = Segment::find(identity, shape, bytes_min) {
            return Ok(known);
        }
        let mapped = file::length(&file).and_then(|length| Inner::map(file, identity, length, shape));
        let mut inner = mapped.map_err(no_memory)?;
        let trailer: Words = inner.trailer().each_ref().map(|word| word.load(Ordering::Relaxed));
        let found = shape.check(&trailer)?;
        let room = inner.mapping.bytes() - TRAILER_BYTES;
        let bytes = usize::try_from(found).ok().filter(|bytes| (bytes_min..=room).contains(bytes));
        inner.bytes = bytes.ok_or_else(|| format!("it says that it has {found} bytes, of {room} that came"))?;
        Ok(Segment::add(inner))
    }

    /// What it holds.
    pub(crate) fn shape(&self) -> Shape {
        self.inner.shape
    }

    /// How many bytes the object has. It never changes.
    pub(crate) fn bytes(&self) -> usize {
        self.inner.bytes
    }

    /// An atomic of the object, or an array of some, which begins at this byte.
    ///
    /// # Panics
    ///
    /// If it does not lie within the object, or not at a multiple of its alignment. So the place must not come out of the
    /// memory itself, unless it was checked.
    #[inline]
    pub(crate) fn at<A: Atom>(&self, offset: usize) -> &A {
        let place = self.address(offset, size_of::<A>(), align_of::<A>()).cast();
        // SAFETY: it is mapped as long as the segment, which is borrowed, is aligned, and any bytes are an `A`, whose methods
        // alone change it, here as in other processes.
        unsafe { place.as_ref() }
    }

    /// As many atomics of the object in a row, of which the first begins at this byte.
    ///
    /// # Panics
    ///
    /// As [`at`](Segment::at).
    #[inline]
    pub(crate) fn row_at<A: Atom>(&self, offset: usize, count: usize) -> &[A] {
        let bytes = count.checked_mul(size_of::<A>()).expect("a row is not longer than all memory");
        let first = self.address(offset, bytes, align_of::<A>()).cast();
        // SAFETY: as in `at`, for each of them.
        unsafe { slice::from_raw_parts(first.as_ptr(), count) }
    }

    /// The address of so many bytes of the object. They stay mapped as long as a clone of this segment is there; who may
    /// read and write them is for the object to see to.
    ///
    /// # Panics
    ///
    /// As [`at`](Segment::at); also for an alignment above that of a page (4096).
    #[inline]
    pub(crate) fn address(&self, offset: usize, bytes: usize, alignment: usize) -> NonNull<u8> {
        let ends = offset.checked_add(bytes).is_some_and(|end| end <= self.inner.bytes);
        let is_aligned = alignment <= PAGE_BYTES && offset.is_multiple_of(alignment);
        assert!(ends && is_aligned, "{bytes} bytes at {offset} are no place in a {}", self.inner.shape);
        self.inner.place(offset)
    }
}

fn no_huge_pages(error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("the system gives no huge pages, so make it without: {error}"))
}

impl Inner {
    /// Maps a file of this length, which is sealed and has room for a trailer. How many bytes of it are the object's is not
    /// known yet.
    fn map(file: Arc<OwnedFd>, identity: Identity, length: NonZeroUsize, shape: Shape) -> io::Result<Inner> {
        Ok(Inner { mapping: Mapping::shared(&file, length)?, file, identity, shape, bytes: 0 })
    }

    /// The byte at this place, which is one of the mapping or the one behind it.
    fn place(&self, offset: usize) -> NonNull<u8> {
        debug_assert!(offset <= self.mapping.bytes());
        // SAFETY: it is within the mapping, or at its end, as the callers have checked.
        unsafe { self.mapping.first().add(offset) }
    }

    fn trailer(&self) -> &[AtomicU64; TRAILER_BYTES / 8] {
        let place = self.place(self.mapping.bytes() - TRAILER_BYTES).cast();
        // SAFETY: the mapping has a multiple of the bytes of a trailer, and at least one; so it is within the mapping, and
        // aligned. It is written to and read as atomics only.
        unsafe { place.as_ref() }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        known::forget(self);
        let has_locks = self.shape.locks_bytes() <= self.bytes;
        let locks = if has_locks { self.shape.locks } else { 0 };
        // SAFETY: they are within the object, mapped and aligned, and any bytes are such a lock for the compiler.
        let locks = unsafe { slice::from_raw_parts(self.place(0).cast::<RobustLock>().as_ptr(), locks) };
        if locks.iter().any(RobustLock::is_held_here) {
            self.mapping.keep();
        }
    }
}

#[cfg(test)]
mod tests;
