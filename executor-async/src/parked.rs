//! [`Parked`]: what an async job that waits is woken and stopped through.
//!
//! A job begins on a [`Driver`](crate::driver::Driver), whose waker is such a place. Until it is woken there is nothing to poll, so it
//! has no task of the runtime before that:
//!
//! ```text
//!              settle                     wake, stop
//!   Driven ──────────────► Waiting ──────────────────► Task
//!      └────────────────────────────────────────────────┘
//!         settle, if it was woken or stopped before
//! ```
//!
//! * *Driven*: a driver polls it for the first time. A wake or a stop is noted.
//! * *Waiting*: it lies here. Whoever wakes or stops it makes it a task. It is not left to the drivers, because each of them may be in
//!   a poll that blocks in place for this very job.
//! * *Task*: a [`Poller`], with wakers of the runtime. It is polled once at once, so that a wake of this place need not be passed on.
//!
//! # Races that were feared
//!
//! * *Wake against settle.* Both are under the lock: the wake is noted before, or finds the job.
//! * *Stop against settle.* A job is in its slot before it settles. Whoever stops it notes that in its cell, or for the whole pool, and
//!   then looks for the slot; the driver looks for both after it put the job there.
//! * *The end of the runtime.* It drops tasks, and knows nothing of what lies here: the [`Watch`](crate::watch::Watch) makes tasks of
//!   all, and then of each that comes, which the runtime drops.

use std::mem;
use std::sync::{Arc, Weak};
use std::task::Wake;

use executor_core::backend::Polled;
use tokio::task::AbortHandle;

use crate::poller::Poller;
use crate::pool::Pool;
use crate::slots::SlotKey;
use crate::sync::Mutex;

/// The place of one async job.
pub(crate) struct Parked {
    pool: Weak<Pool>,
    state: Mutex<State>,
}

struct State {
    stage: Stage,
    stop: Option<Stop>,
}

enum Stage {
    Driven {
        woken: bool,
    },
    Waiting(SlotKey, Polled),
    /// The way to abort the task is missing until the runtime has it.
    Task(Option<AbortHandle>),
}

/// Why a job is stopped by force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// It was killed, or withdrawn before its first poll: its cell knows.
    Asked,
    /// It passed its run limit.
    Limit,
}

impl Parked {
    /// The place of a job that a driver begins.
    pub(crate) fn new(pool: &Arc<Pool>) -> Arc<Self> {
        let state = State { stage: Stage::Driven { woken: false }, stop: None };
        Arc::new(Parked { pool: Arc::downgrade(pool), state: Mutex::new(state) })
    }

    /// The job, which has a slot, waits here from now on; or not, if it was woken meanwhile.
    pub(crate) fn settle(self: &Arc<Self>, slot: SlotKey, polled: Polled) {
        let mut state = self.state.lock();
        if state.stop.is_none() && matches!(state.stage, Stage::Driven { woken: false }) {
            state.stage = Stage::Waiting(slot, polled);
            return;
        }
        state.stage = Stage::Task(None);
        drop(state);
        self.spawn(slot, polled);
    }

    /// Gives the job a task of its own in the runtime. A runtime that has ended drops it.
    pub(crate) fn spawn(self: &Arc<Self>, slot: SlotKey, polled: Polled) {
        // Where the pool is gone, nobody waits for the job; dropping it says so all the same.
        let Some(pool) = self.pool.upgrade() else { return };
        let abort = pool.runtime.spawn(Poller::new(&pool, slot, polled, self)).abort_handle();
        let mut state = self.state.lock();
        if state.stop.is_some() {
            drop(state);
            abort.abort();
        } else {
            state.stage = Stage::Task(Some(abort));
        }
    }

    /// Sees to it that the job is polled, if it waits.
    pub(crate) fn rouse(self: &Arc<Self>) {
        let mut state = self.state.lock();
        match mem::replace(&mut state.stage, Stage::Task(None)) {
            Stage::Waiting(slot, polled) => {
                drop(state);
                self.spawn(slot, polled);
            }
            Stage::Driven { .. } => state.stage = Stage::Driven { woken: true },
            task @ Stage::Task(_) => state.stage = task,
        }
    }

    /// Stops the job by force, at its next await.
    pub(crate) fn stop(self: &Arc<Self>, why: Stop) {
        let mut state = self.state.lock();
        state.stop.get_or_insert(why);
        let abort = if let Stage::Task(abort) = &state.stage { abort.clone() } else { None };
        drop(state);
        match abort {
            Some(abort) => abort.abort(),
            None => self.rouse(),
        }
    }

    /// Why the job was stopped, if it was.
    pub(crate) fn why(&self) -> Option<Stop> {
        self.state.lock().stop
    }
}

impl Wake for Parked {
    fn wake(self: Arc<Self>) {
        self.rouse();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rouse();
    }
}
