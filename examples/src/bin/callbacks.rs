//! How is a program told that a job is done, without waiting for it? By a callback on the future, which gets the
//! outcome, and by any number of callbacks on handles, which see everything but the value.
//!
//! Run it with `cargo run --release -p examples --bin callbacks`; add `--no-default-features --features inline` to swap
//! the backend. The panic also prints its usual message to the standard error.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::sync::mpsc;

use executor_core::{Executor, JobError, JobOptions, job};

/// Has a value for an even number, an error for an odd one, and a panic for 0.
#[job]
fn half(n: u64) -> Result<u64, String> {
    assert!(n > 0, "nothing to halve");
    if n.is_multiple_of(2) { Ok(n / 2) } else { Err(format!("{n} is odd")) }
}

/// The ways a job can end.
fn describe(outcome: Result<Result<u64, String>, JobError>) -> String {
    match outcome {
        Ok(Ok(half)) => format!("a value, {half}"),
        Ok(Err(error)) => format!("an error of its own, {error}"),
        Err(JobError::Panicked { message, .. }) => format!("a panic, {message}"),
        Err(error) => format!("no outcome, {error}"),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let pool = examples::pool(2)?;
    // Callbacks run where the job ended, so they should be short: these send a line and leave the printing to `main`.
    let (say, lines) = mpsc::channel();

    for n in [10, 7, 0] {
        let future = pool.submit_with(half::job(n), JobOptions::new().name(format!("half of {n}")));
        let handle = future.handle();
        // Called in the order in which they are added. Nobody may be left to hear them, and then a line is lost.
        for listener in ["first", "second"] {
            let say = say.clone();
            handle.on_done(move |job| {
                let failed = if job.is_failed() { ", failed" } else { "" };
                drop(say.send(format!("{}: the {listener} listener hears {:?}{failed}", job.name(), job.state())));
            });
        }
        let say = say.clone();
        // Takes the future: the outcome can be taken once.
        future.on_done(move |outcome| drop(say.send(format!("{}: {}", handle.name(), describe(outcome)))));
    }

    // The channel ends with its last sender, which goes with the last callback.
    drop(say);
    lines.into_iter().for_each(|line| println!("{line}"));
    Ok(())
}
