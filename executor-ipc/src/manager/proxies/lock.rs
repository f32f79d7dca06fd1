//! [`Lock`].

use std::time::Duration;

use crate::manager::client::Handle;
use crate::manager::error::ManagerError;
use crate::manager::objects::lock::LockCall;

proxy! {
    /// Mutual exclusion between clients. [`Manager::lock`](crate::manager::Manager::lock) makes one.
    ///
    /// It is not re-entrant, and is granted in the order in which clients asked.
    ///
    /// # When the holder dies
    ///
    /// The lock is released then, and the next one who gets it is told: see [`owner_died`](LockGuard::owner_died).
    ///
    /// # Examples
    ///
    /// ```
    /// use executor_ipc::manager::Manager;
    ///
    /// let manager = Manager::new()?;
    /// let printer = manager.lock()?;
    /// {
    ///     let guard = printer.lock()?;
    ///     assert!(!guard.owner_died());
    ///     assert!(printer.try_lock()?.is_none());
    /// }
    /// assert!(printer.try_lock()?.is_some());
    /// # Ok::<(), executor_ipc::manager::ManagerError>(())
    /// ```
    Lock, LOCK
}

impl Lock {
    /// Waits for the lock.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    ///
    /// # Blocking
    ///
    /// Until it is free. Other calls, of other threads, go on.
    pub fn lock(&self) -> Result<LockGuard, ManagerError> {
        LockGuard::acquire(&self.handle, None)
    }

    /// Takes the lock if it is free.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn try_lock(&self) -> Result<Option<LockGuard>, ManagerError> {
        self.lock_timeout(Duration::ZERO)
    }

    /// Waits for the lock for so long; `None` if it was not free in time.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    ///
    /// # Blocking
    ///
    /// As [`lock`](Lock::lock), for the limit at most, by the clock of the server.
    pub fn lock_timeout(&self, limit: Duration) -> Result<Option<LockGuard>, ManagerError> {
        match LockGuard::acquire(&self.handle, Some(limit)) {
            Ok(guard) => Ok(Some(guard)),
            Err(ManagerError::Timeout) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether somebody holds it.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn is_locked(&self) -> Result<bool, ManagerError> {
        self.handle.ask(&LockCall::IsLocked)
    }
}

/// The lock, held. Dropping it releases it, before the drop returns.
#[derive(Debug)]
#[must_use = "dropping the guard releases the lock"]
pub struct LockGuard {
    handle: Handle,
    hold: u64,
    owner_died: bool,
}

impl LockGuard {
    fn acquire(handle: &Handle, limit: Option<Duration>) -> Result<LockGuard, ManagerError> {
        let (hold, owner_died) = handle.ask(&LockCall::Acquire { limit })?;
        Ok(LockGuard { handle: handle.clone(), hold, owner_died })
    }

    /// Whether the one who held the lock before died with it, so that what it guards may be half done. Only the first one after it is told.
    #[must_use]
    pub fn owner_died(&self) -> bool {
        self.owner_died
    }
}

impl Drop for LockGuard {
    fn drop(&mut self) {
        self.handle.give_back(&LockCall::Release { hold: self.hold }, self.hold);
    }
}
