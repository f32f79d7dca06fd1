//! Who is measured with what processes share: ours, the floors, and those that a user would otherwise pick.

pub(crate) mod ipc_channel;
pub(crate) mod ours;
pub(crate) mod socketpair;

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
}
