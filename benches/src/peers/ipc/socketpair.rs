//! The floor of everything that crosses a socket: bare bytes, without a message around them.

use super::Ipc;
use crate::outcome::Outcome;
use crate::peers::processes::{Processes, Trips, socketpair};
use crate::peers::{Open, Peer};

/// The peer of worker processes, which has such trips too.
pub(crate) const PEER: Peer = Peer {
    name: "bare-socketpair",
    package: "benches",
    how: "the floor: numbers of 16 bytes, one write and one read on each side",
    open: Open::Ipc(|| Ok(Box::new(Bare(socketpair::Socketpair::new(1))))),
};

struct Bare(socketpair::Socketpair);

impl Ipc for Bare {
    fn ping_pong(&self, count: u64) -> Outcome<Trips> {
        self.0.round_trips(count)
    }
}
