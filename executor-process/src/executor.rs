//! [`ProcessExecutor`]: the handle.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use executor_core::backend::{
    Backend, Capabilities, Control, PoolId, Refused, Room, RoomTicket, Task, callbacks_after,
};
use executor_core::{BuildError, Shutdown, Stats};

use crate::builder::ProcessExecutorBuilder;
use crate::pool::Pool;

/// Runs jobs in worker processes. A handle; clones share the pool.
///
/// # Dropping
///
/// Dropping the last handle is `shutdown(Drain)`: it waits until everything that was accepted has run. While the thread
/// unwinds it is `CancelPending`. On the thread of the pool's callbacks, and after a `shutdown_timeout` whose limit passed, it
/// does not wait.
///
/// # Examples
///
/// ```
/// use executor_core::{Executor, job};
/// use executor_process::ProcessExecutor;
///
/// #[job]
/// fn square(n: u64) -> u64 {
///     n * n
/// }
///
/// let pool = ProcessExecutor::new(2)?;
/// assert_eq!(pool.submit(square::job(12)).result()?, 144);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ProcessExecutor {
    owner: Arc<Owner>,
}

/// Ends the pool with its last handle.
struct Owner {
    pool: Arc<Pool>,
    control: Arc<dyn Control>,
    /// A shutdown waited for the end, in vain or not: the drop does not wait again.
    waited: AtomicBool,
}

impl ProcessExecutor {
    /// An executor with `workers` processes and the defaults of its builder.
    ///
    /// # Errors
    ///
    /// As [`ProcessExecutorBuilder::build`].
    pub fn new(workers: usize) -> Result<Self, BuildError> {
        ProcessExecutor::builder().workers(workers).build()
    }

    /// A builder.
    pub fn builder() -> ProcessExecutorBuilder {
        ProcessExecutorBuilder::new()
    }

    pub(crate) fn with_pool(pool: Arc<Pool>) -> Self {
        let control = Arc::clone(&pool) as Arc<dyn Control>;
        ProcessExecutor { owner: Arc::new(Owner { pool, control, waited: AtomicBool::new(false) }) }
    }
}

impl Backend for ProcessExecutor {
    fn id(&self) -> PoolId {
        self.owner.pool.id
    }

    fn control(&self) -> &Arc<dyn Control> {
        &self.owner.control
    }

    fn accept(&self, task: Task, room: Room<'_>) -> Result<(), Refused> {
        self.owner.pool.accept(task, room)
    }

    fn forget(&self, ticket: RoomTicket) {
        self.owner.pool.forget_room(ticket);
    }

    fn begin_shutdown(&self, mode: Shutdown) {
        callbacks_after(|| self.owner.pool.begin_shutdown(mode));
    }

    fn wait_ended(&self, deadline: Option<Instant>) -> usize {
        // Only this flag is read by whoever drops the last handle.
        self.owner.waited.store(true, Ordering::Relaxed);
        self.owner.pool.wait_ended(deadline)
    }

    fn snapshot(&self) -> Stats {
        self.owner.pool.stats()
    }

    fn capabilities(&self) -> Capabilities {
        self.owner.pool.capabilities()
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let mode = if std::thread::panicking() { Shutdown::CancelPending } else { Shutdown::Drain };
        if self.pool.lock().shutdown.is_none() {
            callbacks_after(|| self.pool.begin_shutdown(mode));
        }
        if !self.waited.load(Ordering::Relaxed) && !self.pool.callbacks.is_current() {
            self.pool.wait_ended(None);
        }
    }
}

impl fmt::Debug for ProcessExecutor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessExecutor").field("id", &self.owner.pool.id).field("stats", &self.snapshot()).finish()
    }
}
