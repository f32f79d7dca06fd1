//! Counts of an executor at one moment.

/// Counts of an executor at one moment. Each accepted job is in exactly one of the five columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// How many workers there are.
    pub workers: usize,
    /// Jobs that no worker has begun.
    pub queued: u64,
    /// Jobs that a worker has begun and not ended, those between two attempts included. A worker that waits for a job and runs it
    /// meanwhile has two, so that there may be more than workers.
    pub running: u64,
    /// Jobs that ended well.
    pub finished: u64,
    /// Jobs that ended with an error, or with an output that is a failure.
    pub failed: u64,
    /// Jobs that were cancelled before they began.
    pub cancelled: u64,
    /// How often a worker was replaced.
    pub worker_restarts: u64,
}

impl Stats {
    /// How many jobs were ever accepted: the sum of the five columns.
    #[must_use]
    pub fn submitted(&self) -> u64 {
        self.queued + self.running + self.finished + self.failed + self.cancelled
    }
}
