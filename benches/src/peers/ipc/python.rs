//! The queue of Python's multiprocessing, where there is a `python3`.

use std::cell::OnceCell;

use super::Ipc;
use crate::outcome::Outcome;
use crate::peers::processes::python::Python;
use crate::peers::{Open, Peer};

/// Two interpreters, of which one is asked by lines.
pub(crate) const PEER: Peer = Peer {
    name: "python-queue",
    package: "multiprocessing",
    how: "Queue of Python without a bound, from one process to one other",
    open: Open::PythonIpc(|| Ok(Box::new(Queues { python: OnceCell::new() }))),
};

/// The program that the interpreter runs.
const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/peers/ipc/queues.py");

struct Queues {
    python: OnceCell<Python>,
}

impl Ipc for Queues {
    fn queue(&self, count: u64) -> Outcome<u64> {
        if self.python.get().is_none() {
            let python = Python::start(&[PROGRAM])?;
            self.python.get_or_init(|| python);
        }
        let python = self.python.get().expect("it was set just now");
        python.ask(&format!("queue {count}"))?.whole("sum")
    }

    fn fewer_numbers(&self) -> u64 {
        20
    }
}
