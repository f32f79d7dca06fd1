//! [`Client`]: the connection of one pool to a fork server, in the owner.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};

use super::launch::Environment;
use super::link::{Link, Received};
use super::message::{Order, Report, Ticket};
use super::server_handle::ServerHandle;

/// How many orders are sent ahead of their answers. Enough to keep the server at work, and so few that they and their
/// descriptors fit into the buffer of a socket.
pub(super) const OPEN_MAX: usize = 16;

/// The connection of a pool to its server. It is made with the first order, and made anew with the next one if the
/// server was lost.
#[derive(Debug)]
pub(super) struct Client {
    source: Source,
    connection: Option<Connection>,
    /// Orders without an answer.
    open: usize,
    /// Orders that were not sent.
    waiting: VecDeque<(Order, Vec<OwnedFd>)>,
    /// Orders that the system would not send.
    refused: Vec<(Ticket, io::Error)>,
}

/// Where a server comes from.
#[derive(Debug)]
pub(super) enum Source {
    /// From the executable, for this environment, shared with other pools.
    Shared(Environment),
    /// From a fork of the owner. It cannot be made again.
    Own(Option<Arc<ServerHandle>>),
}

#[derive(Debug)]
struct Connection {
    link: Link,
    server: Arc<ServerHandle>,
}

impl Client {
    pub(super) fn new(source: Source) -> Client {
        Client { source, connection: None, open: 0, waiting: VecDeque::new(), refused: Vec::new() }
    }

    /// Hands over an order. `link` and `server` are what [`Epoll`] is to call the connection and the process.
    pub(super) fn order(
        &mut self,
        order: Order,
        fds: Vec<OwnedFd>,
        poll: &Epoll,
        (link, server): (u64, u64),
    ) -> io::Result<()> {
        if self.connection.is_none() {
            let connection = self.source.connect()?;
            poll.add(&connection.link, EpollEvent::new(EpollFlags::EPOLLIN, link))?;
            poll.add(connection.server.pidfd(), EpollEvent::new(EpollFlags::EPOLLIN, server))?;
            self.connection = Some(connection);
        }
        self.waiting.push_back((order, fds));
        self.send();
        Ok(())
    }

    /// Notes that an order was answered, so that another can be sent.
    pub(super) fn answered(&mut self) {
        self.open -= 1;
        self.send();
    }

    fn send(&mut self) {
        let Some(Connection { link, .. }) = &mut self.connection else { return };
        // What is kept follows an order that was sent, and the answer to that one leads here.
        if link.flush().is_err() {
            link.shut();
        }
        while self.open < OPEN_MAX
            && !link.is_full()
            && let Some((order, fds)) = self.waiting.pop_front()
        {
            match link.send(&order, fds) {
                Ok(()) => self.open += 1,
                // The server is lost. The end of its process and of the connection are told to all orders alike.
                Err(error) if matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) => {
                    link.shut();
                    return;
                }
                Err(error) => self.refused.push((order.ticket, error)),
            }
        }
    }

    /// The orders that could not be sent although there is a server, each once.
    pub(super) fn take_refused(&mut self) -> Vec<(Ticket, io::Error)> {
        std::mem::take(&mut self.refused)
    }

    /// The next report; an error is the end of the connection.
    pub(super) fn receive(&mut self) -> io::Result<Received<Report>> {
        self.connection.as_mut().map_or(Ok(Received::Nothing), |connection| connection.link.receive())
    }

    /// Gives up the connection, and says what became of the server; `None` if there was no connection.
    pub(super) fn lose(&mut self, poll: &Epoll) -> Option<String> {
        let Connection { link, server } = self.connection.take()?;
        // A descriptor that is closed leaves the set by itself, unless a forked process holds a copy.
        let _ = poll.delete(&link);
        let _ = poll.delete(server.pidfd());
        link.shut();
        self.open = 0;
        self.waiting.clear();
        if let Source::Own(own) = &mut self.source {
            *own = None;
        }
        Some(match server.exit() {
            Some(exit) => format!("the fork server ended before the worker began: {exit}"),
            None => "the fork server closed its connection before the worker began".to_owned(),
        })
    }
}

impl Source {
    fn connect(&self) -> io::Result<Connection> {
        let environment = match self {
            Source::Shared(environment) => environment,
            Source::Own(Some(server)) => {
                return Ok(Connection { link: server.connect()?, server: Arc::clone(server) });
            }
            Source::Own(None) => {
                return Err(io::Error::other(
                    "the forked server of this pool was killed and cannot be forked again while the program \
                     runs; build the pool anew, or use `StartMethod::ForkServer`, which starts another server",
                ));
            }
        };
        let server = ServerHandle::shared(environment)?;
        match server.connect() {
            Ok(link) => Ok(Connection { link, server }),
            Err(_) => {
                // It ended just now.
                drop(server);
                let server = ServerHandle::shared(environment)?;
                Ok(Connection { link: server.connect()?, server })
            }
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if let Some(connection) = &self.connection {
            connection.link.shut();
        }
    }
}

/// The ticket that a report is about.
pub(super) fn ticket_of(report: &Report) -> Ticket {
    match *report {
        Report::Started { ticket, .. } | Report::Failed { ticket, .. } | Report::Ended { ticket, .. } => ticket,
    }
}
