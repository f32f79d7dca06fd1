//! A thread that runs jobs of functions, for as long as some wait.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use executor_core::JobError;
use executor_core::backend::{Next, PoolId, Ran};

use crate::blocking::Permission;
use crate::order::Seating;
use crate::pool::{Pool, RUNTIME_GONE};
use crate::tally::Unrun;

/// How long a chunk may keep a thread before it looks at the queue again, for a job of a higher priority. As long as the thread
/// backend lets it.
const TURN: Duration = Duration::from_micros(500);

thread_local! {
    /// The pool whose functions this thread runs, and whether the present one has waited for another job.
    static SHIFT: Cell<Option<(PoolId, bool)>> = const { Cell::new(None) };
}

/// True if the calling thread runs functions of `pool`.
pub(crate) fn is_thread_of(pool: PoolId) -> bool {
    SHIFT.get().is_some_and(|(of, _)| of == pool)
}

/// Notes that the function which runs here waits for another job; true the first time.
pub(crate) fn note_blocked(pool: PoolId) -> bool {
    let first = SHIFT.get() == Some((pool, false));
    if first {
        SHIFT.set(Some((pool, true)));
    }
    first
}

/// One stay of a thread of the runtime with a pool. A runtime that has ended drops it instead of running it.
pub(crate) struct Shift {
    pool: Arc<Pool>,
    /// Gone once it began.
    seating: Option<Seating>,
    first: Option<Next>,
}

impl Shift {
    pub(crate) fn new(pool: &Arc<Pool>, seating: Seating, first: Option<Next>) -> Self {
        Shift { pool: Arc::clone(pool), seating: Some(seating), first }
    }

    /// Runs functions until none waits.
    pub(crate) fn work(mut self) {
        let Some(mut seating) = self.seating.take() else { return };
        let pool = &self.pool;
        let first = self.first.take();
        SHIFT.set(Some((pool.id, false)));
        pool.lock().functions.sit_down(&seating);
        let worked = catch_unwind(AssertUnwindSafe(|| {
            let _seat = Arc::clone(&seating.seat).take();
            let _permission = Permission::set(true);
            if !seating.ready {
                if let Err(cause) = pool.initialize() {
                    pool.break_down(&cause);
                    fail(pool, first, &cause);
                    return;
                }
                seating.ready = true;
            }
            run(pool, first);
        }));
        if SHIFT.take() == Some((pool.id, true)) {
            pool.lock().functions.unblock();
        }
        if worked.is_err() {
            pool.break_down("a worker of the executor panicked, which is a fault of the executor");
        }
        pool.leave(seating);
    }
}

fn run(pool: &Arc<Pool>, first: Option<Next>) {
    let mut next = first.or_else(|| pool.next(None));
    while let Some(Next { task, stays }) = next {
        let finished = match task.run(&pool.counts, || Instant::now() + TURN) {
            Ran::Done => stays,
            Ran::Again(retry) => {
                pool.again(retry);
                None
            }
            Ran::Yielded => None,
        };
        if SHIFT.replace(Some((pool.id, false))) == Some((pool.id, true)) {
            pool.lock().functions.unblock();
        }
        next = pool.next(finished);
    }
}

fn fail(pool: &Pool, next: Option<Next>, cause: &str) {
    if let Some(Next { task, .. }) = next {
        task.fail(JobError::Broken { cause: cause.to_owned() }, Some(&Unrun(&pool.counts)));
    }
}

impl Drop for Shift {
    fn drop(&mut self) {
        let Some(seating) = self.seating.take() else { return };
        self.pool.break_down(RUNTIME_GONE);
        fail(&self.pool, self.first.take(), RUNTIME_GONE);
        self.pool.leave(seating);
    }
}

/// The initialization of the seat that async jobs share, on a thread that may block.
pub(crate) struct Preparation(Option<Arc<Pool>>);

impl Preparation {
    pub(crate) fn new(pool: &Arc<Pool>) -> Self {
        Preparation(Some(Arc::clone(pool)))
    }

    pub(crate) fn work(mut self) {
        let Some(pool) = self.0.take() else { return };
        let _seat = Arc::clone(&pool.async_seat).take();
        let _permission = Permission::set(true);
        match pool.initialize() {
            Ok(()) => pool.async_seat_is_ready(),
            Err(cause) => pool.break_down(&cause),
        }
    }
}

impl Drop for Preparation {
    fn drop(&mut self) {
        if let Some(pool) = self.0.take() {
            pool.break_down(RUNTIME_GONE);
        }
    }
}
