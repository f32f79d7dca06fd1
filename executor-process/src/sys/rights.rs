#![expect(unsafe_code, reason = "descriptors that arrive in a message are numbers until somebody owns them")]
//! One message with descriptors, over a socket.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, UnixAddr, recvmsg, sendmsg};

/// How many descriptors the system lets travel with one message: `SCM_MAX_FD` of Linux.
pub(crate) const FDS_MAX: usize = 253;

/// Sends `bytes` as one message, with `fds`, and does not wait for room: that is [`io::ErrorKind::WouldBlock`].
pub(crate) fn send(socket: impl AsFd, bytes: &[u8], fds: &[OwnedFd]) -> io::Result<()> {
    let numbers: Vec<RawFd> = fds.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&numbers)];
    let control = if numbers.is_empty() { &[][..] } else { &rights[..] };
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
    loop {
        match sendmsg::<UnixAddr>(socket.as_fd().as_raw_fd(), &[IoSlice::new(bytes)], control, flags, None) {
            Ok(_) => return Ok(()),
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Receives one message and its descriptors, and does not wait for one. Gives its length; 0 is the end of the
/// connection.
///
/// # Errors
///
/// A message that is longer than `buffer` is [`io::ErrorKind::InvalidData`], as is one whose descriptors this process
/// has no room for.
pub(crate) fn receive(socket: impl AsFd, buffer: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut control = nix::cmsg_space!([RawFd; FDS_MAX]);
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_CMSG_CLOEXEC;
    let mut slices = [IoSliceMut::new(buffer)];
    let message = loop {
        match recvmsg::<UnixAddr>(socket.as_fd().as_raw_fd(), &mut slices, Some(&mut control), flags) {
            Ok(message) => break message,
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    };
    let mut fds = Vec::new();
    let control = message.cmsgs().map_err(|_| {
        io::Error::new(io::ErrorKind::InvalidData, "this process has no room for the descriptors of a message")
    })?;
    for part in control {
        if let ControlMessageOwned::ScmRights(numbers) = part {
            for number in numbers {
                // SAFETY: the system has just made this descriptor for us with the message, and nobody else knows it.
                fds.push(unsafe { OwnedFd::from_raw_fd(number) });
            }
        }
    }
    if message.flags.contains(MsgFlags::MSG_TRUNC) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a message is longer than any that is sent here"));
    }
    Ok((message.bytes, fds))
}
