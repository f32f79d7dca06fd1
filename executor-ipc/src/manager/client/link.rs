//! [`Link`]: what a process has of one server.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, LazyLock, Mutex, Weak};
use std::time::Instant;

use super::connection::Connection;
use super::handle::Handle;
use super::reply::Reply;
use super::turn::{Receipt, Turn};
use crate::manager::address::Address;
use crate::manager::auth::{self, AuthKey};
use crate::manager::desk::{DESK, DeskCall};
use crate::manager::door::{self, Knock};
use crate::manager::error::ManagerError;
use crate::manager::limits::HANDSHAKE_TIMEOUT;
use crate::manager::stream::Stream;
use crate::manager::sync::lock;
use crate::manager::wire::{Hello, RELEASE, UNHOLD, VERSION, Welcome, begin_frame, end_frame};

/// Connections that are kept while nobody uses them: one for each thread that calls at the same time, up to so many.
const IDLE_CONNECTIONS_MAX: usize = 16;

/// Calls that are sent before the first of their answers is read, at most, when many are made at once.
const PIPELINED_BYTES_MAX: usize = 32 << 10;

/// How a server is reached.
#[derive(Clone)]
pub(crate) enum Reach {
    /// By the clients' end of its door.
    Local {
        server: u128,
        door: Arc<OwnedFd>,
    },
    Remote {
        address: Address,
        key: AuthKey,
    },
    /// From one of its services, by a door of their own, which does not keep the server.
    Inside {
        server: u128,
        door: Arc<OwnedFd>,
    },
}

impl Reach {
    pub(crate) fn address(&self) -> Option<String> {
        match self {
            Reach::Local { .. } | Reach::Inside { .. } => None,
            Reach::Remote { address, .. } => Some(address.to_string()),
        }
    }
}

/// The session of this process with one server, and its connections. Handles share it.
pub(crate) struct Link {
    reach: Reach,
    /// Which process has it. One that it forks must not use its connections.
    process: u32,
    idle: Mutex<Idle>,
    session: Mutex<Option<Session>>,
    /// It has a clone for each connection. Without one, the session is over.
    connections: Arc<()>,
}

/// What nobody uses at the moment.
#[derive(Default)]
struct Idle {
    connections: Vec<Connection>,
    /// Frames without an answer for which there was no connection. They go with the next one that is free.
    owed: Vec<u8>,
}

#[derive(Clone, Copy)]
struct Session {
    /// Its number and token.
    ticket: (u64, u128),
    server: u128,
    message_bytes_max: u64,
}

/// The links of this process, by the identity of the server or by its address, so that proxies that arrive share one. A program that has
/// connected to an address twice has two.
static LINKS: LazyLock<Mutex<Links>> = LazyLock::new(Mutex::default);

type Links = HashMap<String, Vec<Weak<Link>>>;

impl Link {
    pub(crate) fn new(reach: Reach) -> Arc<Link> {
        Link::insert(&mut lock(&LINKS), reach)
    }

    /// The link of this process to a server of this machine.
    pub(crate) fn local(server: u128, door: Arc<OwnedFd>) -> Arc<Link> {
        let reach = Reach::Local { server, door };
        let mut links = lock(&LINKS);
        Link::known(&links, &key_of(&reach)).unwrap_or_else(|| Link::insert(&mut links, reach))
    }

    /// The link of this process to the server at an address, if it is connected.
    pub(crate) fn remote(address: &Address) -> Option<Arc<Link>> {
        Link::known(&lock(&LINKS), &remote_key(address))
    }

    /// The link of a server's own services. Proxies that arrive from elsewhere do not share it, since they keep the server.
    pub(crate) fn inside(server: u128, door: Arc<OwnedFd>) -> Arc<Link> {
        Arc::new(Link::unconnected(Reach::Inside { server, door }))
    }

    fn unconnected(reach: Reach) -> Link {
        let (idle, session, connections) = Default::default();
        Link { reach, process: std::process::id(), idle, session, connections }
    }

    fn insert(links: &mut Links, reach: Reach) -> Arc<Link> {
        let link = Arc::new(Link::unconnected(reach));
        links.retain(|_, same| {
            same.retain(|link| link.strong_count() > 0);
            !same.is_empty()
        });
        links.entry(key_of(&link.reach)).or_default().push(Arc::downgrade(&link));
        link
    }

    fn known(links: &Links, key: &str) -> Option<Arc<Link>> {
        // Those of its parent are nothing for a process that was forked.
        links.get(key)?.iter().filter_map(Weak::upgrade).find(|link| link.is_of_this_process())
    }

    pub(crate) fn reach(&self) -> &Reach {
        &self.reach
    }

    pub(crate) fn is_of_this_process(&self) -> bool {
        self.process == std::process::id()
    }

    pub(crate) fn is_of_same_server(&self, other: &Link) -> bool {
        let server = |link: &Link| match &link.reach {
            Reach::Local { server, .. } | Reach::Inside { server, .. } => Some(*server),
            Reach::Remote { .. } => lock(&link.session).map(|session| session.server),
        };
        std::ptr::eq(self, other) || server(self).is_some_and(|ours| server(other) == Some(ours))
    }

    /// Connects, if that was not done yet.
    pub(crate) fn connect(self: &Arc<Self>) -> Result<(), ManagerError> {
        let connection = self.connection()?;
        self.give_back(connection);
        Ok(())
    }

    /// A connection that nobody uses.
    pub(super) fn connection(self: &Arc<Self>) -> Result<Connection, ManagerError> {
        if !self.is_of_this_process() {
            return Err(ManagerError::Forked);
        }
        let idle = lock(&self.idle).connections.pop();
        idle.map_or_else(|| self.open(), Ok)
    }

    /// Has others use it, if nothing went wrong with it.
    pub(super) fn give_back(&self, mut connection: Connection) {
        while !connection.is_broken {
            let mut idle = lock(&self.idle);
            if idle.owed.is_empty() {
                if idle.connections.len() < IDLE_CONNECTIONS_MAX {
                    idle.connections.push(connection);
                }
                return;
            }
            connection.outgoing.append(&mut idle.owed);
            drop(idle);
            // If it fails, what was owed stays until the session ends, since nobody knows how much of it has arrived.
            let _ = connection.send();
        }
    }

    fn open(&self) -> Result<Connection, ManagerError> {
        // The first one makes the session, for which others wait.
        let mut session = lock(&self.session);
        let ticket = session.map(|session| session.ticket);
        let hello = Hello { version: VERSION, session: ticket };
        if ticket.is_some() {
            drop(session);
            if self.is_over() {
                return Err(ManagerError::ended(self.reach.address()));
            }
            return self.greet(&hello).map(|(connection, _)| connection);
        }
        let (connection, joined) = self.greet(&hello)?;
        *session = Some(joined);
        Ok(connection)
    }

    fn greet(&self, hello: &Hello) -> Result<(Connection, Session), ManagerError> {
        let (stream, deadline) = match &self.reach {
            // The server may begin to run whenever it likes.
            Reach::Local { door, .. } | Reach::Inside { door, .. } => (self.knock(door)?, None),
            Reach::Remote { address, key } => {
                let deadline = Instant::now() + HANDSHAKE_TIMEOUT;
                (auth::connect(address, key, deadline)?, Some(deadline))
            }
        };
        match Connection::greet(stream, hello, self.reach.address(), deadline, Arc::clone(&self.connections))? {
            (connection, Welcome::Joined { session: ticket, server, message_bytes_max }) => {
                Ok((connection, Session { ticket, server, message_bytes_max }))
            }
            (_, Welcome::Refused(why)) => {
                Err(ManagerError::Refused { address: self.reach.address(), why: why.to_string() })
            }
        }
    }

    /// True if it has no connection any more, and so no session: what was the client's in the server is gone.
    fn is_over(&self) -> bool {
        Arc::strong_count(&self.connections) == 1
    }

    fn knock(&self, door: &OwnedFd) -> Result<Stream, ManagerError> {
        let (ours, theirs) = Stream::pair().map_err(|cause| self.unreached(cause))?;
        door::knock(door, &Knock::Connection, theirs.as_fd()).map_err(|cause| self.lost(cause))?;
        Ok(ours)
    }

    fn unreached(&self, cause: io::Error) -> ManagerError {
        ManagerError::Connect { address: self.reach.address(), cause }
    }

    /// What a door that is closed on the other side means.
    pub(crate) fn lost(&self, cause: io::Error) -> ManagerError {
        match cause.kind() {
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset | io::ErrorKind::NotConnected => {
                ManagerError::Disconnected { address: self.reach.address(), cause }
            }
            _ => self.unreached(cause),
        }
    }

    /// Calls an object, and reads the answer, of which the server may want to hear.
    pub(super) fn call<R>(
        self: &Arc<Self>,
        object: u64,
        call: &impl serde::Serialize,
        receipt: Receipt,
        read: impl FnOnce(Reply<'_>) -> Result<R, ManagerError>,
    ) -> Result<R, ManagerError> {
        let mut turn = Turn::new(self)?;
        turn.push(object, call)?;
        turn.connection().send()?;
        turn.read(receipt, read)
    }

    /// Makes many calls, without waiting for the answer to one before the next is sent. The answers come in the order of the calls. A
    /// call that the server refuses ends it with the error, behind the calls that were sent by then.
    pub(crate) fn call_many<C: serde::Serialize, R>(
        self: &Arc<Self>,
        object: u64,
        calls: impl Iterator<Item = Result<C, ManagerError>>,
        mut read: impl FnMut(Reply<'_>) -> Result<R, ManagerError>,
    ) -> Result<Vec<R>, ManagerError> {
        let mut turn = Turn::new(self)?;
        let mut answers = Vec::new();
        let mut failed = None;
        for call in calls {
            if let Err(error) = call.and_then(|call| turn.push(object, &call)) {
                failed = Some(error);
                break;
            }
            if turn.connection().outgoing.len() >= PIPELINED_BYTES_MAX {
                turn.connection().send_and_take_in()?;
                // What is here already needs no wait; the rest of the window is read while the next one is under way.
                while turn.has_answer() && failed.is_none() {
                    match turn.read(Receipt::None, &mut read) {
                        Ok(answer) => answers.push(answer),
                        Err(error) => failed = Some(error),
                    }
                }
                if failed.is_some() {
                    break;
                }
            }
        }
        turn.connection().send_and_take_in()?;
        while turn.open > 0 && !turn.connection().is_broken {
            match turn.read(Receipt::None, &mut read) {
                Ok(answer) if failed.is_none() => answers.push(answer),
                Ok(_) => {}
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(answers), Err)
    }

    /// Says that a proxy is gone, and waits for nothing.
    pub(super) fn release(self: &Arc<Self>, object: u64) {
        self.tell(RELEASE, object);
    }

    /// Gives back what this process holds, where that could not be done by a call, and waits for nothing.
    pub(super) fn unhold(self: &Arc<Self>, hold: u64) {
        self.tell(UNHOLD, hold);
    }

    /// Sends a frame without an answer; as soon as a connection is free, if the server has no room for one more.
    fn tell(self: &Arc<Self>, tag: u8, number: u64) {
        if self.is_over() {
            return;
        }
        let opened = self.connection();
        let mut idle = lock(&self.idle);
        let begin = begin_frame(&mut idle.owed, tag);
        idle.owed.extend_from_slice(&number.to_le_bytes());
        end_frame(&mut idle.owed, begin);
        // One may have been given back meanwhile.
        let connection = opened.ok().or_else(|| idle.connections.pop());
        drop(idle);
        if let Some(connection) = connection {
            self.give_back(connection);
        }
    }

    /// One more reference to an object.
    pub(super) fn retain(self: &Arc<Self>, object: u64) -> Result<Handle, ManagerError> {
        self.call(DESK, &DeskCall::Retain { object }, Receipt::None, |reply| reply.object())
    }

    /// The most that a message may have, as the server says.
    pub(super) fn message_bytes_max(&self) -> u64 {
        lock(&self.session).map_or(u64::MAX, |session| session.message_bytes_max)
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("server", &key_of(&self.reach)).finish_non_exhaustive()
    }
}

fn key_of(reach: &Reach) -> String {
    match reach {
        Reach::Local { server, .. } | Reach::Inside { server, .. } => format!("{server:x}"),
        Reach::Remote { address, .. } => remote_key(address),
    }
}

fn remote_key(address: &Address) -> String {
    address.to_string()
}
