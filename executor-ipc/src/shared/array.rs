//! [`SharedArray`]: many values in a row that several processes have.

use std::fmt;
use std::io;
use std::ops::{Bound, Deref, RangeBounds};
use std::time::Duration;

use bytemuck::{AnyBitPattern, Zeroable};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::segment::{Atom, Pages};
use crate::sync::guarded::Guarded;
use crate::sync::robust::{Patience, Reentry};
use crate::sync::{LockResult, LockTimeoutError, MutexGuard, TryLockError, tried, waited};

/// Values in a row that several threads have, of any process: with a lock, or atomics, which need none.
///
/// ```
/// use std::sync::atomic::{AtomicU32, Ordering};
/// use bytemuck::{Pod, Zeroable};
/// use executor_ipc::SharedArray;
///
/// #[derive(Clone, Copy, Pod, Zeroable)]
/// #[repr(C)]
/// struct Point {
///     x: f64,
///     y: f64,
/// }
///
/// // Plain data has a lock, and is a slice while it is held.
/// let points = SharedArray::<Point>::new(1000)?;
/// for point in points.lock().unwrap().iter_mut() {
///     point.x += 1.0;
/// }
///
/// // Atomics are a slice at any time.
/// let hits = SharedArray::<AtomicU32>::new(16)?;
/// hits[3].fetch_add(1, Ordering::Relaxed);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// A clone is the same array, and so is what arrives in another process. It has as many elements as it was made with. A part of it
/// is a [`slice`](SharedArray::slice), which travels just so.
///
/// An element of a slice costs what it costs in any slice. One lock is for the whole array: threads that are to change parts of
/// it at the same time have an array each, or atomics.
///
/// Memory is taken when it is first touched, as with any large allocation, and given back with the last holder, however that ends.
pub struct SharedArray<T> {
    elements: Guarded<T, 1>,
    /// How many elements of the whole array are before them.
    start: usize,
}

/// Bytes that several threads have, of any process, with a lock.
///
/// ```
/// use executor_ipc::SharedBytes;
///
/// let page = SharedBytes::new(4096)?;
/// page.lock().unwrap()[..5].copy_from_slice(b"hello");
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// For bytes that do not change any more, a [`Blob`](crate::Blob) needs no lock.
pub type SharedBytes = SharedArray<u8>;

const KIND: &str = "SharedArray";

impl<T: Zeroable> SharedArray<T> {
    /// So many elements, all of them zero.
    ///
    /// # Errors
    ///
    /// Those of the system, when descriptors, addresses or memory have run out.
    pub fn new(len: usize) -> io::Result<Self> {
        Self::in_pages(len, Pages::Usual)
    }

    /// So many elements, all of them zero, in huge pages of 2 MiB. Their memory is taken at once, and rounded up to such pages.
    ///
    /// Whoever reads or writes all over a large array is faster by that, since the processor has few places to remember for it.
    ///
    /// # Errors
    ///
    /// If the system gives no huge pages: it is older than Linux 6.1, or has not as much memory in large pieces; and as
    /// [`new`](SharedArray::new).
    pub fn in_huge_pages(len: usize) -> io::Result<Self> {
        Self::in_pages(len, Pages::Huge)
    }

    fn in_pages(len: usize, pages: Pages) -> io::Result<Self> {
        const { assert!(size_of::<T>() > 0, "elements without bytes need no shared memory") };
        Ok(SharedArray { elements: Guarded::new(KIND, Reentry::Refused, len, pages)?, start: 0 })
    }
}

impl<T: AnyBitPattern> SharedArray<T> {
    /// The same elements as these.
    ///
    /// # Errors
    ///
    /// As [`new`](SharedArray::new).
    pub fn from_slice(elements: &[T]) -> io::Result<Self> {
        let mut array = Self::new(elements.len())?;
        array.elements.fill(elements.iter().copied());
        Ok(array)
    }

    /// Waits until nobody has the lock of the array, and takes it.
    ///
    /// # Errors
    ///
    /// If the last holder died or panicked, whichever elements it had. The lock is had all the same, by the guard in the error.
    ///
    /// # Panics
    ///
    /// If this thread has it already, and would wait for itself.
    ///
    /// # Blocking
    ///
    /// As long as others have it.
    pub fn lock(&self) -> LockResult<MutexGuard<'_, [T]>> {
        self.elements.take_all(Patience::Endless).expect("a wait without an end ends with the lock")
    }

    /// Takes the lock of the array if nobody has it.
    ///
    /// # Errors
    ///
    /// If somebody has it; and as [`lock`](SharedArray::lock).
    pub fn try_lock(&self) -> Result<MutexGuard<'_, [T]>, TryLockError<MutexGuard<'_, [T]>>> {
        tried(self.elements.take_all(Patience::None))
    }

    /// Waits until nobody has the lock of the array, for so long at most, and takes it.
    ///
    /// # Errors
    ///
    /// If somebody has it all the while; and as [`lock`](SharedArray::lock).
    ///
    /// # Panics
    ///
    /// As [`lock`](SharedArray::lock).
    ///
    /// # Blocking
    ///
    /// For `timeout` at most.
    pub fn lock_timeout(
        &self,
        timeout: Duration,
    ) -> Result<MutexGuard<'_, [T]>, LockTimeoutError<MutexGuard<'_, [T]>>> {
        waited(self.elements.take_all(Patience::of(timeout)))
    }
}

impl<T> SharedArray<T> {
    /// How many elements it has. That never changes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.elements.len()
    }

    /// True if it has no elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A part of the array: the same elements, with the same lock.
    ///
    /// # Panics
    ///
    /// If the range is not within the array.
    #[must_use]
    pub fn slice(&self, range: impl RangeBounds<usize>) -> Self {
        let beyond = |place: &usize| place.checked_add(1).expect("a range ends within all memory");
        let start = match range.start_bound() {
            Bound::Included(start) => *start,
            Bound::Excluded(before) => beyond(before),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(last) => beyond(last),
            Bound::Excluded(end) => *end,
            Bound::Unbounded => self.len(),
        };
        SharedArray { elements: self.elements.slice(start..end), start: self.start + start }
    }
}

/// Atomics are reached without the lock.
impl<A: Atom> Deref for SharedArray<A> {
    type Target = [A];

    #[inline]
    fn deref(&self) -> &[A] {
        self.elements.atoms()
    }
}

impl<T> Clone for SharedArray<T> {
    /// The same elements.
    fn clone(&self) -> Self {
        SharedArray { elements: self.elements.clone(), start: self.start }
    }
}

/// The elements are not looked at.
impl<T> fmt::Debug for SharedArray<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let element = std::any::type_name::<T>();
        f.debug_struct(KIND).field("type", &element).field("len", &self.len()).finish_non_exhaustive()
    }
}

/// How an array travels: its memory, and which of its elements they are.
#[derive(Serialize, Deserialize)]
struct Message<W> {
    whole: W,
    start: u64,
    len: u64,
}

struct Leaving<'a, T>(&'a Guarded<T, 1>);

impl<T> Serialize for Leaving<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

struct Arrived<T>(Guarded<T, 1>);

impl<'de, T> Deserialize<'de> for Arrived<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Guarded::deserialize(deserializer, KIND, 0).map(Arrived)
    }
}

impl<T> Serialize for SharedArray<T> {
    /// # Errors
    ///
    /// Where no descriptors travel: see [`attach`](crate::attach).
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let whole = Leaving(&self.elements);
        Message { whole, start: self.start as u64, len: self.len() as u64 }.serialize(serializer)
    }
}

impl<'de, T: Zeroable> Deserialize<'de> for SharedArray<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Message { whole: Arrived::<T>(whole), start, len } = Message::deserialize(deserializer)?;
        let end = start.checked_add(len).and_then(|end| usize::try_from(end).ok()).filter(|&end| end <= whole.len());
        let Some((start, end)) = usize::try_from(start).ok().zip(end) else {
            let elements = whole.len();
            return Err(D::Error::custom(format_args!(
                "this SharedArray cannot be taken in: {len} elements from {start} on are not within its {elements}"
            )));
        };
        Ok(SharedArray { elements: whole.slice(start..end), start })
    }
}
