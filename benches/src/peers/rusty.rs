//! rusty_pool, whose handles bring a result back.

use std::sync::mpsc;
use std::time::Duration;

use rusty_pool::{JoinHandle, ThreadPool};

use super::{Open, Peer, Spawner, gather, handles};
use crate::kernel::{self, Kernel};
use crate::outcome::Outcome;

/// `evaluate` and `await_complete`.
pub(crate) const PEER: Peer = Peer {
    name: "rusty_pool",
    package: "rusty_pool",
    how: "evaluate + await_complete; as_completed through one shared channel",
    open: Open::Threads(|workers| Ok(Box::new(Rusty(ThreadPool::new(workers, workers, Duration::from_secs(60)))))),
};

struct Rusty(ThreadPool);

impl Spawner for Rusty {
    fn all<K: Kernel>(&self, kernel: K, count: u64) -> Outcome<u64> {
        let mut jobs: Vec<JoinHandle<u64>> = handles(count)?;
        jobs.extend((0..count).map(|n| self.0.evaluate(move || kernel(n))));
        let mut sum = 0;
        for job in jobs {
            sum += job.try_await_complete()?;
        }
        Ok(sum)
    }

    fn one<K: Kernel>(&self, kernel: K, n: u64) -> Outcome<u64> {
        Ok(self.0.evaluate(move || kernel(n)).try_await_complete()?)
    }

    fn keep_busy(&self) -> Outcome<()> {
        let pool = self.0.clone();
        self.0.execute(move || link(&pool));
        Ok(())
    }

    fn as_completed(&self, jobs: u64) -> Outcome<u64> {
        let (sender, receiver) = mpsc::channel();
        for n in 0..jobs {
            let sender = sender.clone();
            self.0.execute(move || {
                sender.send(kernel::inc(n)).ok();
            });
        }
        gather(&receiver, jobs)
    }

    fn fib(&self, n: u64) -> Outcome<u64> {
        let pool = self.0.clone();
        Ok(self.0.evaluate(move || fib(&pool, n)).try_await_complete()?)
    }
}

fn link(pool: &ThreadPool) {
    if kernel::link() {
        let next = pool.clone();
        pool.execute(move || link(&next));
    }
}

fn fib(pool: &ThreadPool, n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let [first, second] = [n - 1, n - 2].map(|n| {
        let pool_of_job = pool.clone();
        pool.evaluate(move || fib(&pool_of_job, n))
    });
    first.await_complete() + second.await_complete()
}
