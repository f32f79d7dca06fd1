//! What a cell holds, from the job to its outcome.

use std::time::Duration;

use crate::error::JobError;
use crate::job::BoxFuture;
use crate::parcel::Slice;
use crate::payload::Payload;

/// The content of a cell. [`super`] says who may touch it when.
pub(crate) enum Stage<P: Payload> {
    /// The job, not begun.
    Job(P),
    /// The job between two attempts, and what came of the last one.
    Again(Box<Again<P>>),
    /// The future that the job started, between two polls of a backend with an async runtime.
    Started(BoxFuture<P::Output>),
    /// The same, of a job that may be tried again. Apart and boxed, so that a cell of a small job is small.
    StartedWithSpare(Box<Started<P>>),
    /// Nothing: the job is running, or is elsewhere, or all was taken.
    Empty,
    /// What the job returned.
    Value(P::Output),
    /// What the job returned elsewhere, encoded. Whoever takes it decodes it, so that no user code runs where it arrived.
    Bytes(Slice),
    /// The same, so few bytes that they are here.
    Short(Short),
    /// Why there is no value. Boxed, so that a cell of a small job is small.
    Failed(Box<JobError>),
}

impl<P: Payload> Stage<P> {
    /// The outcome, as its reader sees it. Runs the user's decoder on encoded bytes.
    #[inline]
    pub(crate) fn into_outcome(self) -> Outcome<P> {
        match self {
            Stage::Value(value) => Ok(value),
            stage => stage.into_rarer_outcome(),
        }
    }

    /// The same, of a job that ran elsewhere, or failed.
    fn into_rarer_outcome(self) -> Outcome<P> {
        match self {
            Stage::Value(value) => Ok(value),
            Stage::Bytes(slice) => slice.decode(P::decode_output).map_err(Box::new),
            Stage::Short(short) => P::decode_output(short.bytes()).map_err(Box::new),
            Stage::Failed(error) => Err(error),
            Stage::Job(_) | Stage::Again(_) | Stage::Started(_) | Stage::StartedWithSpare(_) | Stage::Empty => {
                Err(Box::new(JobError::Taken))
            }
        }
    }
}

/// What came of a job, for its reader. The error is boxed until it leaves this crate: it is ten times as large as most values, and
/// moves along with each of them.
pub(crate) type Outcome<P> = Result<<P as Payload>::Output, Box<JobError>>;

/// An encoded output, as long as fits where a [`Slice`] would be. It needs no count of who holds the buffer, which the threads that
/// write and read outcomes would take from each other.
pub(crate) struct Short {
    len: u8,
    bytes: [u8; SHORT_BYTES],
}

const SHORT_BYTES: usize = 22;

impl Short {
    /// A copy of the bytes, if they are so few.
    #[inline]
    pub(crate) fn of(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > SHORT_BYTES {
            return None;
        }
        let mut short = Short { len: bytes.len() as u8, bytes: [0; SHORT_BYTES] };
        short.bytes[..bytes.len()].copy_from_slice(bytes);
        Some(short)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// A job that failed and will be tried again.
pub(crate) struct Again<P: Payload> {
    /// The copy for the next attempt; `None` if that runs elsewhere, where the job was sent.
    pub(crate) job: Option<P>,
    /// What is reported if there is no next attempt after all.
    pub(crate) last: Stage<P>,
}

/// An async job that was started and has not ended.
pub(crate) struct Started<P: Payload> {
    pub(crate) future: BoxFuture<P::Output>,
    pub(crate) spare: Spare<P>,
}

/// What the holder of a job polls.
pub(crate) enum Begun<P: Payload> {
    /// The job, which has not started.
    Job(P),
    /// What it started.
    Started(Started<P>),
}

/// A copy of a job for its next attempt, and the wait before that. Few jobs have one, so it is boxed.
pub(crate) type Spare<P> = Option<Box<(P, Duration)>>;
