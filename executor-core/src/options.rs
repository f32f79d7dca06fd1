//! What a submit can ask for beyond the job itself.

use std::time::Duration;

/// Which of the waiting jobs goes first.
///
/// Within one priority the order is first in, first out. No priority starves: after
/// [`AGEING`](Priority::AGEING) jobs of a higher one, one of a lower goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// After the others.
    Low,
    /// The default.
    #[default]
    Normal,
    /// Before the others.
    High,
}

impl Priority {
    /// After how many jobs of a higher priority one of a lower goes, if one waits. Chosen so that the lower ones get
    /// about 6 % of a pool that the higher ones fill: enough to move on, too little to be in the way.
    pub const AGEING: u32 = 16;
}

/// How a failed job is tried again.
///
/// A job fails if it panics, passes its run limit, loses its worker, or returns what [`Job::failed`](crate::Job::failed)
/// calls a failure, as `Err` is. The wait before the second attempt is `delay`, and each further one is twice the one
/// before, up to an hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retries {
    times: u32,
    delay: Duration,
}

/// The longest wait between two attempts. A longer one is a schedule, not a retry.
const DELAY_MAX: Duration = Duration::from_secs(3600);

impl Retries {
    /// Tries again up to `times` times after the first attempt, without a wait.
    #[must_use]
    pub const fn times(times: u32) -> Self {
        Retries { times, delay: Duration::ZERO }
    }

    /// Waits `delay` before the second attempt, and twice as long before each further one.
    #[must_use]
    pub const fn backoff(self, delay: Duration) -> Self {
        Retries { delay, ..self }
    }

    /// How many attempts may follow the first.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.times
    }

    /// The wait after attempt `attempt` (from 1) failed, or `None` if it was the last.
    pub(crate) fn delay_after(&self, attempt: u32) -> Option<Duration> {
        (attempt <= self.times).then(|| {
            let factor = 1u32.checked_shl(attempt - 1).unwrap_or(u32::MAX);
            self.delay.saturating_mul(factor).min(DELAY_MAX)
        })
    }
}

/// Options of one submit. What a backend cannot honour is refused by name, never ignored.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use executor_core::{JobOptions, Priority, Retries};
///
/// let options = JobOptions::new()
///     .name("nightly report")
///     .priority(Priority::High)
///     .run_limit(Duration::from_secs(30))
///     .retries(Retries::times(2).backoff(Duration::from_millis(100)));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "options do nothing until they are given to `submit_with`"]
pub struct JobOptions {
    pub(crate) name: Option<String>,
    pub(crate) priority: Priority,
    pub(crate) run_limit: Option<Duration>,
    pub(crate) retries: Retries,
}

impl JobOptions {
    /// No name but the job's own, [`Priority::Normal`], no run limit, no retries.
    pub fn new() -> Self {
        JobOptions::default()
    }

    /// A name for messages and logs, instead of the job's own.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Which of the waiting jobs goes first.
    pub fn priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// How long one attempt of the job may run, from the moment a worker begins it.
    ///
    /// Where [`Capabilities::run_limit`](crate::backend::Capabilities::run_limit) is `Enforced`, the job is stopped. Where
    /// it is `Asked`, [`should_stop`](crate::JobContext::should_stop) turns true, and when the job ends its output is
    /// dropped. The outcome is [`JobError::RunLimit`](crate::JobError::RunLimit) in both.
    pub fn run_limit(mut self, limit: Duration) -> Self {
        self.run_limit = Some(limit);
        self
    }

    /// How the job is tried again if it fails.
    pub fn retries(mut self, retries: Retries) -> Self {
        self.retries = retries;
        self
    }

    /// True if nothing but the priority differs from the defaults.
    pub(crate) fn is_plain(&self) -> bool {
        self.name.is_none() && self.run_limit.is_none() && self.retries.times == 0
    }
}
