//! [`Counter`].

use crate::manager::error::ManagerError;
use crate::manager::objects::counter::CounterCall;

proxy! {
    /// A number of 64 bits, which all clients change at once and no change is lost. [`Manager::counter`](crate::manager::Manager::counter) makes
    /// one.
    ///
    /// # Examples
    ///
    /// ```
    /// use executor_ipc::manager::Manager;
    ///
    /// let manager = Manager::new()?;
    /// let counter = manager.counter(40)?;
    /// assert_eq!(counter.fetch_add(2)?, 40);
    /// assert_eq!(counter.compare_exchange(42, 0)?, Ok(42));
    /// assert_eq!(counter.compare_exchange(42, 1)?, Err(0));
    /// # Ok::<(), executor_ipc::manager::ManagerError>(())
    /// ```
    Counter, COUNTER
}

impl Counter {
    /// The number.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn get(&self) -> Result<i64, ManagerError> {
        self.handle.ask(&CounterCall::Get)
    }

    /// Sets the number.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn set(&self, value: i64) -> Result<(), ManagerError> {
        self.swap(value).map(drop)
    }

    /// Sets the number, and gives the one before.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn swap(&self, value: i64) -> Result<i64, ManagerError> {
        self.handle.ask(&CounterCall::Swap(value))
    }

    /// Adds to the number, around the end if need be, and gives the one before.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn fetch_add(&self, more: i64) -> Result<i64, ManagerError> {
        self.handle.ask(&CounterCall::FetchAdd(more))
    }

    /// Subtracts from the number, around the end if need be, and gives the one before.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn fetch_sub(&self, less: i64) -> Result<i64, ManagerError> {
        self.fetch_add(less.wrapping_neg())
    }

    /// Sets the number to `other` if that is less, and gives the one before.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn fetch_min(&self, other: i64) -> Result<i64, ManagerError> {
        self.handle.ask(&CounterCall::FetchMin(other))
    }

    /// Sets the number to `other` if that is more, and gives the one before.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn fetch_max(&self, other: i64) -> Result<i64, ManagerError> {
        self.handle.ask(&CounterCall::FetchMax(other))
    }

    /// Sets the number to `new` if it is `current`. The number before, as `Ok` if it was set.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn compare_exchange(&self, current: i64, new: i64) -> Result<Result<i64, i64>, ManagerError> {
        self.handle.ask(&CounterCall::CompareExchange { current, new })
    }
}
