//! [`Event`].

use std::time::Duration;

use crate::manager::error::ManagerError;
use crate::manager::objects::event::EventCall;

proxy! {
    /// A flag for which clients wait. [`Manager::event`](crate::manager::Manager::event) makes one, not set.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use executor_ipc::manager::Manager;
    ///
    /// let manager = Manager::new()?;
    /// let ready = manager.event()?;
    /// assert!(!ready.wait_timeout(Duration::from_millis(1))?);
    /// ready.set()?;
    /// ready.wait()?;
    /// # Ok::<(), executor_ipc::manager::ManagerError>(())
    /// ```
    Event, EVENT
}

impl Event {
    /// Sets the flag, and wakes all who wait, also if it is cleared at once. Returns whether it was set before.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn set(&self) -> Result<bool, ManagerError> {
        self.handle.ask(&EventCall::Set)
    }

    /// Clears the flag. Returns whether it was set before.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn clear(&self) -> Result<bool, ManagerError> {
        self.handle.ask(&EventCall::Clear)
    }

    /// Whether the flag is set.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn is_set(&self) -> Result<bool, ManagerError> {
        self.handle.ask(&EventCall::IsSet)
    }

    /// Waits until the flag is set.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    ///
    /// # Blocking
    ///
    /// Until then. Other calls, of other threads, go on.
    pub fn wait(&self) -> Result<(), ManagerError> {
        self.handle.ask(&EventCall::Wait(None))
    }

    /// Waits until the flag is set, for so long. Returns whether it was.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    ///
    /// # Blocking
    ///
    /// As [`wait`](Event::wait), for the limit at most, by the clock of the server.
    pub fn wait_timeout(&self, limit: Duration) -> Result<bool, ManagerError> {
        match self.handle.ask(&EventCall::Wait(Some(limit))) {
            Ok(()) => Ok(true),
            Err(ManagerError::Timeout) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
