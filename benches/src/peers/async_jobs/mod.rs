//! Who is measured with async jobs: ours, and what tokio offers for the same. Each has the same runtime.

pub(crate) mod ours;
pub(crate) mod tokio_tasks;

use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::allocator;
use crate::outcome::{Failure, Outcome};

/// The name of our own executor among the peers.
pub(crate) const OURS: &str = "executor-async";

/// The name of tokio's tasks, each awaited by its handle.
pub(crate) const TOKIO: &str = "tokio-task";

/// The name of tokio's set of tasks, awaited as they finish.
pub(crate) const JOIN_SET: &str = "tokio-join-set";

/// Where jobs are submitted and awaited.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Side {
    /// In a task of the runtime.
    Inside,
    /// In `block_on`, on a thread that is none of the runtime's, as `#[tokio::main]` does it.
    Outside,
}

/// A runtime with its jobs, as the cases see it.
pub(crate) trait AsyncJobs {
    /// Submits one trivial async job for each `n` in `0..jobs`, and only then awaits each. The sum of the results.
    fn submit(&self, _side: Side, _jobs: u64) -> Outcome<u64> {
        Err(Failure::NotOffered)
    }

    /// Submits as [`submit`](AsyncJobs::submit) does, and awaits the results in the order in which the jobs finish. The sum
    /// of the results.
    fn as_completed(&self, _side: Side, _jobs: u64) -> Outcome<u64> {
        Err(Failure::NotOffered)
    }

    /// By how much fewer jobs one is measured whose results as they finish are slow.
    fn fewer_completed(&self) -> u64 {
        1
    }

    /// Submits as many jobs from outside that sleep for `length` each, and only then awaits each. The sum of the results.
    fn sleep(&self, _jobs: u64, _length: Duration) -> Outcome<u64> {
        Err(Failure::NotOffered)
    }

    /// How much memory each of so many jobs takes while all of them sleep, with what awaits its result.
    fn waiting_bytes(&self, _jobs: u64) -> Outcome<f64> {
        Err(Failure::NotOffered)
    }
}

/// A runtime as tokio's documentation builds one.
fn runtime(workers: usize) -> std::io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(workers).enable_all().build()
}

/// Runs `work` to its end on this side of the runtime.
fn run<E: Error + Send + 'static>(
    runtime: &Runtime,
    side: Side,
    work: impl Future<Output = Result<u64, E>> + Send + 'static,
) -> Outcome<u64> {
    Ok(match side {
        Side::Inside => runtime.block_on(runtime.spawn(work))??,
        Side::Outside => runtime.block_on(work)?,
    })
}

/// The trivial kernel, after a sleep.
async fn slept(n: u64, length: Duration) -> u64 {
    tokio::time::sleep(length).await;
    crate::kernel::inc(n)
}

/// How many jobs have begun to wait.
static WAITING: AtomicU64 = AtomicU64::new(0);

/// Tells that it waits, and then waits for longer than anybody looks.
async fn wait() {
    // Relaxed: the job allocates nothing after its first poll but what tokio has allocated for all of its timers.
    WAITING.fetch_add(1, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(3600)).await;
}

/// The bytes that each of `jobs` jobs takes, which `submit` submits and which all wait. The process ends before they do.
fn bytes_of_waiting<T>(jobs: u64, submit: impl FnOnce() -> Outcome<Vec<T>>) -> Outcome<f64> {
    allocator::start();
    let handles = submit()?;
    while WAITING.load(Ordering::Relaxed) < jobs {
        thread::sleep(Duration::from_millis(1));
    }
    // The last of them may not have left its first poll.
    thread::sleep(Duration::from_millis(10));
    let counts = allocator::stop();
    std::mem::forget(handles);
    Ok(counts.live_bytes as f64 / jobs as f64)
}
