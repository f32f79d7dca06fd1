//! [`Duplex`].

use std::fmt;
use std::marker::PhantomData;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::endpoint::Endpoint;
use super::error::{NoChannel, RecvError, SendError};
use super::pair::MESSAGE_BYTES_MAX;
use crate::wait::Patience;

/// One end of a channel that goes both ways: it sends `S` and receives `R`.
///
/// It is to its messages what a [`Sender`](crate::Sender) and a [`Receiver`](crate::Receiver) are, in one: clones and
/// copies in other processes are handles of the same end, and the other side sees the end of the stream when the last of
/// them is gone. What it was sent before can still be received then.
#[derive(Serialize, Deserialize)]
#[serde(transparent, bound = "")]
pub struct Duplex<S, R> {
    end: Endpoint,
    messages: PhantomData<fn(&S) -> R>,
}

impl<S, R> Duplex<S, R> {
    pub(super) fn of(end: Endpoint) -> Self {
        Duplex { end, messages: PhantomData }
    }

    /// This handle with another limit of what it sends and of what it takes, in bytes of the encoded message. The default
    /// is [`MESSAGE_BYTES_MAX`]. Clones of it, and copies in other processes, have the limit that it has when they are
    /// made.
    #[must_use = "it gives the handle back"]
    pub fn with_message_bytes_max(mut self, bytes_max: u64) -> Self {
        self.end.message_bytes_max = bytes_max;
        self
    }
}

impl<S: Serialize, R> Duplex<S, R> {
    /// Sends a message, and waits for room. See [`Sender::send`](crate::Sender::send).
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
    /// While this way of the channel is full and somebody has its other end.
    pub fn send(&self, message: &S) -> Result<(), SendError> {
        self.end.send(&self.end.encode(message)?, Patience::Endless)
    }

    /// Sends a message if there is room for it now. See [`Sender::try_send`](crate::Sender::try_send).
    ///
    /// # Errors
    ///
    /// As [`SendError`] tells, but for `Timeout`.
    ///
    /// # Panics
    ///
    /// As [`send`](Self::send).
    pub fn try_send(&self, message: &S) -> Result<(), SendError> {
        self.end.send(&self.end.encode(message)?, Patience::None)
    }

    /// Sends a message, and waits for room no longer than this. See [`Sender::send_timeout`](crate::Sender::send_timeout).
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
    pub fn send_timeout(&self, message: &S, timeout: Duration) -> Result<(), SendError> {
        let patience = Patience::for_as_long_as(timeout);
        self.end.send(&self.end.encode(message)?, patience)
    }

    /// Sends a message, and awaits room, in any runtime. See [`Sender::send_async`](crate::Sender::send_async).
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
    pub fn send_async<'a>(&'a self, message: &S) -> impl Future<Output = Result<(), SendError>> + Send + use<'a, S, R> {
        let packet = self.end.encode(message);
        async move { self.end.send_async(packet?).await }
    }
}

impl<S, R: DeserializeOwned> Duplex<S, R> {
    /// Receives the next message, and waits for one. See [`Receiver::recv`](crate::Receiver::recv).
    ///
    /// # Errors
    ///
    /// As [`RecvError`] tells, but for `Empty` and `Timeout`.
    ///
    /// # Panics
    ///
    /// As the `Deserialize` of the message, which is dropped then.
    ///
    /// # Blocking
    ///
    /// While this way of the channel is empty and somebody has its other end.
    pub fn recv(&self) -> Result<R, RecvError> {
        self.end.receive(Patience::Endless)
    }

    /// Receives the next message if it is there now. See [`Receiver::try_recv`](crate::Receiver::try_recv).
    ///
    /// # Errors
    ///
    /// As [`RecvError`] tells, but for `Timeout`.
    ///
    /// # Panics
    ///
    /// As [`recv`](Self::recv).
    pub fn try_recv(&self) -> Result<R, RecvError> {
        self.end.receive(Patience::None)
    }

    /// Receives the next message, and waits for one no longer than this. See
    /// [`Receiver::recv_timeout`](crate::Receiver::recv_timeout).
    ///
    /// # Errors
    ///
    /// As [`RecvError`] tells, but for `Empty`.
    ///
    /// # Panics
    ///
    /// As [`recv`](Self::recv).
    ///
    /// # Blocking
    ///
    /// Up to the time limit.
    pub fn recv_timeout(&self, timeout: Duration) -> Result<R, RecvError> {
        self.end.receive(Patience::for_as_long_as(timeout))
    }

    /// Receives the next message, and awaits one, in any runtime. See
    /// [`Receiver::recv_async`](crate::Receiver::recv_async).
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    ///
    /// # Panics
    ///
    /// As [`recv`](Self::recv).
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped before it was ready has received nothing: a message is taken in the very step that gives
    /// it.
    #[cfg(feature = "async")]
    #[cfg_attr(docsrs, doc(cfg(feature = "async")))]
    pub async fn recv_async(&self) -> Result<R, RecvError> {
        self.end.receive_async().await
    }
}

impl<S, R> Clone for Duplex<S, R> {
    fn clone(&self) -> Self {
        Duplex::of(self.end.clone())
    }
}

impl<S, R> fmt::Debug for Duplex<S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Duplex").field("fd", &self.as_fd().as_raw_fd()).finish_non_exhaustive()
    }
}

impl<S, R> AsFd for Duplex<S, R> {
    /// The socket, for a poll loop of the caller's: it can be read from when there is a message, or the end, and written
    /// to when there is room. To read from it, or to write to it, is to break the channel.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.end.as_fd()
    }
}

impl<S, R> TryFrom<OwnedFd> for Duplex<S, R> {
    type Error = NoChannel;

    /// The end that a process has inherited as a descriptor. That the other end is of the same types is for the caller to
    /// know.
    fn try_from(socket: OwnedFd) -> Result<Self, NoChannel> {
        Endpoint::checked(Arc::new(socket), MESSAGE_BYTES_MAX).map(Duplex::of)
    }
}
