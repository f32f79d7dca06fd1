//! [`Inbox`]: where a submitter leaves its job, so that it does not wait for the board, which the dispatcher has in its hands for long.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::load::Load;

/// Loads that were accepted and are not on the board. Whoever locks the board takes them over first, so that nobody sees it without
/// them. Its lock comes after that of the board, and is held for a few instructions.
#[derive(Debug)]
pub(crate) struct Inbox(Mutex<Content>);

#[derive(Debug)]
struct Content {
    loads: Vec<Load>,
    /// Loads may be left here. Once it is closed it stays so.
    is_open: bool,
    /// The dispatcher sleeps, or is about to: whoever has news rings it.
    dispatcher_sleeps: bool,
}

impl Inbox {
    /// Closed from the start where each submit needs the board, as with a bound of the queue.
    pub(crate) fn new(is_open: bool) -> Self {
        Inbox(Mutex::new(Content { loads: Vec::new(), is_open, dispatcher_sleeps: false }))
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        // Nothing under it is left half done by a panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves a load; true if the dispatcher is to be rung.
    ///
    /// # Errors
    ///
    /// The load, if the inbox is closed.
    pub(crate) fn put(&self, load: Load) -> Result<bool, Load> {
        let mut content = self.content();
        if !content.is_open {
            return Err(load);
        }
        content.loads.push(load);
        Ok(std::mem::take(&mut content.dispatcher_sleeps))
    }

    /// Takes out what is there, in its order.
    pub(crate) fn take(&self) -> Vec<Load> {
        std::mem::take(&mut self.content().loads)
    }

    /// From here on every submit needs the board.
    pub(crate) fn close(&self) {
        self.content().is_open = false;
    }

    /// The dispatcher is about to sleep; false if there is something for it.
    pub(crate) fn fall_asleep(&self) -> bool {
        let mut content = self.content();
        content.dispatcher_sleeps = content.loads.is_empty();
        content.dispatcher_sleeps
    }

    /// The dispatcher is awake, or is to be rung now; true if it slept.
    pub(crate) fn wake(&self) -> bool {
        std::mem::take(&mut self.content().dispatcher_sleeps)
    }
}
