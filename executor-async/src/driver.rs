//! [`Driver`]: a task of the runtime that begins async jobs.
//!
//! A job that comes to its end at its first poll needs no task of its own: a driver polls it where it is, and goes on to the
//! next one. One that waits lies in its [`Parked`] until it is woken, and then becomes a task.
//!
//! There are at most as many drivers as the runtime has threads. A driver ends when it finds nothing to begin, and the next submit calls
//! another, under the same lock: so nothing is left behind.

use std::collections::VecDeque;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use executor_core::backend::{JobRef, Task};

use crate::blocking::Permission;
use crate::parked::Parked;
use crate::pool::{Pool, RUNTIME_GONE};

/// After so many jobs a driver gives other tasks of the runtime their turn. The runtime itself looks at its other queues after so
/// many tasks.
const TURN: usize = 61;

/// No more jobs are taken out of the queue at once. Only where many more wait, because what is taken waits for the one before it.
pub(crate) const BATCH_MAX: usize = 16;

/// Begins the async jobs that wait, one after another.
pub(crate) struct Driver {
    pool: Arc<Pool>,
    spare: Spare,
    /// It has found nothing more to begin, and is not counted any more.
    has_left: bool,
}

/// A place for the next job that waits, and its waker.
struct Spare {
    parked: Arc<Parked>,
    waker: Waker,
}

impl Spare {
    fn new(pool: &Arc<Pool>) -> Self {
        let parked = Parked::new(pool);
        let waker = Waker::from(Arc::clone(&parked));
        Spare { parked, waker }
    }

    /// True if nobody has kept the waker. One that was used and dropped costs the next job a poll for nothing.
    fn is_unused(&self) -> bool {
        Arc::strong_count(&self.parked) == 2
    }
}

/// Jobs that a driver has.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) begun: VecDeque<Task>,
    /// How many have ended, which the board does not know yet.
    pub(crate) ended: usize,
}

impl Driver {
    /// A driver, which the board has counted.
    pub(crate) fn new(pool: &Arc<Pool>) -> Self {
        Driver { pool: Arc::clone(pool), spare: Spare::new(pool), has_left: false }
    }

    /// Polls a job for the first time; true if it has ended.
    fn begin(&mut self, task: Task) -> bool {
        let pool = &self.pool;
        if pool.gives_up() {
            task.cancel(&pool.counts);
            return true;
        }
        let mut polled = task.into_polled();
        let ran = {
            #[cfg(feature = "tracing")]
            let _watched = pool.watch_poll(polled.job());
            polled.poll(&mut Context::from_waker(&self.spare.waker), &pool.counts)
        };
        if let Poll::Ready(ran) = ran {
            pool.see_to_next(ran);
            if !self.spare.is_unused() {
                self.spare = Spare::new(pool);
            }
            return true;
        }
        let job: Option<JobRef> = polled.job().cloned();
        let Spare { parked, .. } = mem::replace(&mut self.spare, Spare::new(pool));
        // A poll that is pending has not used its task up.
        job.is_none_or(|job| {
            pool.park(&job, &parked, polled);
            false
        })
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let _seat = Arc::clone(&self.pool.async_seat).take();
        // A function may drive a runtime of one thread on its own: there it must not block either.
        let _permission = Permission::set(false);
        let mut batch = Batch::default();
        let mut jobs = 0;
        while jobs < TURN {
            if !self.pool.begin_asyncs(&mut batch) {
                self.has_left = true;
                return Poll::Ready(());
            }
            jobs += batch.begun.len();
            while let Some(task) = batch.begun.pop_front() {
                batch.ended += usize::from(self.begin(task));
            }
        }
        self.pool.end_turn(batch.ended);
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for Driver {
    /// The runtime ends before the pool.
    fn drop(&mut self) {
        if !self.has_left {
            self.pool.lock().asyncs.driver_leaves();
            self.pool.break_down(RUNTIME_GONE);
        }
    }
}
