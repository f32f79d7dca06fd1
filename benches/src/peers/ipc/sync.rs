//! How mutexes, semaphores and flags are measured: the same for ours and for the floor.

use std::time::{Duration, Instant};

use executor_core::JobFuture;
use executor_ipc::sync::Barrier;
use executor_process::ProcessExecutor;

use super::Turns;
use crate::outcome::Outcome;
use crate::samples::nanos_per_item;

/// Longer than any of this takes.
const LIMIT: Duration = Duration::from_secs(50);

/// Something that lets in one at a time.
pub(crate) trait Gate {
    /// Goes in, and out again.
    fn pass(&self);
}

/// Something that can go to worker processes.
pub(crate) trait Elsewhere: Gate {
    /// Calls [`pass`] in a worker.
    fn pass_elsewhere(&self, pool: &ProcessExecutor, both: &Barrier, count: u64) -> JobFuture<u64>;
}

/// Something that can be waited for.
pub(crate) trait Flag {
    fn set(&self);
    fn wait(&self);
    fn clear(&self);
}

/// A flag that can go to a worker process.
pub(crate) trait Answers: Flag + Sized {
    /// Calls [`answer`] in a worker.
    fn answer_elsewhere(pool: &ProcessExecutor, flags: &[Self; 2], count: u64) -> JobFuture<()>;
}

/// Measures a gate that nobody else goes through.
pub(crate) fn alone(gate: &impl Gate, count: u64) -> Outcome<f64> {
    nanos_per_item(5, count, || {
        (0..count).for_each(|_| gate.pass());
        Ok(())
    })
}

/// Measures a gate.
pub(crate) fn gate(gate: &impl Elsewhere, count: u64) -> Outcome<Turns> {
    let alone = alone(gate, count)?;
    let (pool, both) = (ProcessExecutor::new(2)?, Barrier::new(2)?);
    let workers = [(); 2].map(|()| gate.pass_elsewhere(&pool, &both, count));
    let mut longest = 0;
    for mut worker in workers {
        longest = longest.max(worker.result_timeout(LIMIT)?);
    }
    Ok(Turns { alone, together: Some(longest as f64 / (2 * count) as f64) })
}

/// Goes in and out so many times, beginning when the other process does. How many nanoseconds it took.
pub(crate) fn pass(gate: &impl Gate, both: &Barrier, count: u64) -> u64 {
    both.wait_timeout(LIMIT).expect("the other process comes");
    let begin = Instant::now();
    (0..count).for_each(|_| gate.pass());
    begin.elapsed().as_nanos() as u64
}

/// Measures two flags.
pub(crate) fn event<F: Answers>(flags: &[F; 2], count: u64) -> Outcome<Turns> {
    let [ping, pong] = flags;
    let alone = nanos_per_item(5, count, || {
        for _ in 0..count {
            ping.set();
            ping.wait();
            ping.clear();
        }
        Ok(())
    })?;
    // Each of these takes a wake of the system.
    let count = count / 50;
    let pool = ProcessExecutor::new(1)?;
    let mut worker = F::answer_elsewhere(&pool, flags, 2 * count);
    let trips = |count: u64| {
        for _ in 0..count {
            ping.set();
            pong.wait();
            pong.clear();
        }
        Ok(())
    };
    trips(count)?;
    let together = nanos_per_item(1, count, || trips(count))?;
    worker.result_timeout(LIMIT)?;
    Ok(Turns { alone, together: Some(together) })
}

/// Answers the first flag with the second, so many times.
pub(crate) fn answer<F: Flag>([ping, pong]: &[F; 2], count: u64) {
    for _ in 0..count {
        ping.wait();
        ping.clear();
        pong.set();
    }
}
