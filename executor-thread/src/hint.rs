//! How much waits in the queue, for loops that look at it without the lock.

use crate::sync::atomic::{AtomicU8, Ordering};

/// So many jobs are worth while to come for, where they are short.
const MANY_JOBS: usize = 128;

const NONE: u8 = 0;
const SOME: u8 = 1;
const MANY: u8 = 2;

/// How much waits: nothing, something, much. What it hints at is read again under the lock, so that it needs no ordering.
///
/// It says no more than that so that it changes seldom: a loop that looks has its line of memory, and each change takes that away
/// from it while the submitter waits. Aligned to two cache lines, because x86-64 fetches them in pairs.
#[repr(align(128))]
pub(crate) struct Hint(AtomicU8);

impl Hint {
    pub(crate) fn new() -> Self {
        Hint(AtomicU8::new(NONE))
    }

    /// So many jobs wait. Called under the lock.
    #[inline]
    pub(crate) fn set(&self, jobs: usize) {
        let now = match jobs {
            0 => NONE,
            1..MANY_JOBS => SOME,
            _ => MANY,
        };
        if self.0.load(Ordering::Relaxed) != now {
            self.0.store(now, Ordering::Relaxed);
        }
    }

    pub(crate) fn is_some(&self) -> bool {
        self.0.load(Ordering::Relaxed) != NONE
    }

    pub(crate) fn is_many(&self) -> bool {
        self.0.load(Ordering::Relaxed) == MANY
    }
}
