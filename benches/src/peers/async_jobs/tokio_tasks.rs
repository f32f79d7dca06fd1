//! tokio's tasks: awaited by their handles, in a `JoinSet`, and in the `FuturesUnordered` of the futures crate.

use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::runtime::Runtime;
use tokio::task::{JoinError, JoinHandle, JoinSet};

use super::{AsyncJobs, JOIN_SET, Side, TOKIO, bytes_of_waiting, run, runtime, slept, wait};
use crate::kernel;
use crate::outcome::Outcome;
use crate::peers::{Open, Peer, handles};

/// `tokio::spawn`, and each `JoinHandle` awaited.
pub(crate) const TASKS: Peer = Peer {
    name: TOKIO,
    package: "tokio",
    how: "spawn, handles awaited in order",
    open: Open::AsyncJobs(|workers| Ok(Box::new(Tasks(runtime(workers)?)))),
};

/// `JoinSet::spawn` and `join_next`.
pub(crate) const SET: Peer = Peer {
    name: JOIN_SET,
    package: "tokio",
    how: "only async-as-completed: JoinSet",
    open: Open::AsyncJobs(|workers| Ok(Box::new(Set(runtime(workers)?)))),
};

/// `tokio::spawn`, and the handles in a `FuturesUnordered`.
pub(crate) const UNORDERED: Peer = Peer {
    name: "tokio-unordered",
    package: "tokio",
    how: "only async-as-completed: spawn, handles in a FuturesUnordered; a fifth of the jobs",
    open: Open::AsyncJobs(|workers| Ok(Box::new(Unordered(runtime(workers)?)))),
};

struct Tasks(Runtime);

struct Set(Runtime);

struct Unordered(Runtime);

impl AsyncJobs for Tasks {
    fn submit(&self, side: Side, jobs: u64) -> Outcome<u64> {
        let tasks = handles(jobs)?;
        run(&self.0, side, async move { spawn_and_await(tasks, jobs, |n| async move { kernel::inc(n) }).await })
    }

    fn sleep(&self, jobs: u64, length: Duration) -> Outcome<u64> {
        let tasks = handles(jobs)?;
        run(&self.0, Side::Outside, async move { spawn_and_await(tasks, jobs, move |n| slept(n, length)).await })
    }

    fn waiting_bytes(&self, jobs: u64) -> Outcome<f64> {
        bytes_of_waiting(jobs, || {
            let mut tasks = handles(jobs)?;
            tasks.extend((0..jobs).map(|_| self.0.spawn(wait())));
            Ok(tasks)
        })
    }
}

async fn spawn_and_await<F>(
    mut tasks: Vec<JoinHandle<u64>>,
    jobs: u64,
    to_future: impl Fn(u64) -> F,
) -> Result<u64, JoinError>
where
    F: Future<Output = u64> + Send + 'static,
{
    tasks.extend((0..jobs).map(|n| tokio::spawn(to_future(n))));
    let mut sum = 0;
    for task in tasks {
        sum += task.await?;
    }
    Ok(sum)
}

impl AsyncJobs for Set {
    fn as_completed(&self, side: Side, jobs: u64) -> Outcome<u64> {
        run(&self.0, side, async move {
            let mut tasks = JoinSet::new();
            for n in 0..jobs {
                tasks.spawn(async move { kernel::inc(n) });
            }
            let mut sum = 0;
            while let Some(result) = tasks.join_next().await {
                sum += result?;
            }
            Ok::<_, JoinError>(sum)
        })
    }
}

impl AsyncJobs for Unordered {
    fn as_completed(&self, side: Side, jobs: u64) -> Outcome<u64> {
        run(&self.0, side, async move {
            let mut tasks: FuturesUnordered<_> =
                (0..jobs).map(|n| tokio::spawn(async move { kernel::inc(n) })).collect();
            let mut sum = 0;
            while let Some(result) = tasks.next().await {
                sum += result?;
            }
            Ok::<_, JoinError>(sum)
        })
    }

    fn fewer_completed(&self) -> u64 {
        5
    }
}
