//! [`PortReader`] and [`PortWriter`]: the worker's end of a lane.
//!
//! Both block, and so they have two rules to keep. The worker flushes before it blocks in a read, since the owner may
//! wait for what it has not told. And it flushes when the writer says that it is full, since what the journal has no room
//! for goes with the worker if the next job takes it away. The owner never blocks, so neither does a worker for ever.
//!
//! The halves are apart, so that a thread that watches for orders to stop can have the one, and several threads can share the
//! other behind a lock.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::wire::head::HEAD_BYTES;
use crate::wire::incoming::Then;
use crate::wire::order::Orders;
use crate::wire::outgoing::{Outgoing, Written, widen};
use crate::wire::report::{OUTPUT, Outcome, done_head, put_progress, put_ready};
use crate::wire::{ErrorKind, FRAME_BYTES_MIN, FrameError, Journal, Order, Place, Text, VERSION, agreed_frame_bytes};

/// From so many bytes on the writer wants to be flushed: fewer calls than this saves cost nothing any more.
const FLUSH_BYTES: usize = 64 << 10;

/// How long the worker waits before it tries again to send descriptors, where the system has too many on their way. Nothing
/// tells when some have arrived; owners take theirs within microseconds.
const FULL_WAIT: Duration = Duration::from_millis(1);

/// The two halves of a worker's end.
///
/// # Errors
///
/// Those of the system.
pub(crate) fn open_port(
    socket: UnixStream,
    journal: Journal,
    frame_bytes_max: u64,
) -> io::Result<(PortReader, PortWriter)> {
    socket.set_nonblocking(false)?;
    widen(&socket);
    let frame_bytes_max = agreed_frame_bytes(frame_bytes_max);
    let socket = Arc::new(socket);
    let reader = PortReader { socket: Arc::clone(&socket), orders: Orders::new(frame_bytes_max) };
    let outgoing = Outgoing::default();
    Ok((reader, PortWriter { socket, outgoing, journal, is_unkept: false, open: None, frame_bytes_max }))
}

/// What the owner says.
#[derive(Debug)]
pub(crate) struct PortReader {
    socket: Arc<UnixStream>,
    orders: Orders,
}

impl PortReader {
    /// Refuses frames that are longer from now on: a setup has said so.
    pub(crate) fn set_frame_bytes_max(&mut self, frame_bytes_max: u64) {
        self.orders.incoming.set_frame_bytes_max(agreed_frame_bytes(frame_bytes_max));
    }

    /// The next order of those that were read; `None` if it is time to flush and to [`fill`](PortReader::fill).
    ///
    /// # Errors
    ///
    /// If the owner told nonsense. The worker can only end then.
    #[inline]
    pub(crate) fn next(&mut self) -> Result<Option<Order<'_>>, FrameError> {
        self.orders.next()
    }

    /// Waits for the owner, and reads what it has said. False if it says nothing any more.
    ///
    /// # Errors
    ///
    /// Those of the socket.
    pub(crate) fn fill(&mut self) -> io::Result<bool> {
        let Orders { incoming, descriptors, .. } = &mut self.orders;
        match descriptors.fill(incoming, &self.socket, usize::MAX) {
            Ok(filled) => Ok(filled.then != Then::End),
            // The owner died with reports unread.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// From this length on an output takes the longer way.
const SHORT_BYTES: usize = 16;

/// The prefix of an output shorter than that, which is one byte.
#[inline]
fn output_prefix(bytes: usize) -> u8 {
    (bytes << 3) as u8 | OUTPUT
}

/// A frame of outcomes that still grows.
#[derive(Debug)]
struct OpenDone {
    /// Where its head is in the buffer.
    at: usize,
    place: Place,
    first: u16,
    outcomes: u16,
    body_bytes: u64,
    busy_ns: u32,
}

/// What the worker tells. Everything waits until a flush.
#[derive(Debug)]
pub(crate) struct PortWriter {
    socket: Arc<UnixStream>,
    outgoing: Outgoing,
    /// What waits, where the owner finds it if this process dies.
    journal: Journal,
    /// The journal has not all of it.
    is_unkept: bool,
    open: Option<OpenDone>,
    frame_bytes_max: u64,
}

impl PortWriter {
    /// Puts no more into one frame from now on: a setup has said so.
    pub(crate) fn set_frame_bytes_max(&mut self, frame_bytes_max: u64) {
        self.frame_bytes_max = agreed_frame_bytes(frame_bytes_max);
    }

    /// Tells that the worker has read the setup, and what came of the initializer.
    pub(crate) fn ready(&mut self, digest: u128, failure: Option<&str>) {
        self.close(false);
        put_ready(&mut self.outgoing, std::process::id(), VERSION, digest, failure);
    }

    /// Tells what came of an item, after [`Page::leave`](crate::wire::Page::leave). Items of a frame are told in their
    /// order. `busy_ns` is how long the item took, or 0.
    pub(crate) fn outcome(&mut self, place: Place, item: u16, outcome: Outcome<'_>, busy_ns: u64) {
        let bytes = outcome.bytes();
        if bytes > self.frame_bytes_max {
            return self.outcome(place, item, self.shortened(outcome), busy_ns);
        }
        self.make_room(place, item, bytes, busy_ns);
        let before = self.outgoing.buffer().len();
        // No descriptor can be put into the journal, and so it is sent at once.
        let can_be_kept = !outcome.has_attachments();
        outcome.put(&mut self.outgoing);
        let piece = &self.outgoing.buffer()[before..];
        // A large output is not in the buffer; it is sent at once too.
        let is_whole = piece.len() as u64 == bytes;
        self.is_unkept |= !can_be_kept || !is_whole || !self.journal.add(&[], piece);
    }

    /// As [`outcome`](PortWriter::outcome), for an output that the job does not call a failure, and that has nothing beside its
    /// bytes: nearly all are.
    #[inline]
    pub(crate) fn output(&mut self, place: Place, item: u16, bytes: &[u8], busy_ns: u64) {
        if bytes.len() >= SHORT_BYTES {
            let outcome = Outcome::Output { failed: false, bytes: bytes.into(), attachments: None };
            return self.outcome(place, item, outcome, busy_ns);
        }
        // Every limit is longer than that.
        self.make_room(place, item, 1 + bytes.len() as u64, busy_ns);
        let prefix = output_prefix(bytes.len());
        let buffer = self.outgoing.buffer();
        buffer.reserve(1 + SHORT_BYTES);
        buffer.push(prefix);
        // Byte by byte: a job has just written most of these so, and a read of several at once would wait for all of them.
        bytes.iter().for_each(|&byte| buffer.push(byte));
        self.is_unkept |= !self.journal.add(&[prefix], bytes);
    }

    /// Sees to it that the open frame is one that an outcome of so many bytes can go into, and counts it.
    #[inline]
    fn make_room(&mut self, place: Place, item: u16, bytes: u64, busy_ns: u64) {
        let follows = |open: &OpenDone| {
            open.place == place
                && open.first.checked_add(open.outcomes) == Some(item)
                && open.body_bytes.saturating_add(bytes) <= self.frame_bytes_max
        };
        if !self.open.as_ref().is_some_and(follows) {
            self.close(false);
            self.begin(place, item);
        }
        if let Some(open) = &mut self.open {
            open.outcomes += 1;
            open.body_bytes += bytes;
            open.busy_ns = open.busy_ns.saturating_add(u32::try_from(busy_ns).unwrap_or(u32::MAX));
        }
    }

    /// Tells that the worker has passed a frame: it has ended its last item, or was refused the next. Every frame of jobs
    /// is passed, once, in order.
    #[inline]
    pub(crate) fn passed(&mut self, place: Place) {
        if self.open.as_ref().is_none_or(|open| open.place != place) {
            self.close(false);
            self.begin(place, 0);
        }
        self.close(true);
    }

    /// Tells how far a running item is.
    pub(crate) fn progress(&mut self, place: Place, item: u16, done: u64, total: u64) {
        self.close(false);
        put_progress(&mut self.outgoing, place, item, done, total);
    }

    /// True if so much waits that it had better be sent, before anything else runs.
    pub(crate) fn is_full(&self) -> bool {
        self.is_unkept || self.outgoing.waiting_bytes() >= FLUSH_BYTES
    }

    /// Sends what waits, and waits until it is sent.
    ///
    /// # Errors
    ///
    /// Those of the socket; that the owner is gone is one.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.close(false);
        while self.outgoing.write_to(self.socket.as_fd())? == Written::Some {
            // The socket blocks, so that it is not full: too many descriptors of this user are on their way.
            thread::sleep(FULL_WAIT);
        }
        self.journal.clear();
        self.is_unkept = false;
        Ok(())
    }

    /// All that waits, in order.
    #[cfg(all(test, not(executor_loom)))]
    pub(crate) fn take_bytes(&mut self) -> Vec<u8> {
        self.close(false);
        self.outgoing.to_bytes()
    }

    /// The socket, to write to it by hand.
    #[cfg(all(test, not(executor_loom)))]
    pub(crate) fn socket(&self) -> &UnixStream {
        &self.socket
    }

    /// As much of an outcome as can be said where no frame can hold it.
    #[cold]
    fn shortened(&self, outcome: Outcome<'_>) -> Outcome<'static> {
        let error = FrameError::TooLong { bytes: outcome.bytes(), limit: self.frame_bytes_max };
        match outcome {
            Outcome::Panicked { message, location } => {
                Outcome::Panicked { message: cut(&message), location: location.map(|text| cut(&text)) }
            }
            Outcome::Error { kind, what, cause } => Outcome::Error { kind, what: cut(&what), cause: cut(&cause) },
            Outcome::Output { .. } | Outcome::RunLimit => {
                Outcome::Error { kind: ErrorKind::Encode, what: "".into(), cause: error.to_string().into() }
            }
        }
    }

    /// Begins a frame of outcomes, whose head is written when it is closed.
    fn begin(&mut self, place: Place, first: u16) {
        let buffer = self.outgoing.buffer();
        let at = buffer.len();
        buffer.extend_from_slice(&[0; HEAD_BYTES]);
        self.open = Some(OpenDone { at, place, first, outcomes: 0, body_bytes: 0, busy_ns: 0 });
        self.is_unkept |= !self.journal.begin(done_head(place, first, 0, 0, 0, false));
    }

    /// Closes the frame of outcomes that is open, if one is.
    fn close(&mut self, passed: bool) {
        if let Some(OpenDone { at, place, first, outcomes, body_bytes, busy_ns }) = self.open.take() {
            let head = done_head(place, first, outcomes, body_bytes, busy_ns, passed);
            // Nothing is taken out of the buffer while a frame is open, so its head is where it was.
            self.outgoing.buffer()[at..at + HEAD_BYTES].copy_from_slice(&head.to_bytes());
            // Where the journal does not have all of it, what it has stays open, and ends where it ends.
            if !self.is_unkept {
                self.journal.close(head);
            }
        }
    }
}

/// The beginning of a text, of which two always fit a frame.
fn cut(text: &str) -> Text<'static> {
    const BYTES: usize = FRAME_BYTES_MIN as usize / 4;
    if text.len() <= BYTES {
        return Text::Owned(text.to_owned());
    }
    Text::Owned(format!("{} …", &text[..text.floor_char_boundary(BYTES)]))
}
