//! Commands on the backend of the examples, whichever that is: what asks a job to stop, or stops it, ends its program
//! and all that the program has started.
#![cfg(any(feature = "thread", feature = "process"))]
#![allow(clippy::unwrap_used, reason = "these are tests")]

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use executor_core::{Executor, JobError, JobOptions, Shutdown};
use executor_process::{Command, CommandError, command};
use tempfile::TempDir;

/// Nothing here takes longer than some seconds.
const HANG: Duration = Duration::from_secs(60);

/// Whether jobs are in the memory of the program, where nothing can kill them.
const IN_PROCESS: bool = cfg!(feature = "in-process");

fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + HANG;
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain for this: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// A shell and its child, both of which ignore `SIGTERM`, and the folder in which they leave their numbers.
struct Stubborn(TempDir);

impl Stubborn {
    fn new() -> Stubborn {
        Stubborn(TempDir::new().unwrap())
    }

    fn command(&self) -> Command {
        let script = "trap '' TERM; sleep 1000 & echo $$ $! > new; mv new pids; wait";
        command("sh").args(["-c", script]).current_dir(self.0.path()).grace(Duration::from_millis(100))
    }

    /// Waits until both run.
    fn pids(&self) -> Vec<u32> {
        let file = self.0.path().join("pids");
        eventually("the program is up", || file.exists());
        fs::read_to_string(file).unwrap().split_whitespace().map(|pid| pid.parse().unwrap()).collect()
    }
}

fn assert_gone(pids: &[u32]) {
    let has_ended = |pid: &u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with(['Z', 'X']))
    };
    assert_eq!(pids.len(), 2);
    eventually("the group is gone", || pids.iter().all(has_ended));
}

#[test]
fn request_stop_ends_the_group() {
    let pool = examples::pool(1).unwrap();
    let stubborn = Stubborn::new();
    let future = pool.submit(stubborn.command());
    let pids = stubborn.pids();
    future.request_stop();
    let error = future.result().unwrap().unwrap_err();
    assert!(matches!(error, CommandError::Stopped { .. }), "{error}");
    assert_gone(&pids);
}

#[test]
fn the_run_limit_of_the_job_ends_the_group() {
    let pool = examples::pool(1).unwrap();
    let stubborn = Stubborn::new();
    let future = pool.submit_with(stubborn.command(), JobOptions::new().run_limit(Duration::from_secs(4)));
    let pids = stubborn.pids();
    let error = future.result().unwrap_err();
    assert!(matches!(error, JobError::RunLimit { .. }), "{error}");
    assert_gone(&pids);
}

#[test]
fn a_shutdown_that_kills_ends_the_group() {
    let pool = examples::pool(1).unwrap();
    let stubborn = Stubborn::new();
    let future = pool.submit(stubborn.command());
    let pids = stubborn.pids();
    pool.shutdown(Shutdown::Kill).unwrap();
    match future.result() {
        Ok(outcome) => assert!(IN_PROCESS && matches!(outcome, Err(CommandError::Stopped { .. })), "{outcome:?}"),
        Err(error) => assert!(!IN_PROCESS && matches!(error, JobError::Killed), "{error}"),
    }
    assert_gone(&pids);
}

#[test]
fn a_dropped_pool_waits_for_the_program() {
    let folder = TempDir::new().unwrap();
    let pool = examples::pool(1).unwrap();
    drop(pool.submit(command("sh").args(["-c", "sleep 0.1; echo > done"]).current_dir(folder.path())));
    drop(pool);
    assert!(folder.path().join("done").exists());
}
