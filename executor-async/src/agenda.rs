//! What is to be done at a moment to come: further attempts, the ends of run limits, and looks for jobs that block.

use std::collections::BTreeMap;
use std::time::Instant;

use executor_core::backend::{JobRef, Task};

use crate::slots::SlotKey;

/// What is to be done, by the moment of it.
#[derive(Default)]
pub(crate) struct Agenda {
    entries: BTreeMap<Key, Due>,
    ever: u64,
    retries: usize,
}

/// A moment, and a number that tells equal moments apart.
pub(crate) type Key = (Instant, u64);

/// What is to be done.
pub(crate) enum Due {
    /// A job is to be tried again.
    Retry(Task),
    /// An async job passes its run limit.
    Limit(SlotKey),
    /// Somebody looks whether a job blocks the runtime.
    #[cfg(feature = "tracing")]
    Look,
}

impl Agenda {
    pub(crate) fn add(&mut self, at: Instant, due: Due) -> Key {
        self.ever += 1;
        self.retries += usize::from(matches!(due, Due::Retry(_)));
        self.entries.insert((at, self.ever), due);
        (at, self.ever)
    }

    pub(crate) fn remove(&mut self, key: Key) -> Option<Due> {
        let due = self.entries.remove(&key)?;
        self.retries -= usize::from(matches!(due, Due::Retry(_)));
        Some(due)
    }

    /// How many jobs wait for their next attempt.
    pub(crate) fn retries(&self) -> usize {
        self.retries
    }

    pub(crate) fn next_at(&self) -> Option<Instant> {
        self.entries.first_key_value().map(|(key, _)| key.0)
    }

    /// What is due at `now`.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<Due> {
        let key = *self.entries.first_key_value()?.0;
        if key.0 <= now { self.remove(key) } else { None }
    }

    /// The task of a job that waits for its next attempt.
    pub(crate) fn take_retry_of(&mut self, job: &JobRef) -> Option<Task> {
        let is_it = |due: &Due| matches!(due, Due::Retry(task) if task.is_of(job));
        let key = *self.entries.iter().find(|(_, due)| is_it(due))?.0;
        match self.remove(key) {
            Some(Due::Retry(task)) => Some(task),
            _ => None,
        }
    }

    /// All that wait for their next attempt.
    pub(crate) fn take_retries(&mut self) -> Vec<Task> {
        self.retries = 0;
        let retries = self.entries.extract_if(.., |_, due| matches!(due, Due::Retry(_)));
        retries.filter_map(|(_, due)| if let Due::Retry(task) = due { Some(task) } else { None }).collect()
    }
}
