//! Callbacks that the items of a map hang on themselves.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod common;

use std::sync::Mutex;

use common::{pool, watched};
use executor_core::{Executor, JobId, current, job};
use executor_testkit::eventually;

/// Who hung the callback, of whom it was told, and whether that one was done.
static HEARD: Mutex<Vec<(JobId, JobId, bool)>> = Mutex::new(Vec::new());

#[job]
fn watched_by_itself(n: u64) -> u64 {
    let job = current().handle().unwrap();
    let own = job.id();
    job.on_done(move |job| HEARD.lock().unwrap().push((own, job.id(), job.is_done())));
    n
}

/// The items of a chunk share one row of waiters.
#[test]
fn each_callback_hears_of_its_own_item_once_when_it_is_done() {
    let _watched = watched();
    let pool = pool(2);
    let sum: u64 = pool.map(watched_by_itself::job, 0..5000).map(Result::unwrap).sum();
    assert_eq!(sum, 12_497_500);
    eventually("all callbacks have run", || HEARD.lock().unwrap().len() >= 5000);
    drop(pool);
    let mut heard = HEARD.lock().unwrap();
    assert!(heard.iter().all(|(own, told, done)| own == told && *done));
    heard.sort_unstable();
    heard.dedup();
    assert_eq!(heard.len(), 5000);
}
