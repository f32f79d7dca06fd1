//! [`Hall`]: the objects of a server, and who needs them.
//!
//! # How long an object lives
//!
//! As long as somebody refers to it: a proxy in a client, by way of its session; a value in a container; a name; a hold, while a
//! proxy is on its way to another process. Each is a [`Ref`], and the count of an object goes up and down with them under the lock of its
//! place in the table, so that an object whose count was zero is never referred to again.
//!
//! An object that goes drops the values in it, with their references, which may be the last to further objects. These are dropped
//! one after the other and not one inside the other, since a chain of dictionaries may be longer than a stack.
//!
//! Lock order: the state of an object, the references of a session, a place in the table of objects. A `Ref` is dropped under none of them, and
//! so is what goes with the last one: it may be a service, whose `Drop` is a user's. Whoever takes a value out moves it, and drops it behind
//! the lock. Who is connected, and the seats, are locked under none of them either, and take no other.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::time::Duration;

use dashmap::DashMap;

use super::line::{Line, Turns};
use super::object::Object;
use super::session::Session;
use super::visit::Visit;
use crate::manager::client::Link;
use crate::manager::limits::{HANDSHAKES_MAX, Limits};
use crate::manager::stream::Stream;
use crate::manager::sync::lock;
use crate::manager::wire::{Fault, Refusal};

/// What is refused is remembered in words, the last so many.
const REFUSALS_KEPT: usize = 16;

#[derive(Debug)]
pub(crate) struct Hall {
    pub(crate) identity: u128,
    pub(crate) limits: Limits,
    /// By which its services call its objects.
    pub(crate) inside: Arc<Link>,
    objects: DashMap<u64, Arc<Entry>>,
    /// The next object or session. No number is used twice; 0 is the desk.
    next: AtomicU64,
    pub(crate) names: Mutex<BTreeMap<String, Ref>>,
    sessions: Mutex<Sessions>,
    seats: Mutex<Seats>,
    /// Rung when a seat becomes free.
    left: Condvar,
}

#[derive(Debug)]
struct Entry {
    references: AtomicU64,
    object: Box<dyn Object>,
}

/// Who is connected.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    present: HashMap<u64, (Role, Weak<Session>)>,
    /// Those who wait until others are gone.
    line: Line,
}

/// Whose session it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Client,
    /// The server's own services.
    Service,
}

impl Sessions {
    fn clients(&self) -> u64 {
        self.present.values().filter(|(role, _)| *role == Role::Client).count() as u64
    }
}

/// The connections there are.
#[derive(Debug, Default)]
struct Seats {
    streams: HashMap<u64, Arc<Stream>>,
    handshakes: usize,
    is_closed: bool,
    refused: u64,
    refusals: VecDeque<String>,
}

/// What a server counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Counts {
    pub(crate) objects: u64,
    pub(crate) clients: u64,
    pub(crate) connections: u64,
    pub(crate) refused: u64,
    pub(crate) refusals: Vec<String>,
}

impl Hall {
    /// The objects of a server, whose services come in by the clients' end of a door of their own.
    pub(crate) fn new(identity: u128, limits: Limits, inside: Arc<OwnedFd>) -> Arc<Hall> {
        Arc::new(Hall {
            identity,
            limits,
            inside: Link::inside(identity, inside),
            objects: DashMap::new(),
            next: AtomicU64::new(1),
            names: Mutex::default(),
            sessions: Mutex::default(),
            seats: Mutex::default(),
            left: Condvar::new(),
        })
    }

    pub(crate) fn next_number(&self) -> u64 {
        // Numbers that differ are all that is asked of it.
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Takes an object in.
    pub(crate) fn add(self: &Arc<Self>, object: Box<dyn Object>) -> Ref {
        let id = self.next_number();
        self.objects.insert(id, Arc::new(Entry { references: AtomicU64::new(1), object }));
        Ref { hall: Arc::downgrade(self), id }
    }

    /// One more reference to an object.
    pub(crate) fn refer(self: &Arc<Self>, id: u64) -> Result<Ref, Fault> {
        let entry = self.objects.get(&id).ok_or(Fault::NoSuchObject)?;
        // Under the lock of its place, as every change of it.
        entry.references.fetch_add(1, Ordering::Relaxed);
        Ok(Ref { hall: Arc::downgrade(self), id })
    }

    /// Calls `act` with an object, which lives at least as long.
    pub(crate) fn with<R>(&self, id: u64, act: impl FnOnce(&dyn Object) -> Result<R, Fault>) -> Result<R, Fault> {
        let entry = self.objects.get(&id).map(|entry| Arc::clone(&entry)).ok_or(Fault::NoSuchObject)?;
        let done = act(&*entry.object);
        // It may be the last one by now.
        discard(entry);
        done
    }

    fn release(&self, id: u64) {
        let is_last = |_: &u64, entry: &Arc<Entry>| entry.references.fetch_sub(1, Ordering::Relaxed) == 1;
        if let Some((_, entry)) = self.objects.remove_if(&id, is_last) {
            discard(entry);
        }
    }

    pub(crate) fn enter(&self, session: &Arc<Session>, role: Role) {
        lock(&self.sessions).present.insert(session.id, (role, Arc::downgrade(session)));
    }

    pub(crate) fn session(&self, id: u64, token: u128) -> Option<Arc<Session>> {
        let (_, session) = lock(&self.sessions).present.get(&id)?.clone();
        session.upgrade().filter(|session| session.token == token)
    }

    pub(crate) fn leave(&self, session: u64) {
        let mut sessions = lock(&self.sessions);
        sessions.present.remove(&session);
        sessions.line.call_all();
    }

    /// Waits until whoever calls is the only client.
    pub(crate) fn wait_alone(&self, limit: Option<Duration>, visit: &mut Visit<'_>) -> Result<(), Fault> {
        let own = visit.session.id;
        let mut others = 0;
        let alone = |sessions: &mut Sessions| {
            let is_own = matches!(sessions.present.get(&own), Some((Role::Client, _)));
            others = sessions.clients() - u64::from(is_own);
            (others == 0).then_some(())
        };
        let waited = visit.wait(&self.sessions, (Turns::Together, |sessions| &mut sessions.line), limit, alone);
        waited.map_err(|fault| if fault == Fault::Timeout { Fault::ClientsLeft { clients: others } } else { fault })
    }

    /// A place for one more connection.
    pub(crate) fn seat(self: &Arc<Self>, stream: &Arc<Stream>, is_remote: bool) -> Result<Seat, Refusal> {
        let number = self.next_number();
        let mut seats = lock(&self.seats);
        if seats.is_closed || seats.streams.len() >= self.limits.connections_max {
            return Err(Refusal::Connections { max: self.limits.connections_max });
        }
        if is_remote {
            if seats.handshakes >= HANDSHAKES_MAX {
                return Err(Refusal::Connections { max: HANDSHAKES_MAX });
            }
            seats.handshakes += 1;
        }
        seats.streams.insert(number, Arc::clone(stream));
        Ok(Seat { hall: Arc::clone(self), number, is_shaking_hands: is_remote })
    }

    /// Notes that somebody was sent away.
    pub(crate) fn note_refusal(&self, why: String) {
        let mut seats = lock(&self.seats);
        seats.refused += 1;
        if seats.refusals.len() == REFUSALS_KEPT {
            seats.refusals.pop_front();
        }
        seats.refusals.push_back(why);
    }

    /// Ends every connection, and waits until the threads behind them have ended.
    pub(crate) fn close(&self) {
        let mut seats = lock(&self.seats);
        seats.is_closed = true;
        seats.streams.values().for_each(|stream| stream.shut_down());
        while !seats.streams.is_empty() {
            seats = self.left.wait(seats).unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        let clients = lock(&self.sessions).clients();
        let objects = self.objects.len() as u64;
        let seats = lock(&self.seats);
        let connections = seats.streams.len() as u64;
        let refusals = seats.refusals.iter().cloned().collect();
        Counts { objects, clients, connections, refused: seats.refused, refusals }
    }
}

/// The place of a connection.
#[derive(Debug)]
pub(crate) struct Seat {
    hall: Arc<Hall>,
    number: u64,
    is_shaking_hands: bool,
}

impl Seat {
    /// The peer has proved who it is.
    pub(crate) fn settle(&mut self) {
        if std::mem::take(&mut self.is_shaking_hands) {
            lock(&self.hall.seats).handshakes -= 1;
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.settle();
        lock(&self.hall.seats).streams.remove(&self.number);
        self.hall.left.notify_all();
    }
}

/// One reference to an object, which lives as long.
#[derive(Debug)]
pub(crate) struct Ref {
    hall: Weak<Hall>,
    id: u64,
}

impl Ref {
    pub(crate) fn id(&self) -> u64 {
        self.id
    }
}

impl Drop for Ref {
    fn drop(&mut self) {
        // With the hall go all of its objects.
        if let Some(hall) = self.hall.upgrade() {
            hall.release(self.id);
        }
    }
}

thread_local! {
    /// What is to be dropped by the call of `discard` that is at it; `None` if none is.
    static DISCARDED: RefCell<Option<Vec<Arc<Entry>>>> = const { RefCell::new(None) };
}

/// Drops an object, or leaves it to the call that drops one further up the stack.
fn discard(entry: Arc<Entry>) {
    let mut next = Some(entry);
    let is_at_it = DISCARDED.with_borrow_mut(|discarded| match discarded {
        Some(discarded) => {
            discarded.extend(next.take());
            true
        }
        None => {
            *discarded = Some(Vec::new());
            false
        }
    });
    if is_at_it {
        return;
    }
    while let Some(entry) = next.take() {
        // A service is dropped with code of a user's.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(entry)));
        next = DISCARDED.with_borrow_mut(|discarded| discarded.as_mut().and_then(Vec::pop));
    }
    DISCARDED.set(None);
}
