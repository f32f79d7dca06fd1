//! [`Condition`].

use std::time::Duration;

use crate::manager::client::Handle;
use crate::manager::error::ManagerError;
use crate::manager::objects::condition::ConditionCall;

proxy! {
    /// A lock, and clients that leave it to wait until they are notified. [`Manager::condition`](crate::manager::Manager::condition) makes one.
    ///
    /// A client that dies while it waits is not notified in the place of another one.
    ///
    /// # Examples
    ///
    /// ```
    /// use executor_ipc::manager::Manager;
    ///
    /// let manager = Manager::new()?;
    /// let (changed, done) = (manager.condition()?, manager.counter(0)?);
    /// let (there, then) = (changed.clone(), done.clone());
    /// let other = std::thread::spawn(move || {
    ///     let guard = there.lock()?;
    ///     then.set(1)?;
    ///     there.notify_all()?;
    ///     drop(guard);
    ///     Ok::<(), executor_ipc::manager::ManagerError>(())
    /// });
    /// let mut guard = changed.lock()?;
    /// while done.get()? == 0 {
    ///     guard = guard.wait()?;
    /// }
    /// drop(guard);
    /// other.join().expect("it does not panic")?;
    /// # Ok::<(), executor_ipc::manager::ManagerError>(())
    /// ```
    Condition, CONDITION
}

impl Condition {
    /// Waits for the lock.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    ///
    /// # Blocking
    ///
    /// Until it is free.
    pub fn lock(&self) -> Result<ConditionGuard, ManagerError> {
        let (hold, owner_died) = self.handle.ask(&ConditionCall::Acquire { limit: None })?;
        Ok(ConditionGuard { handle: self.handle.clone(), hold: Some(hold), owner_died })
    }

    /// Wakes the one who has waited longest. Returns whether there was one.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn notify_one(&self) -> Result<bool, ManagerError> {
        self.notify(1).map(|count| count == 1)
    }

    /// Wakes so many of those who have waited longest. Returns how many there were.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn notify(&self, count: usize) -> Result<usize, ManagerError> {
        let woken: u64 = self.handle.ask(&ConditionCall::Notify(count as u64))?;
        Ok(usize::try_from(woken).unwrap_or(usize::MAX))
    }

    /// Wakes all. Returns how many there were.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn notify_all(&self) -> Result<usize, ManagerError> {
        self.notify(usize::MAX)
    }

    /// Whether somebody holds the lock.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn is_locked(&self) -> Result<bool, ManagerError> {
        self.handle.ask(&ConditionCall::IsLocked)
    }
}

/// The lock of a condition, held. Dropping it releases it, before the drop returns.
#[derive(Debug)]
#[must_use = "dropping the guard releases the lock"]
pub struct ConditionGuard {
    handle: Handle,
    hold: Option<u64>,
    owner_died: bool,
}

impl ConditionGuard {
    /// Leaves the lock, waits until it is notified, and takes the lock again.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`]. The lock is not held then.
    ///
    /// # Blocking
    ///
    /// Until then.
    pub fn wait(self) -> Result<ConditionGuard, ManagerError> {
        self.wait_within(None).map(|(guard, _)| guard)
    }

    /// The same, for so long, and then as long as it takes to get the lock again. Returns whether it was notified.
    ///
    /// # Errors
    ///
    /// As [`wait`](ConditionGuard::wait).
    ///
    /// # Blocking
    ///
    /// As [`wait`](ConditionGuard::wait).
    pub fn wait_timeout(self, limit: Duration) -> Result<(ConditionGuard, bool), ManagerError> {
        self.wait_within(Some(limit))
    }

    /// Whether the one who held the lock before died with it. Only the first one after it is told.
    #[must_use]
    pub fn owner_died(&self) -> bool {
        self.owner_died
    }

    fn wait_within(mut self, limit: Option<Duration>) -> Result<(ConditionGuard, bool), ManagerError> {
        let Some(hold) = self.hold.take() else { return Err(ManagerError::NotHeld) };
        let (is_notified, hold, owner_died) = self.handle.ask(&ConditionCall::Wait { hold, limit })?;
        Ok((ConditionGuard { handle: self.handle.clone(), hold: Some(hold), owner_died }, is_notified))
    }
}

impl Drop for ConditionGuard {
    fn drop(&mut self) {
        if let Some(hold) = self.hold {
            self.handle.give_back(&ConditionCall::Release { hold }, hold);
        }
    }
}
