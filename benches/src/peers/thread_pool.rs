//! The crate `threadpool`, which returns no results.

use std::sync::mpsc;

use threadpool::ThreadPool;

use super::{Open, Peer, Spawner, gather};
use crate::kernel::{self, Kernel};
use crate::outcome::Outcome;

/// `execute`, and one channel that all jobs share: no result belongs to a job.
pub(crate) const PEER: Peer = Peer {
    name: "threadpool",
    package: "threadpool",
    how: "execute; one shared channel, so no result per job and none in order",
    open: Open::Threads(|workers| Ok(Box::new(Plain(ThreadPool::new(workers))))),
};

struct Plain(ThreadPool);

impl Plain {
    fn through_channel<F>(&self, jobs: impl Iterator<Item = F>, count: u64) -> Outcome<u64>
    where
        F: FnOnce() -> u64 + Send + 'static,
    {
        let (sender, receiver) = mpsc::channel();
        for job in jobs {
            let sender = sender.clone();
            self.0.execute(move || {
                sender.send(job()).ok();
            });
        }
        gather(&receiver, count)
    }
}

impl Spawner for Plain {
    fn all<K: Kernel>(&self, kernel: K, count: u64) -> Outcome<u64> {
        self.through_channel((0..count).map(|n| move || kernel(n)), count)
    }

    fn one<K: Kernel>(&self, kernel: K, n: u64) -> Outcome<u64> {
        self.through_channel(std::iter::once(move || kernel(n)), 1)
    }

    fn keep_busy(&self) -> Outcome<()> {
        let pool = self.0.clone();
        self.0.execute(move || link(&pool));
        Ok(())
    }

    fn as_completed(&self, jobs: u64) -> Outcome<u64> {
        self.all(kernel::inc, jobs)
    }

    fn fib(&self, n: u64) -> Outcome<u64> {
        let pool = self.0.clone();
        self.through_channel(std::iter::once(move || fib(&pool, n)), 1)
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
    let (sender, receiver) = mpsc::channel();
    for n in [n - 1, n - 2] {
        let (pool_of_job, sender) = (pool.clone(), sender.clone());
        pool.execute(move || {
            sender.send(fib(&pool_of_job, n)).ok();
        });
    }
    receiver.iter().take(2).sum()
}
