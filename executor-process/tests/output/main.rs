//! What workers print, where it is captured: whole lines, of whom they are, all of them, and nobody waits for ever.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "these are tests of what is printed"
)]

#[path = "../common/mod.rs"]
mod common;
mod printers;

mod callbacks;
mod deaths;
mod leavings;
mod lines;

use std::sync::mpsc::{self, Receiver};

use common::named;
use executor_core::{Executor, Shutdown};
use executor_process::{OutputLine, ProcessExecutor, ProcessExecutorBuilder};

/// A builder whose pool sends its lines here.
fn capturing(name: &str, workers: usize) -> (ProcessExecutorBuilder, Receiver<OutputLine>) {
    let (told, lines) = mpsc::channel();
    (named(name, workers).on_output(move |line| drop(told.send(line))), lines)
}

/// The lines that a pool has told by its end.
fn all_lines(pool: ProcessExecutor, lines: &Receiver<OutputLine>) -> Vec<OutputLine> {
    pool.shutdown(Shutdown::Drain).unwrap();
    lines.try_iter().collect()
}
