//! The input of a map: the user's iterator and the function that makes jobs of its items.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// The input of a map. It ends for good at its end, and at a panic of the user's code, which comes again from
/// [`finish`](Feed::finish): after the items that were pulled before it.
pub(crate) struct Feed<I, F> {
    items: Option<I>,
    to_job: F,
    panic: Option<Box<dyn Any + Send>>,
}

impl<I: Iterator, J, F: FnMut(I::Item) -> J> Feed<I, F> {
    pub(crate) fn new(items: I, to_job: F) -> Self {
        Feed { items: Some(items), to_job, panic: None }
    }

    /// The next job. User code runs here, and its panic ends the input.
    pub(crate) fn pull(&mut self) -> Option<J> {
        let items = self.items.as_mut()?;
        match catch_unwind(AssertUnwindSafe(|| items.next().map(&mut self.to_job))) {
            Ok(Some(job)) => return Some(job),
            Ok(None) => {}
            Err(panic) => self.panic = Some(panic),
        }
        self.items = None;
        None
    }

    /// Up to `most` jobs.
    pub(crate) fn pull_some(&mut self, most: usize) -> Vec<J> {
        std::iter::from_fn(|| self.pull()).take(most).collect()
    }

    /// Pulls no more.
    pub(crate) fn close(&mut self) {
        self.items = None;
    }

    pub(crate) fn is_open(&self) -> bool {
        self.items.is_some()
    }

    /// Goes on with the panic that ended the input, if one did, on its own place: after the last item.
    pub(crate) fn finish(&mut self) {
        if let Some(panic) = self.panic.take() {
            resume_unwind(panic);
        }
    }
}
