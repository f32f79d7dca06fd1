//! Counts of jobs.

use std::sync::atomic::{AtomicU64, Ordering};

use executor_core::backend::Tally;

/// The counts of one pool. A snapshot reads the latest stage first; each count is released and acquired, so that a job that
/// is seen as ended is seen as begun too.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    begun: AtomicU64,
    finished: AtomicU64,
    failed: AtomicU64,
}

/// A reading of [`Counts`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    pub(crate) begun: u64,
    pub(crate) finished: u64,
    pub(crate) failed: u64,
}

impl Counts {
    pub(crate) fn read(&self) -> Reading {
        // Failed before finished, as `overruled` says.
        let [failed, finished, begun] =
            [&self.failed, &self.finished, &self.begun].map(|count| count.load(Ordering::Acquire));
        Reading { begun, finished, failed }
    }
}

impl Tally for Counts {
    fn begun(&self) {
        self.begun.fetch_add(1, Ordering::Release);
    }

    fn ended(&self, failed: bool) {
        if failed { &self.failed } else { &self.finished }.fetch_add(1, Ordering::Release);
    }

    fn overruled(&self) {
        // In this order, and read in the other one, so that no snapshot counts it twice.
        self.finished.fetch_sub(1, Ordering::Release);
        self.failed.fetch_add(1, Ordering::Release);
    }
}

/// Counts jobs that fail without having run: each is counted as begun too, so that the columns agree.
pub(crate) struct Unrun<'a>(pub(crate) &'a Counts);

impl Tally for Unrun<'_> {
    fn begun(&self) {}

    fn ended(&self, failed: bool) {
        self.0.begun();
        self.0.ended(failed);
    }
}
