//! What can go wrong on the wire.

use std::io;

use thiserror::Error;

/// Bytes that are no frame. Nothing that comes after them can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum FrameError {
    /// The frame is longer than was agreed.
    #[error(
        "it has {bytes} bytes, and {limit} go between a pool and a worker at once; send it in parts, or as a `Blob`"
    )]
    TooLong {
        /// What the head of the frame says.
        bytes: u64,
        /// What was agreed.
        limit: u64,
    },
    /// There is no memory for a piece of the frame.
    #[error("there is no memory for {bytes} bytes out of a frame")]
    OutOfMemory {
        /// How long the piece is.
        bytes: u64,
    },
    /// The bytes do not follow the format.
    #[error("a frame is malformed: {what}")]
    Malformed {
        /// What is wrong with it.
        what: &'static str,
    },
    /// The frame is well formed, and says what cannot be.
    #[error("a frame says what cannot be: {what}")]
    Untrue {
        /// What it says.
        what: &'static str,
    },
}

/// The error of a frame that does not follow the format.
pub(crate) fn malformed<T>(what: &'static str) -> Result<T, FrameError> {
    Err(FrameError::Malformed { what })
}

/// Why nothing more can be expected of a lane. Its worker is to be ended.
#[derive(Debug, Error)]
pub(crate) enum LaneError {
    /// The worker sent nonsense.
    #[error("the worker sent what no worker sends")]
    Frame(#[source] FrameError),
    /// The system refused.
    #[error("the connection to the worker failed")]
    Io(#[source] io::Error),
}

/// Why a lane did not take a frame. Nothing of it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum PushError {
    /// As many frames are open as the page has slots.
    #[error("the worker has as many frames as it can have at once")]
    NoCredit,
    /// A batch without items, or with more than a frame can have.
    #[error("a frame has 1 to 65535 items, and not {items}")]
    Items {
        /// How many were given.
        items: usize,
    },
    /// The body would be longer than was agreed.
    #[error(
        "it has {bytes} bytes, and {limit} go between a pool and a worker at once; send it in parts, or as a `Blob`"
    )]
    TooLong {
        /// How long it would be.
        bytes: u64,
        /// What was agreed.
        limit: u64,
    },
}
