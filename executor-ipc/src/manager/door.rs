//! The door of a server: a socket pair, over which clients of the same machine hand in descriptors.
//!
//! One end is the server's. The other one is with every [`Manager`](super::Manager) and proxy, and travels with them; whoever has it can
//! connect, and when nobody has it any more, the server ends.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::{Errno, retry_on_intr};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use serde::{Deserialize, Serialize};

/// What a message through the door has at most: the key of a listener, and its address.
const KNOCK_BYTES_MAX: usize = 8 << 10;

/// What goes with a descriptor through the door.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Knock {
    /// It is the server's end of a new connection.
    Connection,
    /// It is the server's end of a hold on this object. The server writes one byte to it once it refers to the object.
    Hold(u64),
    /// It is a socket that listens.
    Listener(Listening),
}

/// How a server accepts connections.
#[derive(Serialize, Deserialize)]
pub(crate) struct Listening {
    pub(crate) key: Vec<u8>,
    /// The file of a Unix socket, which is to be deleted at the end.
    pub(crate) path: Option<std::path::PathBuf>,
}

impl std::fmt::Debug for Listening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listening").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Both ends: the server's and that of the clients.
pub(crate) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?)
}

/// Hands a descriptor in.
pub(crate) fn knock(door: impl AsFd, knock: &Knock, descriptor: BorrowedFd<'_>) -> io::Result<()> {
    let message = postcard::to_stdvec(knock).map_err(io::Error::other)?;
    if message.len() > KNOCK_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the key or the path is too long"));
    }
    let descriptors = [descriptor];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&descriptors));
    retry_on_intr(|| sendmsg(&door, &[IoSlice::new(&message)], &mut control, SendFlags::NOSIGNAL))?;
    Ok(())
}

/// Who is at the door.
#[derive(Debug)]
pub(crate) enum Visitor {
    Knocked(Knock, OwnedFd),
    /// What came is of no use, or its descriptor found no room here.
    Unclear,
    Nobody,
    /// And nobody will come any more.
    Never,
}

/// Takes one descriptor in, if one is there.
pub(crate) fn answer(door: impl AsFd) -> Visitor {
    let mut message = [0; KNOCK_BYTES_MAX];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
    let received = retry_on_intr(|| recvmsg(&door, &mut [IoSliceMut::new(&mut message)], &mut control, flags));
    let bytes = match received {
        Ok(received) => received.bytes,
        Err(Errno::AGAIN) => return Visitor::Nobody,
        Err(_) => return Visitor::Never,
    };
    let descriptor = control.drain().find_map(|part| match part {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    match (postcard::from_bytes(&message[..bytes]), descriptor) {
        (Ok(knock), Some(descriptor)) => Visitor::Knocked(knock, descriptor),
        _ if bytes == 0 => Visitor::Never,
        _ => Visitor::Unclear,
    }
}
