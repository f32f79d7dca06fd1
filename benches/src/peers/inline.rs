//! The floor: no threads at all. What a job costs when nothing is handed over.

use std::sync::{Arc, OnceLock};

use super::{Open, Peer, Pool, handles};
use crate::kernel::{self, Element};
use crate::outcome::{Failure, Outcome};

/// One `Arc` cell per job, run by the caller at submit; `map` is a plain loop and `fib` plain recursion.
pub(crate) const PEER: Peer = Peer {
    name: "inline",
    package: "benches",
    how: "the floor: one Arc cell per job, run by the caller; map and fib without jobs",
    open: Open::Threads(|_workers| Ok(Box::new(Inline))),
};

struct Inline;

/// The least that a result which is taken later can be: a shared cell, one end to fill it and one to read it.
fn run(n: u64) -> Arc<OnceLock<u64>> {
    let cell = Arc::new(OnceLock::new());
    let task = Arc::clone(&cell);
    task.get_or_init(|| kernel::inc(n));
    cell
}

fn taken(cell: &OnceLock<u64>) -> Outcome<u64> {
    cell.get().copied().ok_or_else(|| Failure::because("a job did not run"))
}

impl Pool for Inline {
    fn submit(&self, jobs: u64) -> Outcome<u64> {
        let mut cells = handles(jobs)?;
        cells.extend((0..jobs).map(run));
        let mut sum = 0;
        for cell in cells {
            sum += taken(&cell)?;
        }
        Ok(sum)
    }

    fn round_trip(&self, n: u64) -> Outcome<u64> {
        taken(&run(n))
    }

    fn thread_of_job(&self) -> Outcome<u64> {
        Ok(kernel::thread_number(0))
    }

    fn map(&self, element: Element, items: u64) -> Outcome<u64> {
        Ok(match element {
            Element::Tiny => (0..items).map(kernel::inc).sum(),
            Element::Long => (0..items).map(kernel::long).sum(),
        })
    }

    fn fib(&self, n: u64) -> Outcome<u64> {
        Ok(kernel::fib(std::hint::black_box(n)))
    }
}
