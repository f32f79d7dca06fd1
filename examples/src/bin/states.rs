//! What does a future say of its job? A pool of one worker, so that the second job has to wait for the first.
//!
//! Run it with `cargo run --release -p examples --bin states`; add `--no-default-features --features inline` to swap
//! the backend. Inline both jobs have ended when their submits return, so nothing is left to cancel or to stop.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::thread;
use std::time::{Duration, Instant};

use executor_core::{Backend, Executor, current, job};

/// Works until it is asked to stop, for `longest` at most.
#[job]
fn work(longest: Duration) -> String {
    let begun = Instant::now();
    while begun.elapsed() < longest && !current().should_stop() {
        thread::sleep(Duration::from_millis(1));
    }
    String::from(if current().should_stop() { "asked to stop" } else { "came to its end" })
}

fn main() -> Result<(), Box<dyn Error>> {
    let pool = examples::pool(1)?;
    // Where nothing runs beside the submitter, nobody can ask the job to stop.
    let longest = if pool.capabilities().concurrent { Duration::MAX } else { Duration::from_millis(20) };

    let first = pool.submit(work::job(longest));
    let second = pool.submit(work::job(longest));
    while !(first.is_running() || first.is_done()) {
        thread::yield_now();
    }
    println!("first: {:?}, second: {:?}", first.state(), second.state());

    println!("cancel the first: {}, the second: {}", first.cancel(), second.cancel());
    println!("first: {:?}, second: {:?}", first.state(), second.state());

    first.request_stop();
    first.wait();
    println!("first: {:?}, second: {:?}", first.state(), second.state());
    println!("first gave {:?}, second gave {:?}", first.result(), second.result());
    Ok(())
}
