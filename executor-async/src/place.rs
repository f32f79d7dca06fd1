//! [`Place`]: where a job is, as its cell keeps it.

use executor_core::backend::JobRef;

use crate::queue::Ticket;
use crate::slots::SlotKey;

/// Where a job is. A cell has 64 bits for it, of which the lowest three say which of the three it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// It waits for a thread.
    Function(Ticket),
    /// It waits until fewer async jobs run.
    Async(Ticket),
    /// It is with the runtime.
    Slot(SlotKey),
}

const SLOT: u64 = 6;

impl Place {
    pub(crate) fn to_u64(self) -> u64 {
        match self {
            Place::Function(Ticket { lane, number }) => number << 3 | lane as u64,
            Place::Async(Ticket { lane, number }) => number << 3 | (3 + lane as u64),
            Place::Slot(SlotKey { index, turn }) => u64::from(turn) << 35 | u64::from(index) << 3 | SLOT,
        }
    }

    pub(crate) fn of(job: &JobRef) -> Self {
        let word = job.place();
        let number = word >> 3;
        match word & 7 {
            lane @ 0..3 => Place::Function(Ticket { lane: lane as usize, number }),
            lane @ 3..6 => Place::Async(Ticket { lane: lane as usize - 3, number }),
            // Truncation takes the index out, which is the lower half.
            _ => Place::Slot(SlotKey { index: number as u32, turn: (number >> 32) as u32 }),
        }
    }
}
