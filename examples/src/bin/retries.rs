//! What if a job fails now and then? Retries run it again, with a wait that doubles. A job fails if it panics, loses
//! its worker, passes its run limit, or returns an `Err`.
//!
//! Run it with `cargo run --release -p examples --bin retries`; add `--no-default-features --features inline` to swap
//! the backend.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::time::Duration;

use executor_core::{Executor, JobOptions, Retries, current, job};

/// Stands for a server that does not answer the first `failures` times.
#[job]
fn ask(failures: u32) -> Result<String, String> {
    let attempt = current().attempt();
    if attempt > failures {
        Ok(format!("an answer on attempt {attempt}"))
    } else {
        Err(format!("no answer on attempt {attempt}"))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let pool = examples::pool(2)?;
    // The waits are 10 ms, 20 ms and 40 ms.
    let options = JobOptions::new().retries(Retries::times(3).backoff(Duration::from_millis(10)));

    for failures in [0, 2, 9] {
        // What arrives is the outcome of the last attempt.
        match pool.submit_with(ask::job(failures), options.clone()).result()? {
            Ok(answer) => println!("a server that fails {failures} times: {answer}"),
            Err(error) => println!("a server that fails {failures} times: given up, {error}"),
        }
    }
    Ok(())
}
