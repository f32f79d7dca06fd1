//! [`Endpoint`]: one end of a channel, whatever its messages are.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::event::PollFlags;
use rustix::io::Errno;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::{NoChannel, RecvError, SendError};
use super::packet::{self, Packet};
use super::pair::MESSAGE_BYTES_MAX;
#[cfg(feature = "async")]
use super::readiness::Readiness;
use super::socket;
use crate::wait::{Patience, is_now, wait_for};

/// One end of a channel. Clones share its socket.
#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    socket: Arc<OwnedFd>,
    /// How long a message may be that is sent or taken here.
    pub(super) message_bytes_max: u64,
    #[cfg(feature = "async")]
    readiness: Arc<Readiness>,
}

impl Endpoint {
    pub(super) fn pair() -> io::Result<(Endpoint, Endpoint)> {
        let (ours, theirs) = socket::pair()?;
        let end = |socket| Endpoint::of(Arc::new(socket), MESSAGE_BYTES_MAX);
        Ok((end(ours), end(theirs)))
    }

    /// The end that a descriptor is which came from elsewhere.
    pub(super) fn checked(socket: Arc<OwnedFd>, message_bytes_max: u64) -> Result<Endpoint, NoChannel> {
        socket::check(socket.as_fd()).map_err(|error| NoChannel { cause: error.into() })?;
        Ok(Endpoint::of(socket, message_bytes_max))
    }

    fn of(socket: Arc<OwnedFd>, message_bytes_max: u64) -> Endpoint {
        Endpoint {
            socket,
            message_bytes_max,
            #[cfg(feature = "async")]
            readiness: Arc::default(),
        }
    }

    pub(super) fn socket(&self) -> &Arc<OwnedFd> {
        &self.socket
    }

    pub(super) fn encode<T: Serialize>(&self, message: &T) -> Result<Packet, SendError> {
        Packet::of(message, self.message_bytes_max)
    }

    pub(super) fn send(&self, packet: &Packet, patience: Patience) -> Result<(), SendError> {
        let descriptors: Vec<BorrowedFd<'_>> = packet.attachments.iter().collect();
        loop {
            match socket::send(self.as_fd(), &packet.bytes, &descriptors, patience == Patience::Endless) {
                Ok(()) => return Ok(()),
                Err(Errno::INTR) => {}
                // Where the send is to wait, somebody who has a copy of the socket keeps it from that.
                Err(Errno::AGAIN) if patience == Patience::None => return Err(SendError::Full),
                Err(Errno::AGAIN) => match wait_for(self.as_fd(), PollFlags::OUT, patience) {
                    Ok(true) => {}
                    Ok(false) => return Err(SendError::Timeout),
                    Err(error) => return Err(SendError::System(error)),
                },
                Err(Errno::PIPE | Errno::CONNRESET) => return Err(SendError::Disconnected),
                Err(error) => return Err(SendError::System(error.into())),
            }
        }
    }

    pub(super) fn receive<T: DeserializeOwned>(&self, patience: Patience) -> Result<T, RecvError> {
        packet::with_room(|room| {
            loop {
                match socket::receive(self.as_fd(), room, patience == Patience::Endless) {
                    Ok(arrived) if arrived.bytes == 0 && self.has_ended() => return Err(RecvError::Disconnected),
                    Ok(arrived) if arrived.is_cut => {
                        return Err(RecvError::decode::<T>("it is no packet of a channel: it is too long"));
                    }
                    Ok(arrived) => {
                        return packet::decode(&room[..arrived.bytes], arrived.descriptors, self.message_bytes_max);
                    }
                    // The system tells once that the other end was closed with messages in it, before what is to be
                    // received.
                    Err(Errno::INTR | Errno::CONNRESET) => {}
                    Err(Errno::AGAIN) if patience == Patience::None => return Err(RecvError::Empty),
                    Err(Errno::AGAIN) => match wait_for(self.as_fd(), PollFlags::IN, patience) {
                        Ok(true) => {}
                        Ok(false) => return Err(RecvError::Timeout),
                        Err(error) => return Err(RecvError::System(error)),
                    },
                    Err(error) => return Err(RecvError::System(error.into())),
                }
            }
        })
    }

    /// Whether nothing came because the other end is closed, and not because somebody sent an empty packet.
    fn has_ended(&self) -> bool {
        is_now(self.as_fd(), PollFlags::HUP | PollFlags::RDHUP)
    }
}

#[cfg(feature = "async")]
impl Endpoint {
    pub(super) async fn send_async(&self, packet: Packet) -> Result<(), SendError> {
        loop {
            match self.send(&packet, Patience::None) {
                Err(SendError::Full) => self.readiness.writable(&self.socket).await.map_err(SendError::System)?,
                sent => return sent,
            }
        }
    }

    pub(super) async fn receive_async<T: DeserializeOwned>(&self) -> Result<T, RecvError> {
        loop {
            match self.receive(Patience::None) {
                Err(RecvError::Empty) => {}
                received => return received,
            }
            self.readiness.readable(&self.socket).await.map_err(RecvError::System)?;
        }
    }
}

impl AsFd for Endpoint {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
