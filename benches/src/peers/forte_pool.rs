//! forte: a pool that is a static, whose tasks are futures.

use forte::ThreadPool;
use futures::StreamExt;
use futures::stream::FuturesUnordered;

use super::{Open, Peer, Spawner, handles};
use crate::kernel::{self, Kernel};
use crate::outcome::{Failure, Outcome};

/// `ThreadPool::spawn` of a future, and `ThreadPool::block_on` for its result.
pub(crate) const PEER: Peer = Peer {
    name: "forte",
    package: "forte",
    how: "spawn of a future, tasks awaited in order; FuturesUnordered for as_completed; nested jobs block_on",
    open: Open::Threads(|workers| match POOL.resize_to(workers) {
        size if size == workers => Ok(Box::new(Forte)),
        size => Err(Failure::because(format!("forte started {size} workers instead of {workers}"))),
    }),
};

static POOL: ThreadPool = ThreadPool::new();

struct Forte;

impl Spawner for Forte {
    fn all<K: Kernel>(&self, kernel: K, count: u64) -> Outcome<u64> {
        let mut tasks = handles(count)?;
        tasks.extend((0..count).map(|n| POOL.spawn(async move { kernel(n) })));
        Ok(POOL.block_on(async {
            let mut sum = 0;
            for task in tasks {
                sum += task.await;
            }
            sum
        }))
    }

    fn one<K: Kernel>(&self, kernel: K, n: u64) -> Outcome<u64> {
        Ok(POOL.block_on(POOL.spawn(async move { kernel(n) })))
    }

    fn keep_busy(&self) -> Outcome<()> {
        POOL.spawn(async { link() }).detach();
        Ok(())
    }

    fn as_completed(&self, jobs: u64) -> Outcome<u64> {
        let mut tasks: FuturesUnordered<_> = (0..jobs).map(|n| POOL.spawn(async move { kernel::inc(n) })).collect();
        Ok(POOL.block_on(async {
            let mut sum = 0;
            while let Some(result) = tasks.next().await {
                sum += result;
            }
            sum
        }))
    }

    fn fib(&self, n: u64) -> Outcome<u64> {
        Ok(POOL.block_on(POOL.spawn(async move { fib(n) })))
    }
}

fn link() {
    if kernel::link() {
        POOL.spawn(async { link() }).detach();
    }
}

/// On a worker forte's `block_on` runs other jobs of the pool while it waits.
fn fib(n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let [first, second] = [n - 1, n - 2].map(|n| POOL.spawn(async move { fib(n) }));
    POOL.block_on(async { first.await + second.await })
}
