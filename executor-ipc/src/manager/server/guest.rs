//! The thread of one connection.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use super::hall::{Hall, Role, Seat};
use super::line::Bell;
use super::session::Session;
use super::visit::{Loan, Visit};
use crate::encode::encode_behind;
use crate::manager::desk::{DESK, Desk};
use crate::manager::server::Object;
use crate::manager::stream::Stream;
use crate::manager::wire::{
    DONE, DONE_WITH, FAULT, Fault, Hello, Incoming, LENGTH_BYTES, Refusal, Request, VERSION, Welcome, begin_frame,
    end_frame, put_frame, put_references, read_request,
};

/// What a hello may have.
const HELLO_BYTES_MAX: u64 = 64;

/// Answers are sent when so many bytes of them wait, also if there are calls to answer yet: what a socket takes without a wait.
const FLUSH_BYTES: usize = 64 << 10;

/// Serves one client over one connection until either ends it. It may take until `deadline` to say who it is.
pub(super) fn serve(hall: &Arc<Hall>, stream: &Arc<Stream>, seat: Seat, role: Role, deadline: Option<Instant>) {
    let mut incoming = Incoming::new(HELLO_BYTES_MAX);
    if let Some(session) = welcome(hall, stream, &mut incoming, role, deadline) {
        incoming.set_frame_bytes_max(hall.limits.message_bytes_max);
        let mut guest = Guest { session, stream, outgoing: Vec::new(), bell: None, loan: None };
        guest.serve(&mut incoming);
    }
    // The peer sees the end now, and not when the last copy of the stream goes.
    stream.shut_down();
    drop(seat);
}

/// Sends somebody away, and says why.
pub(super) fn refuse(hall: &Hall, stream: &Stream, why: Refusal) {
    hall.note_refusal(format!("a connection was refused: {why}"));
    let mut buffer = Vec::new();
    if put_frame(&mut buffer, &Welcome::Refused(why)).is_ok() {
        // It is short, so that it does not wait; whoever is gone does not read it.
        let _ = stream.send_now(&buffer);
    }
}

/// Has the client join its session; `None` if there is none.
fn welcome(
    hall: &Arc<Hall>,
    stream: &Stream,
    incoming: &mut Incoming,
    role: Role,
    deadline: Option<Instant>,
) -> Option<Arc<Session>> {
    let garbage = || hall.note_refusal("a peer did not say what a client of a manager says first".into());
    let hello: Hello = loop {
        match incoming.next_frame() {
            Ok(Some(range)) => match postcard::from_bytes(incoming.bytes(range)) {
                Ok(hello) => break hello,
                Err(_) => {
                    garbage();
                    return None;
                }
            },
            Ok(None) => {}
            Err(_) => {
                garbage();
                return None;
            }
        }
        if deadline.is_some()
            && let Err(error) = stream.wait_readable(deadline)
        {
            hall.note_refusal(format!("a peer was refused: {error}"));
            return None;
        }
        // One that leaves before it has said anything has done no harm.
        if incoming.fill(|room| stream.receive(room)).ok()? == 0 {
            return None;
        }
    };
    if hello.version != VERSION {
        refuse(hall, stream, Refusal::Version { theirs: VERSION });
        return None;
    }
    let session = match hello.session {
        None => Session::begin(hall, role),
        Some((id, token)) => match hall.session(id, token) {
            Some(session) => session,
            None => {
                refuse(hall, stream, Refusal::SessionOver);
                return None;
            }
        },
    };
    let message_bytes_max = hall.limits.message_bytes_max;
    let joined = Welcome::Joined { session: (session.id, session.token), server: hall.identity, message_bytes_max };
    let mut buffer = Vec::new();
    put_frame(&mut buffer, &joined).ok()?;
    stream.send_all(&buffer).ok()?;
    Some(session)
}

/// What the thread has.
struct Guest<'a> {
    session: Arc<Session>,
    stream: &'a Stream,
    outgoing: Vec<u8>,
    bell: Option<Arc<Bell>>,
    loan: Option<Box<dyn Loan>>,
}

impl Guest<'_> {
    fn serve(&mut self, incoming: &mut Incoming) {
        loop {
            match incoming.next_frame() {
                Ok(Some(range)) => {
                    if self.answer(incoming.bytes(range)).is_none() {
                        return;
                    }
                    if self.outgoing.len() < FLUSH_BYTES {
                        continue;
                    }
                }
                Ok(None) => {}
                // Clients know the limit; this is something else, and there is no way on.
                Err(bytes) => {
                    self.session.hall.note_refusal(format!("a client sent a frame of {bytes} bytes, and was cut off"));
                    return;
                }
            }
            if !self.outgoing.is_empty() {
                if self.stream.send_all(&self.outgoing).is_err() {
                    return;
                }
                self.outgoing.clear();
                if self.outgoing.capacity() > 2 * FLUSH_BYTES {
                    self.outgoing = Vec::new();
                }
                continue;
            }
            if !matches!(incoming.fill(|room| self.stream.receive(room)), Ok(1..)) {
                return;
            }
        }
    }

    /// Does what a frame says; `None` ends the connection.
    fn answer(&mut self, frame: &[u8]) -> Option<()> {
        let request = read_request(frame);
        // Whatever comes behind an answer says that the answer has come.
        self.loan = None;
        match request {
            Some(Request::Call { object, arguments }) => return self.call(object, arguments),
            Some(Request::Release { object }) => self.session.release(object),
            Some(Request::Nod) => {}
            Some(Request::Unhold { hold }) => {
                // It may have been given back by a call whose answer was lost.
                if let Ok(hold) = self.session.unhold(hold) {
                    hold.give_back();
                }
            }
            None => {
                self.session.hall.note_refusal("a client sent what is no call, and was cut off".into());
                return None;
            }
        }
        Some(())
    }

    fn call(&mut self, object: u64, arguments: &[u8]) -> Option<()> {
        let begin = begin_frame(&mut self.outgoing, DONE);
        let session = Arc::clone(&self.session);
        let mut visit = Visit {
            session: &session,
            stream: self.stream,
            bell: &mut self.bell,
            outgoing: &mut self.outgoing,
            begin,
            granted: BTreeSet::new(),
            loan: &mut self.loan,
        };
        let call = || {
            if object == DESK { Desk.call(arguments, &mut visit) } else { call_object(object, arguments, &mut visit) }
        };
        let mut done = catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|payload| {
            let message = payload
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
                .or_else(|| payload.downcast_ref::<String>().cloned())
                .unwrap_or_else(|| "it has no message".to_owned());
            // A payload whose drop panics too is nobody's.
            let _ = catch_unwind(AssertUnwindSafe(|| drop(payload)));
            Err(Fault::Panicked { message })
        });
        let (begin, granted) = (visit.begin, std::mem::take(&mut visit.granted));
        if done.is_ok() && !granted.is_empty() {
            self.outgoing[begin + LENGTH_BYTES] = DONE_WITH;
            put_references(&mut self.outgoing, &granted);
        }
        let bytes = (self.outgoing.len() - begin - LENGTH_BYTES) as u64;
        let bytes_max = self.session.hall.limits.message_bytes_max;
        if done.is_ok() && bytes > bytes_max {
            done = Err(Fault::TooLarge { bytes, bytes_max });
        }
        if let Err(fault) = done {
            if let Some(loan) = self.loan.take() {
                loan.take_back();
            }
            granted.iter().for_each(|&object| self.session.release(object));
            if fault == Fault::Gone {
                return None;
            }
            self.outgoing.truncate(begin);
            begin_frame(&mut self.outgoing, FAULT);
            encode_behind(&mut self.outgoing, &fault).ok()?;
        }
        end_frame(&mut self.outgoing, begin);
        Some(())
    }
}

fn call_object(object: u64, arguments: &[u8], visit: &mut Visit<'_>) -> Result<(), Fault> {
    let hall = Arc::clone(visit.hall());
    hall.with(object, |object| object.call(arguments, visit))
}

/// Does what the frames among the bytes say, with a client that is gone, so that no call waits.
#[cfg(feature = "fuzzing")]
pub(crate) fn serve_bytes(hall: &Arc<Hall>, bytes: &[u8], portion: usize) {
    let Ok((stream, _)) = Stream::pair() else { return };
    let session = Session::begin(hall, Role::Client);
    let mut guest = Guest { session, stream: &stream, outgoing: Vec::new(), bell: None, loan: None };
    let mut incoming = Incoming::new(hall.limits.message_bytes_max);
    let mut rest = bytes;
    loop {
        loop {
            match incoming.next_frame() {
                Ok(Some(range)) => {
                    if guest.answer(incoming.bytes(range)).is_none() {
                        return;
                    }
                    guest.outgoing.clear();
                }
                Ok(None) => break,
                Err(_) => return,
            }
        }
        let mut next = &rest[..portion.min(rest.len())];
        let filled = incoming.fill(|room| std::io::Read::read(&mut next, room));
        rest = &rest[filled.unwrap_or(0)..];
        assert!(
            incoming.reserved_bytes() <= (64 << 10) + 4 * bytes.len(),
            "what is only claimed must not be allocated"
        );
        if rest.is_empty() && !incoming.has_frame() {
            return;
        }
    }
}

impl Drop for Guest<'_> {
    fn drop(&mut self) {
        if let Some(loan) = self.loan.take() {
            loan.take_back();
        }
    }
}
