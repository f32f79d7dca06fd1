//! [`Stream`]: a connected socket, of whatever family.

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, retry_on_intr};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, Shutdown, SocketFlags, SocketType, recv, send, shutdown, socketpair,
};

/// It blocks, and has no time limits of its own: whoever has one waits first.
#[derive(Debug)]
pub(crate) struct Stream(OwnedFd);

impl Stream {
    /// Both ends of a connection.
    pub(crate) fn pair() -> io::Result<(Stream, Stream)> {
        let (one, other) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        Ok((Stream(one), Stream(other)))
    }

    /// Waits for bytes; 0 are the end.
    pub(crate) fn receive(&self, room: &mut [u8]) -> io::Result<usize> {
        match retry_on_intr(|| recv(&self.0, &mut *room, RecvFlags::empty())) {
            Ok((bytes, _)) => Ok(bytes),
            // The peer ended without having read all.
            Err(Errno::CONNRESET) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    /// The bytes that are there; `WouldBlock` if none are.
    pub(crate) fn receive_now(&self, room: &mut [u8]) -> io::Result<usize> {
        let (bytes, _) = retry_on_intr(|| recv(&self.0, &mut *room, RecvFlags::DONTWAIT))?;
        Ok(bytes)
    }

    /// Waits until all bytes are on their way.
    pub(crate) fn send_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let sent = retry_on_intr(|| send(&self.0, bytes, SendFlags::NOSIGNAL))?;
            bytes = &bytes[sent..];
        }
        Ok(())
    }

    /// Sends what there is room for; `WouldBlock` if there is none.
    pub(crate) fn send_now(&self, bytes: &[u8]) -> io::Result<usize> {
        Ok(retry_on_intr(|| send(&self.0, bytes, SendFlags::NOSIGNAL | SendFlags::DONTWAIT))?)
    }

    /// Fills the whole of `room`, until `deadline` at the latest.
    pub(crate) fn receive_exact(&self, mut room: &mut [u8], deadline: Instant) -> io::Result<()> {
        while !room.is_empty() {
            self.wait_readable(Some(deadline))?;
            match self.receive_now(room) {
                Ok(0) => return Err(io::Error::new(ErrorKind::UnexpectedEof, "the peer has closed the connection")),
                Ok(bytes) => room = &mut room[bytes..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Waits until there is something to read, an end too.
    pub(crate) fn wait_readable(&self, deadline: Option<Instant>) -> io::Result<()> {
        let mut descriptors = [PollFd::new(&self.0, PollFlags::IN)];
        if wait(&mut descriptors, deadline)? { Ok(()) } else { Err(timed_out()) }
    }

    /// Waits until there is something to read or room to write.
    pub(crate) fn wait_either(&self) -> io::Result<()> {
        let mut descriptors = [PollFd::new(&self.0, PollFlags::IN | PollFlags::OUT)];
        wait(&mut descriptors, None).map(drop)
    }

    /// Ends both directions, for whoever waits on either side too.
    pub(crate) fn shut_down(&self) {
        // It fails if the peer has done so before.
        let _ = shutdown(&self.0, Shutdown::Both);
    }

    pub(crate) fn into_descriptor(self) -> OwnedFd {
        self.0
    }
}

impl From<OwnedFd> for Stream {
    fn from(socket: OwnedFd) -> Self {
        Stream(socket)
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Polls until something happens, which is true, or the deadline has come.
pub(crate) fn wait(descriptors: &mut [PollFd<'_>], deadline: Option<Instant>) -> io::Result<bool> {
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        match poll(descriptors, left.map(timespec).as_ref()) {
            Ok(0) if left.is_some_and(|left| left.is_zero()) => return Ok(false),
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => return Ok(true),
            Err(error) => return Err(error.into()),
        }
    }
}

fn timespec(duration: Duration) -> Timespec {
    // A limit that the system cannot express is none that anybody sees the end of.
    let seconds = i64::try_from(duration.as_secs()).unwrap_or(i64::MAX).min(1 << 40);
    Timespec { tv_sec: seconds, tv_nsec: duration.subsec_nanos().into() }
}

fn timed_out() -> io::Error {
    io::Error::new(ErrorKind::TimedOut, "the peer said nothing for too long")
}
