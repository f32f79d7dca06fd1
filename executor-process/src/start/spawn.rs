//! Workers that are started from the executable one by one: `StartMethod::Spawn`.
//!
//! The order of such a worker waits in its standard input before the process begins, in the same form in which a fork
//! server gets it, with one more descriptor in front: the socket on which the worker can say that it failed.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::thread;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::{Pid, getppid};

use super::launch::Environment;
use super::link::{Link, Received};
use super::message::Order;
use super::order::Kit;
use super::server_handle::execute;
use super::settle::{self, Newborn, NoUnwinding};
use crate::entry::Role;
use crate::sys::{self, PidFd};

/// In the owner: starts a worker, and gives its number and descriptor.
pub(super) fn start(order: &Order, environment: &Environment, kit: Kit, reporter: OwnedFd) -> io::Result<(Pid, PidFd)> {
    let (mut ours, theirs) = Link::pair()?;
    let fds = std::iter::once(reporter).chain(kit.into_fds()).collect();
    ours.send(order, fds)?;
    let name = order.settings.worker_name(order.index);
    execute(&name, environment, Role::Worker, theirs.into_fd())
        .map_err(|error| io::Error::new(error.kind(), format!("worker {} cannot be started: {error}", order.index)))
}

/// In the worker: takes its order from what was standard input, and becomes it.
pub(crate) fn begin(socket: OwnedFd, owner: Pid) -> ! {
    let _end = NoUnwinding;
    let (order, mut fds) = match Link::from_fd(socket).receive::<Order>() {
        Ok(Received::Message(order, fds)) if !fds.is_empty() => (order, fds),
        Ok(_) => settle::die("a worker process was started without an order"),
        Err(error) => settle::die(&format!("a worker process cannot read its order: {error}")),
    };
    let reporter = Link::from_fd(fds.remove(0));
    let owner_fd = match PidFd::open(owner) {
        // If the parent is still the owner, the descriptor is that of the owner too.
        Ok(pidfd) if getppid() == owner => pidfd,
        _ => sys::exit_now(0),
    };
    settle::begin(Newborn { order, fds, reporter, owner: Some(owner_fd) })
}

/// In the worker: begins a thread that ends the process when the owner has ended, or has closed the channel.
///
/// A signal at the death of the parent would not do: it comes at the death of the thread that started this process.
pub(super) fn watch(owner: PidFd, channel: OwnedFd) -> io::Result<()> {
    let stack_bytes = 64 * 1024;
    let watch = move || {
        loop {
            let mut fds = [
                PollFd::new(owner.as_fd(), PollFlags::POLLIN),
                // Asked for nothing, it tells of the end of both directions, and not of data.
                PollFd::new(channel.as_fd(), PollFlags::empty()),
            ];
            match poll(&mut fds, PollTimeout::NONE) {
                Err(Errno::EINTR) => {}
                _ => sys::exit_now(0),
            }
        }
    };
    thread::Builder::new().name("owner-watch".into()).stack_size(stack_bytes).spawn(watch)?;
    Ok(())
}
