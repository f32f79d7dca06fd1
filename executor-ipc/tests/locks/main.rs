//! Locks between the threads of one process.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod handles;
mod holders;
mod mutex;
mod rw_lock;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use executor_ipc::attach::{collect, supply};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Longer than any test takes.
pub(crate) const LONG: Duration = Duration::from_secs(60);

pub(crate) const THREADS: usize = 4;

pub(crate) const ROUNDS: u64 = 20_000;

/// The same object, as if it had come from another process.
pub(crate) fn sent<T: Serialize + DeserializeOwned>(object: &T) -> T {
    let (bytes, attachments) = collect(|| postcard::to_stdvec(object).unwrap());
    supply(attachments, || postcard::from_bytes(&bytes).unwrap())
}

/// Calls `hold` on a thread that then goes on to have what it gave, until the answer is dropped.
pub(crate) fn elsewhere<'scope, 'env, G>(
    scope: &'scope thread::Scope<'scope, 'env>,
    hold: impl FnOnce() -> G + Send + 'scope,
) -> Sender<()> {
    let (has, it_has) = channel();
    let (release, released) = channel::<()>();
    scope.spawn(move || {
        let _held = hold();
        has.send(()).unwrap();
        let _ = released.recv();
    });
    it_has.recv().unwrap();
    release
}

pub(crate) fn panics(action: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(action)).unwrap_err();
    panic.downcast_ref::<String>().cloned().unwrap_or_else(|| panic.downcast_ref::<&str>().unwrap().to_string())
}
