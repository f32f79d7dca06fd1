//! [`ThreadExecutorBuilder`].

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;

use executor_core::backend::{Initializer, PoolId, quietly};
use executor_core::{BuildError, Job, Shutdown};
use rayon::ThreadPoolBuilder;

use crate::caller;
use crate::drain;
use crate::executor::ThreadExecutor;
use crate::pool::Pool;
use crate::worker::{self, Hooks};

/// How often a worker that found nothing looks again before it sleeps, by default.
const LOOKS: u32 = 2000;

/// Builds a [`ThreadExecutor`].
///
/// # Examples
///
/// ```
/// use executor_thread::ThreadExecutor;
///
/// let pool = ThreadExecutor::builder().workers(2).name("resize").queue_capacity(100).build()?;
/// # Ok::<(), executor_core::BuildError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct ThreadExecutorBuilder {
    workers: Option<usize>,
    name: Option<String>,
    queue_capacity: Option<usize>,
    stack_bytes: Option<usize>,
    looks: u32,
    hooks: Hooks,
    #[cfg(feature = "tokio")]
    tokio: Option<tokio::runtime::Handle>,
}

impl ThreadExecutorBuilder {
    pub(crate) fn new() -> Self {
        ThreadExecutorBuilder {
            workers: None,
            name: None,
            queue_capacity: None,
            stack_bytes: None,
            looks: LOOKS,
            hooks: Hooks::default(),
            #[cfg(feature = "tokio")]
            tokio: None,
        }
    }

    /// How many threads run jobs. Default: what [`std::thread::available_parallelism`] says, which heeds the affinity
    /// of the process and, on Linux, its cgroup quota; 1 where it says nothing.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = Some(workers);
        self
    }

    /// The name of the pool; its threads are `name-0`, `name-1`, …. Default: `executor-` and a number of the pool's
    /// own. On Linux the system shows the first 15 bytes.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// How many jobs may wait, beside those that run. A submit to a full queue waits, or is refused, by the method that
    /// was called. Default: no bound.
    pub fn queue_capacity(mut self, jobs: usize) -> Self {
        self.queue_capacity = Some(jobs);
        self
    }

    /// The stack of each worker, in bytes. Jobs that wait for jobs nest on it. Default: that of the standard library,
    /// 2 MiB unless `RUST_MIN_STACK` says otherwise.
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_bytes = Some(bytes);
        self
    }

    /// A job that each worker runs before its first, to make its state: see
    /// [`JobContext::set_worker_state`](executor_core::JobContext::set_worker_state). If it fails, the executor is
    /// broken: every job ends as [`JobError::Broken`](executor_core::JobError::Broken) with the cause.
    pub fn initializer(mut self, job: impl Job + Sync) -> Self {
        self.hooks.initializer = Some(Initializer::new(job));
        self
    }

    /// A closure that each worker runs before the initializer; it is told the number of the worker. A panic in it breaks
    /// the executor, as a failing initializer does.
    pub fn on_worker_start(mut self, hook: impl Fn(usize) + Send + Sync + 'static) -> Self {
        self.hooks.on_start = Some(Arc::new(hook));
        self
    }

    /// A closure that each worker runs after its last job; it is told the number of the worker. A panic in it is caught.
    pub fn on_worker_exit(mut self, hook: impl Fn(usize) + Send + Sync + 'static) -> Self {
        self.hooks.on_exit = Some(Arc::new(hook));
        self
    }

    /// The tokio runtime inside of which async jobs are polled, for its clock, its sockets and its tasks. It has to outlive the jobs.
    /// Default: one for all pools of the process that were given none, which has one thread; the first async job starts it.
    #[cfg(feature = "tokio")]
    #[cfg_attr(docsrs, doc(cfg(feature = "tokio")))]
    pub fn tokio(mut self, handle: tokio::runtime::Handle) -> Self {
        self.tokio = Some(handle);
        self
    }

    /// How often a worker that found no job looks again before it goes to sleep. More looks make a stream of jobs with
    /// small gaps cheaper, and cost at most that many turns of a spin loop after each busy period; an idle pool
    /// never spins. 0 sleeps at once. Default: 2000, some 20 µs.
    pub fn looks_before_sleep(mut self, looks: u32) -> Self {
        self.looks = looks;
        self
    }

    /// Starts the workers.
    ///
    /// # Errors
    ///
    /// * [`BuildError::Invalid`] for 0 workers, more workers than rayon can have, a queue of 0 jobs, or a name with a NUL
    ///   character in it.
    /// * [`BuildError::DuplicateJobName`] if two jobs of this program have the same explicit name.
    /// * [`BuildError::Start`] if the system refuses a thread; those that were started have ended then.
    pub fn build(self) -> Result<ThreadExecutor, BuildError> {
        executor_core::backend::prepare()?;
        let workers = self.workers.unwrap_or_else(|| thread::available_parallelism().map_or(1, NonZeroUsize::get));
        let most = rayon::max_num_threads();
        if workers == 0 || workers > most {
            return Err(invalid(format!("an executor of {workers} workers cannot run; set 1 to {most} workers")));
        }
        executor_core::backend::check_words(self.name.as_deref(), self.queue_capacity)?;
        let hooks = Hooks {
            #[cfg(feature = "tokio")]
            surroundings: Some(crate::runtime::surroundings(self.tokio)),
            ..self.hooks
        };
        let id = PoolId::new();
        let name = self.name.unwrap_or_else(|| format!("executor-{}", id.as_u64()));
        let pool = Pool::new(id, workers, self.queue_capacity, self.looks);
        match caller::start(&pool, &name) {
            Ok(caller) => pool.set_caller(caller),
            Err(error) => return Err(BuildError::Start { worker: 0, cause: std::io::Error::other(error) }),
        }
        let mut builder =
            ThreadPoolBuilder::new().num_threads(workers).thread_name(move |index| format!("{name}-{index}"));
        let live = Arc::clone(&pool);
        builder = builder.start_handler(move |_| drain::live(&live));
        // Without this, rayon aborts the program when a closure panics that a job left to it. The panic hook has heard of
        // the panic.
        builder = builder.panic_handler(|panic| quietly(|| drop(panic)));
        if let Some(bytes) = self.stack_bytes {
            builder = builder.stack_size(bytes);
        }
        let mut failed = None;
        let rayon = builder
            .spawn_handler(|thread| {
                let index = thread.index();
                worker::start(&pool, &hooks, thread).inspect_err(|cause| {
                    failed = Some((index, cause.kind(), cause.to_string()));
                })
            })
            .build();
        match rayon {
            Ok(rayon) => {
                pool.set_rayon(rayon);
                Ok(ThreadExecutor::with_pool(pool))
            }
            Err(error) => {
                pool.begin_shutdown(Shutdown::CancelPending);
                pool.wait_ended(None);
                let (worker, kind, text) = failed.unwrap_or((0, std::io::ErrorKind::Other, error.to_string()));
                Err(BuildError::Start { worker, cause: std::io::Error::new(kind, text) })
            }
        }
    }
}

fn invalid(what: String) -> BuildError {
    BuildError::Invalid { what }
}
