#![cfg_attr(docsrs, feature(doc_cfg))]
//! Jobs in worker processes: the backend of [`executor_core`] for which a crash costs one job.
//!
//! ```
//! use executor_core::{Executor, JobError, job};
//! use executor_process::ProcessExecutor;
//!
//! #[job]
//! fn half(n: u64) -> u64 {
//!     if n % 2 == 1 {
//!         std::process::abort() // as bad as it gets
//!     }
//!     n / 2
//! }
//!
//! let pool = ProcessExecutor::builder().workers(2).discard_output().build()?;
//! let (odd, even) = (pool.submit(half::job(7)), pool.submit(half::job(8)));
//! assert!(matches!(odd.result(), Err(JobError::WorkerDied { .. })));
//! assert_eq!(even.result()?, 4);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A pool is for many jobs. A [`Process`] is for one, with a process to itself, an exit status and signals.
//!
//! # Guarantees
//!
//! * *Blame.* When a worker dies, it costs one job: the one that it ran ends as
//!   [`WorkerDied`](executor_core::JobError::WorkerDied), with pid and cause; or, if the worker was hit just while it passed an outcome
//!   on, that job ends as [`OutcomeLost`](executor_core::JobError::OutcomeLost). What had ended before is told, what had not begun
//!   runs elsewhere, and nobody notices. Nothing that has begun is run twice, unless its retries allow it.
//! * *Cancel, kill, run limit.* A cancel is decided at once, also for a job that was sent to a worker and has not begun. A kill and a run
//!   limit end exactly one job: its worker is replaced.
//! * *Order.* Jobs of one priority are sent in the order of their submits; with one worker they also begin so. After 16 jobs
//!   of a higher priority one of a lower goes.
//! * *Output.* What workers print goes where the program's does, untouched, unless the builder says otherwise: it can be discarded, or
//!   captured, line by line with the job that wrote it. See [`on_output`](ProcessExecutorBuilder::on_output).
//! * *Recycling.* On request a worker is replaced [after some jobs](ProcessExecutorBuilder::recycle_after_jobs), at an age, or above a
//!   size. No job ends with it.
//! * *Values.* A job and its output are encoded; the job is dropped where it was submitted, before it runs. A large
//!   [`Blob`](executor_ipc::Blob) in either is not copied: the other side maps the memory in which it is. A byte string or a text of 256 KiB or
//!   more is copied into such memory on one side and out of it on the other. In an output each takes
//!   two descriptors here until the result is read; while more than half of those that this process may open are in use, workers
//!   are told to send copies. Callbacks and wakers run on one thread of the pool's.
//! * *End.* Workers end with their owner, whichever way that ends. Nothing of theirs has a name in the file system.
//!
//! # How a worker starts
//!
//! A worker is this executable, started again. A hook among the constructors of the program sees that this start is
//! that of a worker, lets the constructors that are still due run, and becomes the worker before `main`. So it works in
//! binaries, unit and integration tests, doctests and benches, and `main` needs no line for it. Where the hook is off
//! (without the feature `hook`, in a shared library, in a static program at a fixed address) the first line of `main`
//! is [`init`]; a pool that is built without it is an error that says so.
//!
//! [`StartMethod`] says how the processes come to be.
//!
//! ## What a job cannot rely on
//!
//! * What `main` has done: a logger, a `OnceLock`, a changed environment variable is absent in a worker.
//! * `std::env::args`: a worker has none of the program's.
//! * The message of a stack overflow: it ends the worker by `SIGSEGV`, because the handler that prints it is installed by the
//!   standard library on the way to `main`. Only a worker of [`StartMethod::Fork`] has it from the program, and ends by
//!   `SIGABRT`.
//!
//! The standard library does not promise what works before `main`. What the hook leans on is tested on every change:
//! environment, threads, panics and their handling, allocation, input and output.
//!
//! # External programs
//!
//! [`command`] is a job that runs an external program, on any backend and without a worker process if need be: fed with
//! bytes, read whole, and ended with all that it has started, whatever becomes of the job.
//!
//! # Managers
//!
//! [`spawn_manager`] starts a process that keeps dictionaries, queues, locks and objects of your own types, which jobs of every pool use through
//! proxies among their arguments: see [`executor_ipc::manager`].
//!
//! # Features
//!
//! * `hook` (default): workers begin before `main`. It costs one look at the environment at each start of the program.
//! * `tokio`: async jobs are polled inside of a tokio runtime, so that what needs one works there. A worker starts it, with one thread
//!   more, for its first async job. Without the feature there is none.
//! * `tracing`: each job has a span, a child of its submitter's; see the features of [`executor_core`]. And
//!   `ProcessExecutorBuilder::trace_output` makes what workers print events inside the spans of their jobs.
//! * `testing`: not for use; the tests of this crate have it.
//!
//! # Platforms
//!
//! Linux 5.4 or newer, for descriptors of processes, with `/proc` mounted.

#[cfg(not(target_os = "linux"))]
compile_error!("`executor-process` starts worker processes by means of Linux, and has no other way yet");

mod builder;
mod executor;

mod process;

mod manager;

mod pool;

mod board;
mod inbox;
mod load;
mod queue;

mod callbacks;
mod carrier;
mod dispatch;
mod output;
mod recycling;
mod worker;

mod wire;

mod command;

mod entry;
mod exit;
mod frame;
mod start;

mod bell;
mod sync;
mod sys;

#[cfg(any(test, feature = "testing"))]
#[doc(hidden)]
pub mod testing;

/// What the fuzz targets reach. No promise is made about it.
#[cfg(all(feature = "fuzzing", not(executor_loom)))]
#[doc(hidden)]
pub mod fuzzing {
    pub use crate::wire::fuzzing::{orders, reports};
}

pub use builder::ProcessExecutorBuilder;
pub use command::{Command, CommandError, CommandOutput, command};
pub use entry::init;
pub use executor::ProcessExecutor;
pub use exit::Exit;
pub use manager::spawn_manager;
pub use output::{LineEnd, OutputJob, OutputLine, OutputStream};
pub use process::{
    CurrentProcess, Process, ProcessBuilder, ProcessHandle, SpawnError, active_children, current_process,
};
pub use start::StartMethod;

/// A worker starts from a doctest.
///
/// ```
/// use executor_process::StartMethod;
/// use executor_process::testing::Crew;
///
/// for method in [StartMethod::ForkServer, StartMethod::Spawn] {
///     let mut crew = Crew::new(method)?;
///     assert_eq!(crew.start()?.ask("echo hello")?, "hello");
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
#[cfg(all(doctest, feature = "hook", feature = "testing"))]
struct Doctest;
