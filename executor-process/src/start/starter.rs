//! [`Starter`]: starts the workers of one pool.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::unistd::{Pid, getpid};

use super::client::{Client, Source, ticket_of};
use super::events::{Event, Worker};
use super::launch::{Environment, Launch};
use super::link::{Link, Received};
use super::message::{Order, Report, Ticket};
use super::method::StartMethod;
use super::order::{Ends, ends};
use super::server_handle::ServerHandle;
use super::spawn;
use crate::entry;
use crate::exit::Exit;
use crate::sys::PidFd;

const LINK: u64 = 0;
const SERVER: u64 = 1;
const FIRST_TICKET: u64 = 2;

/// How long dropping a starter waits for the workers that it kills. They end at once, unless the system holds them, as
/// a broken network file system may.
const END_LIMIT: Duration = Duration::from_secs(3);

/// Starts the workers of one pool, and says what became of them.
///
/// It belongs to one event loop: its descriptor is readable when [`drain`](Starter::drain) has something to tell.
/// Dropping it kills the workers that are left and waits until they have ended, some milliseconds.
#[derive(Debug)]
pub(crate) struct Starter {
    launch: Launch,
    way: Way,
    /// The process that made it. A forked copy of the owner must leave the workers alone.
    owner: Pid,
    poll: Epoll,
    tickets: u64,
    /// What is kept for workers that were ordered from a server.
    asked: HashMap<Ticket, Ends>,
    live: HashMap<Ticket, Live>,
}

#[derive(Debug)]
struct Live {
    pidfd: Arc<PidFd>,
    /// The pool was told that it failed, and is not told that it ended.
    failed: bool,
    /// No server will tell how it ended, and its descriptor is watched instead.
    watched: bool,
}

#[derive(Debug)]
enum Way {
    Server(Client),
    Spawn {
        /// Where workers say that they failed.
        reports: Link,
        /// The end of it that each worker gets a copy of.
        reporter: OwnedFd,
    },
}

impl Starter {
    /// A starter for a pool. No process is started before the first order, except that [`StartMethod::Fork`] forks its
    /// server here.
    ///
    /// # Errors
    ///
    /// * If no worker could ever be as `launch` says.
    /// * With `Fork`, if the process has more than one thread.
    /// * If the system refuses a descriptor or a process.
    pub(crate) fn new(method: StartMethod, mut launch: Launch) -> io::Result<Starter> {
        launch.check()?;
        let poll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let way = match method {
            StartMethod::ForkServer => {
                Way::Server(Client::new(Source::Shared(std::mem::take(&mut launch.environment))))
            }
            StartMethod::Fork => Way::Server(Client::new(Source::Own(Some(ServerHandle::fork()?)))),
            StartMethod::Spawn => {
                let (reports, reporter) = Link::pair()?;
                poll.add(&reports, EpollEvent::new(EpollFlags::EPOLLIN, LINK))?;
                Way::Spawn { reports, reporter: reporter.into_fd() }
            }
        };
        let (asked, live) = (HashMap::new(), HashMap::new());
        Ok(Starter { launch, way, owner: getpid(), poll, tickets: 0, asked, live })
    }

    /// Orders a worker, which gets copies of `fds`, 16 at the most. What is known at once is pushed onto `events`.
    ///
    /// # Blocking
    ///
    /// With `Spawn`, 1 ms each time, as long as the start of a process takes. With `ForkServer` the same, if the server
    /// is to be started. Otherwise it does not block.
    ///
    /// # Errors
    ///
    /// Then no worker was started, and nothing is said of it later.
    pub(crate) fn start(
        &mut self,
        index: usize,
        fds: &[BorrowedFd<'_>],
        events: &mut Vec<Event>,
    ) -> io::Result<Ticket> {
        let settings = self.launch.settings.clone();
        let (ends, kit) = ends(&settings, fds)?;
        let ticket = Ticket(self.tickets);
        let depth = entry::depth() + 1;
        let mut order =
            Order { ticket, index, depth, owner: self.owner.as_raw(), environment: Environment::new(), settings };
        match &mut self.way {
            Way::Server(client) => {
                order.environment.clone_from(&self.launch.environment);
                client.order(order, kit.into_fds(), &self.poll, (LINK, SERVER))?;
                self.asked.insert(ticket, ends);
                self.tell_refused(events);
            }
            Way::Spawn { reporter, .. } => {
                let reporter = reporter.try_clone()?;
                let (pid, pidfd) = spawn::start(&order, &self.launch.environment, kit, reporter)?;
                let worker = self.enter(ticket, pid, pidfd, ends);
                if let Err(error) = self.watch(ticket) {
                    // Nobody would hear of its end.
                    self.live.remove(&ticket);
                    worker.kill()?;
                    worker.pidfd().wait_ended(END_LIMIT);
                    worker.pidfd().reap()?;
                    return Err(error);
                }
                events.push(Event::Started(worker));
            }
        }
        self.tickets += 1;
        Ok(ticket)
    }

    /// Pushes what is new onto `events`. It never blocks.
    ///
    /// # Errors
    ///
    /// If the system fails where it does not; the starter is of no use then.
    pub(crate) fn drain(&mut self, events: &mut Vec<Event>) -> io::Result<()> {
        let mut ready = [EpollEvent::empty(); 64];
        let count = match self.poll.wait(&mut ready, EpollTimeout::ZERO) {
            Ok(count) => count,
            Err(Errno::EINTR) => 0,
            Err(error) => return Err(error.into()),
        };
        for event in &ready[..count] {
            match event.data() {
                LINK => self.hear(events)?,
                SERVER => {
                    // What it still said comes first.
                    self.hear(events)?;
                    self.lose_server(events)?;
                }
                number => {
                    // A worker that said why it failed has ended since, and its word counts.
                    self.hear(events)?;
                    self.reap(Ticket(number - FIRST_TICKET), events)?;
                }
            }
        }
        self.tell_refused(events);
        Ok(())
    }

    #[cfg(all(test, feature = "hook"))]
    /// How many workers are ordered or live.
    pub(crate) fn worker_count(&self) -> usize {
        self.live.len() + self.asked.len()
    }

    fn enter(&mut self, ticket: Ticket, pid: Pid, pidfd: PidFd, ends: Ends) -> Worker {
        let pidfd = Arc::new(pidfd);
        self.live.insert(ticket, Live { pidfd: Arc::clone(&pidfd), failed: false, watched: false });
        let Ends { channel, stdout, stderr } = ends;
        Worker { ticket, pid: pid.as_raw().unsigned_abs(), channel, stdout, stderr, pidfd }
    }

    /// Watches a worker whose end no server will tell.
    fn watch(&mut self, ticket: Ticket) -> io::Result<()> {
        // After a second loss, workers of the first server may still be there.
        let Some(live) = self.live.get_mut(&ticket).filter(|live| !live.watched) else { return Ok(()) };
        self.poll.add(&*live.pidfd, EpollEvent::new(EpollFlags::EPOLLIN, FIRST_TICKET + ticket.0))?;
        live.watched = true;
        Ok(())
    }

    /// Takes all reports that have arrived.
    fn hear(&mut self, events: &mut Vec<Event>) -> io::Result<()> {
        loop {
            let received = match &mut self.way {
                Way::Server(client) => client.receive(),
                Way::Spawn { reports, .. } => reports.receive(),
            };
            match received {
                Ok(Received::Message(report, fds)) => self.take(report, fds, events),
                Ok(Received::Nothing) => return Ok(()),
                Ok(Received::Closed) | Err(_) => return self.lose_server(events),
            }
        }
    }

    fn take(&mut self, report: Report, mut fds: Vec<OwnedFd>, events: &mut Vec<Event>) {
        let ticket = ticket_of(&report);
        let ends = self.asked.remove(&ticket);
        if ends.is_some()
            && let Way::Server(client) = &mut self.way
        {
            client.answered();
        }
        match report {
            Report::Started { pid, .. } => {
                if let (Some(ends), Some(fd)) = (ends, fds.pop()) {
                    let worker = self.enter(ticket, Pid::from_raw(pid), PidFd::from_fd(fd), ends);
                    events.push(Event::Started(worker));
                }
            }
            Report::Failed { failure, .. } => {
                let failed_before = self.live.get_mut(&ticket).map(|live| std::mem::replace(&mut live.failed, true));
                if ends.is_some() || failed_before == Some(false) {
                    events.push(Event::Failed { ticket, error: failure.into_error() });
                }
            }
            Report::Ended { status, .. } => self.end(ticket, Exit::from_status(status), events),
        }
    }

    fn tell_refused(&mut self, events: &mut Vec<Event>) {
        let Way::Server(client) = &mut self.way else { return };
        for (ticket, error) in client.take_refused() {
            self.asked.remove(&ticket);
            events.push(Event::Failed { ticket, error });
        }
    }

    fn end(&mut self, ticket: Ticket, exit: Exit, events: &mut Vec<Event>) {
        if let Some(live) = self.live.remove(&ticket)
            && !live.failed
        {
            events.push(Event::Ended { ticket, exit });
        }
    }

    /// Learns how a worker ended that is watched by its descriptor.
    fn reap(&mut self, ticket: Ticket, events: &mut Vec<Event>) -> io::Result<()> {
        let Some(live) = self.live.get(&ticket) else { return Ok(()) };
        let Some(exit) = live.pidfd.reap()? else { return Ok(()) };
        // The pool may hold the descriptor for longer.
        self.poll.delete(&*live.pidfd)?;
        self.end(ticket, exit, events);
        Ok(())
    }

    /// Sees to what a server leaves that is gone: its orders fail, and its workers are dead or dying.
    fn lose_server(&mut self, events: &mut Vec<Event>) -> io::Result<()> {
        let Way::Server(client) = &mut self.way else { return Ok(()) };
        let Some(text) = client.lose(&self.poll) else { return Ok(()) };
        for (ticket, _) in self.asked.drain() {
            events.push(Event::Failed { ticket, error: io::Error::other(text.clone()) });
        }
        let left: Vec<Ticket> = self.live.keys().copied().collect();
        for ticket in left {
            // It fails only if the process has ended.
            let _ = self.live[&ticket].pidfd.signal(libc::SIGKILL);
            self.watch(ticket)?;
        }
        Ok(())
    }
}

impl AsFd for Starter {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.poll.0.as_fd()
    }
}

impl Drop for Starter {
    fn drop(&mut self) {
        if getpid() != self.owner {
            return;
        }
        for live in self.live.values() {
            // It fails only if the process has ended.
            let _ = live.pidfd.signal(libc::SIGKILL);
        }
        let deadline = Instant::now() + END_LIMIT;
        for live in self.live.values() {
            if live.pidfd.wait_ended(deadline.saturating_duration_since(Instant::now()))
                && matches!(self.way, Way::Spawn { .. })
            {
                let _ = live.pidfd.reap();
            }
        }
    }
}
