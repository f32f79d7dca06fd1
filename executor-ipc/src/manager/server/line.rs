//! [`Line`]: who waits at an object, in order; and [`Bell`], by which they are called.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Instant;

use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd};

use crate::manager::stream::{Stream, wait};

/// Wakes the thread of one connection, which waits for it and for the end of its client at once.
#[derive(Debug)]
pub(crate) struct Bell(OwnedFd);

/// Why a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    Rung,
    Late,
    /// The client is.
    Gone,
}

impl Bell {
    pub(crate) fn new() -> io::Result<Bell> {
        Ok(Bell(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?))
    }

    fn ring(&self) {
        // It fails only if it has been rung 2^64 times and not been heard.
        let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }

    /// Waits until it is rung, the deadline has come, or the client is gone.
    pub(crate) fn wait(&self, client: &Stream, deadline: Option<Instant>) -> Woken {
        let mut descriptors = [PollFd::new(&self.0, PollFlags::IN), PollFd::new(client, PollFlags::RDHUP)];
        match wait(&mut descriptors, deadline) {
            Ok(false) => Woken::Late,
            Ok(true) if descriptors[1].revents().is_empty() => {
                // Only this thread reads it, and it is readable.
                let _ = rustix::io::read(&self.0, &mut [0; 8]);
                Woken::Rung
            }
            Ok(true) | Err(_) => Woken::Gone,
        }
    }
}

/// Who of those who wait may look whether there is something for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turns {
    /// The first one in the line, for what goes to one of them: it calls the next one when it leaves.
    InOrder,
    /// All, for what comes to each in its own time; whoever brings it calls all.
    Together,
}

/// Connections that wait, first come first served. It is under the lock of its object.
#[derive(Debug, Default)]
pub(crate) struct Line {
    waiting: VecDeque<Arc<Bell>>,
}

impl Line {
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(crate) fn join(&mut self, bell: &Arc<Bell>) {
        self.waiting.push_back(Arc::clone(bell));
    }

    /// True for whoever stands at the front.
    pub(crate) fn is_first(&self, bell: &Arc<Bell>) -> bool {
        self.waiting.front().is_some_and(|first| Arc::ptr_eq(first, bell))
    }

    /// Leaves the line, served or not. Whoever is first then looks whether there is something left.
    pub(crate) fn leave(&mut self, bell: &Arc<Bell>) {
        let was_first = self.is_first(bell);
        self.waiting.retain(|waiting| !Arc::ptr_eq(waiting, bell));
        if was_first {
            self.call_first();
        }
    }

    /// Has all look.
    pub(crate) fn call_all(&self) {
        self.waiting.iter().for_each(|bell| bell.ring());
    }

    /// Has the first one look, because there may be something for it.
    pub(crate) fn call_first(&self) {
        if let Some(first) = self.waiting.front() {
            first.ring();
        }
    }
}
