//! Names that the whole crate shares: [`JobId`], [`JobState`], [`PoolId`].

use std::cell::Cell;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// How far a job has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JobState {
    /// Accepted, and not begun by any worker. Only now can it be cancelled.
    Pending,
    /// A worker has begun it and has not ended it. A job between two attempts is running too.
    Running,
    /// It ended, with a value or with an error.
    Finished,
    /// It was cancelled before it began, and never will.
    Cancelled,
}

/// The number of a job, unique within one run of the program. The jobs that one thread submits have rising numbers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(u64);

impl JobId {
    /// Takes `count` numbers in a row and gives the first. A thread takes a block of them from the program at a time, so
    /// that submitters do not meet at one counter.
    #[inline]
    pub(crate) fn take(count: u64) -> Self {
        thread_local! {
            /// The next number of this thread's block, and the end of it.
            static BLOCK: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
        }
        let (mut next, mut end) = BLOCK.get();
        if end - next < count {
            // A plain count: nothing is published by it, so no ordering is needed.
            static PROGRAM: AtomicU64 = AtomicU64::new(1);
            let block = count.max(1024);
            next = PROGRAM.fetch_add(block, Ordering::Relaxed);
            end = next + block;
        }
        BLOCK.set((next + count, end));
        JobId(next)
    }

    /// The number that another process gave.
    pub(crate) fn from_u64(number: u64) -> Self {
        JobId(number)
    }

    pub(crate) fn offset(self, index: u32) -> Self {
        JobId(self.0 + u64::from(index))
    }

    /// The number itself, for logs.
    #[must_use]
    pub fn as_u64(self) -> u64 {
        self.0
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

impl fmt::Debug for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JobId({})", self.0)
    }
}

/// The number of a pool, unique within one run of the program. Handles to one pool share it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PoolId(u64);

impl PoolId {
    /// A number that no other pool has.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "two defaults would differ")]
    pub fn new() -> Self {
        // A plain count: nothing is published by it, so no ordering is needed.
        static NEXT: AtomicU64 = AtomicU64::new(1);
        PoolId(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

impl PoolId {
    /// The number itself, for names and logs.
    #[must_use]
    pub fn as_u64(self) -> u64 {
        self.0
    }
}

impl fmt::Debug for PoolId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PoolId({})", self.0)
    }
}
