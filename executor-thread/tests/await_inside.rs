//! Async jobs that await jobs of their own pool: an await on a worker keeps the promise of a blocking wait.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod common;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use common::{pool, watched};
use executor_core::{Executor, JobFuture, JobOptions, Retries, current, job};
use executor_testkit::{Gate, Log, Pass, Pen, hang_guard};
use executor_thread::ThreadExecutor;

static POOLS: Mutex<BTreeMap<u32, ThreadExecutor>> = Mutex::new(BTreeMap::new());

/// Futures that jobs are to await, by the number of the pool.
static FUTURES: Mutex<BTreeMap<u32, JobFuture<Result<u32, u32>>>> = Mutex::new(BTreeMap::new());

/// A pool where its jobs find it, by its number.
struct Hosted {
    key: u32,
    pool: ThreadExecutor,
}

impl Hosted {
    fn new(workers: usize) -> Self {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let hosted = Hosted { key: LAST.fetch_add(1, Ordering::Relaxed), pool: pool(workers) };
        POOLS.lock().unwrap().insert(hosted.key, hosted.pool.clone());
        hosted
    }

    /// Takes the value of a job that must end. One that does not leaves its pool behind.
    #[track_caller]
    fn ends<T: 'static>(&self, job: JobFuture<T>) -> T {
        let mut job = job;
        match job.result_timeout(hang_guard()) {
            Ok(value) => value,
            Err(error) => {
                std::mem::forget(self.pool.clone());
                panic!("the job does not end: {error}");
            }
        }
    }
}

impl Drop for Hosted {
    fn drop(&mut self) {
        drop(POOLS.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key));
    }
}

fn own(key: u32) -> ThreadExecutor {
    POOLS.lock().unwrap()[&key].clone()
}

#[job]
fn echo(n: u64) -> u64 {
    n
}

#[job]
async fn fib(key: u32, n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let [first, second] = [n - 1, n - 2].map(|n| own(key).submit(fib::job(key, n)));
    first.await.unwrap() + second.await.unwrap()
}

#[test]
fn a_tree_of_awaits_ends() {
    let _watched = watched();
    for workers in [1, 2] {
        let hosted = Hosted::new(workers);
        assert_eq!(hosted.ends(hosted.pool.submit(fib::job(hosted.key, 16))), 987);
    }
}

#[job]
async fn await_in_turn(key: u32, count: u64) -> u64 {
    let children: Vec<_> = (0..count).map(|n| own(key).submit(echo::job(n))).collect();
    let mut sum = 0;
    for child in children.into_iter().rev() {
        sum += child.await.unwrap();
    }
    sum
}

#[test]
fn children_are_awaited_in_any_order() {
    let _watched = watched();
    for workers in [1, 2] {
        let hosted = Hosted::new(workers);
        let jobs: Vec<_> = (0..50).map(|_| hosted.pool.submit(await_in_turn::job(hosted.key, 40))).collect();
        jobs.into_iter().for_each(|job| assert_eq!(hosted.ends(job), 780));
    }
}

/// Fails before its attempt number `good`, and notes when each attempt was made, in ms since the test began.
#[job]
fn fail_before(pen: Pen, gate: Option<Pass>, good: u32) -> Result<u32, u32> {
    pen.write(since_begin());
    if let Some(gate) = gate {
        gate.go();
    }
    let attempt = current().attempt();
    if attempt < good { Err(attempt) } else { Ok(attempt) }
}

fn since_begin() -> u64 {
    static BEGIN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    BEGIN.get_or_init(Instant::now).elapsed().as_millis() as u64
}

#[job]
async fn await_new_retry(key: u32, pen: Pen, backoff_ms: u64) -> Result<u32, u32> {
    let options = JobOptions::new().retries(Retries::times(3).backoff(Duration::from_millis(backoff_ms)));
    own(key).submit_with(fail_before::job(pen, None, 3), options).await.unwrap()
}

#[job]
fn wait_for_new_retry(key: u32, pen: Pen, backoff_ms: u64) -> Result<u32, u32> {
    let options = JobOptions::new().retries(Retries::times(3).backoff(Duration::from_millis(backoff_ms)));
    own(key).submit_with(fail_before::job(pen, None, 3), options).result().unwrap()
}

/// Goes through the gate, and then awaits the future that lies ready.
#[job]
async fn await_ready(gate: Pass, key: u32) -> Result<u32, u32> {
    gate.go();
    let future = FUTURES.lock().unwrap().remove(&key).unwrap();
    future.await.unwrap()
}

#[job]
fn wait_for_ready(gate: Pass, key: u32) -> Result<u32, u32> {
    gate.go();
    let future = FUTURES.lock().unwrap().remove(&key).unwrap();
    future.result().unwrap()
}

#[test]
fn a_retry_is_awaited_from_its_first_attempt_on() {
    let _watched = watched();
    for backoff_ms in [0, 20] {
        let hosted = Hosted::new(1);
        let log = Log::new();
        assert_eq!(hosted.ends(hosted.pool.submit(await_new_retry::job(hosted.key, log.pen(), backoff_ms))), Ok(3));
        assert_eq!(hosted.ends(hosted.pool.submit(wait_for_new_retry::job(hosted.key, log.pen(), backoff_ms))), Ok(3));
        assert_eq!(log.len(), 6);
        assert_backed_off(&log.entries()[..3], backoff_ms);
        assert_backed_off(&log.entries()[3..], backoff_ms);
    }
}

/// Each attempt came at least so long after the one before, and the wait doubles.
#[track_caller]
fn assert_backed_off(attempts_ms: &[u64], backoff_ms: u64) {
    for (pair, factor) in attempts_ms.windows(2).zip([1, 2, 4]) {
        // What is rounded off is less than one ms each.
        assert!(pair[1] - pair[0] + 2 >= factor * backoff_ms, "attempts at {attempts_ms:?} ms, {backoff_ms} ms apart");
    }
}

/// A job has failed once, and its next attempt is in the queue or in its back-off, when the one worker of its pool
/// begins to wait for it.
fn between_two_attempts(backoff_ms: u64, waits: impl Fn(&Hosted, Pass) -> JobFuture<Result<u32, u32>>) {
    let hosted = Hosted::new(1);
    let (log, gate) = (Log::new(), Gate::new());
    let options = JobOptions::new().retries(Retries::times(3).backoff(Duration::from_millis(backoff_ms)));
    let retried = hosted.pool.submit_with(fail_before::job(log.pen(), Some(gate.pass()), 2), options);
    gate.wait_for(1);
    FUTURES.lock().unwrap().insert(hosted.key, retried);
    // It stands in the queue behind the first attempt, and before the second.
    let job = waits(&hosted, gate.pass());
    gate.open();
    assert_eq!(hosted.ends(job), Ok(2));
    assert_eq!(log.len(), 2);
    assert_backed_off(&log.entries(), backoff_ms);
}

#[test]
fn a_worker_waits_for_a_job_that_is_to_be_tried_again_at_once() {
    let _watched = watched();
    between_two_attempts(0, |hosted, pass| hosted.pool.submit(wait_for_ready::job(pass, hosted.key)));
}

#[test]
fn a_worker_awaits_a_job_that_is_to_be_tried_again_at_once() {
    let _watched = watched();
    between_two_attempts(0, |hosted, pass| hosted.pool.submit(await_ready::job(pass, hosted.key)));
}

#[test]
fn a_worker_waits_for_a_job_in_its_back_off() {
    let _watched = watched();
    between_two_attempts(200, |hosted, pass| hosted.pool.submit(wait_for_ready::job(pass, hosted.key)));
}

#[test]
fn a_worker_awaits_a_job_in_its_back_off() {
    let _watched = watched();
    between_two_attempts(200, |hosted, pass| hosted.pool.submit(await_ready::job(pass, hosted.key)));
}
