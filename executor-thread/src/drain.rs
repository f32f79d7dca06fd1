//! The drain loop: a rayon job that runs our tasks.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use executor_core::backend::Ran;

use rayon::Yield;

use crate::buffer::BatchSize;
use crate::pool::{Pool, TURN};
use crate::sync::per_thread;

/// After how many tasks a loop lets rayon have the worker for one of its own. As in tokio's scheduler: a prime, so that
/// it does not fall in step with a pattern in the work.
const TASKS_PER_YIELD: u32 = 61;

/// After a sleep of this length a loop does not look for a second job before it sleeps again: the jobs come too far
/// apart for that to pay, and it would keep the core from whoever waits for the first.
const LONG_SLEEP: Duration = Duration::from_micros(200);

per_thread! {
    /// What this worker is inside of.
    static INSIDE: Cell<Inside> = const { Cell::new(Inside::Nothing) };
    /// True if rayon began a loop inside the one that lets it have the worker for a moment.
    static BEGAN_INSIDE: Cell<bool> = const { Cell::new(false) };
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    /// Rayon's own loop.
    Nothing,
    /// A drain loop, between two tasks.
    Loop,
    /// A task, perhaps deep below a job that waits in rayon.
    Task,
}

/// A loop that was given a token when it was spawned.
pub(crate) fn run_with_token(pool: &Arc<Pool>) {
    match INSIDE.with(Cell::get) {
        Inside::Nothing => drain(pool),
        Inside::Loop => {
            pool.leave_nested();
            BEGAN_INSIDE.with(|began| began.set(true));
        }
        // To spawn it again would bring it back here at once, because this worker waits for work of rayon's.
        Inside::Task => {
            if pool.leave_nested() {
                pool.broadcast();
            }
        }
    }
}

/// Every worker was asked to look, because a loop could not go on where it was.
pub(crate) fn answer_broadcast(pool: &Arc<Pool>) {
    if INSIDE.with(Cell::get) == Inside::Nothing && pool.take_token() {
        drain(pool);
    }
}

/// Lets rayon have the worker for one of its jobs; true if it had one.
fn yield_to_rayon(pool: &Arc<Pool>) -> bool {
    let executed = rayon::yield_now() == Some(Yield::Executed);
    if executed && BEGAN_INSIDE.with(|began| began.replace(false)) {
        pool.call_again();
    }
    executed
}

/// Runs tasks until there are none. The caller has a token, which is given back.
fn drain(pool: &Arc<Pool>) {
    let Some(worker) = pool.own_worker() else {
        // Rayon runs its jobs on its own threads, and each of them has taken its seat.
        pool.leave_nested();
        return;
    };
    let _draining = Draining::begin(pool);
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
            if !yield_to_rayon(pool) {
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
        INSIDE.with(|inside| inside.set(Inside::Task));
        let ran = next.task.run(&tally, || Instant::now() + TURN);
        INSIDE.with(|inside| inside.set(Inside::Loop));
        match ran {
            Ran::Done => finished = next.stays,
            Ran::Again(retry) => pool.again(retry),
            Ran::Yielded => {}
        }
        tasks = tasks.wrapping_add(1);
        if tasks.is_multiple_of(TASKS_PER_YIELD) {
            yield_to_rayon(pool);
        }
    }
}

/// Marks this worker as inside a loop. If the loop itself panics, which is a bug of ours, no job may wait for it.
struct Draining<'a> {
    pool: &'a Pool,
}

impl<'a> Draining<'a> {
    fn begin(pool: &'a Pool) -> Self {
        INSIDE.with(|inside| inside.set(Inside::Loop));
        Draining { pool }
    }
}

impl Drop for Draining<'_> {
    fn drop(&mut self) {
        INSIDE.with(|inside| inside.set(Inside::Nothing));
        if std::thread::panicking() {
            self.pool.break_down("a worker of the executor panicked, which is a fault of the executor");
            self.pool.leave_nested();
        }
    }
}

/// Runs a waker of the user's; its panic concerns nobody here and was reported by the panic hook.
pub(crate) fn quietly(f: impl FnOnce()) {
    let _ = catch_unwind(AssertUnwindSafe(f));
}
