//! [`ProcessExecutorBuilder`].

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use executor_core::backend::{Initializer, PoolId, table};
use executor_core::{BuildError, Job};

use crate::bell::Bell;
use crate::dispatch::Dispatcher;
use crate::entry;
use crate::executor::ProcessExecutor;
use crate::output::{Listener, OutputLine, OutputThread};
use crate::pool::{Plan, Pool};
use crate::recycling::{Recycling, Resident};
use crate::start::{Launch, StartMethod, Starter, Stream};

/// The most workers of a pool: far more than any machine runs, and few enough to catch a slip.
const WORKERS_MAX: usize = 4096;

/// What every worker of a pool is told.
pub(crate) struct Recipe {
    /// The place of the initializer in the table of jobs, and its encoded arguments.
    pub(crate) initializer: Option<(u32, Vec<u8>)>,
    /// When it is replaced.
    pub(crate) recycling: Recycling,
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
    recycling: Recycling,
    launch: Launch,
    listener: Listener,
}

impl ProcessExecutorBuilder {
    pub(crate) fn new() -> Self {
        ProcessExecutorBuilder {
            workers: None,
            name: None,
            queue_capacity: None,
            method: StartMethod::default(),
            initializer: None,
            recycling: Recycling::default(),
            launch: Launch::default(),
            listener: Listener::default(),
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

    /// Replaces a worker when it has run so many jobs: never more, with 1 each job has a process of its own. Items of a `map`
    /// count as jobs, and so does each attempt of a job that is tried again. Default: no limit.
    ///
    /// # Recycling
    ///
    /// A worker that is recycled ends its job first; what it was sent and has not begun goes elsewhere. Then its state is dropped,
    /// the values of its thread and its exit handlers run as at the end of a program, and it exits with code 0. (With
    /// [`StartMethod::Fork`] only its state is dropped, because the rest is in part that of the program itself.) One that has not
    /// ended after 5 s is killed. Its replacement starts before it leaves and runs jobs only after that: so there may be two
    /// processes for a worker for a time, and never more than [`workers`](ProcessExecutorBuilder::workers) jobs at once. The replacement
    /// runs the initializer. [`Restarts::recycled`](executor_core::Restarts::recycled) counts it. A worker that has run nothing
    /// is not recycled.
    pub fn recycle_after_jobs(mut self, jobs: u64) -> Self {
        self.recycling.jobs = Some(jobs);
        self
    }

    /// Replaces a worker that is so old, when its job has ended; see [recycling](ProcessExecutorBuilder::recycle_after_jobs).
    /// It goes on with further jobs until its replacement is ready. Default: no limit.
    pub fn recycle_after(mut self, age: Duration) -> Self {
        self.recycling.age = Some(age);
        self
    }

    /// Replaces a worker of which more than so many bytes are in memory, when its job has ended; see
    /// [recycling](ProcessExecutorBuilder::recycle_after_jobs). What counts is the resident set, in which memory that it
    /// shares with other processes is contained; it is looked at behind jobs, every 10 ms at most. The worker goes on with further
    /// jobs until its replacement is ready. [`address_space_max`](ProcessExecutorBuilder::address_space_max) is the limit that
    /// no job passes. Default: no limit.
    pub fn recycle_above_memory(mut self, bytes: u64) -> Self {
        self.recycling.memory_bytes = Some(bytes);
        self
    }

    /// Sends what the workers write to their standard output and standard error nowhere. Default: where those of the program
    /// go, untouched. Of this and [`on_output`](ProcessExecutorBuilder::on_output) the last counts.
    pub fn discard_output(mut self) -> Self {
        self.set_streams(Stream::Null);
        self.listener = Listener::default();
        self
    }

    /// Captures what the workers write to their standard output and standard error, and calls `callback` with each line: which
    /// worker, which stream, which job. Then [`JobError::WorkerDied`](executor_core::JobError::WorkerDied) also tells what the
    /// job last wrote to standard error, up to 2 KiB. Of this and
    /// [`discard_output`](ProcessExecutorBuilder::discard_output) the last counts.
    ///
    /// # What is promised
    ///
    /// * The lines of a stream come in the order in which they were written, whole, and never with bytes of another stream or
    ///   worker between. A line longer than 16 KiB comes in several, as [`LineEnd`](crate::LineEnd) says. What is no UTF-8 is
    ///   replaced.
    /// * A line has the name of the job that ran when it was written, to the byte: a worker begins a job only when all that was
    ///   printed before has been read. A thread or a program that a job leaves behind prints in the name of the job that runs
    ///   then, or ran last. If it never ceases to print, the worker does not wait for it, and lines near the border of two jobs may
    ///   have the name of the other.
    /// * Behind each job, the buffers of [`std::io::stdout`] and of the C library are flushed. So what a job has printed was read
    ///   before its future is done, also if its worker dies. The callback may be called after that; the end of a `shutdown`
    ///   waits for the last line, unless its limit passes.
    /// * Nothing is dropped. What a program prints that a job has started, and that goes on after the worker has ended, is no
    ///   longer read: its writes fail.
    ///
    /// # Blocking
    ///
    /// The callback runs on a thread of the pool's, `name-output`, a line at a time. When 1 MiB waits for it, no more is read:
    /// jobs that print wait for the callback then, and no worker is started. On that thread a blocking wait for a job of the
    /// pool is [`JobError::WouldBlock`](executor_core::JobError::WouldBlock), and a shutdown of the pool is refused. A callback
    /// must not wait in other ways for jobs that print, and one that never returns makes those wait for ever; only a kill ends them.
    ///
    /// # Panics
    ///
    /// Not here. If the callback panics, the panic hook reports it, and the next line is told.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::mpsc;
    ///
    /// use executor_core::{Executor, job};
    /// use executor_process::{OutputStream, ProcessExecutor};
    ///
    /// #[job]
    /// fn greet(name: String) {
    ///     println!("hello, {name}");
    /// }
    ///
    /// let (told, lines) = mpsc::channel();
    /// let pool = ProcessExecutor::builder().workers(2).on_output(move |line| drop(told.send(line))).build()?;
    /// let greeting = pool.submit(greet::job("world".to_owned()));
    /// let id = greeting.id();
    /// greeting.result()?;
    /// let line = lines.recv()?;
    /// assert_eq!((&*line.text, line.stream), ("hello, world", OutputStream::Stdout));
    /// assert_eq!(line.job.map(|job| job.id), Some(id));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_output(mut self, callback: impl Fn(OutputLine) + Send + Sync + 'static) -> Self {
        self.set_streams(Stream::Piped);
        self.listener.callback = Some(Arc::new(callback));
        self
    }

    /// Captures what the workers write, as [`on_output`](ProcessExecutorBuilder::on_output), and makes each line an event of
    /// `tracing`, with the target `executor_process::output`: the line is the message, at level `INFO` for standard output and
    /// `WARN` for standard error; the fields are `worker` (number), `pid`, `stream` (`stdout` or `stderr`), `job_id` (number) and `job`
    /// (name), the last two only where there is a job. The event is inside the span of the job. It may be combined with a callback.
    #[cfg(feature = "tracing")]
    #[cfg_attr(docsrs, doc(cfg(feature = "tracing")))]
    pub fn trace_output(mut self) -> Self {
        self.set_streams(Stream::Piped);
        self.listener.traces = true;
        self
    }

    fn set_streams(&mut self, stream: Stream) {
        self.launch.settings.stdout = stream;
        self.launch.settings.stderr = stream;
    }

    /// Starts the pool; its workers start in the background.
    ///
    /// # Errors
    ///
    /// * [`BuildError::Invalid`] for 0 workers, too many workers, a queue of 0 jobs, a name or settings that no worker can have,
    ///   workers that are recycled at once, an initializer that cannot be encoded, and a program whose workers would not
    ///   find their entry.
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
        executor_core::backend::check_words(self.name.as_deref(), self.queue_capacity)?;
        self.recycling.check().map_err(|what| invalid(what.to_owned()))?;
        let initializer = self.initializer.as_ref().map(encoded).transpose()?;
        let recipe = Recipe { initializer, recycling: self.recycling };
        let id = PoolId::new();
        let name = self.name.unwrap_or_else(|| format!("executor-{}", id.as_u64()));
        let mut launch = self.launch;
        launch.settings.name.clone_from(&name);
        launch.check().map_err(|error| invalid(error.to_string()))?;
        let refused = |cause| BuildError::Start { worker: 0, cause };
        if self.recycling.memory_bytes.is_some() {
            Resident::of_self().map_err(|cause| invalid(format!("the memory of workers cannot be seen: {cause}")))?;
        }
        let captures = launch.settings.stdout == Stream::Piped;
        // With `Fork` this forks, so that no thread may be started before.
        let starter = Starter::new(self.method, launch).map_err(refused)?;
        let bell = Bell::new().map_err(refused)?;
        let start_output = || OutputThread::start(self.listener, id, &name, bell.try_clone()?);
        let output = captures.then(start_output).transpose().map_err(refused)?;
        let (capacity, is_recycled) = (self.queue_capacity, self.recycling.is_on());
        let pool = Pool::new(Plan { id, workers, capacity, bell, name: &name, is_recycled }, output);
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
