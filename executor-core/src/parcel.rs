//! [`Parcel`]: jobs on their way out of this process, and what comes back of them.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use crate::arguments::Arguments;
use crate::backend::{Retry, Tally};
use crate::bells::Waiter;
use crate::carrier::{Attachments, Carrier, Supply, supplied};
use crate::error::JobError;
use crate::job_ref::{AnyCell, JobRef};
use crate::options::Priority;
use crate::registry::JobEntry;
use crate::row::RowClaim;
use crate::state::JobId;
use crate::trace::SpanNews;

/// Jobs of one type, encoded: one submitted job, or a chunk of a map. What a backend that runs jobs elsewhere gets in
/// place of the jobs; see [`Task::into_parcel`](crate::backend::Task::into_parcel).
///
/// The jobs were encoded by whoever submitted them, and dropped there: no code of the user's runs where a parcel is
/// handled. Dropping it completes what has not begun as [`JobError::Lost`].
pub struct Parcel {
    cell: Arc<dyn AnyCell>,
    entry: &'static JobEntry,
    arguments: Arguments,
    /// What goes beside the arguments of an item, in the order of the items. Few have any.
    attached: Vec<(u32, Attachments)>,
}

impl Parcel {
    pub(crate) fn of_one(
        cell: Arc<dyn AnyCell>,
        entry: &'static JobEntry,
        arguments: Arguments,
        attachments: Option<Attachments>,
    ) -> Self {
        let attached = attachments.map(|attachments| (0, attachments)).into_iter().collect();
        Parcel { cell, entry, arguments, attached }
    }

    pub(crate) fn of_many(
        cell: Arc<dyn AnyCell>,
        entry: &'static JobEntry,
        pieces: Vec<u8>,
        ends: Box<[usize]>,
        attached: Vec<(u32, Attachments)>,
    ) -> Self {
        Parcel { cell, entry, arguments: Arguments::Many(pieces, ends), attached }
    }

    pub(crate) fn cell(&self) -> &Arc<dyn AnyCell> {
        &self.cell
    }

    pub(crate) fn record(&self) -> &crate::record::Record {
        self.cell.record()
    }

    /// What all its jobs are.
    #[must_use]
    pub fn entry(&self) -> &'static JobEntry {
        self.entry
    }

    /// How many jobs there are, whatever became of them.
    #[must_use]
    pub fn items(&self) -> u32 {
        self.arguments.items()
    }

    /// True for a chunk of a map, which wants to [`learn`](Parcel::learn).
    #[must_use]
    pub fn is_of_map(&self) -> bool {
        matches!(self.arguments, Arguments::Many(..))
    }

    /// How many of them were neither withdrawn nor begun in their cells. An item that could not be encoded has failed
    /// before anybody saw the parcel: it is not sent, and not counted.
    #[must_use]
    pub fn pending(&self) -> usize {
        (0..self.items()).filter(|&item| self.is_pending(item)).count()
    }

    /// One of its jobs.
    ///
    /// # Panics
    ///
    /// May panic, now or later, if there is no such item.
    #[must_use]
    pub fn job(&self, item: u32) -> JobRef {
        JobRef::of_any(Arc::clone(&self.cell), item)
    }

    /// True as long as the job was neither withdrawn nor begun in its cell. Cheaper than to ask the job.
    #[must_use]
    pub fn is_pending(&self, item: u32) -> bool {
        self.cell.state(item).is_pending()
    }

    /// The number of its first job; the others follow.
    #[must_use]
    pub fn first_id(&self) -> JobId {
        self.cell.record().id
    }

    /// True if one of its jobs was asked to stop. Cheaper than to ask the job.
    #[must_use]
    pub fn stop_requested(&self, item: u32) -> bool {
        self.cell.state(item).stop_requested()
    }

    /// The encoded arguments of one of its jobs.
    ///
    /// # Panics
    ///
    /// If there is no such item.
    #[must_use]
    pub fn arguments(&self, item: u32) -> &[u8] {
        self.arguments.of(item)
    }

    /// The encoded arguments of jobs in a row, as [pieces](crate::backend::pieces) of kind 0, in one. `None` if they are not
    /// together, or something goes beside one of them. Those that could not be encoded have no piece.
    ///
    /// # Panics
    ///
    /// If there are no such items.
    #[must_use]
    pub fn pieces(&self, items: Range<u32>) -> Option<&[u8]> {
        let first_attached = self.attached.partition_point(|(item, _)| *item < items.start);
        let has_attached = self.attached.get(first_attached).is_some_and(|(item, _)| *item < items.end);
        if has_attached { None } else { self.arguments.pieces(items) }
    }

    /// The arguments of a single job that are so many that they should not be copied.
    #[must_use]
    pub fn large_arguments(&self) -> Option<&Arc<Vec<u8>>> {
        match &self.arguments {
            Arguments::Large(bytes) => Some(bytes),
            Arguments::Short(..) | Arguments::One(_) | Arguments::Many(..) => None,
        }
    }

    /// What goes beside the encoded arguments of one of its jobs, if anything does. It stays with the parcel, for the next
    /// attempts.
    #[must_use]
    pub fn attachments(&self, item: u32) -> Option<&Attachments> {
        let place = self.attached.binary_search_by_key(&item, |(item, _)| *item).ok()?;
        Some(&self.attached[place].1)
    }

    /// How many jobs from `item` on have nothing beside their arguments, up to one that has.
    #[must_use]
    pub fn plain_from(&self, item: u32) -> u32 {
        let next = self.attached.partition_point(|(attached, _)| *attached < item);
        self.attached.get(next).map_or(self.items(), |(attached, _)| *attached).saturating_sub(item)
    }

    /// Which of the waiting parcels goes first.
    #[must_use]
    pub fn priority(&self) -> Priority {
        self.cell.record().priority()
    }

    /// What differs from a plain job, if anything does.
    #[must_use]
    pub fn options(&self) -> Option<RunOptions<'_>> {
        let details = self.cell.record().details()?;
        Some(RunOptions {
            name: details.options.name.as_deref(),
            attempt: details.attempt(),
            run_limit: details.options.run_limit,
            submitter_span: None,
        })
    }

    /// Notes where the backend keeps the parcel, under a lock of the backend's; [`JobRef::place`] tells it.
    pub fn set_place(&self, place: u64) {
        self.cell.record().set_place(place);
    }

    /// The number of the span that was current where the jobs were submitted, if there was one and jobs have spans; `None`
    /// without the feature `tracing`.
    #[must_use]
    pub fn submitter_span(&self) -> Option<u64> {
        self.record().spans.submitter()
    }

    /// Notes to which worker some of the jobs are sent, for their spans.
    ///
    /// # Panics
    ///
    /// If there are no such items, and jobs have spans.
    pub fn note_worker(&self, items: Range<u32>, worker: usize) {
        self.record().spans.note_worker(items, worker);
    }

    pub(crate) fn jobs(&self) -> impl Iterator<Item = JobRef> {
        (0..self.items()).map(|item| self.job(item))
    }

    /// Completes the jobs that have not begun with errors like `error`.
    pub(crate) fn fail(&self, error: JobError, tally: Option<&dyn Tally>) {
        if self.items() == 1 {
            if let Some(claim) = self.job(0).claim() {
                claim.fail(error, tally);
            }
            return;
        }
        for claim in self.jobs().filter_map(|job| job.claim()) {
            claim.fail(error.to_another(), tally);
        }
    }

    /// Begins jobs in a row, from `first` on, all at once: the same as a [`claim`](JobRef::claim) each, at a part of the cost. What
    /// somebody else has begun or withdrawn stays as it is.
    ///
    /// # Panics
    ///
    /// If there are no such items.
    pub fn claim_row(self: &Arc<Self>, first: u32, items: u32) -> RowClaim {
        let front = if items > 0 { self.cell.begin(first) } else { None };
        let rest = if items > 1 { self.cell.begin_row(first + 1..first + items) } else { Vec::new() };
        RowClaim::new(Arc::clone(self), first, front, rest)
    }

    /// Takes in how long some of its jobs took, so that the next chunks of the same map have the right length.
    pub fn learn(&self, items: u32, took: Duration) {
        self.cell.learn(items, took);
    }
}

impl Drop for Parcel {
    fn drop(&mut self) {
        for item in 0..self.items() {
            if self.is_pending(item) {
                // A claim that is dropped completes its job as lost.
                drop(self.job(item).claim());
            }
        }
    }
}

impl fmt::Debug for Parcel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parcel").field("job", &self.entry.name()).field("items", &self.items()).finish_non_exhaustive()
    }
}

/// What a job's run must know beside its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunOptions<'a> {
    /// The name given at submit.
    pub name: Option<&'a str>,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// How long the attempt may run.
    pub run_limit: Option<Duration>,
    /// The number of the span around the submit, where the job came from. [`Parcel::options`] leaves it out, so that a plain job
    /// stays one; [`Parcel::submitter_span`] tells it.
    pub submitter_span: Option<u64>,
}

impl<'a> RunOptions<'a> {
    /// The options of a run that was sent to this process.
    #[must_use]
    pub fn new(name: Option<&'a str>, attempt: u32, run_limit: Option<Duration>) -> Self {
        RunOptions { name, attempt, run_limit, submitter_span: None }
    }

    /// The same for what was submitted inside the span of this number.
    #[must_use]
    pub fn from_span(self, submitter_span: Option<u64>) -> Self {
        RunOptions { submitter_span, ..self }
    }
}

/// What came of one attempt elsewhere.
#[derive(Debug)]
pub enum Arrived {
    /// What the job returned.
    Output {
        /// The encoded value.
        bytes: Slice,
        /// True if the job itself calls it a failure.
        failed: bool,
    },
    /// Why there is no value.
    Failed(JobError),
}

/// A part of a buffer that several outcomes share. It is small, because each cell of a job has room for one.
#[derive(Clone)]
pub struct Slice(Content);

#[derive(Clone)]
enum Content {
    /// With `end` before `begin` all of the buffer is meant, however long that is.
    Part { buffer: Arc<Vec<u8>>, begin: u32, end: u32 },
    /// With what came beside the bytes, which few have.
    Carried(Box<Carried>),
}

/// Bytes, what came beside them, and who knows what that is.
#[derive(Clone)]
struct Carried {
    bytes: Slice,
    carrier: &'static dyn Carrier,
    attachments: Attachments,
}

impl Slice {
    /// The bytes of `buffer` in `range`. Beyond the first 4 GiB of it they are copied.
    ///
    /// # Panics
    ///
    /// If the buffer does not have them.
    #[must_use]
    #[inline]
    pub fn new(buffer: Arc<Vec<u8>>, range: Range<usize>) -> Self {
        assert!(range.start <= range.end && range.end <= buffer.len(), "a slice lies in its buffer");
        match (u32::try_from(range.start), u32::try_from(range.end)) {
            (Ok(begin), Ok(end)) => Slice(Content::Part { buffer, begin, end }),
            _ => buffer[range].to_vec().into(),
        }
    }

    /// The same, with what came beside the bytes. Whoever decodes them finds it through `carrier`.
    #[must_use]
    pub fn with_attachments(self, carrier: &'static dyn Carrier, attachments: Attachments) -> Self {
        Slice(Content::Carried(Box::new(Carried { bytes: self, carrier, attachments })))
    }

    /// Calls `decode` with the bytes, and with what came beside them.
    #[inline]
    pub(crate) fn decode<R>(&self, decode: impl FnOnce(&[u8]) -> R) -> R {
        match &self.0 {
            Content::Part { .. } => decode(self.bytes()),
            Content::Carried(carried) => {
                let Carried { bytes, carrier, attachments } = &**carried;
                supplied(Some(Supply { carrier: *carrier, attachments }), || decode(bytes.bytes()))
            }
        }
    }

    fn bytes(&self) -> &[u8] {
        match &self.0 {
            Content::Part { buffer, begin, end } if begin > end => buffer,
            Content::Part { buffer, begin, end } => &buffer[*begin as usize..*end as usize],
            Content::Carried(carried) => carried.bytes.bytes(),
        }
    }
}

impl From<Vec<u8>> for Slice {
    fn from(bytes: Vec<u8>) -> Self {
        Slice(Content::Part { buffer: Arc::new(bytes), begin: 1, end: 0 })
    }
}

impl fmt::Debug for Slice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slice").field("bytes", &self.bytes().len()).finish_non_exhaustive()
    }
}

/// What became of a job whose attempt [arrived](crate::backend::Claim::arrive).
#[derive(Debug)]
#[must_use = "a retry that is dropped completes its job as lost, and callbacks that are dropped are called there"]
pub struct Landed {
    /// The next attempt, if there is one.
    pub retry: Option<Retry>,
    /// What is left to be done on a thread where code of the user's may run.
    pub callbacks: Option<Callbacks>,
}

/// Wakers and callbacks of a job that is done, and what its span is told; and the job itself, whose failure may be reported when
/// it is let go of.
///
/// Dropping it calls them there, so that nobody hangs. A failure that nobody reads is reported by whoever lets go of the
/// job last, so a backend lets go of the [`Parcel`] before it hands this on.
#[must_use = "who waits must be told: `call`"]
pub struct Callbacks {
    job: JobRef,
    waiters: Vec<Waiter>,
    span: SpanNews,
}

impl Callbacks {
    pub(crate) fn new(job: JobRef, waiters: Vec<Waiter>, span: SpanNews) -> Self {
        Callbacks { job, waiters, span }
    }

    /// News of the span of a job that is not done.
    pub(crate) fn of_news(job: JobRef, span: SpanNews) -> Option<Self> {
        span.is_some().then(|| Callbacks { job, waiters: Vec::new(), span })
    }

    /// Calls them all, in order. They are the user's.
    pub fn call(self) {
        drop(self);
    }
}

impl Drop for Callbacks {
    fn drop(&mut self) {
        self.span.tell();
        for waiter in self.waiters.drain(..) {
            waiter.ring(&self.job);
        }
    }
}

impl fmt::Debug for Callbacks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callbacks").field("job", &self.job).field("waiters", &self.waiters.len()).finish()
    }
}
