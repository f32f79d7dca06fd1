//! What a [`Starter`](super::Starter) has to tell: [`Event`], [`Worker`].

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use nix::sys::signal::Signal;

use super::message::Ticket;
use crate::exit::Exit;
use crate::sys::PidFd;

/// What became of an order. Each ticket gets at most one `Started`, and after it or without it exactly one of `Failed`
/// and `Ended`, after which nothing more is said of it.
#[derive(Debug)]
pub(crate) enum Event {
    /// There is a process. It may still fail to apply its settings.
    Started(Worker),
    /// There is no worker.
    Failed {
        /// The order.
        ticket: Ticket,
        /// Why, in words for the user.
        error: io::Error,
    },
    /// The process ended. What it had written to its channel before is still to be read there.
    Ended {
        /// The order.
        ticket: Ticket,
        /// How.
        exit: Exit,
    },
}

/// A worker process, and the owner's ends of what connects it. Dropping it closes them, and does not kill.
#[derive(Debug)]
pub(crate) struct Worker {
    /// The order that it came of.
    pub(crate) ticket: Ticket,
    /// The number of the process.
    pub(crate) pid: u32,
    /// Carries jobs: a stream socket that never blocks.
    pub(crate) channel: OwnedFd,
    /// Where its standard output is to be read, if it is piped. It never blocks.
    pub(crate) stdout: Option<OwnedFd>,
    /// Where its standard error is to be read, if it is piped. It never blocks.
    pub(crate) stderr: Option<OwnedFd>,
    pub(super) pidfd: Arc<PidFd>,
}

impl Worker {
    /// Sends a signal to this process, and never to another that has its number by now. Programs that a job started get
    /// none. False if the process has ended.
    pub(crate) fn signal(&self, signal: Signal) -> io::Result<bool> {
        self.pidfd.signal(signal as i32)
    }

    /// Ends the process by `SIGKILL`; it is over when [`Event::Ended`] says so. False if it had ended.
    pub(crate) fn kill(&self) -> io::Result<bool> {
        self.signal(Signal::SIGKILL)
    }

    /// The descriptor of the process, readable once it has ended.
    pub(crate) fn pidfd(&self) -> &Arc<PidFd> {
        &self.pidfd
    }
}
