//! Driving an async job to its end on the thread of its worker.

use std::cell::RefCell;
use std::collections::HashSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use crate::context;
use crate::job_ref::JobRef;
use crate::sync::{park_until, thread};

thread_local! {
    /// The jobs that the future being driven on this thread awaits, and that no worker had begun when it looked.
    static AWAITED: RefCell<Option<Vec<JobRef>>> = const { RefCell::new(None) };
}

thread_local! {
    /// The bell of the latest driver on this thread, kept so that an async job costs no allocation for it.
    static BELL: RefCell<Option<Arc<DriverBell>>> = const { RefCell::new(None) };
}

/// Notes that the future being driven on this thread awaits `job`, so that the driver can run it rather than sleep.
pub(crate) fn note_awaited(job: &JobRef) {
    AWAITED.with_borrow_mut(|awaited| {
        if let Some(awaited) = awaited {
            awaited.push(job.clone());
        }
    });
}

/// Runs `poll`, which polls a future once; gives the jobs that the future awaits and that no worker had begun, too.
pub(crate) fn noting_awaited<R>(poll: impl FnOnce() -> R) -> (R, Vec<JobRef>) {
    struct Restore(Option<Vec<JobRef>>);
    impl Drop for Restore {
        fn drop(&mut self) {
            drop(AWAITED.replace(self.0.take()));
        }
    }
    let _restore = Restore(AWAITED.replace(Some(Vec::new())));
    let polled = poll();
    (polled, AWAITED.take().unwrap_or_default())
}

/// Polls `future`, which is the work of `job`, until it is ready; parks the thread in between.
///
/// Before it parks it runs, here and then, one of the pool's jobs that the future awaits and nobody has begun: an
/// await on a worker keeps the promise that a blocking wait keeps. When the run limit of `job` passes, and when its pool stops, those who wait in
/// [`stopped`](crate::JobContext::stopped) are told.
pub(crate) fn drive<T>(job: Option<&JobRef>, mut future: Pin<Box<dyn Future<Output = T> + Send + '_>>) -> T {
    struct Restore {
        awaited: Option<Vec<JobRef>>,
        bell: Arc<DriverBell>,
    }
    impl Drop for Restore {
        fn drop(&mut self) {
            drop(AWAITED.replace(self.awaited.take()));
            BELL.set(Some(Arc::clone(&self.bell)));
        }
    }
    let awaited = AWAITED.replace(Some(Vec::new()));
    // A waker of an earlier job may still ring this bell: that costs one poll for nothing.
    let bell = BELL.take().unwrap_or_else(DriverBell::of_this_thread);
    bell.rung.store(true, Ordering::Relaxed);
    let _restore = Restore { awaited, bell: Arc::clone(&bell) };

    let surroundings = context::surroundings();
    let waker = Waker::from(Arc::clone(&bell));
    let mut cx = Context::from_waker(&waker);
    let mut told_to_stop = false;
    let mut pruned_at = 0;
    loop {
        // Acquires what the waker's caller did before it woke us.
        if bell.rung.swap(false, Ordering::Acquire) {
            let before = AWAITED.replace(Some(Vec::new())).unwrap_or_default();
            let polled = match &surroundings {
                None => future.as_mut().poll(&mut cx),
                Some(surroundings) => {
                    let mut polled = Poll::Pending;
                    surroundings(&mut || polled = future.as_mut().poll(&mut cx));
                    polled
                }
            };
            if let Poll::Ready(value) = polled {
                return value;
            }
            keep_awaited(before, &mut pruned_at);
        } else if let Some(job) = job.filter(|job| !told_to_stop && job.should_stop()) {
            told_to_stop = true;
            job.record().bells.ring_stop();
        } else if !run_awaited() {
            park_until(job.filter(|_| !told_to_stop).and_then(JobRef::deadline));
        }
    }
}

/// Keeps the jobs that were awaited before this poll, where the poll has seen fewer: a future of many parts polls only the part that
/// was woken, and awaits the others still. The newest are last. `pruned_at` is how many there were when those that are
/// done were taken out, which is done again when there are twice as many.
fn keep_awaited(mut jobs: Vec<JobRef>, pruned_at: &mut usize) {
    AWAITED.with_borrow_mut(|awaited| {
        let Some(awaited) = awaited else { return };
        if awaited.len() >= jobs.len() {
            return;
        }
        jobs.append(awaited);
        if jobs.len() > 2 * (*pruned_at).max(32) {
            let mut seen = HashSet::new();
            jobs.retain(|job| !job.is_done() && seen.insert(job.id()));
            *pruned_at = jobs.len();
        }
        *awaited = jobs;
    });
}

/// Runs one job that is awaited here and that waits for a worker; false if there is none.
fn run_awaited() -> bool {
    while let Some(job) = AWAITED.with_borrow_mut(|awaited| awaited.as_mut().and_then(Vec::pop)) {
        if !job.state_word().is_done() && job.record().control.help(&job) {
            return true;
        }
    }
    false
}

/// Wakes the driver.
struct DriverBell {
    rung: AtomicBool,
    thread: thread::Thread,
}

impl DriverBell {
    fn of_this_thread() -> Arc<Self> {
        Arc::new(DriverBell { rung: AtomicBool::new(true), thread: thread::current() })
    }
}

impl Wake for DriverBell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Releases what the caller did, to the driver's next poll.
        self.rung.store(true, Ordering::Release);
        self.thread.unpark();
    }
}
