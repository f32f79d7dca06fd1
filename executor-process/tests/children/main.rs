//! [`Process`], as its user sees it. The numbers are those of the laws of a process object. Where a test counts what the whole
//! program has, it is in `child_hygiene.rs`.
#![allow(clippy::unwrap_used, reason = "these are tests")]
#![cfg(feature = "hook")]

#[path = "../common/mod.rs"]
mod common;

mod ending;
mod life;
mod surroundings;
mod waiting;

use executor_core::{Job, job};
use executor_process::{Exit, Process, ProcessBuilder, SpawnError, StartMethod};
use executor_testkit::Pen;
use nix::sys::signal::Signal;

/// A builder whose process keeps its panics to itself.
fn quiet(method: StartMethod) -> ProcessBuilder {
    Process::builder().start_method(method).discard_output()
}

/// How a process ends that this signal ends.
fn by(signal: Signal) -> Exit {
    Exit::Signal { number: signal as i32, core_dumped: false }
}

/// Says that it is there, and sleeps until its process is ended.
#[job]
fn sleep(pen: Pen) {
    pen.write(std::process::id().into());
    loop {
        std::thread::park();
    }
}

#[test]
fn its_types_cross_threads() {
    fn crosses<T: Send + Sync + Unpin>() {}
    fn waits<J: Job>() {
        crosses::<Process<J::Output>>();
    }
    waits::<executor_testkit::jobs::echo>();
    crosses::<ProcessBuilder>();
    crosses::<executor_process::ProcessHandle>();
    crosses::<SpawnError>();
}
