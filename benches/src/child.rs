//! The role of a child: one case, one peer, one line.

use std::error::Error;
use std::io::{self, Write};
use std::mem::ManuallyDrop;
use std::process;

use crate::cases::Run;
use crate::kernel;
use crate::line::Line;
use crate::options::Errand;
use crate::outcome::Outcome;
use crate::peers::Open;

/// Runs the errand, prints its line and ends the process.
///
/// The pool is not dropped: how a peer shuts down is not what is measured, and some would wait for a job that never
/// ends.
pub(crate) fn run(errand: &Errand) -> Result<(), Box<dyn Error>> {
    kernel::set_turns(errand.turns);
    let line = Line::of(figures(errand)).format();
    println!("{line}");
    io::stdout().flush()?;
    process::exit(0)
}

fn figures(errand: &Errand) -> Outcome<Vec<(&'static str, f64)>> {
    let workers = errand.setup.workers;
    match (&errand.case.run, &errand.peer.open) {
        (Run::Threads(run), Open::Threads(open)) => run(&errand.setup, &**ManuallyDrop::new(open(workers)?)),
        #[cfg(feature = "process")]
        (Run::Processes(run), Open::Processes(open) | Open::Python(open)) => {
            run(&errand.setup, &**ManuallyDrop::new(open(workers)?))
        }
        #[cfg(feature = "ipc")]
        (Run::Ipc(run), Open::Ipc(open) | Open::PythonIpc(open)) => run(&errand.setup, &**ManuallyDrop::new(open()?)),
        #[cfg(feature = "async")]
        (Run::AsyncJobs(run), Open::AsyncJobs(open)) => run(&errand.setup, &**ManuallyDrop::new(open(workers)?)),
        #[cfg(any(feature = "process", feature = "async"))]
        _ => Err(crate::outcome::Failure::NotOffered),
    }
}
