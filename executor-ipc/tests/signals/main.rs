//! Semaphores, condition variables, events and barriers between the threads of one process.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod barrier;
mod condvar;
mod event;
mod handles;
mod semaphore;

use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use executor_ipc::attach::{collect, supply};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Longer than any test takes.
pub(crate) const LONG: Duration = Duration::from_secs(60);

pub(crate) const SHORT: Duration = Duration::from_millis(20);

pub(crate) const THREADS: usize = 4;

/// The same object, as if it had come from another process.
pub(crate) fn sent<T: Serialize + DeserializeOwned>(object: &T) -> T {
    let (bytes, attachments) = collect(|| postcard::to_stdvec(object).unwrap());
    supply(attachments, || postcard::from_bytes(&bytes).unwrap())
}

pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < LONG, "never: {what}");
        thread::yield_now();
    }
}

/// What it gave, and that it took as long as this at least.
pub(crate) fn lasting<R>(at_least: Duration, action: impl FnOnce() -> R) -> R {
    let began = Instant::now();
    let result = action();
    assert!(began.elapsed() >= at_least);
    result
}

pub(crate) fn many<'scope, R: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    count: usize,
    action: impl Fn() -> R + Clone + Send + 'scope,
) -> Vec<ScopedJoinHandle<'scope, R>> {
    (0..count).map(|_| scope.spawn(action.clone())).collect()
}

pub(crate) fn joined<R>(threads: Vec<ScopedJoinHandle<'_, R>>) -> Vec<R> {
    threads.into_iter().map(|thread| thread.join().unwrap()).collect()
}
