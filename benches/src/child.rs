//! The role of a child: one case, one peer, one line.

use std::error::Error;
use std::io::{self, Write};
use std::process;

use crate::kernel;
use crate::line::Line;
use crate::options::Errand;
use crate::outcome::Outcome;

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
    let pool = (errand.peer.open)(errand.setup.workers)?;
    let figures = (errand.case.run)(&errand.setup, &*pool);
    std::mem::forget(pool);
    figures
}
