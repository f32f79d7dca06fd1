//! The channels of ipc-channel.

use super::Ipc;
use crate::outcome::Outcome;
use crate::peers::processes::{Processes, Trips, ipc};
use crate::peers::{Open, Peer};

/// The peer of worker processes, which has no pool either.
pub(crate) const PEER: Peer = Peer {
    name: "bare-ipc-channel",
    package: "ipc-channel",
    how: "IpcSender and IpcReceiver to one process, blocking on both sides",
    open: Open::Ipc(|| Ok(Box::new(Bare(ipc::Raw)))),
};

struct Bare(ipc::Raw);

impl Ipc for Bare {
    fn ping_pong(&self, count: u64) -> Outcome<Trips> {
        self.0.round_trips(count)
    }
}
