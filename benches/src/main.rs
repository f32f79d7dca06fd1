//! Our pools beside the libraries a user would otherwise pick, in one table per case.
//!
//! The program runs in two roles. Started by a user it is the *parent*: it starts itself once for every case, peer
//! and round, one process after another, and shows what came back. Started by itself it is a *child*: it measures one
//! case with one peer, prints one line and ends. So no peer runs beside another one's threads, heap or clock, and
//! the rounds interleave: round 1 of every peer, then round 2, so that a slow minute of the machine meets them all.
//!
//! Reading order: [`cases`] is what is measured, [`peers`] is who is measured and how each is used, [`kernel`] is the
//! work they are given. The rest is the harness: [`parent`], [`child`] and the [`line`](mod@line) between them, and
//! [`table`] for what they found. A case compares the peers of one [`field`]: pools of threads, or worker processes,
//! which come with the feature `process`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the harness is a program whose output is its tables")]

mod allocator;
mod cases;
mod child;
mod field;
#[cfg(feature = "process")]
mod helper;
mod kernel;
mod line;
mod machine;
mod options;
mod outcome;
mod parent;
mod peers;
mod process;
mod results;
mod samples;
mod table;
mod versions;

use std::process::ExitCode;

use crate::options::Command;

fn main() -> ExitCode {
    // A worker process of ours never comes here: its hook takes over before `main`. One of procspawn does here.
    #[cfg(feature = "process")]
    procspawn::init();
    let ended = match options::parse(std::env::args().skip(1)) {
        Ok(Command::Help) => {
            print!("{}", options::usage());
            Ok(())
        }
        Ok(Command::Measure(plan)) => parent::measure(&plan),
        Ok(Command::Child(errand)) => child::run(&errand),
        #[cfg(feature = "process")]
        Ok(Command::Helper(words)) => helper::run(&words),
        Err(problem) => Err(format!("{problem}\n\n{}", options::usage()).into()),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}
