//! The mutex of the standard library, which is for the threads of one process.

use std::sync::Mutex;

use super::{Ipc, Turns, sync};
use crate::outcome::Outcome;
use crate::peers::{Open, Peer};

/// It knows of no death and of no other process.
pub(crate) const PEER: Peer = Peer {
    name: "std-mutex",
    package: "benches",
    how: "std::sync::Mutex, by one thread",
    open: Open::Ipc(|| Ok(Box::new(Std))),
};

struct Std;

impl sync::Gate for Mutex<u64> {
    fn pass(&self) {
        *self.lock().expect("nobody panics") += 1;
    }
}

impl Ipc for Std {
    fn mutex(&self, count: u64) -> Outcome<Turns> {
        Ok(Turns { alone: sync::alone(&Mutex::new(0), count)?, together: None })
    }
}
