//! rayon's own way: `par_iter` and `join`, which have no job that is submitted.

use rayon::iter::{IntoParallelIterator, ParallelIterator};
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::{Open, Peer, Pool};
use crate::kernel::{self, Element};
use crate::outcome::Outcome;

/// `into_par_iter().map().collect()`, and `join` for nested work.
pub(crate) const PEER: Peer = Peer {
    name: "rayon-par",
    package: "rayon",
    how: "par_iter().map().collect(), and join; nothing is submitted",
    open: Open::Threads(|workers| Ok(Box::new(RayonPar(ThreadPoolBuilder::new().num_threads(workers).build()?)))),
};

struct RayonPar(ThreadPool);

impl Pool for RayonPar {
    /// Collects before it sums, because the other peers, too, bring every result back to the caller.
    fn map(&self, element: Element, items: u64) -> Outcome<u64> {
        let results: Vec<u64> = self.0.install(|| {
            let items = (0..items).into_par_iter();
            match element {
                Element::Tiny => items.map(kernel::inc).collect(),
                Element::Long => items.map(kernel::long).collect(),
            }
        });
        Ok(results.into_iter().sum())
    }

    fn fib(&self, n: u64) -> Outcome<u64> {
        Ok(self.0.install(|| fib(n)))
    }
}

fn fib(n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let (first, second) = rayon::join(|| fib(n - 1), || fib(n - 2));
    first + second
}
