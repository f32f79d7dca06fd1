//! [`Life`]: what is known of a child, shared by its handles and the keeper.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::bell::{Bell, Ring};
use crate::exit::Exit;
use crate::sys::PidFd;
use crate::wire::Page;

/// A child, from its start to as long as anybody asks.
#[derive(Debug)]
pub(super) struct Life {
    pub(super) pid: u32,
    pub(super) name: String,
    pub(super) daemon: bool,
    pub(super) pidfd: Arc<PidFd>,
    pub(super) page: Arc<Page>,
    pub(super) ear: Arc<Bell>,
    exit: Mutex<Option<Exit>>,
    ended: Condvar,
}

impl Life {
    pub(super) fn new(
        name: String,
        daemon: bool,
        pid: u32,
        pidfd: Arc<PidFd>,
        page: Arc<Page>,
        ear: Arc<Bell>,
    ) -> Self {
        Life { pid, name, daemon, pidfd, page, ear, exit: Mutex::new(None), ended: Condvar::new() }
    }

    /// How it ended. A process that has ended, as its descriptor says, is waited for until the keeper has reaped it.
    pub(super) fn exit(&self) -> Option<Exit> {
        let known = *self.lock();
        if known.is_some() || !self.pidfd.wait_ended(Duration::ZERO) {
            return known;
        }
        self.wait(None)
    }

    /// Waits until it has ended, or until `deadline`.
    pub(super) fn wait(&self, deadline: Option<Instant>) -> Option<Exit> {
        let mut exit = self.lock();
        while exit.is_none() {
            exit = match deadline {
                None => self.ended.wait(exit).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return None;
                    }
                    self.ended.wait_timeout(exit, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        *exit
    }

    /// Notes how it ended; the first word counts.
    pub(super) fn note_end(&self, how: Exit) {
        self.lock().get_or_insert(how);
        self.ended.notify_all();
    }

    /// False if it has ended.
    pub(super) fn signal(&self, number: i32) -> io::Result<bool> {
        // A process that has ended and was not reaped takes signals, which do nothing.
        if self.pidfd.wait_ended(Duration::ZERO) {
            return Ok(false);
        }
        self.pidfd.signal(number)
    }

    pub(super) fn request_stop(&self) {
        self.page.ask_stop_all();
        self.ear.ring(Ring::Owner);
    }

    fn lock(&self) -> MutexGuard<'_, Option<Exit>> {
        // Nothing under it is left half done by a panic.
        self.exit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
