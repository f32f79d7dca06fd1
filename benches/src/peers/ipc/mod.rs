//! Who is measured with what processes share: ours, the floors, and those that a user would otherwise pick.

pub(crate) mod array;
pub(crate) mod futex;
pub(crate) mod ipc_channel;
pub(crate) mod ours;
pub(crate) mod pthread;
pub(crate) mod python;
pub(crate) mod slice;
pub(crate) mod socketpair;
pub(crate) mod std_mutex;
pub(crate) mod sync;

use crate::outcome::{Failure, Outcome};
use crate::peers::processes::Trips;

/// The name of our own crate among the peers.
pub(crate) const OURS: &str = "executor-ipc";

/// Two processes and what is between them, as the cases see it. The other process starts when it is first needed.
pub(crate) trait Ipc {
    /// Sends `count` numbers to the other process, one at a time, which adds 1 to each and sends it back.
    fn ping_pong(&self, _count: u64) -> Outcome<Trips> {
        Err(Failure::NotOffered)
    }

    /// Takes a mutex, raises the number in it, and releases it, `count` times.
    fn mutex(&self, _count: u64) -> Outcome<Turns> {
        Err(Failure::NotOffered)
    }

    /// Acquires and releases the one permit of a semaphore, `count` times.
    fn semaphore(&self, _count: u64) -> Outcome<Turns> {
        Err(Failure::NotOffered)
    }

    /// Sets, looks at and clears a flag, `count` times.
    fn event(&self, _count: u64) -> Outcome<Turns> {
        Err(Failure::NotOffered)
    }

    /// Gets `count` numbers through a queue, from 1 on, which the other process puts as fast as it can; their sum.
    fn queue(&self, _count: u64) -> Outcome<u64> {
        Err(Failure::NotOffered)
    }

    /// Reads and changes all elements of arrays of so many bytes.
    fn array(&self, _bytes: usize) -> Outcome<Accesses> {
        Err(Failure::NotOffered)
    }

    /// By how much fewer numbers a queue that is slow is measured.
    fn fewer_numbers(&self) -> u64 {
        1
    }
}

/// What turns took, in nanoseconds each.
pub(crate) struct Turns {
    /// By one thread, that nobody else is in the way of.
    pub(crate) alone: f64,
    /// By two processes, where they can share it: of an event, one by one and the other by the other, and of the others as many as each
    /// can at the same time.
    pub(crate) together: Option<f64>,
}

/// What it takes to reach one element of an array, in nanoseconds.
pub(crate) struct Accesses {
    pub(crate) sum: f64,
    pub(crate) update: f64,
    /// The same of elements of two numbers.
    pub(crate) points_sum: f64,
    pub(crate) points_update: f64,
}
