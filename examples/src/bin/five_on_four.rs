//! What happens if there are more jobs than workers? Four begin at once, and the fifth when a worker is free.
//!
//! Run it with `cargo run --release -p examples --bin five_on_four`; add `--no-default-features --features inline` to
//! swap the backend. Inline there is one worker, and each job ends before the next is submitted.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::thread;
use std::time::{Duration, Instant};

use executor_core::{Executor, Shutdown, current, job};

/// Stands for something slow, such as a query; tells which worker did it.
#[job]
fn long_task(pause: Duration) -> usize {
    thread::sleep(pause);
    current().worker().unwrap_or_default()
}

fn main() -> Result<(), Box<dyn Error>> {
    let pool = examples::pool(4)?;
    let begun = Instant::now();

    let futures: Vec<_> = (0..5).map(|_| pool.submit(long_task::job(Duration::from_millis(200)))).collect();
    println!("jobs submitted: {}, workers: {}", futures.len(), pool.stats().workers);

    // Takes no more jobs and waits for those it has, as dropping the pool does.
    pool.shutdown(Shutdown::Drain)?;
    for (task, future) in futures.into_iter().enumerate() {
        println!("task {task} ran on worker {}", future.result()?);
    }
    println!("all done in {:.1} s", begun.elapsed().as_secs_f64());
    Ok(())
}
