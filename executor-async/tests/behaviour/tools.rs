//! What the tests share: a guard against hangs, runtimes, futures that tell what becomes of them.

use std::io::{self, Write};
use std::panic;
use std::pin::Pin;
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Once};
use std::task::{Context, Poll};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use executor_async::AsyncExecutor;
use executor_testkit::{ON_PURPOSE, scaled};
use tokio::runtime::{Builder, Runtime};

/// How long one test may take before it counts as a hang. The slowest takes some seconds; this is for busy machines.
const TEST_LIMIT: Duration = Duration::from_secs(120);

/// What a wait that must not block panics with.
const WOULD_BLOCK: &str = "this thread must not block on the job";

/// Ends the program if a test does not end.
#[must_use = "the test is watched until this is dropped"]
pub(crate) struct HangGuard {
    over: Option<Sender<()>>,
    dog: Option<JoinHandle<()>>,
}

/// Watches the test that runs on the calling thread, and keeps the panics that are meant to be off the output.
pub(crate) fn watched() -> HangGuard {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let is_ours = |text: &str| text.contains(ON_PURPOSE) || text.contains(WOULD_BLOCK);
            if !info.payload_as_str().is_some_and(is_ours) {
                before(info);
            }
        }));
    });
    let test = thread::current().name().unwrap_or("a test").to_owned();
    let (over, waits) = mpsc::channel::<()>();
    let dog = thread::spawn(move || {
        if waits.recv_timeout(scaled(TEST_LIMIT)) == Err(RecvTimeoutError::Timeout) {
            // Written past the capture of the test harness, which an abort would swallow.
            let _ = writeln!(io::stderr().lock(), "\nthe test `{test}` hangs; the process is aborted");
            process::abort();
        }
    });
    HangGuard { over: Some(over), dog: Some(dog) }
}

impl Drop for HangGuard {
    fn drop(&mut self) {
        drop(self.over.take());
        if let Some(dog) = self.dog.take() {
            let _ = dog.join();
        }
    }
}

/// A runtime of two threads.
pub(crate) fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// An executor with a runtime of its own.
pub(crate) fn pool() -> AsyncExecutor {
    AsyncExecutor::new(2).unwrap()
}

/// A count that clones share.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counter(Arc<AtomicUsize>);

impl Counter {
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::Acquire)
    }

    /// Something whose drop is counted here.
    pub(crate) fn drops(&self) -> Counted {
        Counted(self.clone())
    }
}

/// Counts its drop.
#[derive(Debug)]
pub(crate) struct Counted(Counter);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.add();
    }
}

/// A future that counts that it is polled, is never ready, and counts its drop.
pub(crate) struct Forever {
    polled: Counter,
    pub(crate) _drops: Counted,
}

impl Forever {
    pub(crate) fn new(polled: &Counter, drops: &Counter) -> Self {
        Forever { polled: polled.clone(), _drops: drops.drops() }
    }
}

impl Future for Forever {
    type Output = u32;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<u32> {
        self.polled.add();
        Poll::Pending
    }
}
