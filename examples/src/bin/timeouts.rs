//! How is a job kept from taking too long? A wait limit ends the wait, a run limit ends the job, `request_stop` asks a
//! running job, and `cancel` withdraws one that has not begun.
//!
//! Run it with `cargo run --release -p examples --bin timeouts`; add `--no-default-features --features inline` to swap
//! the backend. Inline a job has ended when its submit returns: the run limit still holds, the rest comes too late.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::thread;
use std::time::{Duration, Instant};

use examples::Pool;
use executor_core::{Backend, Executor, JobError, JobFuture, JobOptions, current, job};

const LIMIT: Duration = Duration::from_millis(20);

/// Works until it is asked to stop, for `longest` at most. A thread cannot be stopped by force, so a long job looks
/// now and then.
#[job]
fn work(longest: Duration) -> String {
    let begun = Instant::now();
    while !current().should_stop() {
        if begun.elapsed() >= longest {
            return String::from("came to its end");
        }
        thread::sleep(Duration::from_millis(1));
    }
    String::from("stopped when asked")
}

/// Only the wait ends. The job goes on, and the future can be asked again.
fn wait_limit(pool: &Pool, longest: Duration) -> Result<(), JobError> {
    let mut future = pool.submit(work::job(longest));
    wait_begun(&future);
    match future.result_timeout(LIMIT) {
        Err(JobError::Timeout) => println!("wait limit: not done in time, and the job is {:?}", future.state()),
        outcome => println!("wait limit: it {}", outcome?),
    }
    future.request_stop();
    Ok(())
}

/// The job ends, or is asked to where it cannot be made to, and what it returns late is dropped.
fn run_limit(pool: &Pool, longest: Duration) {
    let future = pool.submit_with(work::job(longest), JobOptions::new().run_limit(LIMIT));
    println!("run limit: {:?}", future.result().map_err(|error| error.to_string()));
}

/// The job decides what to do about it; this one returns early, with a value.
fn request_stop(pool: &Pool, longest: Duration) -> Result<(), JobError> {
    let future = pool.submit(work::job(longest));
    wait_begun(&future);
    future.request_stop();
    println!("request_stop: it {}", future.result()?);
    Ok(())
}

/// The answer is the truth: `true` says that the job never ran and never will.
fn cancel(pool: &Pool, longest: Duration) {
    let running = pool.submit(work::job(longest));
    let queued = pool.submit(work::job(longest));
    wait_begun(&running);
    println!("cancel: the running one {}, the queued one {}", running.cancel(), queued.cancel());
    println!("cancel: the queued one ends as {:?}", queued.result());
    running.request_stop();
}

fn wait_begun<T: 'static>(future: &JobFuture<T>) {
    while !(future.is_running() || future.is_done()) {
        thread::yield_now();
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let pool = examples::pool(1)?;
    // Where nothing runs beside the submitter, nobody can ask the job to stop.
    let longest = if pool.capabilities().concurrent { Duration::MAX } else { 10 * LIMIT };

    wait_limit(&pool, longest)?;
    run_limit(&pool, longest);
    request_stop(&pool, longest)?;
    cancel(&pool, longest);
    Ok(())
}
