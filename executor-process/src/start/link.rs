//! [`Link`]: a connection between processes of a pool, over which messages and descriptors go.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::sys::socket::{AddressFamily, Shutdown, SockFlag, SockType, shutdown, socketpair};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::sys;

/// The longest message, in bytes. Orders carry a name, a directory and, with `Fork`, an environment; a socket takes
/// messages of about 200 KiB by default.
const MESSAGE_BYTES_MAX: usize = 128 * 1024;

/// One end of a connection. It never waits: what the socket has no room for is kept and sent by [`flush`](Link::flush).
#[derive(Debug)]
pub(crate) struct Link {
    socket: OwnedFd,
    kept: VecDeque<(Vec<u8>, Vec<OwnedFd>)>,
    /// Where messages arrive; made with the first.
    buffer: Vec<u8>,
}

/// What there was to receive.
#[derive(Debug)]
pub(crate) enum Received<M> {
    /// A message, and the descriptors that came with it.
    Message(M, Vec<OwnedFd>),
    /// Nothing yet.
    Nothing,
    /// The other end is closed, and all it sent was received.
    Closed,
}

impl Link {
    /// Both ends of a new connection.
    pub(crate) fn pair() -> io::Result<(Link, Link)> {
        let (one, other) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?;
        Ok((Link::from_fd(one), Link::from_fd(other)))
    }

    /// The end of a connection that came from elsewhere.
    pub(crate) fn from_fd(socket: OwnedFd) -> Link {
        Link { socket, kept: VecDeque::new(), buffer: Vec::new() }
    }

    /// The end of the connection, to send it elsewhere.
    pub(crate) fn into_fd(self) -> OwnedFd {
        self.socket
    }

    /// Sends a message with descriptors, or keeps it until there is room.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::BrokenPipe`] if the other end is closed; [`io::ErrorKind::InvalidInput`] if the message is too
    /// long.
    pub(crate) fn send<M: Serialize>(&mut self, message: &M, fds: Vec<OwnedFd>) -> io::Result<()> {
        let bytes = postcard::to_stdvec(message).map_err(io::Error::other)?;
        if bytes.len() > MESSAGE_BYTES_MAX {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!(
                    "what a worker is to start with takes {} bytes, and {MESSAGE_BYTES_MAX} are the most; use \
                     a shorter environment",
                    bytes.len()
                ),
            ));
        }
        self.kept.push_back((bytes, fds));
        self.flush()
    }

    /// Sends what was kept, as far as there is room. A message that cannot be sent at all is dropped with the error.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        while let Some((bytes, fds)) = self.kept.pop_front() {
            match sys::send(&self.socket, &bytes, &fds) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.kept.push_front((bytes, fds));
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// True if something is kept, so that it is of use to know when there is room.
    pub(crate) fn is_full(&self) -> bool {
        !self.kept.is_empty()
    }

    /// Receives what is there.
    ///
    /// # Errors
    ///
    /// Whatever leaves the connection without meaning; it is to be closed then.
    pub(crate) fn receive<M: DeserializeOwned>(&mut self) -> io::Result<Received<M>> {
        self.buffer.resize(MESSAGE_BYTES_MAX, 0);
        match sys::receive(&self.socket, &mut self.buffer) {
            Ok((0, _)) => Ok(Received::Closed),
            Ok((length, fds)) => {
                let message = postcard::from_bytes(&self.buffer[..length])
                    .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
                Ok(Received::Message(message, fds))
            }
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock => Ok(Received::Nothing),
                io::ErrorKind::ConnectionReset => Ok(Received::Closed),
                _ => Err(error),
            },
        }
    }

    /// Closes the connection for both ends, also where a copy of this end is open in another process.
    pub(crate) fn shut(&self) {
        // It fails only where the other end is gone, and then there is nothing to close.
        let _ = shutdown(self.socket.as_raw_fd(), Shutdown::Both);
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Read, Write};
    use std::os::fd::OwnedFd;

    use super::{Link, Received};

    fn next(link: &mut Link) -> Option<(String, Vec<OwnedFd>)> {
        match link.receive::<String>().unwrap() {
            Received::Message(text, fds) => Some((text, fds)),
            Received::Nothing | Received::Closed => None,
        }
    }

    #[test]
    fn messages_arrive_whole_and_in_order_with_their_descriptors() {
        let (mut one, mut other) = Link::pair().unwrap();
        let (mut reader, writer) = io::pipe().unwrap();
        one.send(&"first", vec![writer.into()]).unwrap();
        one.send(&"second", Vec::new()).unwrap();
        let (text, mut fds) = next(&mut other).unwrap();
        assert_eq!((text.as_str(), fds.len()), ("first", 1));
        std::fs::File::from(fds.remove(0)).write_all(b"through").unwrap();
        let (text, fds) = next(&mut other).unwrap();
        assert_eq!((text.as_str(), fds.len()), ("second", 0));
        assert!(next(&mut other).is_none());
        let mut read = String::new();
        reader.read_to_string(&mut read).unwrap();
        assert_eq!(read, "through");
    }

    #[test]
    fn what_has_no_room_is_kept_and_lost_never() {
        let (mut one, mut other) = Link::pair().unwrap();
        for number in 0..2000 {
            one.send(&number.to_string(), Vec::new()).unwrap();
        }
        assert!(one.is_full());
        for number in 0..2000 {
            let (text, _) = loop {
                match next(&mut other) {
                    Some(message) => break message,
                    None => one.flush().unwrap(),
                }
            };
            assert_eq!(text, number.to_string());
        }
        assert!(!one.is_full());
    }

    #[test]
    fn the_end_comes_after_the_last_message() {
        let (mut one, mut other) = Link::pair().unwrap();
        one.send(&"last", Vec::new()).unwrap();
        let copy = one.socket.try_clone().unwrap();
        one.shut();
        assert_eq!(next(&mut other).unwrap().0, "last");
        assert!(matches!(other.receive::<String>().unwrap(), Received::Closed));
        let refused = other.send(&"answer", Vec::new()).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::BrokenPipe);
        drop(copy);
    }

    #[test]
    fn a_message_of_any_bytes_is_an_error_and_no_more() {
        let (one, mut other) = Link::pair().unwrap();
        crate::sys::send(&one, &[0xff; 40], &[]).unwrap();
        assert_eq!(other.receive::<String>().unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn a_message_that_is_too_long_is_refused() {
        let (mut one, _other) = Link::pair().unwrap();
        let refused = one.send(&"x".repeat(200_000), Vec::new()).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
    }
}
