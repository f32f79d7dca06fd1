//! The system's allocator with a counter in front.
//!
//! The counter is off unless a case turns it on: then each call costs one relaxed load of a flag that nobody writes
//! and a branch that is always predicted, well under a nanosecond and the same for every peer. A second binary or a
//! cargo feature would save even that, but then the allocations would be counted in another program than the one whose
//! times stand beside them.
#![expect(
    unsafe_code,
    reason = "`GlobalAlloc` is an unsafe trait, and only the global allocator sees what a peer allocates"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

#[global_allocator]
static COUNTING: Counting = Counting {
    on: AtomicBool::new(false),
    allocations: AtomicU64::new(0),
    bytes: AtomicU64::new(0),
    live_bytes: AtomicI64::new(0),
    live_bytes_max: AtomicI64::new(0),
};

/// What was counted since [`start`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counts {
    /// Calls of `alloc`, `alloc_zeroed` and `realloc`.
    pub(crate) allocations: u64,
    /// Bytes that these calls asked for.
    pub(crate) bytes: u64,
    /// Bytes asked for less bytes freed; below zero where what was there before is freed.
    pub(crate) live_bytes: i64,
    /// The greatest `live_bytes` there ever was.
    pub(crate) live_bytes_max: i64,
}

/// Counts from zero from now on.
pub(crate) fn start() {
    // Relaxed everywhere in this file: these are sums that are read when the jobs they belong to have been waited for,
    // and that wait is the synchronisation.
    COUNTING.allocations.store(0, Ordering::Relaxed);
    COUNTING.bytes.store(0, Ordering::Relaxed);
    COUNTING.live_bytes.store(0, Ordering::Relaxed);
    COUNTING.live_bytes_max.store(0, Ordering::Relaxed);
    COUNTING.on.store(true, Ordering::Relaxed);
}

/// What was counted so far; goes on counting.
pub(crate) fn counts() -> Counts {
    Counts {
        allocations: COUNTING.allocations.load(Ordering::Relaxed),
        bytes: COUNTING.bytes.load(Ordering::Relaxed),
        live_bytes: COUNTING.live_bytes.load(Ordering::Relaxed),
        live_bytes_max: COUNTING.live_bytes_max.load(Ordering::Relaxed),
    }
}

/// Stops counting and tells what was counted.
pub(crate) fn stop() -> Counts {
    COUNTING.on.store(false, Ordering::Relaxed);
    counts()
}

/// Asks the C library to give every free page back to the system, where it can be asked.
pub(crate) fn trim() {
    // SAFETY: `malloc_trim` may be called by any thread at any time, see `malloc_trim(3)`.
    #[cfg(target_env = "gnu")]
    unsafe {
        nix::libc::malloc_trim(0);
    }
}

/// The allocator: the system's, and the counters.
struct Counting {
    on: AtomicBool,
    allocations: AtomicU64,
    bytes: AtomicU64,
    live_bytes: AtomicI64,
    live_bytes_max: AtomicI64,
}

impl Counting {
    #[inline]
    fn allocated(&self, bytes: usize) {
        if self.on.load(Ordering::Relaxed) {
            self.count(bytes);
        }
    }

    #[inline]
    fn freed(&self, bytes: usize) {
        if self.on.load(Ordering::Relaxed) {
            self.live_bytes.fetch_sub(bytes as i64, Ordering::Relaxed);
        }
    }

    #[cold]
    fn count(&self, bytes: usize) {
        self.allocations.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        let before = self.live_bytes.fetch_add(bytes as i64, Ordering::Relaxed);
        self.live_bytes_max.fetch_max(before + bytes as i64, Ordering::Relaxed);
    }
}

// SAFETY: every call is handed to `System` unchanged, which keeps the contract; the counters neither allocate nor panic.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.allocated(layout.size());
        // SAFETY: the caller keeps the contract of `alloc`, which is that of `System`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.allocated(layout.size());
        // SAFETY: the caller keeps the contract of `alloc_zeroed`, which is that of `System`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        self.freed(layout.size());
        self.allocated(bytes);
        // SAFETY: the caller keeps the contract of `realloc`, which is that of `System`.
        unsafe { System.realloc(pointer, layout, bytes) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        self.freed(layout.size());
        // SAFETY: the caller keeps the contract of `dealloc`, which is that of `System`.
        unsafe { System.dealloc(pointer, layout) }
    }
}
