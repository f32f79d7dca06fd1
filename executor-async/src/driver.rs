//! [`Driver`]: a task of the runtime that begins async jobs.
//!
//! A job that comes to its end at its first poll needs no task of its own: a driver polls it where it is, and goes on to the
//! next one. Only a job that waits becomes a [`Poller`]. That poll of it was with a waker that wakes nobody, and the first
//! of the poller follows at once.
//!
//! There are at most as many drivers as the runtime has threads. A driver ends when it finds nothing to begin, and the next submit calls
//! another, under the same lock: so nothing is left behind.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use executor_core::backend::{Ran, Task};

use crate::blocking::Permission;
use crate::pool::{Pool, RUNTIME_GONE};
use crate::slots::SlotKey;

/// After so many jobs a driver gives other tasks of the runtime their turn. The runtime itself looks at its other queues after so
/// many tasks.
const TURN: usize = 61;

/// No more jobs are taken out of the queue at once. Only where many more wait, because what is taken waits for the one before it.
pub(crate) const BATCH_MAX: usize = 8;

/// Begins the async jobs that wait, one after another.
pub(crate) struct Driver {
    pool: Arc<Pool>,
    /// It has found nothing more to begin, and is not counted any more.
    has_left: bool,
}

/// Jobs that a driver takes and brings back together.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) begun: Vec<(SlotKey, Task)>,
    pub(crate) ended: Vec<(SlotKey, Ran)>,
}

impl Driver {
    /// A driver, which the board has counted.
    pub(crate) fn new(pool: &Arc<Pool>) -> Self {
        Driver { pool: Arc::clone(pool), has_left: false }
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Driver { pool, has_left } = &mut *self;
        let _seat = Arc::clone(&pool.async_seat).take();
        // A function may drive a runtime of one thread on its own: there it must not block either.
        let _permission = Permission::set(false);
        let mut batch = Batch::default();
        let mut jobs = 0;
        while jobs < TURN {
            if !pool.begin_asyncs(&mut batch) {
                *has_left = true;
                return Poll::Ready(());
            }
            jobs += batch.begun.len();
            for (slot, task) in batch.begun.drain(..) {
                let mut polled = task.into_polled();
                let ran = {
                    #[cfg(feature = "tracing")]
                    let _watched = pool.watch_poll(slot);
                    polled.poll(&mut Context::from_waker(Waker::noop()), &pool.counts)
                };
                match ran {
                    Poll::Ready(ran) => batch.ended.push((slot, ran)),
                    Poll::Pending => pool.hand_over(slot, polled),
                }
            }
        }
        batch.ended.drain(..).for_each(|(slot, ran)| pool.ended(slot, ran));
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for Driver {
    /// The runtime ends before the pool.
    fn drop(&mut self) {
        if !self.has_left {
            self.pool.lock().driver_leaves();
            self.pool.break_down(RUNTIME_GONE);
        }
    }
}
