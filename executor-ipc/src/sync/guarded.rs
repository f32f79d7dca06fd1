#![expect(unsafe_code, reason = "a value in shared memory is reached by address while its lock is held")]
//! [`Guarded`]: values in shared memory, with the locks that guard them.
//!
//! ```text
//! │ lock │ lock │ … │ (gap) │ value │ value │ … │
//! ```
//!
//! Values are plain data: any bytes are values. What a process left that died in the middle of a write is nonsense at worst,
//! and the mark of the lock tells of it.

use std::io;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::ptr::NonNull;
use std::slice;

use bytemuck::Zeroable;
use serde::{Deserializer, Serializer};

use crate::segment::{Atom, Pages, Segment, Shape};
use crate::sync::robust::{Reentry, RobustLock};

/// `LOCKS` locks, and values that they guard. Clones are the same.
pub(crate) struct Guarded<T, const LOCKS: usize> {
    segment: Segment,
    /// The locks, which are mapped as long as the segment is there. To find them through it takes a tenth of a lock's time.
    locks: NonNull<[RobustLock; LOCKS]>,
    /// The first value; all are mapped as long as the segment is there.
    values: NonNull<T>,
    len: usize,
}

// SAFETY: it is a pointer to memory of the whole process, which lends references to values under locks only, as a `RwLock` does.
unsafe impl<T: Send + Sync, const LOCKS: usize> Send for Guarded<T, LOCKS> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync, const LOCKS: usize> Sync for Guarded<T, LOCKS> {}

// What a panic leaves half changed is marked.
impl<T, const LOCKS: usize> UnwindSafe for Guarded<T, LOCKS> {}
impl<T, const LOCKS: usize> RefUnwindSafe for Guarded<T, LOCKS> {}

impl<T, const LOCKS: usize> Guarded<T, LOCKS> {
    /// Where the first value is.
    const VALUES_AT: usize = {
        assert!(align_of::<T>() <= 4096, "a shared value is aligned to 4096 bytes at most");
        (LOCKS * size_of::<RobustLock>()).next_multiple_of(align_of::<T>())
    };

    /// So many values of zeros, and locks that nobody has.
    ///
    /// # Errors
    ///
    /// Those of the system, when descriptors, addresses or memory have run out.
    pub(crate) fn new(kind: &'static str, reentry: Reentry, len: usize, pages: Pages) -> io::Result<Self>
    where
        T: Zeroable,
    {
        let bytes = len.checked_mul(size_of::<T>()).and_then(|bytes| bytes.checked_add(Self::VALUES_AT));
        let segment = Segment::in_pages(pages, Self::shape(kind), bytes.ok_or(io::ErrorKind::FileTooLarge)?)?;
        let guarded = Self::within(segment, len);
        guarded.locks().iter().try_for_each(|lock| lock.make(reentry))?;
        Ok(guarded)
    }

    fn shape(kind: &'static str) -> Shape {
        Shape::of::<T>(kind).behind_locks(LOCKS)
    }

    fn within(segment: Segment, len: usize) -> Self {
        let values = segment.address(Self::VALUES_AT, len * size_of::<T>(), align_of::<T>()).cast();
        Guarded { locks: segment.at::<[RobustLock; LOCKS]>(0).into(), segment, values, len }
    }

    #[inline]
    pub(crate) fn locks(&self) -> &[RobustLock; LOCKS] {
        // SAFETY: they are mapped, aligned, and locks, and the segment is there as long as this is borrowed.
        unsafe { self.locks.as_ref() }
    }

    /// How many values there are.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The values. Who may reach them when is for the guards to see to.
    #[inline]
    pub(crate) fn values(&self) -> NonNull<[T]> {
        NonNull::slice_from_raw_parts(self.values, self.len)
    }

    /// Writes the first values, when they are new and nobody else has them.
    pub(crate) fn fill(&mut self, values: impl IntoIterator<Item = T>) {
        // SAFETY: they are mapped and aligned, need not be values yet, and nobody else has the memory, here or elsewhere.
        let places = unsafe { slice::from_raw_parts_mut(self.values.as_ptr().cast::<MaybeUninit<T>>(), self.len) };
        for (place, value) in places.iter_mut().zip(values) {
            place.write(value);
        }
    }

    /// Some of the values, with the same locks.
    ///
    /// # Panics
    ///
    /// If there are not so many.
    pub(crate) fn slice(&self, range: Range<usize>) -> Self {
        assert!(range.start <= range.end && range.end <= self.len, "{range:?} is not within {} elements", self.len);
        // SAFETY: it is one of the values, or the end of them.
        let values = unsafe { self.values.add(range.start) };
        Guarded { values, len: range.len(), ..self.clone() }
    }

    /// Atomics, which need no lock.
    #[inline]
    pub(crate) fn atoms(&self) -> &[T]
    where
        T: Atom,
    {
        // SAFETY: they are mapped as long as this borrow, aligned, and any bytes are an atom, which its own methods alone change.
        unsafe { self.values().as_ref() }
    }

    /// Attaches it to the message that this thread encodes.
    ///
    /// # Errors
    ///
    /// As [`Segment::serialize`].
    pub(crate) fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.segment.serialize(serializer)
    }

    /// Takes in what came with the message that this thread decodes. It has as many values as it was made with, and at least
    /// `len_min`.
    ///
    /// # Errors
    ///
    /// As [`Segment::deserialize`].
    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
        kind: &'static str,
        len_min: usize,
    ) -> Result<Self, D::Error> {
        let bytes_min = Self::VALUES_AT + len_min * size_of::<T>();
        let segment = Segment::deserialize(deserializer, Self::shape(kind), bytes_min)?;
        let len = (segment.bytes() - Self::VALUES_AT).checked_div(size_of::<T>()).unwrap_or(len_min);
        Ok(Self::within(segment, len))
    }
}

impl<T, const LOCKS: usize> Clone for Guarded<T, LOCKS> {
    fn clone(&self) -> Self {
        Guarded { segment: self.segment.clone(), ..*self }
    }
}
