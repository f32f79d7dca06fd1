//! Counts of jobs, kept so that workers do not share a cache line.

use std::sync::atomic::{AtomicU64, Ordering};

use executor_core::backend::Tally;

/// The counts of one worker, or of all threads that are none. Aligned to two cache lines, because x86-64 fetches them
/// in pairs.
///
/// A snapshot reads the latest stage first; each count is released and acquired, so that a job that is seen as ended is
/// seen as begun too.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Counts {
    begun: AtomicU64,
    finished: AtomicU64,
    failed: AtomicU64,
}

/// A sum of [`Counts`].
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sums {
    pub(crate) begun: u64,
    pub(crate) finished: u64,
    pub(crate) failed: u64,
}

impl Counts {
    /// The sums over `all`, in the order that keeps them consistent.
    pub(crate) fn sum<'a>(all: impl Iterator<Item = &'a Counts> + Clone) -> Sums {
        let total =
            |count: fn(&Counts) -> &AtomicU64| all.clone().map(|counts| count(counts).load(Ordering::Acquire)).sum();
        let finished = total(|counts| &counts.finished);
        let failed = total(|counts| &counts.failed);
        let begun = total(|counts| &counts.begun);
        Sums { begun, finished, failed }
    }
}

/// A worker's own view of its counts, which nobody else writes: a plain store does.
pub(crate) struct Own<'a>(pub(crate) &'a Counts);

fn add_alone(count: &AtomicU64) {
    count.store(count.load(Ordering::Relaxed) + 1, Ordering::Release);
}

impl Tally for Own<'_> {
    #[inline]
    fn begun(&self) {
        add_alone(&self.0.begun);
    }

    #[inline]
    fn ended(&self, failed: bool) {
        add_alone(if failed { &self.0.failed } else { &self.0.finished });
    }
}

/// The counts that threads without a seat share.
impl Tally for Counts {
    #[inline]
    fn begun(&self) {
        self.begun.fetch_add(1, Ordering::Release);
    }

    #[inline]
    fn ended(&self, failed: bool) {
        if failed { &self.failed } else { &self.finished }.fetch_add(1, Ordering::Release);
    }
}
