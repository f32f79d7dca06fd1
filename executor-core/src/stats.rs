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
    /// How often a worker was replaced: the sum of [`restarts`](Stats::restarts).
    pub worker_restarts: u64,
    /// The same by cause.
    pub restarts: Restarts,
}

/// How often workers were replaced, by cause. A backend that replaces none has zeros.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Restarts {
    /// The worker was lost, by the fault of its job or by a hand from outside.
    pub crashed: u64,
    /// Its job was killed on request.
    pub killed: u64,
    /// Its job had passed its run limit.
    pub run_limit: u64,
    /// It had done its share, as whoever built the executor asked for. No job ended with it.
    pub recycled: u64,
}

impl Restarts {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.crashed + self.killed + self.run_limit + self.recycled
    }
}

impl Stats {
    /// How many jobs were ever accepted: the sum of the five columns.
    #[must_use]
    pub fn submitted(&self) -> u64 {
        self.queued + self.running + self.finished + self.failed + self.cancelled
    }
}
