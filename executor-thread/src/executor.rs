//! [`ThreadExecutor`]: the handle.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use executor_core::backend::{
    Backend, Capabilities, Control, PoolId, Refused, Room, RoomTicket, Task, callbacks_after, closure_task,
};
use executor_core::{BuildError, JobFuture, Shutdown, Stats};

use crate::builder::ThreadExecutorBuilder;
use crate::pool::Pool;
use crate::sync::atomic::{AtomicBool, Ordering};

/// Runs jobs on threads, which are the workers of a rayon pool of its own. A handle; clones share the pool.
///
/// # Dropping
///
/// Dropping the last handle is `shutdown(Drain)`: it waits until everything that was accepted has run. While the thread
/// unwinds it is `CancelPending`. On a worker of the pool, and after a `shutdown_timeout` whose limit passed, it does
/// not wait.
///
/// # Examples
///
/// ```
/// use executor_core::{Executor, job};
/// use executor_thread::ThreadExecutor;
///
/// #[job]
/// fn square(n: u64) -> u64 {
///     n * n
/// }
///
/// let pool = ThreadExecutor::new(2)?;
/// assert_eq!(pool.submit(square::job(12)).result()?, 144);
///
/// let squares: Result<Vec<_>, _> = pool.map(square::job, 1..=4).collect();
/// assert_eq!(squares?, [1, 4, 9, 16]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ThreadExecutor {
    owner: Arc<Owner>,
}

/// Ends the pool with its last handle.
struct Owner {
    pool: Arc<Pool>,
    control: Arc<dyn Control>,
    /// A shutdown waited for the end, in vain or not: the drop does not wait again.
    waited: AtomicBool,
}

impl ThreadExecutor {
    /// An executor with `workers` threads and the defaults of its builder.
    ///
    /// # Errors
    ///
    /// As [`ThreadExecutorBuilder::build`].
    pub fn new(workers: usize) -> Result<Self, BuildError> {
        ThreadExecutor::builder().workers(workers).build()
    }

    /// A builder.
    pub fn builder() -> ThreadExecutorBuilder {
        ThreadExecutorBuilder::new()
    }

    pub(crate) fn with_pool(pool: Arc<Pool>) -> Self {
        let control = Arc::clone(&pool) as Arc<dyn Control>;
        ThreadExecutor { owner: Arc::new(Owner { pool, control, waited: AtomicBool::new(false) }) }
    }

    /// Runs a closure on a worker. It may capture anything that can cross threads, and cannot leave this process;
    /// what is to run elsewhere one day is a job.
    ///
    /// # Blocking
    ///
    /// With a bounded queue that is full, until there is room.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::{Arc, Mutex};
    /// use executor_thread::ThreadExecutor;
    ///
    /// let pool = ThreadExecutor::new(2)?;
    /// let found = Arc::new(Mutex::new(vec![2]));
    /// let theirs = Arc::clone(&found);
    /// pool.spawn(move || theirs.lock().map(|mut found| found.push(3)).is_ok()).result()?;
    /// assert_eq!(found.lock().map(|found| found.len()).ok(), Some(2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// What cannot cross threads does not compile; nor does a borrow, for which there is [`scope`](ThreadExecutor::scope):
    ///
    /// ```compile_fail,E0277
    /// # let pool = executor_thread::ThreadExecutor::new(2).unwrap();
    /// let found = std::rc::Rc::new(2);
    /// drop(pool.spawn(move || *found));
    /// ```
    ///
    /// ```compile_fail,E0373
    /// # let pool = executor_thread::ThreadExecutor::new(2).unwrap();
    /// let found = 2;
    /// drop(pool.spawn(|| found + 1));
    /// ```
    pub fn spawn<F, T>(&self, closure: F) -> JobFuture<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let (task, future) = closure_task(self, closure);
        if let Err(refused) = self.accept(task, Room::Wait) {
            refused.fail();
        }
        future
    }

    /// Runs `op` on a worker and waits for it; parallel iterators and `rayon::join` inside it use this pool. It goes
    /// past the queue: rayon schedules it.
    ///
    /// # Panics
    ///
    /// If `op` panics, with its payload; and if the executor has been shut down.
    pub fn install<R: Send>(&self, op: impl FnOnce() -> R + Send) -> R {
        self.visit(|rayon| rayon.install(op))
    }

    /// Rayon's scope on this pool: tasks that borrow from the caller, all of them done when it returns. It goes past
    /// the queue: rayon schedules it.
    ///
    /// # Panics
    ///
    /// If `op` or a task of the scope panics, with its payload; and if the executor has been shut down.
    pub fn scope<'scope, R: Send>(&self, op: impl FnOnce(&rayon::Scope<'scope>) -> R + Send) -> R {
        self.visit(|rayon| rayon.scope(op))
    }

    fn visit<R>(&self, visit: impl FnOnce(&rayon::ThreadPool) -> R) -> R {
        match self.owner.pool.visit(visit) {
            Some(value) => value,
            None => panic!("the executor is shut down; build another one"),
        }
    }
}

impl Backend for ThreadExecutor {
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
        if !self.pool.is_shut_down() {
            callbacks_after(|| self.pool.begin_shutdown(mode));
        }
        if !self.waited.load(Ordering::Relaxed) && self.pool.own_worker().is_none() {
            self.pool.wait_ended(None);
        }
    }
}

impl fmt::Debug for ThreadExecutor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadExecutor").field("id", &self.owner.pool.id).field("stats", &self.snapshot()).finish()
    }
}
