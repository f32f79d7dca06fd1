//! A pool with nothing to do costs no processor time.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod common;

use std::thread;
use std::time::Duration;

use common::{named_pool, processor_time, watched};
use executor_core::{Executor, job};
use executor_testkit::{Gate, Pass};
use executor_thread::ThreadExecutor;
use rayon::prelude::*;

/// How long a pool is watched while it has nothing to do. Here the time that passes is what is tested.
const WATCH: Duration = Duration::from_millis(1500);

/// What its threads may have used by then: the looks around after the last job, and the waking of a few threads. A thread
/// that spins uses 30 times as much.
const MOST: Duration = Duration::from_millis(50);

#[job]
fn echo(n: u64) -> u64 {
    n
}

#[job]
fn pass(gate: Pass) {
    gate.go();
}

/// Watches the threads whose names begin with `name`.
#[track_caller]
fn assert_idle(name: &str, what: &str) {
    // Without such counts there is nothing to test.
    let Some(before) = processor_time(name) else { return };
    thread::sleep(WATCH);
    let used = processor_time(name).unwrap() - before;
    assert!(used < MOST, "{what}, and its threads used {used:?} in {WATCH:?}");
}

#[test]
fn a_pool_that_was_never_used_is_idle() {
    let _watched = watched();
    let pool = named_pool(4, "id-new");
    assert_idle("id-new", "the pool was never used");
    drop(pool);
}

#[test]
fn a_pool_is_idle_after_a_burst_of_jobs() {
    let _watched = watched();
    let pool = named_pool(3, "id-burst");
    let jobs: Vec<_> = (0..20_000).map(|n| pool.submit(echo::job(n))).collect();
    jobs.into_iter().for_each(|job| drop(job.result().unwrap().to_string()));
    assert_idle("id-burst", "all jobs are done");
    assert_eq!(pool.map(echo::job, 0..20_000).map(Result::unwrap).sum::<u64>(), 199_990_000);
    assert_idle("id-burst", "the map is read to its end");
}

#[test]
fn a_pool_is_idle_after_one_job_and_after_rayon() {
    let _watched = watched();
    let pool = named_pool(2, "id-one");
    assert_eq!(pool.submit(echo::job(1)).result().unwrap(), 1);
    assert_idle("id-one", "the one job is done");
    assert_eq!(pool.install(|| (0..1000u32).into_par_iter().sum::<u32>()), 499_500);
    assert_eq!(pool.submit(echo::job(1)).result().unwrap(), 1);
    assert_idle("id-one", "a call of rayon and a job are done");
}

#[test]
fn the_others_are_idle_while_one_worker_is_blocked() {
    let _watched = watched();
    let pool = named_pool(3, "id-block");
    let gate = Gate::new();
    let quick: Vec<_> = (0..2000).map(|n| pool.submit(echo::job(n))).collect();
    let blocked = pool.submit(pass::job(gate.pass()));
    gate.wait_for(1);
    assert!(quick.into_iter().all(|job| job.result().is_ok()));
    assert_idle("id-block", "one worker is blocked");
    gate.open();
    blocked.result().unwrap();
}

/// The worker has the room to look around, and waits for work of its own.
#[test]
fn a_worker_that_waits_is_idle() {
    let _watched = watched();
    let pool = named_pool(2, "id-wait");
    let gate = Gate::new();
    let blocked = pool.submit(pass::job(gate.pass()));
    gate.wait_for(1);
    let waits = pool.spawn(move || blocked.result().unwrap());
    assert_idle("id-wait", "one job waits for the other");
    gate.open();
    waits.result().unwrap();
}

#[test]
fn a_pool_with_a_full_queue_is_idle_while_its_workers_are_blocked() {
    let _watched = watched();
    let pool = ThreadExecutor::builder().workers(1).queue_capacity(1).name("id-full").build().unwrap();
    let gate = Gate::new();
    let running = pool.submit(pass::job(gate.pass()));
    gate.wait_for(1);
    let queued = pool.submit(echo::job(1));
    thread::scope(|scope| {
        let submits = || pool.submit(echo::job(2)).result().unwrap();
        let submitter = thread::Builder::new().name("id-full-submit".to_owned()).spawn_scoped(scope, submits).unwrap();
        // The submitter waits for room, and is watched too.
        assert_idle("id-full", "all wait");
        gate.open();
        assert_eq!(submitter.join().unwrap(), 2);
    });
    assert_eq!(queued.result().unwrap(), 1);
    running.result().unwrap();
}
