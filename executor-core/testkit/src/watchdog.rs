//! The watchdog: a law that hangs is a failure, and says what it hangs in.

use std::io::{self, Write};
use std::process;
use std::sync::mpsc;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Once, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::helpers;
use crate::panics;
use crate::threads;
use crate::time::{LAW_LIMIT, scaled};

/// Tells what is known of a pool, for the report of a hang.
pub(crate) type Describe = Arc<dyn Fn() -> String + Send + Sync>;

struct Dog {
    watched: Mutex<Option<Watched>>,
    changed: Condvar,
}

struct Watched {
    law: &'static str,
    began: Instant,
    pools: Vec<Describe>,
}

impl Dog {
    fn lock(&self) -> MutexGuard<'_, Option<Watched>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The one dog of this process.
static DOG: Dog = Dog { watched: Mutex::new(None), changed: Condvar::new() };

fn guard() {
    let limit = scaled(LAW_LIMIT);
    let mut watched = DOG.lock();
    loop {
        let wait = match &*watched {
            None => Duration::MAX,
            Some(watched) => limit.saturating_sub(watched.began.elapsed()),
        };
        if let Some(watched) = watched.take_if(|_| wait.is_zero()) {
            bark(&watched);
        }
        watched = match DOG.changed.wait_timeout(watched, wait) {
            Ok((watched, _)) => watched,
            Err(poisoned) => poisoned.into_inner().0,
        };
    }
}

/// Says what can be said, and ends the process: there is no way to end the law alone.
fn bark(watched: &Watched) -> ! {
    let mut report = format!(
        "\nthe law `{}` hangs: it is not over after {:?}. The process is aborted.\n",
        watched.law,
        watched.began.elapsed()
    );
    if let Some(failure) = panics::failure() {
        report.push_str(&format!("  It was broken before, and hangs while it unwinds: {failure}\n"));
    }
    for pool in &watched.pools {
        report.push_str(&format!("  pool: {}\n", describe(pool)));
    }
    report.push_str(&threads::describe_all());
    // Written past the capture of the test harness, which an abort would swallow.
    let _ = io::stderr().lock().write_all(report.as_bytes());
    process::abort();
}

/// What is known of a pool. Asked on a thread of its own, because a pool that hangs may hold its lock.
fn describe(pool: &Describe) -> String {
    let (tx, rx) = mpsc::channel();
    let pool = Arc::clone(pool);
    let asks = thread::Builder::new().spawn(move || {
        let _ = tx.send(pool());
    });
    let answer = asks.ok().and_then(|_| rx.recv_timeout(Duration::from_secs(2)).ok());
    answer.unwrap_or_else(|| "it does not answer within 2 s".to_owned())
}

/// Watches `law` until the guard is dropped.
pub(crate) fn watch(law: &'static str) -> Leash {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| helpers::start("watchdog", guard));
    *DOG.lock() = Some(Watched { law, began: Instant::now(), pools: Vec::new() });
    DOG.changed.notify_all();
    Leash
}

/// Adds a pool of the law that is watched to what is told of a hang.
pub(crate) fn add_pool(describe: Describe) {
    if let Some(watched) = &mut *DOG.lock() {
        watched.pools.push(describe);
    }
}

/// A law that is being watched.
#[must_use = "dropping it ends the watch"]
pub(crate) struct Leash;

impl Drop for Leash {
    fn drop(&mut self) {
        DOG.lock().take();
        DOG.changed.notify_all();
    }
}
