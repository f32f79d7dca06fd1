//! [`AsyncExecutor`]: the handle.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use executor_core::backend::{
    Backend, Capabilities, Control, PoolId, Refused, Room, RoomTicket, Task, callbacks_after, closure_task, future_task,
};
use executor_core::{BuildError, JobFuture, Shutdown, ShutdownError, Stats};
use tokio::runtime::{Handle, Runtime};

use crate::blocking;
use crate::builder::AsyncExecutorBuilder;
use crate::pool::Pool;
use crate::sync::Mutex;

/// Runs jobs on a tokio runtime: async jobs as its tasks, functions on its blocking threads. A handle; clones share the
/// executor.
///
/// # On a thread of a runtime
///
/// No thread of a runtime is ever blocked. `submit` to a full queue is
/// [`Rejected`](executor_core::JobError::Rejected) there, and
/// [`submit_wait`](executor_core::Executor::submit_wait) awaits room; a blocking `result()` is
/// [`WouldBlock`](executor_core::JobError::WouldBlock), and so is `shutdown`, for which there is
/// [`shutdown_wait`](AsyncExecutor::shutdown_wait). A thread on which a job of a function runs may block, and so may
/// [`allow_blocking`](crate::allow_blocking).
///
/// # Dropping
///
/// Dropping the last handle is `shutdown(Drain)`: it waits until everything that was accepted has run. While the thread
/// unwinds it is `CancelPending`. On a worker of the executor, on a thread of any runtime, after a `shutdown_timeout` whose
/// limit passed, and where the runtime is a `current_thread` one, it does not wait: what was accepted still runs, as long
/// as the runtime does. A runtime of the executor's own ends after it, and drops then what jobs left there.
///
/// # Examples
///
/// ```
/// use executor_async::AsyncExecutor;
/// use executor_core::{Executor, job};
///
/// #[job]
/// async fn fetch(page: u32) -> String {
///     tokio::time::sleep(std::time::Duration::from_millis(1)).await;
///     format!("page {page}")
/// }
///
/// let pool = AsyncExecutor::new(2)?;
/// assert_eq!(pool.submit(fetch::job(7)).result()?, "page 7");
///
/// let pages: Result<Vec<_>, _> = pool.map(fetch::job, 1..=2).collect();
/// assert_eq!(pages?, ["page 1", "page 2"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct AsyncExecutor {
    owner: Arc<Owner>,
}

/// Ends the pool with its last handle.
struct Owner {
    pool: Arc<Pool>,
    control: Arc<dyn Control>,
    /// The runtime, if it is the executor's own and nobody has ended it.
    runtime: Mutex<Option<Runtime>>,
    /// A shutdown waited for the end, in vain or not: the drop does not wait again.
    waited: AtomicBool,
}

impl AsyncExecutor {
    /// An executor with a runtime of its own, of `workers` threads, and the defaults of its builder.
    ///
    /// # Errors
    ///
    /// As [`AsyncExecutorBuilder::build`].
    pub fn new(workers: usize) -> Result<Self, BuildError> {
        AsyncExecutor::builder().workers(workers).build()
    }

    /// An executor on a runtime of the caller's, with the defaults of its builder.
    ///
    /// # Errors
    ///
    /// As [`AsyncExecutorBuilder::build`].
    pub fn on(runtime: Handle) -> Result<Self, BuildError> {
        AsyncExecutor::builder().runtime(runtime).build()
    }

    /// An executor on the runtime that this is called in, with the defaults of its builder.
    ///
    /// # Errors
    ///
    /// [`BuildError::Invalid`] outside of a runtime; and as [`AsyncExecutorBuilder::build`].
    pub fn current() -> Result<Self, BuildError> {
        match Handle::try_current() {
            Ok(runtime) => AsyncExecutor::on(runtime),
            Err(error) => Err(BuildError::Invalid {
                what: format!(
                    "this is inside of no tokio runtime ({error}); call `AsyncExecutor::new`, which starts one, or \
                     `AsyncExecutor::on` with the handle of one"
                ),
            }),
        }
    }

    /// A builder.
    pub fn builder() -> AsyncExecutorBuilder {
        AsyncExecutorBuilder::new()
    }

    pub(crate) fn with_pool(pool: Arc<Pool>, runtime: Option<Runtime>) -> Self {
        let control = Arc::clone(&pool) as Arc<dyn Control>;
        let owner = Owner { pool, control, runtime: Mutex::new(runtime), waited: AtomicBool::new(false) };
        AsyncExecutor { owner: Arc::new(owner) }
    }

    /// Runs a future as an async job. It may hold anything that can cross threads, and cannot leave this process; what is to
    /// run elsewhere one day is a job.
    ///
    /// # Blocking
    ///
    /// With a bounded queue that is full, until there is room. On a thread of a runtime it never does; the future is
    /// [`Rejected`](executor_core::JobError::Rejected) instead.
    pub fn spawn<F>(&self, future: F) -> JobFuture<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.hand_over(future_task(self, future))
    }

    /// Runs a closure on a thread that may block. It may capture anything that can cross threads, and cannot leave this
    /// process.
    ///
    /// # Blocking
    ///
    /// As [`spawn`](AsyncExecutor::spawn).
    pub fn spawn_blocking<F, T>(&self, closure: F) -> JobFuture<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.hand_over(closure_task(self, closure))
    }

    fn hand_over<T>(&self, (task, future): (Task, JobFuture<T>)) -> JobFuture<T> {
        if let Err(refused) = self.accept(task, Room::Wait) {
            refused.fail();
        }
        future
    }

    /// [`shutdown`](executor_core::Executor::shutdown), awaited: refuses new jobs, treats the old ones by `mode`, and is ready
    /// when nothing is left. It begins with the first poll.
    ///
    /// # Errors
    ///
    /// [`ShutdownError::OwnWorker`] if it is awaited by one of the executor's own jobs; nothing was begun then.
    ///
    /// # Cancel safety
    ///
    /// Dropping it ends the wait and not the shutdown. For a time limit, drop it when that has passed.
    ///
    /// # Examples
    ///
    /// ```
    /// use executor_async::AsyncExecutor;
    /// use executor_core::Shutdown;
    ///
    /// let runtime = tokio::runtime::Runtime::new()?;
    /// runtime.block_on(async {
    ///     let pool = AsyncExecutor::current()?;
    ///     let future = pool.spawn(async { 6 * 7 });
    ///     pool.shutdown_wait(Shutdown::Drain).await?;
    ///     assert_eq!(future.await?, 42);
    ///     Ok::<(), Box<dyn std::error::Error>>(())
    /// })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn shutdown_wait(&self, mode: Shutdown) -> Result<(), ShutdownError> {
        let Owner { pool, waited, .. } = &*self.owner;
        if pool.is_own_worker() {
            return Err(ShutdownError::OwnWorker);
        }
        waited.store(true, Ordering::Relaxed);
        callbacks_after(|| pool.begin_shutdown(mode));
        pool.until_ended().await;
        self.owner.end_runtime();
        Ok(())
    }
}

impl Owner {
    /// Ends an own runtime, after the pool has ended: waits for its threads where that is possible.
    fn end_runtime(&self) {
        let Some(runtime) = self.runtime.lock().take() else { return };
        if Handle::try_current().is_ok() {
            runtime.shutdown_background();
        } else {
            drop(runtime);
        }
    }
}

impl Backend for AsyncExecutor {
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
        let left = self.owner.pool.wait_ended(deadline);
        if left == 0 && self.owner.pool.lock().over {
            self.owner.end_runtime();
        }
        left
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
        if !self.pool.is_shut_down() {
            callbacks_after(|| self.pool.begin_shutdown(mode));
        }
        let waits = !self.waited.load(Ordering::Relaxed)
            && !self.pool.is_own_worker()
            && !self.pool.is_driven_by_others()
            && blocking::is_allowed();
        if waits {
            self.pool.wait_ended(None);
            self.end_runtime();
        } else if let Some(runtime) = self.runtime.lock().take() {
            self.pool.leave_runtime(runtime);
        }
    }
}

impl fmt::Debug for AsyncExecutor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncExecutor").field("id", &self.owner.pool.id).field("stats", &self.snapshot()).finish()
    }
}
