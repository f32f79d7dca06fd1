//! Jobs that submit jobs to the pool that runs them.
//!
//! A pool cannot travel, so these are for backends whose jobs run in this process: the law puts a handle on a table, and
//! the job finds it there.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use executor_core::{
    Backend, Executor, JobError, JobFuture, JobOptions, MapOptions, Retries, Shutdown, WaitFor, as_completed, current,
    job, map, map_unordered, wait,
};
use futures::StreamExt;
use serde::{Deserialize, Serialize};

use super::failing::fail_before;
use super::plain::{echo, note};
use super::stopping::outlast;
use super::worker::who_am_i;
use crate::gate::Pass;
use crate::log::Pen;

static POOLS: Mutex<BTreeMap<u64, Arc<dyn Backend>>> = Mutex::new(BTreeMap::new());

fn pools() -> MutexGuard<'static, BTreeMap<u64, Arc<dyn Backend>>> {
    POOLS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps a handle to a pool where jobs in this process find it. Dropping it gives the handle up.
#[derive(Debug)]
#[must_use = "dropping it takes the pool away from the jobs"]
pub struct Hosted {
    host: Host,
}

impl Hosted {
    /// Puts a handle to a pool on the table.
    pub fn new(pool: impl Backend + 'static) -> Self {
        // A plain count: the table itself is under a lock.
        static LAST: AtomicU64 = AtomicU64::new(0);
        let key = LAST.fetch_add(1, Ordering::Relaxed);
        pools().insert(key, Arc::new(pool));
        Hosted { host: Host { key } }
    }

    /// What jobs find the pool with.
    #[must_use]
    pub fn host(&self) -> Host {
        self.host
    }
}

impl Drop for Hosted {
    fn drop(&mut self) {
        let pool = pools().remove(&self.host.key);
        drop(pool);
    }
}

/// A job's way to its own pool, within the process of the law.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Host {
    key: u64,
}

impl Host {
    /// A handle to the pool.
    ///
    /// # Panics
    ///
    /// If the law has taken it away, and in another process.
    #[must_use]
    pub fn pool(self) -> Arc<dyn Backend> {
        let pool = pools().get(&self.key).cloned();
        pool.expect("the law keeps its pool on the table as long as its jobs run")
    }
}

/// The text of an error, for jobs that pass it on.
fn text(error: JobError) -> String {
    error.to_string()
}

/// The Fibonacci number `n`, each step of it a job of its own that this one waits for.
#[job]
pub fn fib(host: Host, n: u64) -> Result<u64, String> {
    if n < 2 {
        return Ok(n);
    }
    let pool = host.pool();
    let [first, second] = [n - 1, n - 2].map(|n| pool.submit(fib::job(host, n)));
    Ok(first.result().map_err(text)?? + second.result().map_err(text)??)
}

/// [`fib`] as an async job that awaits its steps.
#[job]
pub async fn fib_async(host: Host, n: u64) -> Result<u64, String> {
    if n < 2 {
        return Ok(n);
    }
    let [first, second] = [n - 1, n - 2].map(|n| host.pool().submit(fib_async::job(host, n)));
    Ok(first.await.map_err(text)?? + second.await.map_err(text)??)
}

/// Submits a job with this run limit, in ms, to its own pool, which is busy for at least so many ms; waits for it, and tells
/// whether it came to its end and whether this job is asked to stop.
#[job]
pub fn limit_inside(host: Host, pen: Pen, limit_ms: Option<u64>, at_least_ms: u64) -> (bool, bool) {
    let mut options = JobOptions::new();
    if let Some(limit_ms) = limit_ms {
        options = options.run_limit(Duration::from_millis(limit_ms));
    }
    let ended = host.pool().submit_with(outlast::job(pen, at_least_ms), options).result();
    (ended.is_ok(), current().should_stop())
}

/// Submits a job to its own pool and gives what that returns.
#[job]
pub fn submit_inside(host: Host, value: u64) -> Result<u64, String> {
    host.pool().submit(echo::job(value)).result().map_err(text)
}

/// Awaits a job of its own pool that it submits.
#[job]
pub async fn await_sibling(host: Host, value: u64) -> Result<u64, String> {
    host.pool().submit(echo::job(value)).await.map_err(text)
}

/// Awaits `count` jobs of its own pool, all of them at once, and gives the sum.
#[job]
pub async fn await_siblings(host: Host, count: u64) -> Result<u64, String> {
    let pool = host.pool();
    let futures: Vec<_> = (0..count).map(|value| pool.submit(echo::job(value))).collect();
    let outcomes = futures::future::join_all(futures).await;
    outcomes.into_iter().sum::<Result<u64, JobError>>().map_err(text)
}

/// Submits `count` jobs to its own pool, takes them as they are done, and gives the sum.
#[job]
pub fn fan_out(host: Host, count: u64) -> Result<u64, String> {
    let pool = host.pool();
    let futures: Vec<_> = (0..count).map(|value| pool.submit(echo::job(value))).collect();
    as_completed(futures).map(|done| done.result()).sum::<Result<u64, JobError>>().map_err(text)
}

/// Submits `count` jobs to its own pool, waits for all, and gives how many are done.
#[job]
pub fn wait_inside(host: Host, count: u64) -> usize {
    let pool = host.pool();
    let futures: Vec<_> = (0..count).map(|value| pool.submit(echo::job(value))).collect();
    wait(futures, WaitFor::All, None).done.len()
}

/// Waits for the first of `count` jobs of its own pool, again and again until all are done; gives how often it waited.
#[job]
pub fn wait_for_first_inside(host: Host, count: u64) -> usize {
    let pool = host.pool();
    let mut open: Vec<_> = (0..count).map(|value| pool.submit(echo::job(value))).collect();
    let mut waits = 0;
    while !open.is_empty() {
        open = wait(open, WaitFor::First, None).not_done;
        waits += 1;
    }
    waits
}

/// Awaits the streams of two maps and of a set of jobs of its own pool, `count` items each, and gives the sum.
#[job]
pub async fn streams_inside(host: Host, count: u64) -> Result<u64, String> {
    let pool = host.pool();
    let mut outcomes: Vec<Result<u64, JobError>> =
        map(Arc::clone(&pool), echo::job, 0..count).into_stream().collect().await;
    outcomes.extend(map_unordered(Arc::clone(&pool), echo::job, 0..count).into_stream().collect::<Vec<_>>().await);
    let mut set = as_completed((0..count).map(|value| pool.submit(echo::job(value)))).into_stream();
    while let Some(done) = set.next().await {
        outcomes.push(done.await);
    }
    outcomes.into_iter().sum::<Result<u64, JobError>>().map_err(text)
}

/// Awaits room for `count` jobs of its own pool, one after another, and then their values; gives the sum.
#[job]
pub async fn submit_wait_inside(host: Host, count: u64) -> Result<u64, String> {
    let pool = host.pool();
    let mut futures = Vec::new();
    for value in 0..count {
        futures.push(pool.submit_wait(echo::job(value)).await);
    }
    let mut sum = 0;
    for future in futures {
        sum += future.await.map_err(text)?;
    }
    Ok(sum)
}

/// Maps over `count` items on its own pool, in order or not, and gives the sum.
#[job]
pub fn map_inside(host: Host, count: u64, window: Option<usize>, in_order: bool) -> Result<u64, String> {
    let pool = host.pool();
    let options = window.map_or(MapOptions::new(), |window| MapOptions::new().window(window));
    let sum = if in_order {
        let map = pool.map_with(echo::job, 0..count, options).map_err(|error| error.to_string())?;
        map.sum::<Result<u64, JobError>>()
    } else {
        let map = pool.map_unordered_with(echo::job, 0..count, options).map_err(|error| error.to_string())?;
        map.sum::<Result<u64, JobError>>()
    };
    sum.map_err(text)
}

/// Waits for a job of its own pool with a lock in hand that other jobs of the pool want too.
///
/// It deadlocks if the worker runs a stranger's job while it waits.
#[job]
pub fn lock_and_wait(host: Host, pen: Pen, value: u64) -> Result<u64, String> {
    static LOCK: Mutex<()> = Mutex::new(());
    let _locked = LOCK.lock().unwrap_or_else(PoisonError::into_inner);
    host.pool().submit(note::job(pen, value)).result().map_err(text)
}

/// Shuts its own pool down, and gives what comes of that as text.
#[job]
pub fn shut_down_inside(host: Host) -> Result<(), String> {
    host.pool().shutdown(Shutdown::Drain).map_err(|error| error.to_string())
}

/// Takes its own pool off the table of the law, goes through the gate, and drops the handle: the last one, if the law
/// has dropped its own. Gives whether there was one.
#[job]
pub fn drop_the_pool(gate: Pass, host: Host) -> bool {
    let pool = pools().remove(&host.key);
    gate.go();
    pool.is_some_and(|pool| {
        drop(pool);
        true
    })
}

/// Waits for a job of its own pool, for a limit at most, and gives whether the limit passed first.
#[job]
pub fn wait_briefly_inside(host: Host, pen: Pen, limit_ms: u64) -> bool {
    let mut future = host.pool().submit(note::job(pen, 1));
    let outcome = future.result_timeout(Duration::from_millis(limit_ms));
    outcome.is_err_and(|error| error.is_timeout())
}

/// Goes down `depth` levels, each of them a job that this one waits for, and gives how deep it came.
#[job]
pub fn dig(host: Host, depth: u64) -> Result<u64, String> {
    if depth == 0 {
        return Ok(0);
    }
    Ok(host.pool().submit(dig::job(host, depth - 1)).result().map_err(text)?? + 1)
}

/// Waits for a job of its own pool that fails before its attempt number `good`, with a back-off that begins with
/// `delay_ms`.
#[job]
pub fn retry_inside(host: Host, pen: Pen, good: u32, delay_ms: u64) -> Result<u32, String> {
    outcome_of_retry(submit_retried(host, pen, good, delay_ms).result())
}

/// [`retry_inside`] as an async job that awaits it.
#[job]
pub async fn retry_inside_async(host: Host, pen: Pen, good: u32, delay_ms: u64) -> Result<u32, String> {
    outcome_of_retry(submit_retried(host, pen, good, delay_ms).await)
}

fn submit_retried(host: Host, pen: Pen, good: u32, delay_ms: u64) -> JobFuture<Result<u32, u32>> {
    let retries = Retries::times(good).backoff(Duration::from_millis(delay_ms));
    host.pool().submit_with(fail_before::job(pen, good), JobOptions::new().retries(retries))
}

fn outcome_of_retry(outcome: Result<Result<u32, u32>, JobError>) -> Result<u32, String> {
    outcome.map_err(text)?.map_err(|attempt| format!("it failed in attempt {attempt}"))
}

/// Submits a job to its own pool, cancels it, and gives whether that was done.
#[job]
pub fn cancel_inside(host: Host, pen: Pen) -> bool {
    host.pool().submit(note::job(pen, 1)).cancel()
}

/// The number of this job, that of a job it waits for, and its own again.
#[job]
pub fn numbers_around(host: Host) -> [Option<u64>; 3] {
    let own = || current().id().map(|id| id.as_u64());
    let before = own();
    let inner = host.pool().submit(who_am_i::job()).result().ok().and_then(|who| who.id);
    [before, inner, own()]
}
