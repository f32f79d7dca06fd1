//! What can go wrong with a queue.

use std::any::type_name;
use std::io;

use thiserror::Error;

/// An error of any type that can cross threads.
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What is in the memory of a queue is nothing that a queue writes there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overwritten;

/// Why an item was not put. Nothing of it is in the queue, and the queue goes on, with the size that it had.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PutError {
    /// The queue is closed: nothing can be put any more.
    #[error("the queue is closed: nothing can be put any more")]
    Closed,
    /// There is no room at this moment; `try_put` says so.
    #[error("the queue is full: nobody has got what was put before")]
    Full,
    /// There was no room during all of the time limit.
    #[error("the queue stayed full for the whole time limit of the put; the item was not put")]
    Timeout,
    /// A queue without a bound has no memory left for the item. It does not wait, because it is never full.
    #[error(
        "the items in the queue and this one take more than the {bytes_max} bytes that the queue has: get some first, use a bounded queue, or give it more by `Queue::with_limits`"
    )]
    OutOfRoom {
        /// How much memory the queue has at most, in bytes.
        bytes_max: u64,
    },
    /// The item is longer than all the memory that the queue can have.
    #[error(
        "an item of {bytes} encoded bytes, and 8 more for its length, does not fit a queue of {bytes_max} bytes: give the queue more by `Queue::with_limits`, or put the item in parts"
    )]
    TooLarge {
        /// How long it is, encoded, in bytes.
        bytes: u64,
        /// How much memory the queue has at most, in bytes.
        bytes_max: u64,
    },
    /// The item cannot be encoded.
    #[error("an item of type `{what}` cannot be encoded")]
    Encode {
        /// The type of the item.
        what: &'static str,
        /// What the encoder said.
        #[source]
        cause: BoxError,
    },
    /// What is in the memory of the queue is nothing that a queue writes there, so that it cannot be used any more.
    #[error("the memory of the queue was overwritten by a process that has it, and it cannot be used any more")]
    Overwritten,
}

/// Why no item was got.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum GetError {
    /// The queue is closed, and every item that was put was got. It stays so.
    #[error("the queue is closed, and nothing is left in it")]
    Closed,
    /// There is no item at this moment; `try_get` says so.
    #[error("the queue is empty: no item is there to be got")]
    Empty,
    /// No item came during all of the time limit.
    #[error("no item came within the time limit of the get")]
    Timeout,
    /// The item is none of this type. It is dropped, and counts as acknowledged.
    #[error("an item cannot be decoded as `{what}`, and is dropped")]
    Decode {
        /// The type of the items.
        what: &'static str,
        /// What was wrong.
        #[source]
        cause: BoxError,
    },
    /// The system refused, for want of descriptors or memory, when this process was to get its first item.
    #[error("the system does not let this process be a consumer of the queue")]
    System(#[source] io::Error),
    /// What is in the memory of the queue is nothing that a queue writes there, so that it cannot be used any more.
    #[error("the memory of the queue was overwritten by a process that has it, and it cannot be used any more")]
    Overwritten,
}

/// The error of a [`task_done`](super::Queue::task_done) for which no item was got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "every item that was got here was acknowledged already: call `task_done` once for each, on a clone of the queue that got it"
)]
pub struct TaskDoneError;

/// Why a [`join`](super::Queue::join) did not simply end well.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum JoinError {
    /// The time is over, and not every item was acknowledged.
    #[error("not every item was acknowledged within the time limit of the join")]
    Timeout,
    /// Every item was acknowledged, but for some that were got by consumers that are gone.
    #[error(
        "{items} items were got by consumers that ended, or dropped the queue, without having acknowledged them; all others were acknowledged"
    )]
    ConsumerDied {
        /// How many items nobody can acknowledge any more.
        items: u64,
    },
    /// The system refused, for want of descriptors.
    #[error("the system does not tell which consumers of the queue are alive")]
    System(#[source] io::Error),
    /// What is in the memory of the queue is nothing that a queue writes there, so that it cannot be used any more.
    #[error("the memory of the queue was overwritten by a process that has it, and it cannot be used any more")]
    Overwritten,
}

impl PutError {
    pub(super) fn encode<T>(cause: impl Into<BoxError>) -> PutError {
        PutError::Encode { what: type_name::<T>(), cause: cause.into() }
    }
}

impl GetError {
    pub(super) fn decode<T>(cause: impl Into<BoxError>) -> GetError {
        GetError::Decode { what: type_name::<T>(), cause: cause.into() }
    }
}

impl From<Overwritten> for PutError {
    fn from(_: Overwritten) -> PutError {
        PutError::Overwritten
    }
}

impl From<Overwritten> for GetError {
    fn from(_: Overwritten) -> GetError {
        GetError::Overwritten
    }
}

impl From<Overwritten> for JoinError {
    fn from(_: Overwritten) -> JoinError {
        JoinError::Overwritten
    }
}
