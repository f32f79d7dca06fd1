//! The floor of arrays: vectors of one process.

use super::{Accesses, Ipc, array};
use crate::outcome::Outcome;
use crate::peers::{Open, Peer};

/// What a slice costs.
pub(crate) const PEER: Peer = Peer {
    name: "bare-slice",
    package: "benches",
    how: "the floor: vectors of this process, without a lock",
    open: Open::Ipc(|| Ok(Box::new(Bare))),
};

struct Bare;

impl Ipc for Bare {
    fn array(&self, bytes: usize) -> Outcome<Accesses> {
        let mut points = vec![array::Point::default(); bytes / 16];
        array::measure(&mut vec![0; bytes / 8], &mut points)
    }
}
