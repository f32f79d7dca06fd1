//! The drain loop: the life of a worker, which runs our tasks and sleeps where rayon can wake it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use executor_core::backend::Ran;

use rayon::Yield;

use crate::buffer::BatchSize;
use crate::pool::{Pool, TURN};
use crate::sync::now;

/// After how many tasks a loop lets rayon have the worker for one of its own. As in tokio's scheduler: a prime, so that
/// it does not fall in step with a pattern in the work.
const TASKS_PER_YIELD: u32 = 61;

/// After a sleep of this length a loop does not look for a second job before it sleeps again: the jobs come too far
/// apart for that to pay, and it would keep the core from whoever waits for the first.
const LONG_SLEEP: Duration = Duration::from_micros(200);

/// Lives as a worker until the pool has ended. If the loop itself panics, which is a bug of ours, no job may wait for it.
pub(crate) fn live(pool: &Arc<Pool>) {
    // Rayon calls this on its own threads, and each of them has taken its seat.
    let Some(worker) = pool.own_worker() else { return };
    while pool.sleep_in_rayon() {
        if catch_unwind(AssertUnwindSafe(|| drain(pool, worker))).is_err() {
            pool.break_down("a worker of the executor panicked, which is a fault of the executor");
            return pool.lose_worker();
        }
    }
}

/// Lets rayon have the worker for one of its jobs; true if it had one.
fn yield_to_rayon() -> bool {
    rayon::yield_now() == Some(Yield::Executed)
}

/// Runs tasks until there are none.
fn drain(pool: &Arc<Pool>, worker: usize) {
    let tally = pool.tally(worker);
    let mut batch = BatchSize::new();
    let mut finished = None;
    let mut tasks: u32 = 0;
    let mut since_sleep: u32 = 0;
    let mut looks = true;
    loop {
        let Some(next) = pool.next(worker, finished.take(), &mut batch).or_else(|| pool.steal(worker)) else {
            if looks && pool.look() {
                continue;
            }
            // What a finished job left to rayon goes first: this worker may be the last that is awake.
            if !yield_to_rayon() {
                pool.say_quick(batch.is_quick(), false);
                batch = BatchSize::new();
                let Some(slept) = pool.leave() else { return };
                looks = slept < LONG_SLEEP;
                since_sleep = 0;
            }
            continue;
        };
        since_sleep = since_sleep.saturating_add(1);
        looks |= since_sleep > 1;
        match next.task.run(&tally, || now() + TURN) {
            Ran::Done => finished = next.stays,
            Ran::Again(retry) => pool.again(retry),
            Ran::Yielded => {}
        }
        tasks = tasks.wrapping_add(1);
        if tasks.is_multiple_of(TASKS_PER_YIELD) {
            yield_to_rayon();
        }
    }
}
