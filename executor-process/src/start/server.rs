//! The fork server, in its own process: forks workers on request, reaps them, and says how they ended.
//!
//! The protocol is on the page of [`start`](super).

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::{Pid, getpid, getppid};
use serde::{Deserialize, Serialize};

use super::link::{Link, Received};
use super::message::{Failure, Order, Report, Ticket};
use super::settle::{self, Newborn, NoUnwinding};
use crate::sys::{self, Disposition, Fork, ForkError, PidFd};

const CONTROL: u64 = 0;
const OWNER: u64 = 1;
const SIGNALS: u64 = 2;
const FIRST_CLIENT: u64 = 3;

/// How long the server waits for workers that it has killed. They end at once, unless the system holds them, as a
/// broken network file system may.
const REAP_LIMIT: Duration = Duration::from_secs(2);

/// What comes over the control socket.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Request {
    /// There is a further client; its socket comes with the message.
    Connect,
}

/// Becomes the fork server of `owner`, which holds the other end of `control`.
pub(crate) fn serve(control: OwnedFd, owner: Pid) -> ! {
    let _end = NoUnwinding;
    let mut server = match Server::new(Link::from_fd(control), owner) {
        Ok(server) => server,
        Err(error) => settle::die(&format!("the fork server cannot begin: {error}")),
    };
    match server.run() {
        Next::Finish => server.finish(),
        Next::Born(newborn) => {
            // The worker closes what is the server's.
            drop(server);
            settle::begin(*newborn)
        }
    }
}

struct Server {
    control: Link,
    #[expect(dead_code, reason = "it stays open for `poll`")]
    owner: PidFd,
    signals: SignalFd,
    poll: Epoll,
    clients: HashMap<u64, Link>,
    clients_made: u64,
    /// Children that were not reaped, by number.
    workers: HashMap<Pid, Child>,
}

/// For whom a child works.
struct Child {
    client: u64,
    ticket: Ticket,
}

/// How the loop of the server ends.
enum Next {
    /// Nobody needs the server any more.
    Finish,
    /// This is a child.
    Born(Box<Newborn>),
}

impl Server {
    fn new(control: Link, owner: Pid) -> io::Result<Server> {
        // The name is for lists of processes, and nothing depends on it.
        let _ = prctl::set_name(c"fork-server");
        sys::set_disposition(Signal::SIGINT, Disposition::Swallow);
        sys::set_disposition(Signal::SIGTERM, Disposition::Default);
        sys::set_disposition(Signal::SIGCHLD, Disposition::Default);
        let children = SigSet::from(Signal::SIGCHLD);
        children.thread_block()?;
        let signals = SignalFd::with_flags(&children, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        let owner_fd = PidFd::open(owner)?;
        if getppid() != owner {
            // The owner has ended, and the number is that of another process, or will be.
            sys::exit_now(0);
        }
        let poll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        poll.add(&control, EpollEvent::new(EpollFlags::EPOLLIN, CONTROL))?;
        poll.add(&owner_fd, EpollEvent::new(EpollFlags::EPOLLIN, OWNER))?;
        poll.add(&signals, EpollEvent::new(EpollFlags::EPOLLIN, SIGNALS))?;
        let (clients, workers) = (HashMap::new(), HashMap::new());
        Ok(Server { control, owner: owner_fd, signals, poll, clients, clients_made: 0, workers })
    }

    fn run(&mut self) -> Next {
        let mut ready = [EpollEvent::empty(); 32];
        loop {
            // Only an interruption makes it fail, and then there is nothing to do.
            let count = self.poll.wait(&mut ready, EpollTimeout::NONE).unwrap_or(0);
            for event in &ready[..count] {
                let next = match event.data() {
                    CONTROL => self.connect(),
                    OWNER => Some(Next::Finish),
                    SIGNALS => {
                        self.reap();
                        None
                    }
                    client => self.hear(client, event.events()),
                };
                if let Some(next) = next {
                    return next;
                }
            }
        }
    }

    /// Takes new clients.
    fn connect(&mut self) -> Option<Next> {
        loop {
            match self.control.receive::<Request>() {
                Ok(Received::Message(Request::Connect, fds)) => {
                    for fd in fds {
                        let client = FIRST_CLIENT + self.clients_made;
                        self.clients_made += 1;
                        let link = Link::from_fd(fd);
                        // A client that cannot be watched is dropped, and sees its connection closed.
                        if self.poll.add(&link, EpollEvent::new(EpollFlags::EPOLLIN, client)).is_ok() {
                            self.clients.insert(client, link);
                        }
                    }
                }
                Ok(Received::Nothing) => return None,
                Ok(Received::Closed) | Err(_) => return Some(Next::Finish),
            }
        }
    }

    /// Does what a client asks for.
    fn hear(&mut self, client: u64, flags: EpollFlags) -> Option<Next> {
        if flags.contains(EpollFlags::EPOLLOUT) {
            self.tell(client, None);
        }
        if flags == EpollFlags::EPOLLOUT {
            return None;
        }
        loop {
            let link = self.clients.get_mut(&client)?;
            match link.receive::<Order>() {
                Ok(Received::Message(order, fds)) => {
                    if let Some(newborn) = self.start(client, order, fds) {
                        return Some(Next::Born(Box::new(newborn)));
                    }
                }
                Ok(Received::Nothing) => return None,
                Ok(Received::Closed) | Err(_) => {
                    self.forget(client);
                    return None;
                }
            }
        }
    }

    /// Forks a worker; in the worker, gives what it begins with.
    fn start(&mut self, client: u64, order: Order, fds: Vec<OwnedFd>) -> Option<Newborn> {
        let ticket = order.ticket;
        let server = getpid();
        let pid = match sys::fork() {
            Ok(Fork::Parent(pid)) => pid,
            Ok(Fork::Child) => {
                end_with_parent(server);
                let reporter = self.clients.remove(&client)?;
                return Some(Newborn { order, fds, reporter, owner: None });
            }
            Err(error) => {
                let failure = match &error {
                    ForkError::Threads(threads) => Failure::text(format!(
                        "the fork server has {threads} threads, begun before `main` by a library of this \
                         program, and forks only with one; use `StartMethod::Spawn`"
                    )),
                    ForkError::System(cause) => Failure::new("the fork server cannot fork a worker", cause),
                };
                self.tell(client, Some((Report::Failed { ticket, failure }, Vec::new())));
                return None;
            }
        };
        self.workers.insert(pid, Child { client, ticket });
        let answer = match PidFd::open(pid) {
            Ok(pidfd) => (Report::Started { ticket, pid: pid.as_raw() }, vec![pidfd.into()]),
            Err(error) => {
                kill_child(pid);
                let failure = Failure::new("the fork server cannot watch a worker", &error);
                (Report::Failed { ticket, failure }, Vec::new())
            }
        };
        self.tell(client, Some(answer));
        None
    }

    /// Reaps what has ended, and says so.
    fn reap(&mut self) {
        // One signal may stand for many children, so that its content does not matter.
        while let Ok(Some(_)) = self.signals.read_signal() {}
        while let Some((pid, status)) = sys::reap() {
            if let Some(Child { client, ticket }) = self.workers.remove(&pid) {
                self.tell(client, Some((Report::Ended { ticket, status }, Vec::new())));
            }
        }
    }

    /// Tells a client something, or what was kept for it.
    fn tell(&mut self, client: u64, report: Option<(Report, Vec<OwnedFd>)>) {
        let Some(link) = self.clients.get_mut(&client) else { return };
        let sent = match report {
            Some((report, fds)) => link.send(&report, fds),
            None => link.flush(),
        };
        let mut flags = EpollFlags::EPOLLIN;
        flags.set(EpollFlags::EPOLLOUT, link.is_full());
        let watched = self.poll.modify(&*link, &mut EpollEvent::new(flags, client));
        if sent.is_err() || watched.is_err() {
            self.forget(client);
        }
    }

    /// Kills the workers of a client that is gone. They are reaped when they have ended.
    fn forget(&mut self, client: u64) {
        if let Some(link) = self.clients.remove(&client) {
            // A worker that was just forked may still hold the socket, which would then stay in the set.
            let _ = self.poll.delete(&link);
        }
        for (&pid, child) in &self.workers {
            if child.client == client {
                kill_child(pid);
            }
        }
    }

    /// Kills and reaps all workers, and ends.
    fn finish(mut self) -> ! {
        for &pid in self.workers.keys() {
            kill_child(pid);
        }
        let deadline = Instant::now() + REAP_LIMIT;
        loop {
            self.clients.clear();
            self.reap();
            let left = deadline.saturating_duration_since(Instant::now());
            if self.workers.is_empty() || left.is_zero() {
                sys::exit_now(0);
            }
            let limit = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
            // An interruption makes it look once more.
            let _ = poll(&mut [PollFd::new(std::os::fd::AsFd::as_fd(&self.signals), PollFlags::POLLIN)], limit);
        }
    }
}

/// Makes this process end with the server that forked it.
fn end_with_parent(server: Pid) {
    // It fails only for a signal that does not exist.
    let _ = prctl::set_pdeathsig(Signal::SIGKILL);
    if getppid() != server {
        sys::exit_now(0);
    }
}

/// Kills a child that was not reaped, so that the number is its own.
fn kill_child(pid: Pid) {
    // It fails only if the child has ended already.
    let _ = kill(pid, Signal::SIGKILL);
}
