//! One packet over a socket, with its descriptors.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::cmsg_space;
use rustix::io::{Errno, Result};
use rustix::net::sockopt::{set_socket_send_buffer_size, socket_domain, socket_type};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, getpeername, recvmsg, sendmsg, socketpair,
};

/// How many descriptors the system lets travel with one packet: `SCM_MAX_FD` of Linux.
pub(super) const FDS_MAX: usize = 253;

/// How much is on its way at once, as the kernel counts, in bytes: what Linux gives a socket where nobody has changed that
/// (`net.core.wmem_default`). It is said, so that the bound is the same where somebody has.
pub(super) const BUFFER_BYTES: usize = 208 << 10;

/// Two connected sockets.
pub(super) fn pair() -> Result<(OwnedFd, OwnedFd)> {
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    for socket in [&ours, &theirs] {
        // The kernel doubles what it is told (`socket(7)`).
        set_socket_send_buffer_size(socket, BUFFER_BYTES / 2)?;
    }
    Ok((ours, theirs))
}

/// Whether a descriptor that came from elsewhere can be an end of a channel.
///
/// # Errors
///
/// If it cannot.
pub(super) fn check(descriptor: BorrowedFd<'_>) -> Result<()> {
    let is_right =
        socket_domain(descriptor)? == AddressFamily::UNIX && socket_type(descriptor)? == SocketType::SEQPACKET;
    if !is_right {
        return Err(Errno::PROTOTYPE);
    }
    // One that is connected to nobody would never end.
    getpeername(descriptor).map(|_| ())
}

/// Sends one packet, with descriptors. Where it must not wait and there is no room, that is [`Errno::AGAIN`].
pub(super) fn send(socket: BorrowedFd<'_>, packet: &[u8], descriptors: &[BorrowedFd<'_>], waits: bool) -> Result<()> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(FDS_MAX))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(Errno::INVAL);
    }
    let flags = SendFlags::NOSIGNAL | if waits { SendFlags::empty() } else { SendFlags::DONTWAIT };
    sendmsg(socket, &[IoSlice::new(packet)], &mut control, flags).map(|_| ())
}

/// What one receive brought.
#[derive(Debug)]
pub(super) struct Arrived {
    /// The length of the packet. It is 0 at the end of the stream; no packet is so short.
    pub(super) bytes: usize,
    /// The packet is longer than the room for it.
    pub(super) is_cut: bool,
    pub(super) descriptors: Vec<OwnedFd>,
}

/// Receives one packet with its descriptors, of which there are fewer if this process has no room for them. Where it must
/// not wait and there is no packet, that is [`Errno::AGAIN`].
pub(super) fn receive(socket: BorrowedFd<'_>, room: &mut [u8], waits: bool) -> Result<Arrived> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(FDS_MAX))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC | if waits { RecvFlags::empty() } else { RecvFlags::DONTWAIT };
    let received = recvmsg(socket, &mut [IoSliceMut::new(room)], &mut control, flags)?;
    let mut descriptors = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(arrived) = message {
            descriptors.extend(arrived);
        }
    }
    Ok(Arrived { bytes: received.bytes, is_cut: received.flags.contains(ReturnFlags::TRUNC), descriptors })
}
