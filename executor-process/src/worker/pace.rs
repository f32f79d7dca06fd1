//! When a worker tells what it has.

use std::time::{Duration, Instant};

/// How long outcomes may wait for others to go with them. A write costs some µs, so that it is a small part of the time.
const GATHER: Duration = Duration::from_micros(50);

/// The clock of a worker, read once after each job.
pub(super) struct Pace {
    last: Instant,
    told: Instant,
}

impl Pace {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Pace { last: now, told: now }
    }

    /// The worker begins to work after it had nothing to do.
    pub(super) fn begin(&mut self) {
        *self = Pace::new();
    }

    /// A job has ended: how long it took, in ns.
    pub(super) fn lap(&mut self) -> u64 {
        let now = Instant::now();
        let took = now - self.last;
        self.last = now;
        u64::try_from(took.as_nanos()).unwrap_or(u64::MAX)
    }

    /// True if what waits has waited long enough, as of the last lap.
    pub(super) fn is_time_to_tell(&self) -> bool {
        self.last - self.told >= GATHER
    }

    pub(super) fn has_told(&mut self) {
        self.told = self.last;
    }
}
