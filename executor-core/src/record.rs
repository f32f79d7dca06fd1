//! What is known of a job beside its cell: its number, its pool, its options, its waiters.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::backend::Control;
use crate::bells::Bells;
use crate::options::{JobOptions, Priority};
use crate::state::JobId;
use crate::trace::{Spans, Submitter};

/// What is known of a job, or of the jobs of a chunk, beside the cell.
pub(crate) struct Record {
    pub(crate) id: JobId,
    pub(crate) control: Arc<dyn Control>,
    /// Where the backend keeps the task; written before the future is handed out, and by the backend alone after that.
    place: AtomicU64,
    /// Whoever waits; and what else few jobs have, such as options.
    pub(crate) bells: Bells,
    pub(crate) spans: Spans,
}

/// The options of a job that has any, and how far its attempts have come.
pub(crate) struct Details {
    pub(crate) options: JobOptions,
    /// The present attempt, from 1.
    attempt: AtomicU32,
    /// When the present attempt began; only where a run limit is set.
    began: Mutex<Option<Instant>>,
}

impl Record {
    /// The record of jobs that were submitted elsewhere, where their spans are, in their present attempt.
    pub(crate) fn of_guests(id: JobId, control: Arc<dyn Control>, options: Option<JobOptions>, attempt: u32) -> Self {
        let details = match options {
            options if attempt > 1 => Some(Details::new(options.unwrap_or_default(), attempt)),
            options => Details::of(options),
        };
        Record::with_spans(id, control, details, Spans::none())
    }

    /// The record of `jobs` jobs of the type `name`, with their spans; no options are the default ones.
    #[inline]
    pub(crate) fn traced(
        jobs: usize,
        name: &str,
        control: Arc<dyn Control>,
        options: Option<JobOptions>,
        submitter: &Submitter,
    ) -> Self {
        let id = JobId::take(jobs as u64);
        let details = Details::of(options);
        let given = details.as_ref().and_then(|details| details.options.name.as_deref());
        let spans = Spans::open(submitter, id, jobs, given.unwrap_or(name));
        Record::with_spans(id, control, details, spans)
    }

    #[inline]
    fn with_spans(id: JobId, control: Arc<dyn Control>, details: Option<Details>, spans: Spans) -> Self {
        Record { id, control, place: AtomicU64::new(0), bells: Bells::new(details), spans }
    }

    #[inline]
    pub(crate) fn priority(&self) -> Priority {
        self.details().map_or(Priority::Normal, |details| details.options.priority)
    }

    // The place is read and written under the backend's own lock, which orders it.
    #[inline]
    pub(crate) fn place(&self) -> u64 {
        self.place.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn set_place(&self, place: u64) {
        self.place.store(place, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn details(&self) -> Option<&Details> {
        self.bells.details()
    }
}

impl Details {
    /// Those of options that are not the default ones.
    #[inline]
    fn of(options: Option<JobOptions>) -> Option<Self> {
        options.filter(|options| *options != JobOptions::default()).map(|options| Details::new(options, 1))
    }

    fn new(options: JobOptions, attempt: u32) -> Self {
        Details { options, attempt: AtomicU32::new(attempt), began: Mutex::new(None) }
    }

    /// Begins an attempt, from which the run limit counts.
    pub(crate) fn begin_attempt(&self) {
        if self.options.run_limit.is_some() {
            *self.began.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
    }

    /// When the present attempt passes its run limit. `None` without a limit, or with one beyond what a clock can tell.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let limit = self.options.run_limit?;
        let began = *self.began.lock().unwrap_or_else(PoisonError::into_inner);
        began?.checked_add(limit)
    }

    // Only the holder of the ticket writes the attempt, and whoever reads it from elsewhere wants a number to show.
    pub(crate) fn attempt(&self) -> u32 {
        self.attempt.load(Ordering::Relaxed)
    }

    /// The wait before the next attempt, or `None` if this was the last.
    pub(crate) fn delay(&self) -> Option<Duration> {
        self.options.retries.delay_after(self.attempt())
    }

    /// Goes on to the next attempt, and gives its number.
    pub(crate) fn next_attempt(&self) -> u32 {
        let next = self.attempt() + 1;
        self.attempt.store(next, Ordering::Relaxed);
        next
    }
}
