//! [`Outgoing`]: bytes that wait to be written.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use executor_ipc::attach::Attachments;
use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg, setsockopt, sockopt};

use crate::wire::Payload;
use crate::wire::piece::{prefix_bytes, put_prefix};

/// From this length on bytes are written from where they are; shorter ones are copied into the buffer. At 16 KiB a copy
/// costs about a microsecond, and an entry of its own in a gathered write is not free either.
pub(crate) const SHARE_BYTES: usize = 16 << 10;

/// How many parts one gathered write has at most. Linux takes 1024; with 32 an array of them stays small.
const PARTS: usize = 32;

/// How much a socket is asked to hold. With the default of Linux, 208 KiB, a large body is passed on in hundreds of small
/// portions, each with a wake of the other side; beyond this little more is gained.
const SOCKET_BYTES: usize = 1 << 20;

/// Makes the socket hold more at once, as far as the system lets it.
pub(crate) fn widen(socket: &UnixStream) {
    // One that stays narrow is slower, and no less right.
    let _ = setsockopt(socket, sockopt::SndBuf, &SOCKET_BYTES);
}

/// The bytes of an argument or an output, on their way out.
#[derive(Clone, Debug)]
pub(crate) enum Bytes<'a> {
    /// They are copied.
    Copied(&'a [u8]),
    /// They are written from where they are, if they are many, and kept until then.
    Shared(Arc<Vec<u8>>),
}

impl Bytes<'_> {
    #[inline]
    pub(crate) fn as_slice(&self) -> &[u8] {
        match self {
            Bytes::Copied(bytes) => bytes,
            Bytes::Shared(bytes) => bytes,
        }
    }
}

impl<'a> From<&'a [u8]> for Bytes<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Bytes::Copied(bytes)
    }
}

impl<'a> From<&'a Arc<Vec<u8>>> for Bytes<'a> {
    /// Few bytes are borrowed to be copied, and many are shared.
    fn from(bytes: &'a Arc<Vec<u8>>) -> Self {
        if bytes.len() < SHARE_BYTES { Bytes::Copied(bytes) } else { Bytes::Shared(Arc::clone(bytes)) }
    }
}

impl From<Vec<u8>> for Bytes<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::Shared(Arc::new(bytes))
    }
}

impl<'a> From<Payload<'a>> for Bytes<'a> {
    fn from(bytes: Payload<'a>) -> Self {
        match bytes {
            Payload::Borrowed(bytes) => bytes.into(),
            Payload::Owned(bytes) => bytes.into(),
        }
    }
}

/// Bytes that are written between two of the buffer.
#[derive(Debug)]
struct Insert {
    /// Before which byte of the buffer.
    at: usize,
    body: Arc<Vec<u8>>,
}

/// Descriptors that go with a byte of the buffer.
#[derive(Debug)]
struct Rights {
    /// With which byte.
    at: usize,
    attachments: Attachments,
}

/// Whether a write came to its end.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// Nothing waits any more.
    All,
    /// The socket is full.
    Some,
}

/// Frames that wait to be written: small bytes in one buffer, large ones where they are, in one row.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    buffer: Vec<u8>,
    /// How much of the buffer is written.
    sent: usize,
    inserts: VecDeque<Insert>,
    /// How much of the first insert is written.
    insert_sent: usize,
    /// Those of one item go with one write, in the order of their bytes.
    rights: VecDeque<Rights>,
}

impl Outgoing {
    pub(crate) fn is_empty(&self) -> bool {
        self.sent == self.buffer.len() && self.inserts.is_empty()
    }

    /// How many bytes wait.
    pub(crate) fn waiting_bytes(&self) -> usize {
        let inserts: usize = self.inserts.iter().map(|insert| insert.body.len()).sum();
        self.buffer.len() - self.sent + inserts - self.insert_sent
    }

    /// The buffer, to append to it. What was in it before stays.
    #[inline]
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// All that waits, in order.
    #[cfg(all(test, not(executor_loom)))]
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let (mut bytes, mut from, mut insert_from) = (Vec::new(), self.sent, self.insert_sent);
        for insert in &self.inserts {
            bytes.extend_from_slice(&self.buffer[from..insert.at]);
            bytes.extend_from_slice(&insert.body[insert_from..]);
            (from, insert_from) = (insert.at, 0);
        }
        bytes.extend_from_slice(&self.buffer[from..]);
        bytes
    }

    /// Appends a piece, and gives how long it is with its prefix.
    #[inline]
    pub(crate) fn put_piece(&mut self, kind: u8, bytes: Bytes<'_>) -> u64 {
        let length = bytes.as_slice().len();
        put_prefix(&mut self.buffer, kind, length as u64);
        match bytes {
            Bytes::Shared(body) if length >= SHARE_BYTES => {
                self.inserts.push_back(Insert { at: self.buffer.len(), body });
            }
            bytes => self.buffer.extend_from_slice(bytes.as_slice()),
        }
        (prefix_bytes(length as u64) + length) as u64
    }

    /// Has descriptors go with the byte that is appended to the buffer next.
    pub(crate) fn attach(&mut self, attachments: &Attachments) {
        self.rights.push_back(Rights { at: self.buffer.len(), attachments: attachments.clone() });
    }

    /// Forgets all that waits.
    pub(crate) fn clear(&mut self) {
        *self = Outgoing::default();
    }

    /// Writes as much as the socket takes; all of it, if the socket blocks. A peer that is gone is an error and no signal.
    ///
    /// # Errors
    ///
    /// Those of the socket. What was not written still waits.
    pub(crate) fn write_to(&mut self, socket: BorrowedFd<'_>) -> io::Result<Written> {
        // Whether the socket blocks or not, it is asked until nothing waits or it says that it is full.
        while !self.is_empty() {
            let mut parts = [IoSlice::new(&[]); PARTS];
            let (due, end) = self.due_rights();
            let count = self.parts(&mut parts, end);
            let numbers: Vec<RawFd> =
                due.map_or_else(Vec::new, |due| due.iter().map(|descriptor| descriptor.as_raw_fd()).collect());
            let control = [ControlMessage::ScmRights(&numbers)];
            let control = if numbers.is_empty() { &[][..] } else { &control[..] };
            match sendmsg::<()>(socket.as_raw_fd(), &parts[..count], control, MsgFlags::MSG_NOSIGNAL, None) {
                Ok(written) => {
                    if !numbers.is_empty() {
                        // They went with the first byte.
                        self.rights.pop_front();
                    }
                    self.advance(written);
                }
                // With the second, so many descriptors of this user are on their way that some must arrive first.
                Err(Errno::EAGAIN | Errno::ETOOMANYREFS) => {
                    self.compact();
                    return Ok(Written::Some);
                }
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Written::All)
    }

    /// The descriptors that go with the byte that is to be written next, if any do, and up to which byte of the buffer
    /// may be written with it: those of the byte behind need a write of their own.
    fn due_rights(&self) -> (Option<&Attachments>, usize) {
        let mut rights = self.rights.iter();
        let Some(first) = rights.next() else { return (None, self.buffer.len()) };
        let is_next = self.sent == first.at && self.inserts.front().is_none_or(|insert| insert.at > first.at);
        if !is_next {
            return (None, first.at);
        }
        (Some(&first.attachments), rights.next().map_or(self.buffer.len(), |second| second.at))
    }

    /// What is to be written next, in order, up to byte `end` of the buffer, as far as there is room for it in `parts`.
    fn parts<'a>(&'a self, parts: &mut [IoSlice<'a>; PARTS], end: usize) -> usize {
        let mut count = 0;
        let mut put = |bytes: &'a [u8]| {
            if !bytes.is_empty() && count < PARTS {
                parts[count] = IoSlice::new(bytes);
                count += 1;
            }
        };
        let (mut from, mut insert_from) = (self.sent, self.insert_sent);
        let mut inserts = self.inserts.iter().take_while(|insert| insert.at <= end);
        for insert in inserts.by_ref().take(PARTS) {
            put(&self.buffer[from..insert.at]);
            put(&insert.body[insert_from..]);
            (from, insert_from) = (insert.at, 0);
        }
        if inserts.next().is_none() {
            put(&self.buffer[from..end]);
        }
        count
    }

    /// Goes on by what was written. An insert that is written is let go.
    fn advance(&mut self, mut written: usize) {
        while let Some(insert) = self.inserts.front() {
            let before = (insert.at - self.sent).min(written);
            self.sent += before;
            written -= before;
            let inside = (insert.body.len() - self.insert_sent).min(written);
            if self.sent < insert.at {
                return;
            }
            self.insert_sent += inside;
            written -= inside;
            if self.insert_sent < insert.body.len() {
                return;
            }
            self.insert_sent = 0;
            self.inserts.pop_front();
        }
        self.sent += written;
        if self.sent == self.buffer.len() {
            self.buffer.clear();
            self.sent = 0;
        }
    }

    /// Gives back what is written at the front of the buffer, once it is the greater part.
    fn compact(&mut self) {
        if self.sent >= SHARE_BYTES && self.sent > self.buffer.len() / 2 {
            self.buffer.drain(..self.sent);
            for insert in &mut self.inserts {
                insert.at -= self.sent;
            }
            for rights in &mut self.rights {
                rights.at -= self.sent;
            }
            self.sent = 0;
        }
    }
}

#[cfg(all(test, not(executor_loom)))]
mod tests {
    use std::io::Read;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    use super::*;
    use crate::wire::tests::{Dice, narrow};

    #[test]
    fn what_is_written_in_parts_arrives_in_order() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        narrow(&ours);
        ours.set_nonblocking(true).unwrap();
        let mut dice = Dice::new(7);
        let (mut outgoing, mut expected, mut got) = (Outgoing::default(), Vec::new(), Vec::new());
        for round in 0..400 {
            let length = if round % 3 == 0 { SHARE_BYTES - 2 + dice.below(30_000) } else { dice.below(300) };
            let body: Vec<u8> = (0..length).map(|_| dice.next() as u8).collect();
            put_prefix(&mut expected, 5, length as u64);
            expected.extend_from_slice(&body);
            let before = outgoing.waiting_bytes();
            let bytes = if round % 2 == 0 { Bytes::from(body.clone()) } else { Bytes::from(&body[..]) };
            let piece = outgoing.put_piece(5, bytes);
            assert_eq!((outgoing.waiting_bytes() - before) as u64, piece);
            if dice.below(4) == 0 {
                let _ = outgoing.write_to(ours.as_fd()).unwrap();
            }
            if dice.below(3) == 0 && got.len() + outgoing.waiting_bytes() < expected.len() {
                let mut some = vec![0; dice.below(20_000) + 1];
                let read = theirs.read(&mut some).unwrap();
                got.extend_from_slice(&some[..read]);
            }
        }
        while got.len() < expected.len() {
            let _ = outgoing.write_to(ours.as_fd()).unwrap();
            let mut some = [0; 4096];
            let read = theirs.read(&mut some).unwrap();
            got.extend_from_slice(&some[..read]);
        }
        assert!(outgoing.is_empty() && outgoing.waiting_bytes() == 0);
        assert!(got == expected);
    }

    #[test]
    fn a_shared_body_is_let_go_once_it_is_written() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let body = Arc::new(vec![1; 1 << 20]);
        let mut outgoing = Outgoing::default();
        let length = outgoing.put_piece(0, Bytes::from(&body));
        assert_eq!(Arc::strong_count(&body), 2);
        let mut left = length as usize;
        while left > 0 {
            let _ = outgoing.write_to(ours.as_fd()).unwrap();
            left -= theirs.read(&mut vec![0; 1 << 20]).unwrap();
        }
        assert!(outgoing.is_empty());
        assert_eq!(Arc::strong_count(&body), 1);
    }

    #[test]
    fn a_peer_that_is_gone_is_an_error() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        drop(theirs);
        let mut outgoing = Outgoing::default();
        outgoing.buffer().extend_from_slice(b"frame");
        let error = outgoing.write_to(ours.as_fd()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        assert!(!outgoing.is_empty());
        outgoing.clear();
        assert!(outgoing.is_empty());
    }
}
