//! What can go wrong with a message, and with a descriptor that is to be a channel.

use std::io;

use thiserror::Error;

/// An error of any type that can cross threads.
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why a message was not sent. Nothing of it was.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SendError {
    /// Nobody can receive it any more: every copy of the other end is closed, in this process and in others.
    #[error("the channel is disconnected: nobody has its other end any more, so that nobody would receive the message")]
    Disconnected,
    /// There is no room at this moment; `try_send` says so.
    #[error("the channel is full: its receivers have not taken what was sent before")]
    Full,
    /// There was no room during all of the time limit.
    #[error("the channel stayed full for the whole time limit of the send; the message was not sent")]
    Timeout,
    /// The message takes more bytes than this end sends.
    #[error(
        "a message is longer than the {bytes_max} bytes that this end sends; raise `with_message_bytes_max` on both sides, or send it in parts"
    )]
    TooLarge {
        /// The limit of this end, in bytes.
        bytes_max: u64,
    },
    /// The message cannot be encoded.
    #[error("a message of type `{what}` cannot be encoded")]
    Encode {
        /// The type of the message.
        what: &'static str,
        /// What the encoder said.
        #[source]
        cause: BoxError,
    },
    /// The system refused, for want of memory or descriptors.
    #[error("the system does not take the message")]
    System(#[source] io::Error),
}

/// Why no message was received.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RecvError {
    /// The end of the stream: every message was received, and every copy of the other end is closed, in this process and
    /// in others. It stays so.
    #[error("the channel is disconnected: nobody has its other end any more, and all that was sent was received")]
    Disconnected,
    /// There is no message at this moment; `try_recv` says so.
    #[error("the channel is empty: no message is there to be received")]
    Empty,
    /// No message came during all of the time limit.
    #[error("no message came within the time limit of the receive")]
    Timeout,
    /// A message was longer than this end takes. It is dropped, and the channel goes on.
    #[error(
        "a message of {bytes} bytes is longer than the {bytes_max} that this end takes, and is dropped; raise `with_message_bytes_max`"
    )]
    TooLarge {
        /// How long it was, in bytes.
        bytes: u64,
        /// The limit of this end, in bytes.
        bytes_max: u64,
    },
    /// What came is no message of this type, or not all of it could come. It is dropped, and the channel goes on.
    #[error("a message cannot be decoded as `{what}`, and is dropped")]
    Decode {
        /// The type of the message.
        what: &'static str,
        /// What was wrong.
        #[source]
        cause: BoxError,
    },
    /// The system refused, for want of memory.
    #[error("the system does not give the message")]
    System(#[source] io::Error),
}

impl RecvError {
    pub(super) fn decode<T>(cause: impl Into<BoxError>) -> RecvError {
        RecvError::Decode { what: std::any::type_name::<T>(), cause: cause.into() }
    }
}

/// Why a descriptor is no end of a channel.
#[derive(Debug, Error)]
#[error("this descriptor is no end of a channel, which is a connected socket of the kind SOCK_SEQPACKET")]
pub struct NoChannel {
    #[source]
    pub(super) cause: io::Error,
}
