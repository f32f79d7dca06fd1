//! [`Barrier`].

use std::time::Duration;

use crate::manager::error::ManagerError;
use crate::manager::objects::barrier::BarrierCall;

proxy! {
    /// Parties that wait for one another, round after round. [`Manager::barrier`](crate::manager::Manager::barrier) makes one.
    ///
    /// A party that gives up, or dies while it waits, breaks the barrier: all who wait get [`ManagerError::Broken`], and so does everybody until
    /// it is [reset](Barrier::reset).
    ///
    /// # Examples
    ///
    /// ```
    /// use executor_ipc::manager::Manager;
    ///
    /// let manager = Manager::new()?;
    /// let barrier = manager.barrier(2)?;
    /// let other = barrier.clone();
    /// let other = std::thread::spawn(move || other.wait());
    /// let places = [barrier.wait()?, other.join().expect("it does not panic")?];
    /// assert!(places == [0, 1] || places == [1, 0]);
    /// # Ok::<(), executor_ipc::manager::ManagerError>(())
    /// ```
    Barrier, BARRIER
}

impl Barrier {
    /// Waits for the others. Returns the place in which this one came, from 0, which is another one for each.
    ///
    /// # Errors
    ///
    /// [`ManagerError::Broken`].
    ///
    /// # Blocking
    ///
    /// Until all are there.
    pub fn wait(&self) -> Result<usize, ManagerError> {
        self.wait_within(None)
    }

    /// The same, for so long.
    ///
    /// # Errors
    ///
    /// [`ManagerError::Timeout`] for this one, if not all came in time, which breaks the barrier; and [`ManagerError::Broken`].
    ///
    /// # Blocking
    ///
    /// As [`wait`](Barrier::wait), for the limit at most, by the clock of the server.
    pub fn wait_timeout(&self, limit: Duration) -> Result<usize, ManagerError> {
        self.wait_within(Some(limit))
    }

    /// Breaks the barrier.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn abort(&self) -> Result<(), ManagerError> {
        self.handle.ask(&BarrierCall::Abort)
    }

    /// Begins anew. All who wait get [`ManagerError::Broken`].
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn reset(&self) -> Result<(), ManagerError> {
        self.handle.ask(&BarrierCall::Reset)
    }

    /// How many wait.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn waiting(&self) -> Result<usize, ManagerError> {
        self.handle.ask::<u64>(&BarrierCall::Waiting).map(|count| usize::try_from(count).unwrap_or(usize::MAX))
    }

    /// How many parties there are.
    ///
    /// # Errors
    ///
    /// Those of every call; see [`ManagerError`].
    pub fn parties(&self) -> Result<usize, ManagerError> {
        self.handle.ask::<u64>(&BarrierCall::Parties).map(|count| usize::try_from(count).unwrap_or(usize::MAX))
    }

    fn wait_within(&self, limit: Option<Duration>) -> Result<usize, ManagerError> {
        let place: u64 = self.handle.ask(&BarrierCall::Wait { limit })?;
        Ok(usize::try_from(place).unwrap_or(usize::MAX))
    }
}
