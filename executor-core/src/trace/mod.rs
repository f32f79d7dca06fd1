//! The spans of jobs, by the feature `tracing`.
//!
//! A job has one span from its submit until it is done, a child of the span that is current where it is submitted. It is entered
//! wherever the job runs: for each attempt, and of an async job for each poll. A job that came from another process has a span of
//! its own there, around its attempt, because spans do not leave their process; the fields `id` and `submitter` say what it
//! belongs to.
//!
//! The subscriber is the user's, so that it is told nothing under a lock of ours, and nothing on a thread where no code of the
//! user's may run: there the [`SpanNews`] are left to whoever calls the callbacks of the job.
//!
//! Where no subscriber wants such spans, a submit costs a load and a branch, and nothing is kept. Without the feature all that is
//! here is empty.

#[cfg(not(feature = "tracing"))]
mod off;
#[cfg(feature = "tracing")]
mod on;

#[cfg(not(feature = "tracing"))]
pub(crate) use off::{SpanNews, Spans, Submitter, around_guest};
#[cfg(feature = "tracing")]
pub(crate) use on::{SpanNews, Spans, Submitter, around_guest};
