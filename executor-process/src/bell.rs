//! [`Bell`]: wakes a thread of this process or of another that sleeps on descriptors.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::unistd::{read, write};

/// Who rang.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ring {
    /// The worker that listens, to itself.
    Itself,
    /// The owner.
    Owner,
}

/// What an owner adds to the counter, so that its rings are told from those of the worker: 2³² of those would be needed.
const OWNER: u64 = 1 << 32;

/// A bell that many may ring and one answers.
#[derive(Debug)]
pub(crate) struct Bell(OwnedFd);

impl Bell {
    /// A bell that closes on exec.
    ///
    /// # Errors
    ///
    /// If descriptors have run out.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Bell(EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?.into()))
    }

    /// The bell that another process made.
    pub(crate) fn from_fd(fd: OwnedFd) -> Self {
        Bell(fd)
    }

    /// The same bell once more.
    ///
    /// # Errors
    ///
    /// If descriptors have run out.
    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        Ok(Bell(self.0.try_clone()?))
    }

    /// Rings. It does nothing if the bell has been rung so often that nobody can have missed it.
    pub(crate) fn ring(&self, who: Ring) {
        let value: u64 = if who == Ring::Owner { OWNER } else { 1 };
        let _ = write(&self.0, &value.to_ne_bytes());
    }

    /// Stills the bell, and says who rang: the owner, if it was among them.
    pub(crate) fn answer(&self) -> Ring {
        let mut value = [0; 8];
        match read(&self.0, &mut value) {
            Ok(_) if u64::from_ne_bytes(value) < OWNER => Ring::Itself,
            Ok(_) => Ring::Owner,
            Err(_) => Ring::Itself,
        }
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
