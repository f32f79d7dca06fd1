//! [`ProcessExecutorBuilder`].

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use executor_core::backend::{Initializer, PoolId, table};
use executor_core::{BuildError, Job};

use crate::bell::Bell;
use crate::dispatch::Dispatcher;
use crate::entry;
use crate::executor::ProcessExecutor;
use crate::pool::Pool;
use crate::start::{Launch, StartMethod, Starter, Stream};

/// The most workers of a pool: far more than any machine runs, and few enough to catch a slip.
const WORKERS_MAX: usize = 4096;

/// What every worker of a pool is told.
pub(crate) struct Recipe {
    /// The place of the initializer in the table of jobs, and its encoded arguments.
    pub(crate) initializer: Option<(u32, Vec<u8>)>,
}

/// Builds a [`ProcessExecutor`].
///
/// # Examples
///
/// ```
/// use executor_process::ProcessExecutor;
///
/// let pool = ProcessExecutor::builder().workers(2).name("resize").env("LANG", "C").build()?;
/// # Ok::<(), executor_core::BuildError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct ProcessExecutorBuilder {
    workers: Option<usize>,
    name: Option<String>,
    queue_capacity: Option<usize>,
    method: StartMethod,
    initializer: Option<Initializer>,
    launch: Launch,
}

impl ProcessExecutorBuilder {
    pub(crate) fn new() -> Self {
        ProcessExecutorBuilder {
            workers: None,
            name: None,
            queue_capacity: None,
            method: StartMethod::default(),
            initializer: None,
            launch: Launch::default(),
        }
    }

    /// How many processes run jobs. Default: what [`std::thread::available_parallelism`] says; 1 where it says nothing.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = Some(workers);
        self
    }

    /// The name of the pool; its processes are `name-0`, `name-1`, …. Default: `executor-` and a number of the pool's own.
    /// The system shows the first 15 bytes.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// How many jobs may wait, beside those that run. A submit to a full queue waits, or is refused, by the method that
    /// was called. A worker has no job ahead then, so that very short jobs are slower. Default: no bound.
    pub fn queue_capacity(mut self, jobs: usize) -> Self {
        self.queue_capacity = Some(jobs);
        self
    }

    /// How the processes come to be. Default: [`StartMethod::ForkServer`].
    pub fn start_method(mut self, method: StartMethod) -> Self {
        self.method = method;
        self
    }

    /// A job that each worker runs before its first, to make its state: see
    /// [`JobContext::set_worker_state`](executor_core::JobContext::set_worker_state). If it fails, the executor is
    /// broken: every job ends as [`JobError::Broken`](executor_core::JobError::Broken) with the cause.
    pub fn initializer(mut self, job: impl Job + Sync) -> Self {
        self.initializer = Some(Initializer::new(job));
        self
    }

    /// Sets a variable in the environment of the workers.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.launch.environment.insert(name.into(), Some(value.into()));
        self
    }

    /// Removes a variable from the environment of the workers.
    pub fn env_remove(mut self, name: impl Into<OsString>) -> Self {
        self.launch.environment.insert(name.into(), None);
        self
    }

    /// The directory in which the workers begin. Default: that of the program when the first worker is started.
    pub fn current_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.launch.settings.directory = Some(directory.into().into_os_string());
        self
    }

    /// What is added to the niceness of the program: 1 to 19 give way to others. Default: 0.
    pub fn niceness(mut self, increment: i32) -> Self {
        self.launch.settings.niceness = increment;
        self
    }

    /// How much address space a worker may have, in bytes. An allocation beyond it fails, which ends most jobs' workers by
    /// `SIGABRT`. Default: as the program.
    pub fn address_space_max(mut self, bytes: u64) -> Self {
        self.launch.settings.limits.address_space_bytes = Some(bytes);
        self
    }

    /// How much processor time a worker may use in its life, in seconds; then it is ended. Default: as the program.
    pub fn cpu_seconds_max(mut self, seconds: u64) -> Self {
        self.launch.settings.limits.cpu_seconds = Some(seconds);
        self
    }

    /// How many files a worker may have open. Default: as the program.
    pub fn open_files_max(mut self, files: u64) -> Self {
        self.launch.settings.limits.open_files = Some(files);
        self
    }

    /// Sends what the workers write to their standard output and standard error nowhere. Default: where those of the program
    /// go.
    pub fn discard_output(mut self) -> Self {
        self.launch.settings.stdout = Stream::Null;
        self.launch.settings.stderr = Stream::Null;
        self
    }

    /// Starts the pool; its workers start in the background.
    ///
    /// # Errors
    ///
    /// * [`BuildError::Invalid`] for 0 workers, too many workers, a queue of 0 jobs, settings that no worker can have,
    ///   an initializer that cannot be encoded, and a program whose workers would not find their entry.
    /// * [`BuildError::DuplicateJobName`] if two jobs of this program have the same explicit name.
    /// * [`BuildError::Start`] if the system refuses what the pool needs, and for [`StartMethod::Fork`] in a program that has
    ///   more than one thread.
    pub fn build(self) -> Result<ProcessExecutor, BuildError> {
        entry::check().map_err(|error| invalid(error.to_string()))?;
        executor_core::backend::prepare()?;
        let workers = self.workers.unwrap_or_else(|| thread::available_parallelism().map_or(1, NonZeroUsize::get));
        if workers == 0 || workers > WORKERS_MAX {
            return Err(invalid(format!(
                "an executor of {workers} workers cannot run; set 1 to {WORKERS_MAX} workers"
            )));
        }
        if self.queue_capacity == Some(0) {
            return Err(invalid(
                "a queue of 0 jobs never has room; set 1 or more, or leave the queue unbounded".into(),
            ));
        }
        let recipe = Recipe { initializer: self.initializer.as_ref().map(encoded).transpose()? };
        let id = PoolId::new();
        let name = self.name.unwrap_or_else(|| format!("executor-{}", id.as_u64()));
        let mut launch = self.launch;
        launch.settings.name.clone_from(&name);
        launch.check().map_err(|error| invalid(error.to_string()))?;
        let refused = |cause| BuildError::Start { worker: 0, cause };
        // With `Fork` this forks, so that no thread may be started before.
        let starter = Starter::new(self.method, launch).map_err(refused)?;
        let pool = Pool::new(id, workers, self.queue_capacity, Bell::new().map_err(refused)?, &name);
        let dispatcher = Dispatcher::new(Arc::clone(&pool), recipe, starter).map_err(refused)?;
        let thread = thread::Builder::new()
            .name(format!("{name}-dispatch"))
            .spawn(move || dispatch(dispatcher))
            .map_err(refused)?;
        pool.set_thread(thread);
        Ok(ProcessExecutor::with_pool(pool))
    }
}

/// Runs the dispatcher. Whatever becomes of it, nobody waits for ever.
fn dispatch(dispatcher: Dispatcher) {
    let pool = dispatcher.pool();
    let ran = catch_unwind(AssertUnwindSafe(|| dispatcher.run()));
    if ran.is_err() {
        pool.break_down("the dispatcher of the pool panicked, which is a fault of the executor");
        pool.lose_sent();
    }
    pool.has_ended();
}

fn encoded(initializer: &Initializer) -> Result<(u32, Vec<u8>), BuildError> {
    let (entry, bytes) = initializer.encode().map_err(|error| {
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
        invalid(format!("the initializer cannot be sent to the workers: {error}{cause}"))
    })?;
    let index = table().index_of(entry);
    let index = index.ok_or_else(|| invalid("the initializer is not in the table of jobs; register it".to_owned()))?;
    Ok((index, bytes))
}

fn invalid(what: String) -> BuildError {
    BuildError::Invalid { what }
}
