//! How does a job get a process to itself, and how does the program learn what became of it? Four jobs end in four ways,
//! and a fifth runs until it is asked to stop.
//!
//! Run it with `cargo run --release -p examples --no-default-features --features process --bin process`. It needs the
//! feature `process`: a single process is no executor, and no other backend has one.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::time::Duration;

use executor_core::{JobError, current, job};
use executor_process::{Process, active_children};

/// As a library may be that reads what strangers send.
#[job]
fn parse(text: &str) -> Result<u32, String> {
    match text {
        "crash" => std::process::abort(),
        "panic" => panic!("nobody expected this"),
        _ => text.parse().map_err(|_| format!("`{text}` is no number")),
    }
}

/// Goes on until it is asked to stop, and says how often it has looked.
#[job]
fn beat() -> u64 {
    let job = current();
    let mut beats = 0;
    while !job.should_stop() {
        beats += 1;
        job.progress(beats, u64::MAX);
        std::thread::sleep(Duration::from_millis(1));
    }
    beats
}

fn main() -> Result<(), Box<dyn Error>> {
    let heart = Process::builder().name("heart").daemon(true).spawn(beat::job())?;
    println!("{} runs beside the program: {}", heart.name(), heart.is_alive());

    for text in ["12", "twelve", "panic", "crash"] {
        let process = Process::builder().discard_output().spawn(parse::job(text))?;
        let exit = process.join();
        match process.result() {
            Ok(Ok(number)) => println!("{text}: {number}; {exit}"),
            Ok(Err(error)) => println!("{text}: {error}; {exit}"),
            Err(JobError::Panicked { message, .. }) => println!("{text}: {message}; {exit}"),
            Err(JobError::WorkerDied { .. }) => println!("{text}: it died; {exit}"),
            Err(other) => return Err(other.into()),
        }
    }

    // Until it has beaten once, unless it ends before.
    while heart.progress().is_none() && heart.join_timeout(Duration::from_millis(1)).is_none() {}
    heart.request_stop();
    println!("the heart stops as it was asked to: {}", heart.join());
    println!("it has beaten: {}", heart.result()? > 0);
    println!("children left: {}", active_children().len());
    Ok(())
}
