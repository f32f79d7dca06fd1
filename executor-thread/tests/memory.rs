//! What a pool keeps in memory: nothing of a job that has ended and whose future is gone, and little of a queue that was
//! long.

#![expect(unsafe_code, reason = "`GlobalAlloc` is an unsafe trait, and only the global allocator sees what is kept")]
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use common::{HangGuard, block_on, pool, watched};
use executor_core::{
    Executor, JobError, JobFuture, JobOptions, Priority, Retries, WaitFor, as_completed, current, job, wait,
};
use executor_testkit::{Gate, ON_PURPOSE, Pass, comes_about, eventually};
use executor_thread::ThreadExecutor;

/// The system's allocator, with a count of what is in use.
struct Counting;

static LIVE_BYTES: AtomicI64 = AtomicI64::new(0);
static LIVE_BLOCKS: AtomicI64 = AtomicI64::new(0);

// SAFETY: every method hands its arguments to `System`, unchanged, and gives back what that gives.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE_BYTES.fetch_add(layout.size() as i64, Ordering::Relaxed);
        LIVE_BLOCKS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE_BYTES.fetch_sub(layout.size() as i64, Ordering::Relaxed);
        LIVE_BLOCKS.fetch_sub(1, Ordering::Relaxed);
        // SAFETY: the pointer came from `System` with this layout, as the caller promises of this allocator.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Tests that count go one at a time. The guard against hangs is to be dropped first.
fn turn() -> (MutexGuard<'static, ()>, HangGuard) {
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    (turn, watched())
}

/// How many bytes a pool may keep of what it once had: some pages for each of its lanes, buffers and threads.
const KEPT_BYTES: i64 = 1 << 20;

/// The same where nothing runs meanwhile: what the test harness needs to start another test.
const KEPT_AT_REST_BYTES: i64 = 32 << 10;

/// How many blocks a pool may keep, and what the test harness needs meanwhile. A job that leaves something behind leaves a
/// block at least, and every test has many more jobs than this.
const KEPT_BLOCKS: i64 = 500;

/// What was in use at one moment.
#[derive(Clone, Copy)]
struct Usage {
    bytes: i64,
    blocks: i64,
}

impl Usage {
    fn now() -> Self {
        Usage { bytes: LIVE_BYTES.load(Ordering::Relaxed), blocks: LIVE_BLOCKS.load(Ordering::Relaxed) }
    }

    /// What is in use beyond this.
    fn grown(self) -> Usage {
        let now = Usage::now();
        Usage { bytes: now.bytes - self.bytes, blocks: now.blocks - self.blocks }
    }

    /// Checks that what is in use goes back to this. A worker may still hold its last job when its end is seen.
    #[track_caller]
    fn assert_restored(self, what: &str) {
        self.assert_restored_but(KEPT_BYTES, what);
    }

    /// The same, with a limit of its own.
    #[track_caller]
    fn assert_restored_but(self, bytes: i64, what: &str) {
        let mut grown = self.grown();
        let restored = comes_about(|| {
            grown = self.grown();
            grown.bytes < bytes && grown.blocks < KEPT_BLOCKS
        });
        assert!(restored, "{what}, and {} blocks of {} KiB are kept", grown.blocks, grown.bytes >> 10);
    }
}

#[job]
fn echo(n: u64) -> u64 {
    n
}

#[job]
fn pass(gate: Pass) {
    gate.go();
}

/// Fails in one of two ways.
#[job]
fn fail(n: u64) -> Result<u64, u64> {
    if n.is_multiple_of(2) { Err(n) } else { panic!("a job fails {ON_PURPOSE}") }
}

const MANY: u64 = 200_000;

/// A pool whose one worker is at a gate. The gate is to be dropped first, so that a test that fails does not hang.
fn blocked_pool() -> (ThreadExecutor, Gate) {
    let pool = pool(1);
    let gate = Gate::new();
    drop(pool.submit(pass::job(gate.pass())));
    gate.wait_for(1);
    (pool, gate)
}

/// A task of an async program that is woken.
struct Nothing;

impl Wake for Nothing {
    fn wake(self: Arc<Self>) {}
}

/// Polls once, with a waker that does nothing.
fn is_ready<F: Future>(future: Pin<&mut F>) -> bool {
    future.poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

#[test]
fn a_long_queue_is_released_when_it_has_run() {
    let _turn = turn();
    let (pool, gate) = blocked_pool();
    let before = Usage::now();
    for n in 0..MANY {
        let priority = [Priority::Low, Priority::Normal, Priority::High][n as usize % 3];
        drop(pool.submit_with(echo::job(n), JobOptions::new().priority(priority)));
    }
    assert!(before.grown().blocks >= MANY as i64, "the jobs wait somewhere");
    gate.open();
    eventually("the jobs have run", || pool.stats().finished == MANY + 1);
    before.assert_restored("all jobs have run");
}

#[test]
fn a_cancelled_queue_is_released_at_once() {
    let _turn = turn();
    let (pool, gate) = blocked_pool();
    let before = Usage::now();
    let jobs: Vec<_> = (0..MANY).map(|n| pool.submit(echo::job(n))).collect();
    assert!(jobs.iter().all(JobFuture::cancel));
    drop(jobs);
    before.assert_restored("all jobs were cancelled while the worker is at the gate");
    gate.open();
}

#[test]
fn cancelled_jobs_are_released_though_some_of_the_queue_stays() {
    let _turn = turn();
    let (pool, gate) = blocked_pool();
    let before = Usage::now();
    let mut stay = Vec::new();
    for n in 0..MANY {
        let job = pool.submit(echo::job(n));
        if n % 1000 == 500 {
            stay.push(job);
        } else {
            assert!(job.cancel());
        }
    }
    before.assert_restored("all jobs but 200 were cancelled");
    gate.open();
    assert_eq!(stay.into_iter().map(|job| job.result().unwrap()).sum::<u64>(), (0..200).map(|n| n * 1000 + 500).sum());
}

#[test]
fn values_of_dropped_futures_are_released() {
    let _turn = turn();
    let pool = pool(2);
    let before = Usage::now();
    for n in 0..100_000_usize {
        drop(pool.spawn(move || vec![n; 128]));
    }
    eventually("the jobs have run", || pool.stats().finished == 100_000);
    before.assert_restored("nobody wants the 100 MiB of values");
    let jobs: Vec<_> = (0..100_000_usize).map(|n| pool.spawn(move || vec![n; 16])).collect();
    jobs.iter().for_each(JobFuture::wait);
    assert!(before.grown().blocks >= 150_000, "the values are kept for who has the futures");
    drop(jobs);
    before.assert_restored("the futures are dropped");
}

#[test]
fn failures_are_released() {
    let _turn = turn();
    let pool = pool(2);
    // The first panic of a program makes what it needs for all others.
    drop(pool.submit(fail::job(1)).result());
    let before = Usage::now();
    for n in 0..10_000 {
        drop(pool.submit(fail::job(n)));
        drop(pool.submit(fail::job(n)).result());
    }
    eventually("the jobs have failed", || pool.stats().failed == 20_001);
    before.assert_restored("all jobs have failed");
}

#[test]
fn jobs_that_are_tried_again_are_released() {
    let _turn = turn();
    let pool = pool(2);
    let before = Usage::now();
    for n in 0..10_000 {
        let retries = Retries::times(2).backoff(Duration::from_micros(n % 2));
        drop(pool.submit_with(fail::job(2 * n), JobOptions::new().retries(retries)));
    }
    eventually("the jobs have failed", || pool.stats().failed == 10_000);
    before.assert_restored("all attempts are made");
}

#[test]
fn callbacks_are_released() {
    let _turn = turn();
    let pool = pool(2);
    let before = Usage::now();
    let called = Arc::new(AtomicU64::new(0));
    for n in 0..20_000_u64 {
        let job = pool.submit(echo::job(n));
        let (first, second) = (Arc::clone(&called), Arc::clone(&called));
        job.handle().on_done(move |_| _ = first.fetch_add(1, Ordering::Relaxed));
        if n % 3 == 0 {
            job.cancel();
        }
        job.on_done(move |_| _ = second.fetch_add(1, Ordering::Relaxed));
    }
    eventually("all callbacks are called", || called.load(Ordering::Relaxed) == 40_000);
    before.assert_restored("all callbacks were called");
    eventually("all callbacks are dropped", || Arc::strong_count(&called) == 1);
}

/// The one worker runs its children where it waits, and never comes back to the queue meanwhile.
#[test]
fn children_that_were_waited_for_are_released() {
    let _turn = turn();
    let pool = pool(1);
    let own = pool.clone();
    let parent = pool.spawn(move || {
        let before = Usage::now();
        for n in 0..5000 {
            let (first, second) = (own.submit(echo::job(n)), own.submit(echo::job(n)));
            let sum = first.result().unwrap() + as_completed([second]).map(|job| job.result().unwrap()).sum::<u64>();
            assert_eq!(sum, 2 * n);
        }
        before.assert_restored("all children have ended");
    });
    parent.result().unwrap();
}

#[test]
fn a_map_keeps_its_window_only() {
    let _turn = turn();
    let pool = pool(2);
    let before = Usage::now();
    let mut map = pool.map(echo::job, 0..);
    for n in 0..300_000 {
        assert_eq!(map.next().unwrap().unwrap(), n);
    }
    // 16 384 items of some hundred bytes each.
    let most = before.grown().bytes;
    assert!(most < 4 * KEPT_BYTES, "the map keeps {} KiB", most >> 10);
    drop(map);
    before.assert_restored("the map is dropped");
}

#[test]
fn maps_that_are_dropped_early_are_released() {
    let _turn = turn();
    let (pool, gate) = blocked_pool();
    let before = Usage::now();
    // The worker is at the gate, so that nothing of these begins.
    (0..100).for_each(|_| drop(pool.map(echo::job, 0..)));
    before.assert_restored("maps were dropped before anything ran");
    gate.open();
    for reads in 0..200 {
        pool.map(echo::job, 0..).take(reads).for_each(drop);
        pool.map_unordered(echo::job, 0..).take(reads).for_each(drop);
    }
    before.assert_restored("all maps were dropped");
}

/// An async task may poll often while it waits for room, for reasons of its own.
#[test]
fn a_submitter_that_is_polled_often_leaves_nothing_behind() {
    let _turn = turn();
    let pool = ThreadExecutor::builder().workers(1).queue_capacity(1).build().unwrap();
    let gate = Gate::new();
    drop(pool.submit(pass::job(gate.pass())));
    gate.wait_for(1);
    drop(pool.submit(echo::job(1)));
    let before = Usage::now();
    let mut waits = pin!(pool.submit_wait(echo::job(2)));
    for _ in 0..MANY {
        assert!(!is_ready(waits.as_mut()));
    }
    before.assert_restored_but(KEPT_AT_REST_BYTES, "one submitter was polled often");
    for _ in 0..MANY {
        assert!(!is_ready(pin!(pool.submit_wait(echo::job(3)))));
    }
    before.assert_restored_but(KEPT_AT_REST_BYTES, "many submitters gave up");
    gate.open();
    assert_eq!(block_on(block_on(waits)).unwrap(), 2);
}

/// Each way to look at a job that is not done leaves word there that somebody wants its end, and takes it back.
#[test]
fn looks_at_a_job_leave_nothing_behind() {
    type Look = fn(JobFuture<()>) -> JobFuture<()>;
    let wait_for_a_moment: Look = |mut job| {
        assert!(!job.wait_timeout(Duration::ZERO) && !job.handle().wait_timeout(Duration::ZERO));
        assert!(matches!(job.result_timeout(Duration::from_nanos(1)), Err(JobError::Timeout)));
        job
    };
    let poll_for_a_new_task: Look = |mut job| {
        let waker = Waker::from(Arc::new(Nothing));
        assert!(Pin::new(&mut job).poll(&mut Context::from_waker(&waker)).is_pending());
        job
    };
    let wait_for_many: Look = |job| wait([job], WaitFor::All, Some(Duration::ZERO)).not_done.pop().unwrap();
    let _turn = turn();
    let pool = pool(1);
    let gate = Gate::new();
    let mut job = pool.submit(pass::job(gate.pass()));
    gate.wait_for(1);
    for look in [wait_for_a_moment, poll_for_a_new_task, wait_for_many] {
        let before = Usage::now();
        for _ in 0..5000 {
            job = look(job);
        }
        before.assert_restored_but(KEPT_AT_REST_BYTES, "nobody looks any more");
    }
    gate.open();
    job.result().unwrap();
}

/// A job that looks often whether it should stop, always for the same task.
#[test]
fn looks_for_a_stop_leave_nothing_behind() {
    let _turn = turn();
    let pool = pool(1);
    let looks = pool.spawn(|| {
        let waker = Waker::from(Arc::new(Nothing));
        let before = Usage::now();
        for _ in 0..5000 {
            assert!(pin!(current().stopped()).poll(&mut Context::from_waker(&waker)).is_pending());
        }
        before.assert_restored_but(KEPT_AT_REST_BYTES, "nobody looks any more");
    });
    looks.result().unwrap();
}

#[test]
fn a_blocked_worker_gathers_nothing() {
    let _turn = turn();
    let pool = pool(2);
    let gate = Gate::new();
    drop(pool.submit(pass::job(gate.pass())));
    gate.wait_for(1);
    let before = Usage::now();
    for _ in 0..100 {
        let jobs: Vec<_> = (0..500_u32).map(|n| pool.spawn(move || rayon::join(|| n, || n).0)).collect();
        jobs.into_iter().for_each(|job| assert!(job.result().is_ok()));
    }
    before.assert_restored("the other worker has run 50 000 jobs");
}

#[test]
fn a_pool_that_ended_is_released() {
    let _turn = turn();
    let before = Usage::now();
    for n in 0..600 {
        let pool = pool(2);
        let job = pool.submit(echo::job(n));
        drop(pool);
        // A future outlives its pool and keeps its value.
        assert_eq!(job.result().unwrap(), n);
    }
    before.assert_restored("600 pools have ended");
}
