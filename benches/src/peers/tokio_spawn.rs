//! tokio's multi-threaded runtime: a task per job, spawned from a thread outside of the runtime.

use std::future::Future;
use std::pin::Pin;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::{JoinHandle, JoinSet};

use super::{Open, Peer, Pool, Spawner, handles};
use crate::kernel::{self, Kernel};
use crate::outcome::Outcome;

/// `Runtime::spawn`, and `JoinSet` for `as_completed`.
pub(crate) const PEER: Peer = Peer {
    name: "tokio",
    package: "tokio",
    how: "spawn from outside, handles awaited in order; JoinSet; nested jobs block in place",
    open: Open::Threads(|workers| Ok(Box::new(Tokio(runtime(workers)?)))),
};

/// Tasks that await tasks, which never block a worker: the other way to nest.
pub(crate) const AWAITING: Peer = Peer {
    name: "tokio-await",
    package: "tokio",
    how: "only nested-fib: async tasks that await tasks, boxed because they recurse",
    open: Open::Threads(|workers| Ok(Box::new(TokioAwait(runtime(workers)?)))),
};

struct Tokio(Runtime);

struct TokioAwait(Runtime);

fn runtime(workers: usize) -> std::io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(workers).build()
}

impl Spawner for Tokio {
    fn all<K: Kernel>(&self, kernel: K, count: u64) -> Outcome<u64> {
        let mut tasks: Vec<JoinHandle<u64>> = handles(count)?;
        tasks.extend((0..count).map(|n| self.0.spawn(async move { kernel(n) })));
        self.0.block_on(async {
            let mut sum = 0;
            for task in tasks {
                sum += task.await?;
            }
            Ok(sum)
        })
    }

    fn one<K: Kernel>(&self, kernel: K, n: u64) -> Outcome<u64> {
        Ok(self.0.block_on(self.0.spawn(async move { kernel(n) }))?)
    }

    fn keep_busy(&self) -> Outcome<()> {
        self.0.spawn(async { link() });
        Ok(())
    }

    fn as_completed(&self, jobs: u64) -> Outcome<u64> {
        let mut tasks = JoinSet::new();
        for n in 0..jobs {
            tasks.spawn_on(async move { kernel::inc(n) }, self.0.handle());
        }
        self.0.block_on(async {
            let mut sum = 0;
            while let Some(result) = tasks.join_next().await {
                sum += result?;
            }
            Ok(sum)
        })
    }

    fn fib(&self, n: u64) -> Outcome<u64> {
        Ok(self.0.block_on(self.0.spawn(async move { blocking_fib(n) }))?)
    }
}

impl Pool for TokioAwait {
    fn fib(&self, n: u64) -> Outcome<u64> {
        Ok(self.0.block_on(self.0.spawn(awaiting_fib(n)))?)
    }
}

fn link() {
    if kernel::link() {
        tokio::spawn(async { link() });
    }
}

/// Waits as a plain function has to: `block_in_place` moves the worker's other tasks to another thread, up to the 512
/// blocking threads of a runtime.
fn blocking_fib(n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let [first, second] = [n - 1, n - 2].map(|n| tokio::spawn(async move { blocking_fib(n) }));
    let results = tokio::task::block_in_place(|| Handle::current().block_on(async { (first.await, second.await) }));
    results.0.expect("the job does not panic") + results.1.expect("the job does not panic")
}

fn awaiting_fib(n: u64) -> Pin<Box<dyn Future<Output = u64> + Send>> {
    Box::pin(async move {
        if n < 2 {
            return n;
        }
        let [first, second] = [n - 1, n - 2].map(|n| tokio::spawn(awaiting_fib(n)));
        first.await.expect("the job does not panic") + second.await.expect("the job does not panic")
    })
}
