//! [`RowClaim`]: jobs in a row that ran elsewhere, ended together.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::vec;

use crate::cell::{Cell, Short, Stage, Ticket};
use crate::error::JobError;
use crate::job_ref::Claim;
use crate::parcel::{Callbacks, Parcel, Slice};
use crate::payload::Payload;
use crate::run::Tally;

/// Jobs in a row that were begun and must be ended. Dropping it completes them as [`JobError::Lost`].
#[must_use = "dropping a claim completes its jobs as lost"]
pub struct RowClaim {
    parcel: Arc<Parcel>,
    first: u32,
    /// That of the first job, apart, so that one job alone needs no allocation; gone where somebody else has the job.
    front: Option<Ticket>,
    rest: Vec<Option<Ticket>>,
}

impl RowClaim {
    pub(crate) fn new(parcel: Arc<Parcel>, first: u32, front: Option<Ticket>, rest: Vec<Option<Ticket>>) -> Self {
        RowClaim { parcel, first, front, rest }
    }

    fn take(&mut self) -> Tickets {
        Tickets { next: self.first, front: Some(self.front.take()), rest: std::mem::take(&mut self.rest).into_iter() }
    }

    /// Ends the jobs, each with an encoded output that is no failure: that of each is where `parts` says in `buffer`.
    ///
    /// It does what [`Claim::arrive`](crate::backend::Claim::arrive) does, at a part of the cost. In return the caller has counted the
    /// jobs as finished before, and none of them may be tried again: they are of a map, or have no
    /// [`options`](Parcel::options). The `tally` is told only of those that were killed in the last moment, as [overruled](Tally::overruled). A
    /// backend drops what it has of the parcel before it hands the callbacks on.
    ///
    /// # Panics
    ///
    /// If `buffer` or `parts` is too short.
    #[must_use = "who waits must be told: `call`"]
    pub fn arrive(mut self, buffer: &Arc<Vec<u8>>, parts: &[Range<u32>], tally: &dyn Tally) -> Vec<Callbacks> {
        let parcel = Arc::clone(&self.parcel);
        let row = Row { first: self.first, tickets: self.take(), buffer, parts };
        parcel.cell().arrive_row(parcel.cell(), row, tally)
    }
}

/// The tickets of a row, each with the number of its job.
struct Tickets {
    next: u32,
    front: Option<Option<Ticket>>,
    rest: vec::IntoIter<Option<Ticket>>,
}

impl Iterator for Tickets {
    type Item = (u32, Ticket);

    #[inline]
    fn next(&mut self) -> Option<(u32, Ticket)> {
        loop {
            let ticket = self.front.take().or_else(|| self.rest.next())?;
            let item = self.next;
            self.next += 1;
            if let Some(ticket) = ticket {
                return Some((item, ticket));
            }
        }
    }
}

/// Jobs in a row to be ended, each with its output.
pub(crate) struct Row<'a> {
    first: u32,
    tickets: Tickets,
    buffer: &'a Arc<Vec<u8>>,
    parts: &'a [Range<u32>],
}

impl<'a> Iterator for Row<'a> {
    type Item = (u32, Ticket, Part<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let (item, ticket) = self.tickets.next()?;
        let Range { start, end } = self.parts[(item - self.first) as usize];
        Some((item, ticket, Part { buffer: self.buffer, range: start as usize..end as usize }))
    }
}

/// Where an encoded output is.
pub(crate) struct Part<'a> {
    buffer: &'a Arc<Vec<u8>>,
    range: Range<usize>,
}

impl Part<'_> {
    #[inline]
    fn into_stage<P: Payload>(self) -> Stage<P> {
        match Short::of(&self.buffer[self.range.clone()]) {
            Some(short) => Stage::Short(short),
            None => Stage::Bytes(Slice::new(Arc::clone(self.buffer), self.range)),
        }
    }
}

/// Ends a job that was counted as finished.
#[inline]
pub(crate) fn finish_counted<P: Payload>(cell: &Cell<P>, ticket: Ticket, output: Part<'_>, tally: &dyn Tally) -> bool {
    let counted = |failed| {
        if failed {
            tally.overruled();
        }
    };
    cell.put(&ticket, output.into_stage());
    cell.finish(ticket, false, counted, || tally.overruled())
}

/// Tells of a job that was counted as finished and was killed before its future knew.
pub(crate) fn overruled(tally: Option<&dyn Tally>) {
    if let Some(tally) = tally {
        tally.overruled();
    }
}

impl Drop for RowClaim {
    fn drop(&mut self) {
        let parcel = Arc::clone(&self.parcel);
        for (item, ticket) in self.take() {
            let job = parcel.job(item);
            let error = JobError::Lost { job: job.name().to_owned() };
            Claim::new(job, ticket).fail(error, None);
        }
    }
}

impl fmt::Debug for RowClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let items = usize::from(self.front.is_some()) + self.rest.len();
        f.debug_struct("RowClaim")
            .field("parcel", &self.parcel)
            .field("first", &self.first)
            .field("items", &items)
            .finish()
    }
}
