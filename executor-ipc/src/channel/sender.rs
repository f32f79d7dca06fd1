//! [`Sender`].

use std::fmt;
use std::marker::PhantomData;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::endpoint::Endpoint;
use super::error::{NoChannel, SendError};
use super::pair::MESSAGE_BYTES_MAX;
use crate::wait::Patience;

/// The sending end of a [`pipe`](crate::pipe).
///
/// A clone is another handle of the same end, on any thread; a copy goes to another process inside a message of another
/// channel, or as an argument or an output of a job. Any number of them send at the same time. The stream ends when the
/// last of them is gone, in whatever process and however that ended: whoever gives a copy away and waits for the end
/// drops its own.
///
/// A message is lent, not given: it is encoded, and what it is stays with the caller. A send that returned says that the
/// message is in the channel, not that somebody has received it.
///
/// # Encoding
///
/// Messages are written in postcard, which is not self-describing: both sides have to mean the same type by `T`. What is
/// in a message may have descriptors, as a [`Blob`](crate::Blob) or another channel has; up to
/// [`ATTACHMENTS_MAX`](crate::attach::ATTACHMENTS_MAX) go with one. Postcard writes a `Vec<u8>` byte by byte: many bytes
/// go faster as a `Blob`, which is not even copied.
///
/// A sender itself can be encoded only where descriptors go, and is an error elsewhere.
#[derive(Serialize, Deserialize)]
#[serde(transparent, bound = "")]
pub struct Sender<T> {
    end: Endpoint,
    message: PhantomData<fn(&T)>,
}

impl<T> Sender<T> {
    pub(super) fn of(end: Endpoint) -> Self {
        Sender { end, message: PhantomData }
    }

    /// This handle with another limit of what it sends, in bytes of the encoded message. The default is
    /// [`MESSAGE_BYTES_MAX`]. Clones of it, and copies in other processes, have the limit that it has when they are made.
    #[must_use = "it gives the handle back"]
    pub fn with_message_bytes_max(mut self, bytes_max: u64) -> Self {
        self.end.message_bytes_max = bytes_max;
        self
    }
}

impl<T: Serialize> Sender<T> {
    /// Sends a message, and waits for room.
    ///
    /// # Errors
    ///
    /// As [`SendError`] tells, but for `Full` and `Timeout`.
    ///
    /// # Panics
    ///
    /// As the `Serialize` of the message. Nothing is sent then.
    ///
    /// # Blocking
    ///
    /// While the channel is full and somebody has its other end.
    pub fn send(&self, message: &T) -> Result<(), SendError> {
        self.end.send(&self.end.encode(message)?, Patience::Endless)
    }

    /// Sends a message if there is room for it now.
    ///
    /// # Errors
    ///
    /// As [`SendError`] tells, but for `Timeout`.
    ///
    /// # Panics
    ///
    /// As [`send`](Self::send).
    pub fn try_send(&self, message: &T) -> Result<(), SendError> {
        self.end.send(&self.end.encode(message)?, Patience::None)
    }

    /// Sends a message, and waits for room no longer than this.
    ///
    /// # Errors
    ///
    /// As [`SendError`] tells, but for `Full`.
    ///
    /// # Panics
    ///
    /// As [`send`](Self::send).
    ///
    /// # Blocking
    ///
    /// Up to the time limit.
    pub fn send_timeout(&self, message: &T, timeout: Duration) -> Result<(), SendError> {
        let patience = Patience::for_as_long_as(timeout);
        self.end.send(&self.end.encode(message)?, patience)
    }

    /// Sends a message, and awaits room, in any runtime. The message is encoded by the call itself; the future has
    /// nothing of it.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    ///
    /// # Panics
    ///
    /// As [`send`](Self::send).
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped before it was ready has sent nothing, and the caller still has the message.
    #[cfg(feature = "async")]
    #[cfg_attr(docsrs, doc(cfg(feature = "async")))]
    pub fn send_async<'a>(&'a self, message: &T) -> impl Future<Output = Result<(), SendError>> + Send + use<'a, T> {
        let packet = self.end.encode(message);
        async move { self.end.send_async(packet?).await }
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Sender::of(self.end.clone())
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("fd", &self.as_fd().as_raw_fd()).finish_non_exhaustive()
    }
}

impl<T> AsFd for Sender<T> {
    /// The socket, for a poll loop of the caller's: it can be written to when there is room. To read from it, or to write
    /// to it, is to break the channel.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.end.as_fd()
    }
}

impl<T> TryFrom<OwnedFd> for Sender<T> {
    type Error = NoChannel;

    /// The sender that a process has inherited as a descriptor. That the other end is a receiver of `T` is for the caller
    /// to know.
    fn try_from(socket: OwnedFd) -> Result<Self, NoChannel> {
        Endpoint::checked(Arc::new(socket), MESSAGE_BYTES_MAX).map(Sender::of)
    }
}
