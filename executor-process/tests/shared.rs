//! Locks and shared values as arguments and outputs of jobs.
//!
//! Descriptors are those of the whole process, so that one test runs after another.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "these are tests")]

mod common;

use std::sync::atomic::{AtomicU64, Ordering};

use common::{THREADED_METHODS, descriptors, named, watched};
use executor_core::{Executor, JobError, job};
use executor_ipc::sync::{Mutex, RwLock};
use executor_ipc::{SharedArray, SharedValue};
use executor_testkit::{Gate, Pass, eventually};

const TESTS: [(&str, fn()); 4] = [
    ("jobs_count_under_one_lock", jobs_count_under_one_lock),
    ("a_job_that_is_killed_leaves_its_lock", a_job_that_is_killed_leaves_its_lock),
    ("jobs_fill_one_array", jobs_fill_one_array),
    ("nothing_is_left_behind", nothing_is_left_behind),
];

fn main() {
    executor_process::init();
    let filter = std::env::args().nth(1).filter(|filter| !filter.starts_with('-')).unwrap_or_default();
    for (name, test) in TESTS.into_iter().filter(|(name, _)| name.contains(&filter)) {
        let watched = watched();
        test();
        drop(watched);
        println!("test {name} ... ok");
    }
}

#[job]
fn count(plain: Mutex<[u64; 2]>, atomic: SharedValue<AtomicU64>) {
    let mut guard = plain.lock().unwrap();
    guard[0] += 1;
    guard[1] += 1;
    atomic.fetch_add(1, Ordering::Relaxed);
}

#[job]
fn hold(lock: Mutex<u32>, pass: Pass) {
    let mut guard = lock.lock().unwrap();
    *guard = 1;
    pass.go();
    *guard = 2;
}

/// Writes the numbers of its elements, and gives back what it wrote.
#[job]
fn fill(part: SharedArray<u32>, first: u32) -> SharedArray<u32> {
    for (number, element) in (first..).zip(part.lock().unwrap().iter_mut()) {
        *element = number;
    }
    part
}

fn jobs_count_under_one_lock() {
    for method in THREADED_METHODS {
        let pool = named("shared-count", 2).start_method(method).build().unwrap();
        let (plain, atomic) = (Mutex::new([0; 2]).unwrap(), SharedValue::new(AtomicU64::new(0)).unwrap());
        let futures: Vec<_> = (0..500).map(|_| pool.submit(count::job(plain.clone(), atomic.clone()))).collect();
        for future in futures {
            future.result().unwrap();
        }
        assert_eq!((*plain.lock().unwrap(), atomic.load(Ordering::Relaxed)), ([500; 2], 500));
    }
}

fn a_job_that_is_killed_leaves_its_lock() {
    let pool = named("shared-kill", 1).build().unwrap();
    let lock = Mutex::new(0).unwrap();
    let gate = Gate::new();
    let future = pool.submit(hold::job(lock.clone(), gate.pass()));
    gate.wait_for(1);
    assert!(lock.is_locked() && lock.try_lock().is_err());
    assert!(future.kill());
    assert!(matches!(future.result(), Err(JobError::Killed)));
    // It waits until the process is gone, if it is not yet.
    let died = lock.lock().unwrap_err();
    assert!(!died.panicked());
    assert_eq!(*died.repair(|value| **value += 10), 11);
}

fn jobs_fill_one_array() {
    let pool = named("shared-array", 2).build().unwrap();
    let whole = SharedArray::<u32>::new(10_000).unwrap();
    let futures: Vec<_> = (0..100_usize)
        .map(|part| pool.submit(fill::job(whole.slice(100 * part..100 * (part + 1)), 100 * part as u32)))
        .collect();
    for (part, future) in (0..).zip(futures) {
        let back = future.result().unwrap();
        assert_eq!((back.len(), back.lock().unwrap()[99]), (100, 100 * part + 99));
    }
    assert!((0..).zip(whole.lock().unwrap().iter()).all(|(number, &element)| number == element));
}

fn nothing_is_left_behind() {
    let pool = named("shared-left", 1).build().unwrap();
    let round = || {
        let whole = SharedArray::<u32>::new(1000).unwrap();
        assert_eq!(pool.submit(fill::job(whole, 5)).result().unwrap().lock().unwrap()[0], 5);
        let lock = RwLock::new(1).unwrap();
        assert_eq!(*lock.read().unwrap(), 1);
    };
    (0..5).for_each(|_| round());
    let before = descriptors();
    (0..50).for_each(|_| round());
    eventually("there are no more descriptors than before", || descriptors() <= before);
}
