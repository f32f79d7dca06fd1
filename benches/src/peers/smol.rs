//! smol's `async-executor`, run by as many threads as there are workers.

use std::future;
use std::thread;

use async_executor::Executor;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use futures_lite::future::block_on;

use super::{Open, Peer, Spawner, handles};
use crate::kernel::{self, Kernel};
use crate::outcome::Outcome;

/// `Executor::spawn`, with `block_on(executor.run(pending()))` on each thread.
pub(crate) const PEER: Peer = Peer {
    name: "smol",
    package: "async-executor",
    how: "spawn, tasks awaited in order; FuturesUnordered for as_completed; nested jobs block",
    open: Open::Threads(|workers| {
        for index in 0..workers {
            thread::Builder::new()
                .name(format!("smol-{index}"))
                .spawn(|| block_on(EXECUTOR.run(future::pending::<()>())))?;
        }
        Ok(Box::new(Smol))
    }),
};

/// A child opens one pool, so it may as well be a static, which jobs reach without a handle.
static EXECUTOR: Executor<'static> = Executor::new();

struct Smol;

impl Spawner for Smol {
    fn all<K: Kernel>(&self, kernel: K, count: u64) -> Outcome<u64> {
        let mut tasks = handles(count)?;
        tasks.extend((0..count).map(|n| EXECUTOR.spawn(async move { kernel(n) })));
        Ok(block_on(async {
            let mut sum = 0;
            for task in tasks {
                sum += task.await;
            }
            sum
        }))
    }

    fn one<K: Kernel>(&self, kernel: K, n: u64) -> Outcome<u64> {
        Ok(block_on(EXECUTOR.spawn(async move { kernel(n) })))
    }

    fn keep_busy(&self) -> Outcome<()> {
        EXECUTOR.spawn(async { link() }).detach();
        Ok(())
    }

    fn as_completed(&self, jobs: u64) -> Outcome<u64> {
        let mut tasks: FuturesUnordered<_> = (0..jobs).map(|n| EXECUTOR.spawn(async move { kernel::inc(n) })).collect();
        Ok(block_on(async {
            let mut sum = 0;
            while let Some(result) = tasks.next().await {
                sum += result;
            }
            sum
        }))
    }

    fn fib(&self, n: u64) -> Outcome<u64> {
        Ok(block_on(EXECUTOR.spawn(async move { fib(n) })))
    }
}

fn link() {
    if kernel::link() {
        EXECUTOR.spawn(async { link() }).detach();
    }
}

fn fib(n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let [first, second] = [n - 1, n - 2].map(|n| EXECUTOR.spawn(async move { fib(n) }));
    block_on(async { first.await + second.await })
}
