//! [`Semaphore`].

use std::time::Duration;

use crate::manager::client::Handle;
use crate::manager::error::ManagerError;
use crate::manager::objects::semaphore::SemaphoreCall;

proxy! {
    /// Permits, of which clients take one each. [`Manager::semaphore`](crate::manager::Manager::semaphore) makes one.
    ///
    /// A [`Permit`] goes back when it is dropped, or when its client dies, so that there are never more than were put in. They are granted in
    /// the order in which clients asked.
    ///
    /// # Examples
    ///
    /// ```
    /// use executor_ipc::manager::Manager;
    ///
    /// let manager = Manager::new()?;
    /// let seats = manager.semaphore(1)?;
    /// let permit = seats.acquire()?;
    /// assert!(seats.try_acquire()?.is_none());
    /// drop(permit);
    /// assert_eq!(seats.available()?, 1);
    /// # Ok::<(), executor_ipc::manager::ManagerError>(())
    /// ```
    Semaphore, SEMAPHORE
}

impl Semaphore {
    /// Waits for a permit.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    ///
    /// # Blocking
    ///
    /// Until there is one. Other calls, of other threads, go on.
    pub fn acquire(&self) -> Result<Permit, ManagerError> {
        self.acquire_within(None)
    }

    /// Takes a permit if there is one.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn try_acquire(&self) -> Result<Option<Permit>, ManagerError> {
        self.acquire_timeout(Duration::ZERO)
    }

    /// Waits for a permit for so long; `None` if there was none in time.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    ///
    /// # Blocking
    ///
    /// As [`acquire`](Semaphore::acquire), for the limit at most, by the clock of the server.
    pub fn acquire_timeout(&self, limit: Duration) -> Result<Option<Permit>, ManagerError> {
        match self.acquire_within(Some(limit)) {
            Ok(permit) => Ok(Some(permit)),
            Err(ManagerError::Timeout) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Puts so many permits in.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn add_permits(&self, permits: u64) -> Result<(), ManagerError> {
        self.handle.ask(&SemaphoreCall::Add(permits))
    }

    /// How many permits nobody has.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn available(&self) -> Result<u64, ManagerError> {
        self.handle.ask(&SemaphoreCall::Available)
    }

    fn acquire_within(&self, limit: Option<Duration>) -> Result<Permit, ManagerError> {
        let hold = self.handle.ask(&SemaphoreCall::Acquire { limit })?;
        Ok(Permit { handle: self.handle.clone(), hold: Some(hold) })
    }
}

/// A permit. Dropping it gives it back, before the drop returns.
#[derive(Debug)]
#[must_use = "dropping the permit gives it back"]
pub struct Permit {
    handle: Handle,
    hold: Option<u64>,
}

impl Permit {
    /// Does not give it back: the semaphore has one less from now on, until somebody [adds](Semaphore::add_permits) one.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn forget(mut self) -> Result<(), ManagerError> {
        let Some(hold) = self.hold.take() else { return Ok(()) };
        self.handle.ask(&SemaphoreCall::Forget { hold })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(hold) = self.hold {
            self.handle.give_back(&SemaphoreCall::Release { hold }, hold);
        }
    }
}
