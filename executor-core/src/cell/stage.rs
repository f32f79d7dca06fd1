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
    Started(Box<Started<P>>),
    /// Nothing: the job is running, or is elsewhere, or all was taken.
    Empty,
    /// What the job returned.
    Value(P::Output),
    /// What the job returned elsewhere, encoded. Whoever takes it decodes it, so that no user code runs where it arrived.
    Bytes(Slice),
    /// Why there is no value. Boxed, so that a cell of a small job is small.
    Failed(Box<JobError>),
}

impl<P: Payload> Stage<P> {
    /// The outcome, as its reader sees it. Runs the user's decoder on encoded bytes.
    pub(crate) fn into_outcome(self) -> Result<P::Output, JobError> {
        match self {
            Stage::Value(value) => Ok(value),
            Stage::Bytes(slice) => slice.decode(P::decode_output),
            Stage::Failed(error) => Err(*error),
            Stage::Job(_) | Stage::Again(_) | Stage::Started(_) | Stage::Empty => Err(JobError::Taken),
        }
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
    /// A copy for a later attempt, and the wait before that.
    pub(crate) spare: Option<(P, Duration)>,
}
