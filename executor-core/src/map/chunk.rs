//! Some jobs of a map in one allocation of cells, run by any number of workers.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::backend::Control;
use crate::backend::pieces::put_piece;
use crate::carrier::collected;
use crate::cell::{Cell, Outcome, Stage, State, Ticket, Withdraw};
use crate::context;
use crate::error::JobError;
use crate::job_ref::{AnyCell, JobRef};
use crate::options::{JobOptions, Priority};
use crate::panic::drop_quietly;
use crate::parcel::{Arrived, Callbacks, Landed, Parcel};
use crate::payload::Payload;
use crate::record::Record;
use crate::registry::JobEntry;
use crate::row::{Row, finish_counted, overruled};
use crate::run::{Attempt, Ran, Tally, execute};
use crate::sync::atomic::{AtomicU32, Ordering};
use crate::sync::now;
use crate::task::Task;
use crate::trace::Submitter;

use super::pace::Pace;

/// The cells of some jobs in a row.
pub(crate) struct Chunk<P: Payload> {
    record: Record,
    cells: Box<[Cell<P>]>,
    /// The first item that no worker has taken yet. It only hands out work: which worker runs an item is decided in the
    /// cell, so that no ordering is needed.
    cursor: AtomicU32,
    /// How many jobs were run or withdrawn. Counted after each turn of a worker; the last one rings the bells.
    ended: AtomicU32,
    pace: Arc<Pace>,
}

impl<P: Payload> Chunk<P> {
    /// A chunk of `jobs`, and the task that runs it; none if no job of it could be encoded.
    pub(crate) fn new(
        jobs: impl ExactSizeIterator<Item = P>,
        priority: Priority,
        control: Arc<dyn Control>,
        pace: Arc<Pace>,
        submitter: &Submitter,
    ) -> (Option<Task>, Arc<Self>) {
        if control.travels()
            && let Some(entry) = P::entry()
        {
            return Chunk::encoded(jobs, entry, priority, control, pace, submitter);
        }
        let chunk = Chunk::of_cells(jobs.map(Cell::new).collect(), priority, control, pace, submitter);
        let task = Task::share_of(Share(Arc::new(Owner(Arc::clone(&chunk) as Arc<dyn AnyChunk>))));
        (Some(task), chunk)
    }

    fn of_cells(
        cells: Box<[Cell<P>]>,
        priority: Priority,
        control: Arc<dyn Control>,
        pace: Arc<Pace>,
        submitter: &Submitter,
    ) -> Arc<Self> {
        let options = JobOptions::new().priority(priority);
        let record = Record::traced(cells.len(), P::name(), control, Some(options), submitter);
        Arc::new(Chunk { record, cells, cursor: AtomicU32::new(0), ended: AtomicU32::new(0), pace })
    }

    /// A chunk that runs elsewhere. An item that cannot be encoded fails by itself.
    fn encoded(
        jobs: impl ExactSizeIterator<Item = P>,
        entry: &'static JobEntry,
        priority: Priority,
        control: Arc<dyn Control>,
        pace: Arc<Pace>,
        submitter: &Submitter,
    ) -> (Option<Task>, Arc<Self>) {
        let cells = (0..jobs.len()).map(|_| Cell::sealed()).collect();
        let carrier = control.carrier();
        let chunk = Chunk::of_cells(cells, priority, control, pace, submitter);
        let (mut pieces, mut attached) = (Vec::new(), Vec::new());
        let ends = (0..)
            .zip(jobs)
            .map(|(index, job)| {
                let (encoded, attachments) =
                    collected(carrier, || put_piece(&mut pieces, |bytes| job.encode_into(bytes)));
                drop_quietly(job);
                if encoded.is_ok() {
                    attached.extend(attachments.map(|attachments| (index, attachments)));
                }
                if let Err(error) = encoded
                    && let Some(ticket) = chunk.cell(index).begin()
                {
                    drop(AnyCell::fail(Arc::clone(&chunk), index, ticket, error, None));
                }
                pieces.len()
            })
            .collect();
        let parcel = Parcel::of_many(Arc::clone(&chunk) as Arc<dyn AnyCell>, entry, pieces, ends, attached);
        ((!chunk.is_ended()).then(|| Task::parcel(parcel)), chunk)
    }

    pub(crate) fn len(&self) -> usize {
        self.cells.len()
    }

    fn cell(&self, index: u32) -> &Cell<P> {
        &self.cells[index as usize]
    }

    /// True once every job is run or withdrawn, and those who ended them have said so.
    pub(crate) fn is_ended(&self) -> bool {
        // Acquires the outcomes that the workers counted.
        self.ended.load(Ordering::Acquire) as usize >= self.cells.len()
    }

    pub(crate) fn job(self: &Arc<Self>, index: u32) -> JobRef {
        JobRef::new(Arc::clone(self), index)
    }

    /// What came of one item, once it is done.
    #[inline]
    pub(crate) fn take(&self, index: u32) -> Option<Outcome<P>> {
        self.cell(index).take_outcome()
    }

    /// Counts jobs that ended or were withdrawn, and rings when they were the last.
    fn count_ended(self: &Arc<Self>, jobs: u32) {
        if jobs > 0 && self.add_ended(jobs) {
            self.job(0).ring();
        }
    }

    /// Counts jobs that ended or were withdrawn; true if they were the last.
    fn add_ended(&self, jobs: u32) -> bool {
        // Releases the outcomes of the jobs, to the reader in `is_ended`.
        self.ended.fetch_add(jobs, Ordering::AcqRel) + jobs == self.cells.len() as u32
    }

    /// Ends one item, whose outcome is in its place; true if somebody waits, whom the caller must ring.
    #[inline]
    fn finish(&self, index: u32, ticket: Ticket, failed: bool, tally: Option<&dyn Tally>) -> bool {
        let counted = |failed| {
            if let Some(tally) = tally {
                tally.ended(failed);
            }
        };
        self.cell(index).finish(ticket, failed, counted, || overruled(tally))
    }

    /// Ends one item by itself, with the code of the user's left to the caller.
    fn end_quietly(
        self: &Arc<Self>,
        index: u32,
        ticket: Ticket,
        attempt: Attempt<P>,
        tally: Option<&dyn Tally>,
    ) -> Option<Callbacks> {
        self.cell(index).put(&ticket, attempt.stage);
        let waited = self.finish(index, ticket, attempt.failed, tally);
        let last = self.add_ended(1);
        self.job(index).ring_threads(waited || last)
    }

    /// Runs item `index` inside the context that is set already; false if another has begun it.
    #[inline]
    fn run_item(self: &Arc<Self>, index: u32, tally: &dyn Tally) -> bool {
        let Some(ticket) = self.cell(index).begin() else { return false };
        tally.begun();
        context::turn_to(index);
        self.run_begun(index, ticket, tally);
        true
    }

    #[inline]
    fn run_begun(self: &Arc<Self>, index: u32, ticket: Ticket, tally: &dyn Tally) {
        let cell = self.cell(index);
        let ran = match cell.take_job(&ticket) {
            Some(payload) => execute(&**self, index, payload, |returned| cell.put(&ticket, returned)),
            None => Err(Box::new(JobError::Lost { job: P::name().to_owned() })),
        };
        self.record.spans.close(index).tell();
        let failed = ran.unwrap_or_else(|error| {
            cell.put(&ticket, Stage::Failed(error));
            true
        });
        if self.finish(index, ticket, failed, Some(tally)) {
            self.job(index).ring();
        }
    }
}

/// A chunk whose payload type is erased.
trait AnyChunk: AnyCell {
    fn run_items(self: Arc<Self>, tally: &dyn Tally, turn_ends: Instant) -> Ran;

    fn items(&self) -> u32;

    fn not_ended(&self) -> usize;
}

impl<P: Payload> AnyChunk for Chunk<P> {
    fn run_items(self: Arc<Self>, tally: &dyn Tally, turn_ends: Instant) -> Ran {
        let items = self.items();
        context::enter(self.job(0), || {
            let mut began = now();
            loop {
                // Looked at first, so that the cursor cannot run far beyond the end.
                let taken = if self.cursor.load(Ordering::Relaxed) < items {
                    let turn = self.pace.turn_items();
                    let first = self.cursor.fetch_add(turn, Ordering::Relaxed);
                    first.min(items)..first.saturating_add(turn).min(items)
                } else {
                    0..0
                };
                let ran = if taken.is_empty() {
                    // The cursor is at its end. What another worker took and has not begun is run here, one item at a time.
                    let idle = (0..items).find(|&index| self.run_item(index, tally));
                    if idle.is_none() {
                        return Ran::Done;
                    }
                    1
                } else {
                    taken.filter(|&index| self.run_item(index, tally)).count() as u32
                };
                let ended = now();
                self.pace.learn(ran, ended - began);
                self.count_ended(ran);
                began = ended;
                if ended >= turn_ends {
                    return Ran::Yielded;
                }
            }
        })
    }

    fn items(&self) -> u32 {
        self.cells.len() as u32
    }

    fn not_ended(&self) -> usize {
        self.cells.len().saturating_sub(self.ended.load(Ordering::Relaxed) as usize)
    }
}

impl<P: Payload> AnyCell for Chunk<P> {
    fn record(&self) -> &Record {
        &self.record
    }

    fn state(&self, index: u32) -> &State {
        self.cell(index).state()
    }

    fn type_name(&self) -> &'static str {
        P::name()
    }

    fn begin(&self, index: u32) -> Option<Ticket> {
        self.cell(index).begin()
    }

    fn begin_row(&self, items: Range<u32>) -> Vec<Option<Ticket>> {
        self.cells[items.start as usize..items.end as usize].iter().map(Cell::begin).collect()
    }

    fn run(self: Arc<Self>, index: u32, ticket: Ticket, tally: &dyn Tally) -> Ran {
        tally.begun();
        context::enter(self.job(index), || self.run_begun(index, ticket, tally));
        self.count_ended(1);
        Ran::Done
    }

    fn fail(
        self: Arc<Self>,
        index: u32,
        ticket: Ticket,
        error: JobError,
        tally: Option<&dyn Tally>,
    ) -> Option<Callbacks> {
        self.end_quietly(index, ticket, Attempt::failed(error), tally)
    }

    fn arrive(self: Arc<Self>, index: u32, ticket: Ticket, outcome: Arrived, tally: &dyn Tally) -> Landed {
        Landed { retry: None, callbacks: self.end_quietly(index, ticket, Attempt::arrived(outcome), Some(tally)) }
    }

    fn arrive_row(&self, this: &Arc<dyn AnyCell>, row: Row<'_>, tally: &dyn Tally) -> Vec<Callbacks> {
        let (mut callbacks, mut ended) = (Vec::new(), 0);
        let mut ring = |index, waited| callbacks.extend(JobRef::of_any(Arc::clone(this), index).ring_threads(waited));
        let mut last = 0;
        for (index, ticket, output) in row {
            let waited = finish_counted(self.cell(index), ticket, output, tally);
            let is_heard_of = waited || self.state(index).is_failed();
            if is_heard_of || self.record.spans.are_open() {
                ring(index, is_heard_of);
            }
            (ended, last) = (ended + 1, index);
        }
        if ended > 0 && self.add_ended(ended) {
            ring(last, true);
        }
        callbacks
    }

    fn learn(&self, items: u32, took: Duration) {
        self.pace.learn(items, took);
    }

    fn give_up(self: Arc<Self>, index: u32, ticket: Ticket, tally: &dyn Tally) -> Option<Callbacks> {
        // No item of a chunk is tried again, so none is ever between two attempts.
        let error = JobError::Lost { job: P::name().to_owned() };
        self.fail(index, ticket, error, Some(tally))
    }

    fn withdraw(self: Arc<Self>, index: u32, before_done: &mut dyn FnMut()) -> bool {
        let (withdraw, waited) = self.cell(index).withdraw(|| {
            self.record.spans.close_unrun(index).tell();
            before_done();
        });
        if waited {
            self.job(index).ring();
        }
        if withdraw == Withdraw::Won {
            self.count_ended(1);
        }
        withdraw != Withdraw::Begun
    }
}

/// One end of a chunk at which it is run. When the last end is dropped, what has not begun completes as lost.
#[derive(Clone)]
pub(crate) struct Share(Arc<Owner>);

struct Owner(Arc<dyn AnyChunk>);

impl Share {
    pub(crate) fn record(&self) -> &Record {
        self.0.0.record()
    }

    /// How many jobs have not ended, as of the last turn of a worker.
    pub(crate) fn pending(&self) -> usize {
        self.0.0.not_ended()
    }

    pub(crate) fn run(self, tally: &dyn Tally, turn_ends: Instant) -> Ran {
        Arc::clone(&self.0.0).run_items(tally, turn_ends)
    }

    /// Cancels the items that have not begun.
    pub(crate) fn cancel(&self) {
        for job in self.0.jobs() {
            job.record().control.cancel(&job);
        }
    }

    /// Withdraws the items of a chunk that no backend has accepted.
    pub(crate) fn withdraw(&self) {
        self.0.jobs().for_each(|job| {
            job.withdraw(|| {});
        });
    }

    /// Completes the items that have not begun with errors like `error`.
    pub(crate) fn fail(&self, error: &JobError, tally: Option<&dyn Tally>) {
        for job in self.0.jobs() {
            if let Some(claim) = job.claim() {
                claim.fail(error.to_another(), tally);
            }
        }
    }
}

impl Owner {
    fn jobs(&self) -> impl Iterator<Item = JobRef> {
        (0..self.0.items()).map(|index| JobRef::of_any(Arc::clone(&self.0) as Arc<dyn AnyCell>, index))
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        if self.0.not_ended() == 0 {
            return;
        }
        // A claim that is dropped completes its job as lost.
        self.jobs().for_each(|job| drop(job.claim()));
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Share").field("first", &self.record().id).field("items", &self.0.0.items()).finish()
    }
}
