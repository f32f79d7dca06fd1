#![expect(unsafe_code, reason = "what may be read and written at once cannot be told by the compiler")]
//! [`Atom`]: what needs no lock.

use std::sync::atomic::{
    AtomicI8, AtomicI16, AtomicI32, AtomicI64, AtomicIsize, AtomicU8, AtomicU16, AtomicU32, AtomicU64, AtomicUsize,
};

/// What can be reached in shared memory without a lock: atomic numbers, arrays of them, and structs of them that say so.
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use executor_ipc::{Atom, SharedValue};
///
/// #[derive(bytemuck::Zeroable)]
/// #[repr(C)]
/// struct Counters {
///     hits: AtomicU64,
///     misses: AtomicU64,
/// }
///
/// // SAFETY: each of its fields is one.
/// unsafe impl Atom for Counters {}
///
/// let counters = SharedValue::new(Counters { hits: AtomicU64::new(0), misses: AtomicU64::new(0) })?;
/// counters.hits.fetch_add(1, Ordering::Relaxed);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Safety
///
/// Any bytes are a value of it, and it is changed by atomic operations only. It refers to nothing, since other processes have it
/// at other addresses.
pub unsafe trait Atom: Sync + 'static {}

macro_rules! atoms {
    ($($atom:ty),*) => {$(
        // SAFETY: an atomic number has the representation of its number, for which any bytes do.
        unsafe impl Atom for $atom {}
    )*};
}

atoms!(AtomicI8, AtomicI16, AtomicI32, AtomicI64, AtomicIsize, AtomicU8, AtomicU16, AtomicU32, AtomicU64, AtomicUsize);

// SAFETY: an array is its elements and nothing between them.
unsafe impl<A: Atom, const N: usize> Atom for [A; N] {}
