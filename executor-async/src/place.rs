//! [`Place`]: where a job is, as its cell keeps it.

use executor_core::backend::{JobRef, Ticket};

use crate::slots::SlotKey;

/// Where a job is, as far as it was noted: a job that a driver has is still noted where it waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// It waits for a thread.
    Function,
    /// It waits until fewer async jobs run, or a driver has it.
    Async,
    /// It waits for something else, or has a task of the runtime.
    Slot(SlotKey),
}

/// The kinds of places, as the queues are told.
pub(crate) const FUNCTIONS: u8 = 0;
pub(crate) const ASYNCS: u8 = 1;
const SLOTS: u64 = 2;

/// Where the number of a slot begins; below is what a ticket has there too.
const INDEX_AT: u32 = Ticket::TAG_BITS;
const TURN_AT: u32 = INDEX_AT + u32::BITS;

impl Place {
    pub(crate) fn of(job: &JobRef) -> Self {
        match Ticket::of(job).kind() {
            FUNCTIONS => Place::Function,
            ASYNCS => Place::Async,
            _ => {
                let word = job.place();
                // Truncation takes the index out.
                Place::Slot(SlotKey { index: (word >> INDEX_AT) as u32, turn: (word >> TURN_AT) as u32 })
            }
        }
    }
}

impl SlotKey {
    /// After so many jobs in one slot the turns begin again, so that slot and turn fit in what a cell keeps of its place. A place
    /// is used only while its job is there or shortly after.
    pub(crate) const TURNS: u32 = 1 << (u64::BITS - TURN_AT);

    pub(crate) fn to_place(self) -> u64 {
        u64::from(self.turn) << TURN_AT | u64::from(self.index) << INDEX_AT | SLOTS << 2
    }
}
