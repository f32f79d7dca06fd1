#![expect(unsafe_code, reason = "a forked child must use nothing that another thread could have locked")]
//! The floor of a start: `fork` of a process with one thread and little memory.

use std::io::Read;

use nix::sys::signal::{Signal, raise};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, fork, pipe, write};

use super::{Processes, Start, median_ms};
use crate::outcome::Outcome;
use crate::peers::{Open, Peer};

/// A child that writes one byte.
pub(crate) const PEER: Peer = Peer {
    name: "fork",
    package: "benches",
    how: "the floor of a start: fork of a small process with one thread, to the first byte from the child",
    open: Open::Processes(|_workers| Ok(Box::new(Fork))),
};

struct Fork;

impl Processes for Fork {
    fn start(&self, times: usize) -> Outcome<Start> {
        let mut children = Vec::new();
        let first_ms = median_ms(times, || {
            let (reader, writer) = pipe()?;
            // SAFETY: this process has one thread, and the child only makes two system calls.
            match unsafe { fork() }? {
                ForkResult::Child => {
                    write(&writer, b"x").ok();
                    // Ends the child without running what belongs to the end of the program.
                    raise(Signal::SIGKILL).ok();
                    unreachable!("no process outlives this signal")
                }
                ForkResult::Parent { child } => {
                    children.push(child);
                    drop(writer);
                    std::fs::File::from(reader).read_exact(&mut [0])?;
                    Ok(())
                }
            }
        })?;
        for child in children {
            waitpid(child, None)?;
        }
        Ok(Start { first_ms, further_ms: None, idle_kib: None })
    }
}
