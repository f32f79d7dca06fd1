//! Our own async executor, on a runtime as a program has it that is async already.

use std::time::Duration;

use executor_async::AsyncExecutor;
use executor_core::{Executor, JobError, as_completed, job};
use futures::StreamExt;
use tokio::runtime::Runtime;

use super::{AsyncJobs, OURS, Side, bytes_of_waiting, run, runtime, slept};
use crate::kernel;
use crate::outcome::Outcome;
use crate::peers::{Open, Peer, handles};

/// `submit` and `as_completed(..).into_stream()` of `AsyncExecutor`.
pub(crate) const PEER: Peer = Peer {
    name: OURS,
    package: "executor-async",
    how: "submit, futures awaited in order; as_completed as a stream; async_jobs as many as there are",
    open: Open::AsyncJobs(|workers| {
        let runtime = runtime(workers)?;
        let pool = AsyncExecutor::builder().runtime(runtime.handle().clone()).async_jobs(JOBS_AT_ONCE).build()?;
        Ok(Box::new(Ours { runtime, pool }))
    }),
};

/// More than any case has: the peers have no limit.
const JOBS_AT_ONCE: usize = 1_000_000;

struct Ours {
    runtime: Runtime,
    pool: AsyncExecutor,
}

#[job]
async fn inc(n: u64) -> u64 {
    kernel::inc(n)
}

#[job]
async fn sleep(n: u64, length: Duration) -> u64 {
    slept(n, length).await
}

#[job]
async fn wait() {
    super::wait().await;
}

impl AsyncJobs for Ours {
    fn submit(&self, side: Side, jobs: u64) -> Outcome<u64> {
        let pool = self.pool.clone();
        let mut futures = handles(jobs)?;
        run(&self.runtime, side, async move {
            futures.extend((0..jobs).map(|n| pool.submit(inc::job(n))));
            let mut sum = 0;
            for future in futures {
                sum += future.await?;
            }
            Ok::<_, JobError>(sum)
        })
    }

    fn as_completed(&self, side: Side, jobs: u64) -> Outcome<u64> {
        let pool = self.pool.clone();
        run(&self.runtime, side, async move {
            let mut done = as_completed((0..jobs).map(|n| pool.submit(inc::job(n)))).into_stream();
            let mut sum = 0;
            while let Some(future) = done.next().await {
                sum += future.await?;
            }
            Ok::<_, JobError>(sum)
        })
    }

    fn sleep(&self, jobs: u64, length: Duration) -> Outcome<u64> {
        let pool = self.pool.clone();
        let mut futures = handles(jobs)?;
        run(&self.runtime, Side::Outside, async move {
            futures.extend((0..jobs).map(|n| pool.submit(sleep::job(n, length))));
            let mut sum = 0;
            for future in futures {
                sum += future.await?;
            }
            Ok::<_, JobError>(sum)
        })
    }

    fn waiting_bytes(&self, jobs: u64) -> Outcome<f64> {
        bytes_of_waiting(jobs, || {
            let mut futures = handles(jobs)?;
            futures.extend((0..jobs).map(|_| self.pool.submit(wait::job())));
            Ok(futures)
        })
    }
}
