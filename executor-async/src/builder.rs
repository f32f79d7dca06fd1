//! [`AsyncExecutorBuilder`].

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
#[cfg(feature = "tracing")]
use std::time::Duration;

use executor_core::backend::{Initializer, PoolId};
use executor_core::{BuildError, Job};
use tokio::runtime::{self, Handle, Runtime};

#[cfg(feature = "tracing")]
use crate::blocked::BLOCKED_LIMIT;
use crate::board::Limits;
use crate::executor::AsyncExecutor;
use crate::pool::Pool;

/// The most threads of either kind: what tokio's documentation gives as the limit of its worker threads, and as many as a
/// Linux system has by default.
const THREADS_MAX: usize = 32_768;

/// How many async jobs run at once, by default. A task that waits takes about a KiB, so these take some 10 MB; more connections
/// than this one host rarely serves.
const ASYNC_JOBS: usize = 10_000;

/// So many threads an owned runtime may start above [`blocking_threads`](AsyncExecutorBuilder::blocking_threads), for functions
/// that are awaited while all others wait, and for what jobs themselves give to `tokio::task::spawn_blocking`. It is
/// tokio's own default for all of them; a thread is started only when it is needed.
const SPARE_THREADS: usize = 512;

/// Builds an [`AsyncExecutor`].
///
/// # Examples
///
/// ```
/// use executor_async::AsyncExecutor;
///
/// let pool = AsyncExecutor::builder().workers(2).async_jobs(500).name("fetch").queue_capacity(1000).build()?;
/// # Ok::<(), executor_core::BuildError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct AsyncExecutorBuilder {
    runtime: Option<Handle>,
    workers: Option<usize>,
    blocking_threads: Option<usize>,
    async_jobs: usize,
    name: Option<String>,
    queue_capacity: Option<usize>,
    initializer: Option<Initializer>,
    #[cfg(feature = "tracing")]
    blocked_limit: Duration,
}

impl AsyncExecutorBuilder {
    pub(crate) fn new() -> Self {
        AsyncExecutorBuilder {
            runtime: None,
            workers: None,
            blocking_threads: None,
            async_jobs: ASYNC_JOBS,
            name: None,
            queue_capacity: None,
            initializer: None,
            #[cfg(feature = "tracing")]
            blocked_limit: BLOCKED_LIMIT,
        }
    }

    /// The runtime that jobs run on; it stays the caller's. Its limit of blocking threads, 512 unless it was set, should leave
    /// room for those of the executor. Default: one of the executor's own, with all drivers on, which ends with it.
    pub fn runtime(mut self, runtime: Handle) -> Self {
        self.runtime = Some(runtime);
        self
    }

    /// How many threads an own runtime has. A runtime that was given has its threads already. Default: what
    /// [`std::thread::available_parallelism`] says, which heeds the affinity of the process and, on Linux, its cgroup quota;
    /// 1 where it says nothing.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = Some(workers);
        self
    }

    /// How many jobs of functions, and closures, run at once, each on a thread of the runtime that may block. These are the
    /// workers in [`Stats`](executor_core::Stats). Default: as many as [`workers`](AsyncExecutorBuilder::workers).
    pub fn blocking_threads(mut self, threads: usize) -> Self {
        self.blocking_threads = Some(threads);
        self
    }

    /// How many async jobs, and futures, run at once. The others wait for their turn by priority. Default: 10 000, which take
    /// some 10 MB while they wait for something.
    pub fn async_jobs(mut self, jobs: usize) -> Self {
        self.async_jobs = jobs;
        self
    }

    /// The name of the executor; the threads of an own runtime are `name-0`, `name-1`, …. Default: `executor-` and a
    /// number of the executor's own. On Linux the system shows the first 15 bytes.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// How many jobs may wait, beside those that run. A submit to a full queue waits, or is refused, by the method that
    /// was called and the thread that calls; see [`AsyncExecutor`]. Default: no bound.
    pub fn queue_capacity(mut self, jobs: usize) -> Self {
        self.queue_capacity = Some(jobs);
        self
    }

    /// A job that each worker runs before its first, to make its state: see
    /// [`JobContext::set_worker_state`](executor_core::JobContext::set_worker_state). All async jobs share one state, which
    /// is made before the first of them. If it fails, the executor is broken: every job ends as
    /// [`JobError::Broken`](executor_core::JobError::Broken) with the cause.
    pub fn initializer(mut self, job: impl Job + Sync) -> Self {
        self.initializer = Some(Initializer::new(job));
        self
    }

    /// After how long an async job is told of that does not yield, and so holds a thread of the runtime: a warning of `tracing`, with
    /// the target `executor_async::blocked`, while the job still blocks. It comes after `limit` and at most a quarter of that more, once
    /// for each poll of the job, inside the span of the job. The fields are `job_id` (number), `job` (name), `blocked_for` (so far),
    /// and `thread` (name).
    ///
    /// A job that blocks inside [`tokio::task::block_in_place`] is told of too. Functions may block, and are not. Less than 4 ms count
    /// as 4 ms. Default: 1 s, after which tokio-console warns of a task that has never yielded. A filter of the subscriber turns the
    /// warnings off.
    #[cfg(feature = "tracing")]
    #[cfg_attr(docsrs, doc(cfg(feature = "tracing")))]
    pub fn warn_when_blocked_for(mut self, limit: Duration) -> Self {
        self.blocked_limit = limit;
        self
    }

    /// Starts the runtime, if none was given, and the executor on it.
    ///
    /// # Errors
    ///
    /// * [`BuildError::Invalid`] for 0 or more than 32 768 workers or blocking threads, 0 async jobs at once, a queue of 0
    ///   jobs, a name with a NUL character in it, a poll that may take no time, and for `workers` of a runtime that was given.
    /// * [`BuildError::DuplicateJobName`] if two jobs of this program have the same explicit name.
    /// * [`BuildError::Start`] if the system refuses a thread or a driver of the runtime.
    pub fn build(self) -> Result<AsyncExecutor, BuildError> {
        executor_core::backend::prepare()?;
        if self.runtime.is_some() && self.workers.is_some() {
            return Err(invalid(
                "a runtime that is given has its workers already; leave `workers` out, and set `blocking_threads`"
                    .into(),
            ));
        }
        let workers = self.workers.unwrap_or_else(|| thread::available_parallelism().map_or(1, NonZeroUsize::get));
        let blocking = self.blocking_threads.unwrap_or(workers);
        for (threads, what) in [(workers, "workers"), (blocking, "workers for functions, its blocking threads,")] {
            if threads == 0 || threads > THREADS_MAX {
                return Err(invalid(format!(
                    "an executor of {threads} {what} cannot run; set 1 to {THREADS_MAX} of them"
                )));
            }
        }
        if self.async_jobs == 0 {
            return Err(invalid("an executor of 0 async jobs at once runs none; set 1 or more".into()));
        }
        executor_core::backend::check_words(self.name.as_deref(), self.queue_capacity)?;
        #[cfg(feature = "tracing")]
        if self.blocked_limit.is_zero() {
            return Err(invalid("`warn_when_blocked_for` 0 s would warn of every poll; set a longer time".into()));
        }
        let id = PoolId::new();
        let (handle, own) = match self.runtime {
            Some(handle) => (handle, None),
            None => {
                let name = self.name.unwrap_or_else(|| format!("executor-{}", id.as_u64()));
                let own = start(workers, blocking, name)?;
                (own.handle().clone(), Some(own))
            }
        };
        let limits = Limits {
            functions: blocking,
            asyncs: self.async_jobs,
            drivers: handle.metrics().num_workers(),
            waiting: self.queue_capacity.unwrap_or(usize::MAX),
            prepares: self.initializer.is_some(),
            #[cfg(feature = "tracing")]
            blocked: self.blocked_limit,
        };
        Ok(AsyncExecutor::with_pool(Pool::start(id, limits, self.initializer, handle), own))
    }
}

/// Starts an own runtime.
fn start(workers: usize, blocking: usize, name: String) -> Result<Runtime, BuildError> {
    let started = AtomicUsize::new(0);
    runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .max_blocking_threads(blocking + SPARE_THREADS)
        .thread_name_fn(move || format!("{name}-{}", started.fetch_add(1, Ordering::Relaxed)))
        .enable_all()
        .build()
        .map_err(|cause| BuildError::Start { worker: 0, cause })
}

fn invalid(what: String) -> BuildError {
    BuildError::Invalid { what }
}
