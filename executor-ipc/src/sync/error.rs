//! What the locks of this module answer when they cannot simply say yes.

use std::error::Error;
use std::fmt;

use crate::sync::robust::Condition;

/// What `lock` gives: the guard, or the guard with the news that the value may be half changed.
pub type LockResult<G> = Result<G, OwnerDied<G>>;

/// The error of a lock whose last holder died while it had it, or panicked: the value may be half changed.
///
/// The lock is had all the same, by the guard within. Until somebody [repairs](OwnerDied::repair) the value, whoever locks is
/// told so too; nobody is kept from the lock for ever.
///
/// ```
/// use executor_ipc::sync::Mutex;
///
/// let balance = Mutex::new([100_u64, 0])?;
/// let mut guard = balance.lock().unwrap_or_else(|died| {
///     died.repair(|accounts| **accounts = [100, 0]) // such as from a copy
/// });
/// guard[0] -= 10;
/// guard[1] += 10;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct OwnerDied<G> {
    guard: G,
    panicked: bool,
}

impl<G> OwnerDied<G> {
    /// The guard of a lock whose last holder left the value in this condition.
    #[inline]
    pub(crate) fn unless_sound(guard: G, condition: Condition) -> LockResult<G> {
        match condition {
            Condition::Sound => Ok(guard),
            Condition::OwnerDied => Err(OwnerDied { guard, panicked: false }),
            Condition::Panicked => Err(OwnerDied { guard, panicked: true }),
        }
    }

    /// True if the holder panicked and goes on to live; false if its thread or its process ended.
    #[must_use]
    pub fn panicked(&self) -> bool {
        self.panicked
    }

    /// The guard, to look at the value or to do without a repair: whoever locks next is told again.
    #[must_use = "to drop the guard is to release the lock"]
    pub fn into_inner(self) -> G {
        self.guard
    }
}

impl<G: Repairable> OwnerDied<G> {
    /// Calls `repair` with the guard, and takes the value for sound from then on. If `repair` panics, or dies, it is not.
    ///
    /// # Panics
    ///
    /// As `repair`.
    pub fn repair(mut self, repair: impl FnOnce(&mut G)) -> G {
        repair(&mut self.guard);
        self.guard.declare_sound();
        self.guard
    }
}

/// A guard under which a value can be changed, and so be repaired.
pub trait Repairable: sealed::Sealed {
    #[doc(hidden)]
    fn declare_sound(&mut self);
}

pub(crate) mod sealed {
    /// Keeps other crates from guards of their own.
    #[expect(unnameable_types, reason = "that is what it is for")]
    pub trait Sealed {}
}

impl<G> fmt::Debug for OwnerDied<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnerDied").field("panicked", &self.panicked).finish_non_exhaustive()
    }
}

impl<G> fmt::Display for OwnerDied<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.panicked { "panicked" } else { "died" };
        write!(f, "whoever had the lock {how} meanwhile, and its value may be half changed: `repair` it")
    }
}

impl<G> Error for OwnerDied<G> {}

/// Why `try_lock` does not simply give a guard.
#[non_exhaustive]
pub enum TryLockError<G> {
    /// Somebody has the lock.
    WouldBlock,
    /// The lock is had, by the guard within, and the value may be half changed.
    OwnerDied(OwnerDied<G>),
}

impl<G> fmt::Debug for TryLockError<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TryLockError::WouldBlock => f.write_str("WouldBlock"),
            TryLockError::OwnerDied(died) => died.fmt(f),
        }
    }
}

impl<G> fmt::Display for TryLockError<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TryLockError::WouldBlock => f.write_str("somebody has the lock: `lock` waits for it"),
            TryLockError::OwnerDied(died) => died.fmt(f),
        }
    }
}

impl<G> Error for TryLockError<G> {}

/// Why `lock_timeout` does not simply give a guard.
#[non_exhaustive]
pub enum LockTimeoutError<G> {
    /// The time is over, and somebody else still has the lock.
    Timeout,
    /// The lock is had, by the guard within, and the value may be half changed.
    OwnerDied(OwnerDied<G>),
}

impl<G> fmt::Debug for LockTimeoutError<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LockTimeoutError::Timeout => f.write_str("Timeout"),
            LockTimeoutError::OwnerDied(died) => died.fmt(f),
        }
    }
}

impl<G> fmt::Display for LockTimeoutError<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LockTimeoutError::Timeout => f.write_str("somebody else had the lock for as long as this was to wait"),
            LockTimeoutError::OwnerDied(died) => died.fmt(f),
        }
    }
}

impl<G> Error for LockTimeoutError<G> {}

/// What came of a wait that may end without the lock, as the two forms of it are told.
pub(crate) fn tried<G>(came: Option<LockResult<G>>) -> Result<G, TryLockError<G>> {
    came.ok_or(TryLockError::WouldBlock)?.map_err(TryLockError::OwnerDied)
}

/// As [`tried`], for a wait with a limit.
pub(crate) fn waited<G>(came: Option<LockResult<G>>) -> Result<G, LockTimeoutError<G>> {
    came.ok_or(LockTimeoutError::Timeout)?.map_err(LockTimeoutError::OwnerDied)
}
