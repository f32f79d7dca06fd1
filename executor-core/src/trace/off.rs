//! No spans.

use std::ops::Range;

use crate::job_ref::AnyCell;
use crate::state::JobId;

/// Whose children spans would be.
#[derive(Clone, Copy)]
pub(crate) struct Submitter;

impl Submitter {
    pub(crate) fn here() -> Self {
        Submitter
    }

    pub(crate) fn caller() -> Self {
        Submitter
    }
}

/// No spans.
pub(crate) struct Spans;

impl Spans {
    pub(crate) fn none() -> Self {
        Spans
    }

    #[inline]
    pub(crate) fn open(_: &Submitter, _: JobId, _: usize, _: &str) -> Self {
        Spans
    }

    #[inline]
    pub(crate) fn are_open(&self) -> bool {
        false
    }

    #[inline]
    pub(crate) fn submitter(&self) -> Option<u64> {
        None
    }

    #[inline]
    pub(crate) fn note_worker(&self, _: Range<u32>, _: usize) {}

    #[inline]
    pub(crate) fn run<R>(&self, _: u32, f: impl FnOnce() -> R) -> R {
        f()
    }

    #[inline]
    pub(crate) fn within<R>(&self, _: u32, f: impl FnOnce() -> R) -> R {
        f()
    }

    #[inline]
    pub(crate) fn next_attempt(&self, _: u32, _: u32) -> SpanNews {
        SpanNews
    }

    #[inline]
    pub(crate) fn close(&self, _: u32) -> SpanNews {
        SpanNews
    }

    #[inline]
    pub(crate) fn close_unrun(&self, _: u32) -> SpanNews {
        SpanNews
    }
}

/// Nothing to tell.
pub(crate) struct SpanNews;

impl SpanNews {
    #[inline]
    pub(crate) fn is_some(&self) -> bool {
        false
    }

    #[inline]
    pub(crate) fn tell(&mut self) {}
}

#[inline]
pub(crate) fn around_guest<R>(_: &dyn AnyCell, _: u32, _: Option<u64>, f: impl FnOnce() -> R) -> R {
    f()
}
