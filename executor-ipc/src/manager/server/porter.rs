//! [`Porter`]: lets clients in.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread::{Builder, Scope};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::net::SendFlags;

use super::guest;
use super::hall::{Hall, Ref, Role};
use crate::manager::auth::{self, AuthKey};
use crate::manager::door::{self, Knock, Listening, Visitor};
use crate::manager::stream::{Stream, wait};
use crate::manager::wire::Refusal;

/// How long a listener is left alone that cannot accept, for want of descriptors most likely.
const PAUSE: Duration = Duration::from_millis(50);

/// Who comes in, and what it must do first.
#[derive(Clone, Debug)]
enum Comer {
    /// Whoever has a handle of the manager.
    Near,
    /// One of the services.
    Service,
    /// By a listener, and proves that it has the key.
    Far(AuthKey),
}

/// The server's ends of two doors.
#[derive(Debug)]
pub(super) struct Doors {
    /// That of the clients. Without any, the server ends.
    pub(super) clients: Arc<OwnedFd>,
    /// That of its own services.
    pub(super) services: Arc<OwnedFd>,
}

/// The thread that polls.
#[derive(Debug)]
pub(super) struct Porter {
    hall: Arc<Hall>,
    listeners: Vec<Listener>,
    holds: Vec<(OwnedFd, Ref)>,
    /// To the thread that drops references whose hold has ended. It starts with the first one.
    ended: Option<Sender<Ref>>,
    /// Until then, listeners are left alone.
    paused: Option<Instant>,
}

#[derive(Debug)]
struct Listener {
    socket: OwnedFd,
    key: AuthKey,
    path: Option<PathBuf>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            // Somebody may have deleted it.
            let _ = std::fs::remove_file(path);
        }
    }
}

impl Porter {
    pub(super) fn new(hall: Arc<Hall>) -> Porter {
        Porter { hall, listeners: Vec::new(), holds: Vec::new(), ended: None, paused: None }
    }

    /// Lets clients in until nobody has the other end of their door.
    pub(super) fn serve<'s>(&mut self, doors: &Doors, threads: &'s Scope<'s, '_>) {
        loop {
            self.paused = self.paused.filter(|&until| Instant::now() < until);
            let listening = if self.paused.is_none() { PollFlags::IN } else { PollFlags::empty() };
            let mut polled =
                vec![PollFd::new(&doors.clients, PollFlags::IN), PollFd::new(&doors.services, PollFlags::IN)];
            polled.extend(self.listeners.iter().map(|listener| PollFd::new(&listener.socket, listening)));
            polled.extend(self.holds.iter().map(|(hold, _)| PollFd::new(hold, PollFlags::RDHUP)));
            if wait(&mut polled, self.paused).is_err() {
                // Only a fault of the system or of ours ends it here; clients see the end.
                return;
            }
            let happened: Vec<bool> = polled.iter().map(|descriptor| !descriptor.revents().is_empty()).collect();
            let (listeners, holds) = happened[2..].split_at(self.listeners.len());
            // Of holds and listeners that were polled, before further ones come.
            let mut ended = holds.iter();
            let has_ended = |_: &mut (OwnedFd, Ref)| ended.next().is_some_and(|&ended| ended);
            for (_, reference) in self.holds.extract_if(.., has_ended).collect::<Vec<_>>() {
                self.release(reference, threads);
            }
            for place in (0..listeners.len()).filter(|&place| listeners[place]) {
                self.accept(place, threads);
            }
            if happened[1] {
                self.open(&doors.services, &Comer::Service, threads);
            }
            if happened[0] && !self.open(&doors.clients, &Comer::Near, threads) {
                return;
            }
        }
    }

    /// Lets in whoever stands at a door; false if nobody will any more.
    fn open<'s>(&mut self, door: &OwnedFd, comer: &Comer, threads: &'s Scope<'s, '_>) -> bool {
        loop {
            match door::answer(door) {
                Visitor::Knocked(Knock::Connection, socket) => {
                    self.admit(Stream::from(socket), comer.clone(), threads);
                }
                Visitor::Knocked(Knock::Hold(object), socket) => self.hold(object, socket),
                Visitor::Knocked(Knock::Listener(Listening { key, path }), socket) => match AuthKey::new(key) {
                    Ok(key) => self.listeners.push(Listener { socket, key, path }),
                    Err(error) => self.hall.note_refusal(error.to_string()),
                },
                Visitor::Unclear => self.hall.note_refusal("a local client was lost: no descriptor came of it".into()),
                Visitor::Nobody => return true,
                Visitor::Never => return false,
            }
        }
    }

    /// Refers to an object as long as somebody has the other end of the socket.
    fn hold(&mut self, object: u64, socket: OwnedFd) {
        if let Ok(reference) = self.hall.refer(object) {
            // The client waits for it, unless it is gone.
            let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
            if rustix::net::send(&socket, &[1], flags).is_ok() {
                self.holds.push((socket, reference));
            }
        }
    }

    /// Has another thread drop a reference: a service may go with it, whose `Drop` may take its time, or come to the door and wait for this one.
    fn release<'s>(&mut self, reference: Ref, threads: &'s Scope<'s, '_>) {
        let ended = self.ended.get_or_insert_with(|| {
            let (ended, references) = mpsc::channel();
            // Where the system has no thread for it, nobody receives, and what was sent is dropped here.
            let _ = Builder::new().name("manager-release".into()).spawn_scoped(threads, || {
                references.into_iter().for_each(drop::<Ref>);
            });
            ended
        });
        let _ = ended.send(reference);
    }

    fn accept<'s>(&mut self, place: usize, threads: &'s Scope<'s, '_>) {
        let listener = &self.listeners[place];
        let flags = rustix::net::SocketFlags::CLOEXEC;
        match rustix::net::accept_with(&listener.socket, flags) {
            Ok(socket) => {
                auth::prepare(&socket);
                let key = listener.key.clone();
                self.admit(Stream::from(socket), Comer::Far(key), threads);
            }
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR | rustix::io::Errno::CONNABORTED) => {}
            Err(error) => {
                self.hall.note_refusal(format!("a connection cannot be accepted: {error}"));
                self.paused = Some(Instant::now() + PAUSE);
            }
        }
    }

    /// Gives a connection its thread.
    fn admit<'s>(&self, stream: Stream, comer: Comer, threads: &'s Scope<'s, '_>) {
        let stream = Arc::new(stream);
        let is_far = matches!(comer, Comer::Far(_));
        let mut seat = match self.hall.seat(&stream, is_far) {
            Ok(seat) => seat,
            Err(why) if is_far => {
                // A remote peer is told nothing before it has proved who it is, but that it is too much.
                auth::turn_away(&stream);
                return self.hall.note_refusal(format!("a connection was refused: {why}"));
            }
            Err(why) => return guest::refuse(&self.hall, &stream, why),
        };
        let (hall, for_thread) = (Arc::clone(&self.hall), Arc::clone(&stream));
        let serve = move || {
            let role = if let Comer::Service = comer { Role::Service } else { Role::Client };
            let mut deadline = None;
            if let Comer::Far(key) = comer {
                let end = Instant::now() + hall.limits.handshake_timeout;
                if let Err(error) = auth::challenge(&for_thread, &key, end) {
                    for_thread.shut_down();
                    return hall.note_refusal(format!("a peer was refused: {error}"));
                }
                deadline = Some(end);
            }
            seat.settle();
            guest::serve(&hall, &for_thread, seat, role, deadline);
        };
        if Builder::new().name("manager-guest".into()).spawn_scoped(threads, serve).is_err() {
            guest::refuse(&self.hall, &stream, Refusal::Exhausted);
        }
    }
}
