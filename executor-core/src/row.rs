//! [`RowClaim`]: jobs in a row that ran elsewhere, ended together.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::cell::{Cell, Stage, Ticket};
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

    fn take(&mut self) -> impl Iterator<Item = (u32, Ticket)> {
        let tickets = std::iter::once(self.front.take()).chain(std::mem::take(&mut self.rest));
        (self.first..).zip(tickets).filter_map(|(item, ticket)| Some((item, ticket?)))
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
        let first = self.first;
        let output = |item: u32| {
            let part = &parts[(item - first) as usize];
            Slice::new(Arc::clone(buffer), part.start as usize..part.end as usize)
        };
        let parcel = Arc::clone(&self.parcel);
        let mut row = self.take().map(|(item, ticket)| (item, ticket, output(item)));
        parcel.cell().arrive_row(parcel.cell(), &mut row, tally)
    }
}

/// Ends a job that was counted as finished.
pub(crate) fn finish_counted<P: Payload>(cell: &Cell<P>, ticket: Ticket, output: Slice, tally: &dyn Tally) -> bool {
    let counted = |failed| {
        if failed {
            tally.overruled();
        }
    };
    cell.finish(ticket, Stage::Bytes(output), false, counted, || tally.overruled())
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
