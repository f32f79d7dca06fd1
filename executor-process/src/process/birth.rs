//! [`Born`]: a process that is ready for its job.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use executor_core::backend::table;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::bell::Bell;
use crate::dispatch::{News, Told};
use crate::start::{Event, Launch, StartMethod, Starter, Worker};
use crate::sys::PidFd;
use crate::wire::{Drained, FRAME_BYTES_MAX, Flushed, Lane, Order, Page, Region, Setup, SocketLane, VERSION};

/// A process that is ready for its job. Dropping it kills the process.
pub(super) struct Born {
    pub(super) starter: Starter,
    pub(super) lane: SocketLane,
    pub(super) pid: u32,
    pub(super) pidfd: Arc<PidFd>,
    pub(super) page: Arc<Page>,
    pub(super) ear: Arc<Bell>,
}

/// Starts a process, and waits until it is ready.
///
/// # Errors
///
/// If it does not come to be, or ends before; there is no process then.
pub(super) fn start(method: StartMethod, launch: Launch, number: usize) -> io::Result<Born> {
    let mut starter = Starter::new(method, launch)?;
    let (region, file) = Region::create()?;
    let (page, ear) = (Arc::new(Page::new(region)), Arc::new(Bell::new()?));
    let mut events = Vec::new();
    starter.start(number, &[file.as_fd(), ear.as_fd()], &mut events)?;
    let worker = started(&mut starter, &mut events)?;
    let (pid, pidfd) = (worker.pid, Arc::clone(worker.pidfd()));
    let mut lane = SocketLane::new(UnixStream::from(worker.channel), Arc::clone(&page), FRAME_BYTES_MAX)?;
    let setup = Setup {
        version: VERSION,
        digest: u128::from(table().digest()),
        frame_bytes_max: FRAME_BYTES_MAX,
        initializer: None,
    };
    lane.push(Order::Setup(setup)).map_err(io::Error::other)?;
    ready(&mut starter, &mut lane, events)?;
    Ok(Born { starter, lane, pid, pidfd, page, ear })
}

/// Waits until there is a process. What came behind that stays in `events`.
fn started(starter: &mut Starter, events: &mut Vec<Event>) -> io::Result<Worker> {
    while events.is_empty() {
        wait_readable(&mut [PollFd::new(starter.as_fd(), PollFlags::POLLIN)])?;
        starter.drain(events)?;
    }
    match events.remove(0) {
        Event::Started(worker) => Ok(worker),
        over => Err(why(over)),
    }
}

/// Waits until the process says that it is ready.
fn ready(starter: &mut Starter, lane: &mut SocketLane, mut events: Vec<Event>) -> io::Result<()> {
    // A setup is smaller than any socket holds; where the process is gone already, its end is told below.
    let _: Flushed = lane.flush().map_err(io::Error::other)?;
    let mut is_silent = false;
    loop {
        let mut answer = None;
        if !is_silent {
            let mut news = News::default();
            let drained = lane.drain(&mut |report| news.add(report));
            answer = news.into_parts().0.into_iter().find_map(|told| match told {
                Told::Ready { failure } => Some(failure),
                _ => None,
            });
            is_silent = drained.map_err(io::Error::other)? == Drained::Ended;
        }
        match answer {
            Some(None) => return Ok(()),
            Some(Some(failure)) => return Err(io::Error::other(failure)),
            None => {}
        }
        starter.drain(&mut events)?;
        if let Some(over) = events.pop() {
            return Err(why(over));
        }
        let mut fds =
            [PollFd::new(starter.as_fd(), PollFlags::POLLIN), PollFd::new(lane.pollable_fd(), PollFlags::POLLIN)];
        // The end of a lane is readable for ever.
        let watched = if is_silent { 1 } else { 2 };
        wait_readable(&mut fds[..watched])?;
    }
}

/// Why there is no process, or none any more.
fn why(event: Event) -> io::Error {
    match event {
        Event::Failed { error, .. } => error,
        Event::Ended { exit, .. } => io::Error::other(format!("it ended before it was ready: {exit}")),
        Event::Started(_) => io::Error::other("it was started twice"),
    }
}

fn wait_readable(fds: &mut [PollFd<'_>]) -> io::Result<()> {
    match poll(fds, PollTimeout::NONE) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
