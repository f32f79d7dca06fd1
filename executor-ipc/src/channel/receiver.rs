//! [`Receiver`].

use std::fmt;
use std::iter::FusedIterator;
use std::marker::PhantomData;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::endpoint::Endpoint;
use super::error::{NoChannel, RecvError};
use super::pair::MESSAGE_BYTES_MAX;
use crate::wait::Patience;

/// The receiving end of a [`pipe`](crate::pipe).
///
/// A clone is another handle of the same end, on any thread; a copy goes to another process inside a message of another
/// channel, or as an argument or an output of a job. Each message is received by one of them, whoever asks first, and
/// whole. What the channel holds stays there while any of them lives; a process that is killed takes with it only what it
/// has received.
///
/// A receive that ends in an error of one message ([`TooLarge`](RecvError::TooLarge), [`Decode`](RecvError::Decode)) has
/// dropped that message and no other. [`Disconnected`](RecvError::Disconnected) is the end of the stream: every message
/// was received, and no sender is left in any process.
///
/// A receiver itself can be encoded only where descriptors go, and is an error elsewhere.
///
/// To wait for several receivers at once, see [`wait_any`](crate::wait_any).
#[derive(Serialize, Deserialize)]
#[serde(transparent, bound = "")]
pub struct Receiver<T> {
    end: Endpoint,
    message: PhantomData<fn() -> T>,
}

impl<T> Receiver<T> {
    pub(super) fn of(end: Endpoint) -> Self {
        Receiver { end, message: PhantomData }
    }

    /// This handle with another limit of what it takes, in bytes of the encoded message. The default is
    /// [`MESSAGE_BYTES_MAX`]. Clones of it, and copies in other processes, have the limit that it has when they are made.
    #[must_use = "it gives the handle back"]
    pub fn with_message_bytes_max(mut self, bytes_max: u64) -> Self {
        self.end.message_bytes_max = bytes_max;
        self
    }
}

impl<T: DeserializeOwned> Receiver<T> {
    /// Receives the next message, and waits for one.
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
    /// While the channel is empty and somebody has its other end.
    pub fn recv(&self) -> Result<T, RecvError> {
        self.end.receive(Patience::Endless)
    }

    /// Receives the next message if it is there now.
    ///
    /// # Errors
    ///
    /// As [`RecvError`] tells, but for `Timeout`.
    ///
    /// # Panics
    ///
    /// As [`recv`](Self::recv).
    pub fn try_recv(&self) -> Result<T, RecvError> {
        self.end.receive(Patience::None)
    }

    /// Receives the next message, and waits for one no longer than this.
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
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvError> {
        self.end.receive(Patience::for_as_long_as(timeout))
    }

    /// Receives the next message, and awaits one, in any runtime.
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
    pub async fn recv_async(&self) -> Result<T, RecvError> {
        self.end.receive_async().await
    }

    /// The messages one after the other, up to the end of the stream. An error of one message is an item, and the next
    /// message follows it.
    ///
    /// # Blocking
    ///
    /// Each item, as [`recv`](Self::recv).
    pub fn iter(&self) -> Messages<'_, T> {
        Messages { receiver: self, has_ended: false }
    }
}

/// What [`Receiver::iter`] gives.
#[derive(Debug)]
#[must_use = "messages are received as they are asked for"]
pub struct Messages<'a, T> {
    receiver: &'a Receiver<T>,
    has_ended: bool,
}

impl<T: DeserializeOwned> Iterator for Messages<'_, T> {
    type Item = Result<T, RecvError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_ended {
            return None;
        }
        let received = self.receiver.recv();
        // Where the system refuses, it would do so again.
        self.has_ended = matches!(received, Err(RecvError::Disconnected | RecvError::System(_)));
        if matches!(received, Err(RecvError::Disconnected)) { None } else { Some(received) }
    }
}

impl<T: DeserializeOwned> FusedIterator for Messages<'_, T> {}

impl<'a, T: DeserializeOwned> IntoIterator for &'a Receiver<T> {
    type Item = Result<T, RecvError>;
    type IntoIter = Messages<'a, T>;

    fn into_iter(self) -> Messages<'a, T> {
        self.iter()
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        Receiver::of(self.end.clone())
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("fd", &self.as_fd().as_raw_fd()).finish_non_exhaustive()
    }
}

impl<T> AsFd for Receiver<T> {
    /// The socket, for a poll loop of the caller's: it can be read from when there is a message, or the end. To read from
    /// it, or to write to it, is to break the channel.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.end.as_fd()
    }
}

impl<T> TryFrom<OwnedFd> for Receiver<T> {
    type Error = NoChannel;

    /// The receiver that a process has inherited as a descriptor. That the other end is a sender of `T` is for the caller
    /// to know.
    fn try_from(socket: OwnedFd) -> Result<Self, NoChannel> {
        Endpoint::checked(Arc::new(socket), MESSAGE_BYTES_MAX).map(Receiver::of)
    }
}
