//! Our own thread pool, used as its front page says: jobs are functions with `#[job]`, nothing is tuned.

use std::sync::OnceLock;

use executor_core::{Executor, as_completed, job};
use executor_thread::ThreadExecutor;

use super::{OURS, Open, Peer, Pool, handles};
use crate::kernel::{self, Element};
use crate::outcome::Outcome;

/// `submit`, `map` and `as_completed` of `ThreadExecutor`.
pub(crate) const PEER: Peer = Peer {
    name: OURS,
    package: "executor-thread",
    how: "submit + result, map and as_completed as they are; nested jobs wait with result",
    open: Open::Threads(|workers| {
        let pool = ThreadExecutor::new(workers)?;
        Ok(Box::new(Ours(POOL.get_or_init(|| pool))))
    }),
};

/// Where the jobs that submit jobs find their pool.
static POOL: OnceLock<ThreadExecutor> = OnceLock::new();

struct Ours(&'static ThreadExecutor);

#[job]
fn inc(n: u64) -> u64 {
    kernel::inc(n)
}

#[job]
fn long(n: u64) -> u64 {
    kernel::long(n)
}

#[job]
fn thread_number(n: u64) -> u64 {
    kernel::thread_number(n)
}

#[job]
fn link() {
    if kernel::link() {
        // Dropping the future leaves the job to run.
        drop(pool_of_job().submit(link::job()));
    }
}

#[job]
fn fib(n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let [first, second] = [n - 1, n - 2].map(|n| pool_of_job().submit(fib::job(n)));
    first.result().expect("the job does not panic") + second.result().expect("the job does not panic")
}

fn pool_of_job() -> &'static ThreadExecutor {
    POOL.get().expect("a job runs only after its pool was made")
}

impl Pool for Ours {
    fn submit(&self, jobs: u64) -> Outcome<u64> {
        let mut futures = handles(jobs)?;
        futures.extend((0..jobs).map(|n| self.0.submit(inc::job(n))));
        let mut sum = 0;
        for future in futures {
            sum += future.result()?;
        }
        Ok(sum)
    }

    fn round_trip(&self, n: u64) -> Outcome<u64> {
        Ok(self.0.submit(inc::job(n)).result()?)
    }

    fn thread_of_job(&self) -> Outcome<u64> {
        Ok(self.0.submit(thread_number::job(0)).result()?)
    }

    fn keep_busy(&self) -> Outcome<()> {
        drop(self.0.submit(link::job()));
        Ok(())
    }

    fn map(&self, element: Element, items: u64) -> Outcome<u64> {
        let mut sum = 0;
        match element {
            Element::Tiny => {
                for result in self.0.map(inc::job, 0..items) {
                    sum += result?;
                }
            }
            Element::Long => {
                for result in self.0.map(long::job, 0..items) {
                    sum += result?;
                }
            }
        }
        Ok(sum)
    }

    fn as_completed(&self, jobs: u64) -> Outcome<u64> {
        let futures: Vec<_> = (0..jobs).map(|n| self.0.submit(inc::job(n))).collect();
        let mut sum = 0;
        for done in as_completed(futures) {
            sum += done.result()?;
        }
        Ok(sum)
    }

    fn fib(&self, n: u64) -> Outcome<u64> {
        Ok(self.0.submit(fib::job(n)).result()?)
    }
}
