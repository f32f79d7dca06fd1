//! The threads of the testkit's own that last: the watchdog, and the port for jobs in other processes.
//!
//! They begin when they are first needed, or, where the pool can be built only while the program has one thread, as soon
//! as it is built.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

/// Threads with this in front of their names belong to the testkit.
pub(crate) const THREAD_PREFIX: &str = "testkit-";

/// What a thread does.
type Body = Box<dyn FnOnce() + Send>;

/// The threads that are held back; `None` while none is to be.
static HELD: Mutex<Option<Vec<(&str, Body)>>> = Mutex::new(None);

fn held() -> MutexGuard<'static, Option<Vec<(&'static str, Body)>>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Begins no thread until [`release`].
pub(crate) fn hold() {
    held().get_or_insert_default();
}

/// Begins what was held back, and holds back nothing from here on.
pub(crate) fn release() {
    let threads = held().take().unwrap_or_default();
    threads.into_iter().for_each(|(name, body)| spawn(name, body));
}

/// Begins a thread, now or at [`release`].
///
/// # Panics
///
/// If the system has no thread.
pub(crate) fn start(name: &'static str, body: impl FnOnce() + Send + 'static) {
    match &mut *held() {
        Some(threads) => threads.push((name, Box::new(body))),
        None => spawn(name, Box::new(body)),
    }
}

fn spawn(name: &str, body: Body) {
    if let Err(error) = thread::Builder::new().name(format!("{THREAD_PREFIX}{name}")).spawn(body) {
        panic!("the thread `{name}` of the testkit cannot be started: {error}");
    }
}
