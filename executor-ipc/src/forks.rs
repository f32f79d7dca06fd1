#![expect(unsafe_code, reason = "the C library tells of a fork by a function of ours that it is given")]
//! Whether this process was forked, or has forked, since some moment.
//!
//! A forked process has what its parent had mapped, for writing too, and no hold tells of it. So an arena from before a fork
//! is filled again on neither side.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

static FORKS: AtomicU64 = AtomicU64::new(0);

/// How many forks this process has been through, as the parent or as the child; `None` if it is not told of them.
pub(crate) fn count() -> Option<u64> {
    static IS_TOLD: OnceLock<bool> = OnceLock::new();
    let is_told = *IS_TOLD.get_or_init(|| {
        // SAFETY: what is to be called in the middle of a fork does no more than add to an atomic.
        let refused = unsafe { libc::pthread_atfork(None, Some(note), Some(note)) };
        refused == 0
    });
    // A thread that forks knows its own Blobs in order; those of other threads it must not use in the child anyway.
    is_told.then(|| FORKS.load(Ordering::Relaxed))
}

extern "C" fn note() {
    FORKS.fetch_add(1, Ordering::Relaxed);
}
