//! [`Log`]: what jobs did, and in which order.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::station::{self, Address, Station};

/// A list of numbers that jobs write, wherever they run, and that the law reads. It is a counter too: see
/// [`len`](Log::len).
///
/// # Examples
///
/// ```
/// use executor_testkit::Log;
///
/// let log = Log::new();
/// log.pen().write(7);
/// assert_eq!(log.entries(), [7]);
/// ```
#[derive(Debug)]
pub struct Log {
    page: Arc<Page>,
    address: Address,
}

#[derive(Debug, Default)]
struct Page {
    entries: Mutex<Vec<u64>>,
    written: Condvar,
}

impl Page {
    fn lock(&self) -> MutexGuard<'_, Vec<u64>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Station for Page {
    fn call(&self, argument: u64) -> u64 {
        let mut entries = self.lock();
        entries.push(argument);
        let len = entries.len() as u64;
        drop(entries);
        self.written.notify_all();
        len
    }
}

impl Log {
    /// An empty log.
    #[must_use]
    pub fn new() -> Self {
        let page = Arc::<Page>::default();
        let address = station::open(Arc::clone(&page) as Arc<dyn Station>);
        Log { page, address }
    }

    /// What a job writes with.
    #[must_use]
    pub fn pen(&self) -> Pen {
        Pen { address: self.address }
    }

    /// Everything written so far, in the order in which it was.
    #[must_use]
    pub fn entries(&self) -> Vec<u64> {
        self.page.lock().clone()
    }

    /// How often something was written.
    #[must_use]
    pub fn len(&self) -> usize {
        self.page.lock().len()
    }

    /// True if nothing was written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Waits until `entries` were written.
    pub fn wait_for(&self, entries: usize) {
        let waited = self.page.written.wait_while(self.page.lock(), |written| written.len() < entries);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

impl Default for Log {
    fn default() -> Self {
        Log::new()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        station::close(self.address);
    }
}

/// What a job writes into a [`Log`] with. It travels with the job, to other processes too.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Pen {
    address: Address,
}

impl Pen {
    /// Writes `entry`, and gives how many there are now. It is in the log when this returns. A log that was dropped
    /// forgets it.
    ///
    /// # Panics
    ///
    /// If the process of the law has ended.
    pub fn write(&self, entry: u64) -> u64 {
        self.address.call(entry)
    }
}
