//! Small things that several laws do.

use std::panic::resume_unwind;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use executor_core::Executor;

use crate::jobs;
use crate::threads::{self, ThreadNumber};
use crate::time::{comes_about, scaled};

/// Runs `blocks` on a thread of its own, and `then` once that thread sleeps, as far as the system tells. Gives what
/// `blocks` gave.
///
/// Nothing is asserted about the sleep: a law must hold in either order, and this sees to it that it is checked in the
/// order that it is about.
pub(crate) fn while_blocked<R: Send>(blocks: impl FnOnce() -> R + Send, then: impl FnOnce()) -> R {
    thread::scope(|scope| {
        let (tx, rx) = mpsc::channel();
        let blocked = scope.spawn(move || {
            // The other end waits for it.
            let _ = tx.send(threads::current());
            blocks()
        });
        wait_until_asleep(rx.recv().ok().flatten());
        then();
        blocked.join().unwrap_or_else(|panic| resume_unwind(panic))
    })
}

fn wait_until_asleep(thread: Option<ThreadNumber>) {
    let Some(thread) = thread else { return };
    // A thread that has ended is not to be waited for either.
    let _ = comes_about(|| threads::is_asleep(thread).unwrap_or(true));
}

/// Numbers from 0 on, for a race that is tried often: `most` of them, or as many as fit in about two seconds where a
/// round is slow, and 20 at least.
pub(crate) fn rounds(most: usize) -> impl Iterator<Item = usize> {
    const BUDGET: Duration = Duration::from_secs(2);
    const LEAST: usize = 20;
    let until = Instant::now() + scaled(BUDGET);
    (0..most).take_while(move |&round| round < LEAST || Instant::now() < until)
}

/// Spends a short time that differs from round to round, so that a race is tried at many offsets.
pub(crate) fn dawdle(round: usize) {
    for _ in 0..(round * 37) % 512 {
        std::hint::spin_loop();
    }
}

/// Checks that the pool still runs jobs.
#[track_caller]
pub(crate) fn assert_usable(pool: &impl Executor) {
    let futures: Vec<_> = (0..4).map(|value| pool.submit(jobs::echo::job(value))).collect();
    for (value, future) in (0..).zip(futures) {
        match future.result() {
            Ok(got) => assert_eq!(got, value),
            Err(error) => panic!("the pool is not usable any more: {error}"),
        }
    }
}
