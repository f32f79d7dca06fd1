//! What a peer can be asked to do.

use crate::kernel::{self, Element, Kernel};
use crate::outcome::{Failure, Outcome};

/// A pool as the cases see it. What a peer does not offer is left at its default, and the table says so.
pub(crate) trait Pool {
    /// Submits one tiny job for each `n` in `0..jobs` from this thread, which is no worker, and only then collects the
    /// results. The sum of the results.
    fn submit(&self, _jobs: u64) -> Outcome<u64> {
        Err(Failure::NotOffered)
    }

    /// Runs the tiny job with `n` on a worker and waits for its result.
    fn round_trip(&self, _n: u64) -> Outcome<u64> {
        Err(Failure::NotOffered)
    }

    /// The number of the thread that ran a job.
    fn thread_of_job(&self) -> Outcome<u64> {
        Err(Failure::NotOffered)
    }

    /// Starts the chain of jobs that keeps one worker busy: each runs [`kernel::link`] and, if that says so, submits
    /// the next from inside, whose result nobody takes.
    fn keep_busy(&self) -> Outcome<()> {
        Err(Failure::NotOffered)
    }

    /// Maps `element` over `0..items`; every result arrives at this thread. The sum of the results.
    fn map(&self, _element: Element, _items: u64) -> Outcome<u64> {
        Err(Failure::NotOffered)
    }

    /// Submits as [`submit`](Pool::submit) does and takes the results in the order in which the jobs finish. The sum of
    /// the results.
    fn as_completed(&self, _jobs: u64) -> Outcome<u64> {
        Err(Failure::NotOffered)
    }

    /// The `n`-th Fibonacci number, where each call is a job that submits two and waits for both.
    fn fib(&self, _n: u64) -> Outcome<u64> {
        Err(Failure::NotOffered)
    }
}

/// A peer that can run any function: then most of [`Pool`] comes from two methods.
pub(crate) trait Spawner {
    /// Submits `kernel` with each `n` in `0..count`, then collects all results in order. Their sum.
    fn all<K: Kernel>(&self, kernel: K, count: u64) -> Outcome<u64>;

    /// Submits `kernel` with `n` and waits for the result.
    fn one<K: Kernel>(&self, kernel: K, n: u64) -> Outcome<u64>;

    /// See [`Pool::keep_busy`].
    fn keep_busy(&self) -> Outcome<()>;

    /// See [`Pool::as_completed`].
    fn as_completed(&self, jobs: u64) -> Outcome<u64>;

    /// See [`Pool::fib`].
    fn fib(&self, n: u64) -> Outcome<u64>;
}

/// A peer without a `map` of its own submits every element and collects in order.
impl<S: Spawner> Pool for S {
    fn submit(&self, jobs: u64) -> Outcome<u64> {
        self.all(kernel::inc, jobs)
    }

    fn round_trip(&self, n: u64) -> Outcome<u64> {
        self.one(kernel::inc, n)
    }

    fn thread_of_job(&self) -> Outcome<u64> {
        self.one(kernel::thread_number, 0)
    }

    fn keep_busy(&self) -> Outcome<()> {
        Spawner::keep_busy(self)
    }

    fn map(&self, element: Element, items: u64) -> Outcome<u64> {
        match element {
            Element::Tiny => self.all(kernel::inc, items),
            Element::Long => self.all(kernel::long, items),
        }
    }

    fn as_completed(&self, jobs: u64) -> Outcome<u64> {
        Spawner::as_completed(self, jobs)
    }

    fn fib(&self, n: u64) -> Outcome<u64> {
        Spawner::fib(self, n)
    }
}
