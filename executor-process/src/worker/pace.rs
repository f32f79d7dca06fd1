//! When a worker tells what it has.

use std::time::{Duration, Instant};

/// How long outcomes may wait for others to go with them. A write costs some µs, so that it is a small part of the time.
const GATHER: Duration = Duration::from_micros(250);

/// A job whose like took less than this is not worth a write before it. One that takes longer, or is not known, is: whoever waits
/// for what is kept back should not wait for that job.
const SHORT_NS: u64 = 20_000;

/// Of so many types of jobs it is known how long they take: more than any program has.
const TYPES_MAX: u32 = 1 << 16;

/// A job whose like took less than this is timed together with others of its type: to read the clock takes 20 ns and more.
const TINY_NS: u64 = 1_000;

/// So many of them at once, which are over in less time than outcomes may wait.
const TINY_JOBS: u32 = 16;

/// The clock of a worker, read once after each job, or after a few that are tiny.
pub(super) struct Pace {
    /// What the latest job of each type took, by its number; 0 for those that have not run.
    took_ns: Vec<u64>,
    last: Instant,
    told: Instant,
    /// How many jobs have ended since the clock was read, all of them of the latest type.
    untimed: u32,
    latest: u32,
}

impl Pace {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Pace { took_ns: Vec::new(), last: now, told: now, untimed: 0, latest: 0 }
    }

    /// The worker begins to work after it had nothing to do.
    pub(super) fn begin(&mut self) {
        let now = Instant::now();
        (self.last, self.told) = (now, now);
        self.untimed = 0;
    }

    /// True if jobs of this type have run, and the last was short.
    pub(super) fn is_short(&self, job: u32) -> bool {
        self.took_ns.get(job as usize).is_some_and(|&took_ns| took_ns > 0 && took_ns < SHORT_NS)
    }

    /// A job of this type has ended: how long it took, in ns, with those before it that were not timed; 0 if it was not timed
    /// itself.
    pub(super) fn lap(&mut self, job: u32) -> u64 {
        let is_tiny = self.took_ns.get(job as usize).is_some_and(|&took_ns| (1..TINY_NS).contains(&took_ns));
        if is_tiny && (self.untimed == 0 || self.latest == job) && self.untimed + 1 < TINY_JOBS {
            self.untimed += 1;
            self.latest = job;
            return 0;
        }
        let now = Instant::now();
        let took = now - self.last;
        self.last = now;
        let jobs = std::mem::take(&mut self.untimed) + 1;
        let took_ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX).max(1);
        if job < TYPES_MAX {
            let job = job as usize;
            self.took_ns.resize(self.took_ns.len().max(job + 1), 0);
            self.took_ns[job] = (took_ns / u64::from(jobs)).max(1);
        }
        took_ns
    }

    /// True if what waits has waited long enough, as of the last lap.
    pub(super) fn is_time_to_tell(&self) -> bool {
        self.last - self.told >= GATHER
    }

    pub(super) fn has_told(&mut self) {
        self.told = self.last;
    }
}
