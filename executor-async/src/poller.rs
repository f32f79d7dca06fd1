//! [`Poller`]: an async job as a task of the runtime.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use executor_core::JobError;
use executor_core::backend::{JobRef, Polled, Ran};

use crate::blocking::Permission;
use crate::parked::{Parked, Stop};
use crate::pool::{Pool, RUNTIME_GONE};
use crate::slots::SlotKey;
use crate::tally::Unrun;

/// An async job with the runtime.
///
/// It is dropped before the end of the job in two cases: the pool stopped the job, and noted why in its place; or the runtime
/// itself ends, and with it the pool.
pub(crate) struct Poller {
    pool: Arc<Pool>,
    slot: SlotKey,
    parked: Arc<Parked>,
    /// Gone once the job ended.
    polled: Option<Polled>,
    is_first: bool,
}

impl Poller {
    pub(crate) fn new(pool: &Arc<Pool>, slot: SlotKey, polled: Polled, parked: &Arc<Parked>) -> Self {
        let parked = Arc::clone(parked);
        Poller { pool: Arc::clone(pool), slot, parked, polled: Some(polled), is_first: true }
    }
}

impl Future for Poller {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Poller { pool, slot, parked, polled: place, is_first } = &mut *self;
        let is_first = std::mem::take(is_first);
        if is_first && parked.why().is_some() {
            // It was stopped while it waited, and the runtime drops it now.
            return Poll::Ready(());
        }
        let Some(polled) = place else { return Poll::Ready(()) };
        let _seat = Arc::clone(&pool.async_seat).take();
        // A function may drive a runtime of one thread on its own: there it must not block either.
        let _permission = Permission::set(false);
        let ran = {
            #[cfg(feature = "tracing")]
            let _watched = pool.watch_poll(polled.job());
            polled.poll(cx, &pool.counts)
        };
        match ran {
            Poll::Ready(ran) => {
                *place = None;
                pool.ended(*slot, ran);
                Poll::Ready(())
            }
            Poll::Pending => {
                if is_first && let Some(limit) = polled.job().and_then(JobRef::run_limit) {
                    pool.limit(*slot, limit);
                }
                Poll::Pending
            }
        }
    }
}

impl Drop for Poller {
    fn drop(&mut self) {
        let Some(polled) = self.polled.take() else { return };
        let pool = &self.pool;
        let _seat = Arc::clone(&pool.async_seat).take();
        let why = self.parked.why();
        let broken = || JobError::Broken { cause: RUNTIME_GONE.to_owned() };
        let error = match (why, polled.job()) {
            (Some(Stop::Limit), Some(job)) => {
                JobError::RunLimit { job: job.name().to_owned(), limit: job.run_limit().unwrap_or_default() }
            }
            (Some(_), _) => JobError::Killed,
            (None, _) => {
                pool.break_down(RUNTIME_GONE);
                broken()
            }
        };
        let ran = match polled.end(error, &pool.counts) {
            Ok(ran) => ran,
            Err(task) => {
                if why.is_none() {
                    task.fail(broken(), Some(&Unrun(&pool.counts)));
                }
                Ran::Done
            }
        };
        pool.ended(self.slot, ran);
    }
}
