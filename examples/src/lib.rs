//! The one place where the examples choose where their jobs run.
//!
//! Each program of `src/bin` calls [`pool`], and `manager` where it needs one, and names no backend. So the same command
//! runs it elsewhere:
//!
//! ```text
//! cargo run --release -p examples --bin primes
//! cargo run --release -p examples --bin primes --no-default-features --features async
//! cargo run --release -p examples --bin primes --no-default-features --features process
//! cargo run --release -p examples --bin primes --no-default-features --features inline
//! ```
//!
//! A build with every feature is possible, as a linter wants it: the first of `thread`, `async`, `process`, `inline` that is on is taken.

#[cfg(feature = "beside")]
use std::error::Error;

use executor_core::BuildError;
#[cfg(feature = "beside")]
use executor_ipc::manager::Manager;

#[cfg(not(any(feature = "thread", feature = "async", feature = "process", feature = "inline")))]
compile_error!(
    "the examples need a backend: `--features thread`, the default, or `async`, `process` or `inline` in its place"
);

/// The executor that the examples run on.
#[cfg(feature = "thread")]
pub type Pool = executor_thread::ThreadExecutor;

/// The executor that the examples run on.
#[cfg(all(feature = "async", not(feature = "thread")))]
pub type Pool = executor_async::AsyncExecutor;

/// The executor that the examples run on.
#[cfg(all(feature = "process", not(any(feature = "thread", feature = "async"))))]
pub type Pool = executor_process::ProcessExecutor;

/// The executor that the examples run on.
#[cfg(not(any(feature = "thread", feature = "async", feature = "process")))]
pub type Pool = executor_core::InlineExecutor;

/// Builds the pool with `workers` workers; where jobs run inline, their submitter is the only one.
///
/// # Errors
///
/// If the number of workers makes no sense, or the system refuses to start them.
#[cfg(any(feature = "thread", feature = "async", feature = "process"))]
pub fn pool(workers: usize) -> Result<Pool, BuildError> {
    Pool::new(workers)
}

/// Builds the pool with `workers` workers; where jobs run inline, their submitter is the only one.
///
/// # Errors
///
/// If the number of workers makes no sense, or the system refuses to start them.
#[cfg(not(any(feature = "thread", feature = "async", feature = "process")))]
pub fn pool(_workers: usize) -> Result<Pool, BuildError> {
    // Encoded as on the way to another process, so that a job which could not go there fails here.
    Pool::builder().encode(true).build()
}

/// Starts a manager: a server of objects that jobs and the program share, on a thread of this process.
///
/// # Errors
///
/// If the system refuses to start it.
#[cfg(any(feature = "thread", feature = "async"))]
pub fn manager() -> Result<Manager, Box<dyn Error>> {
    Ok(Manager::new()?)
}

/// Starts a manager: a server of objects that jobs and the program share, in a process of its own.
///
/// # Errors
///
/// If the system refuses to start it.
#[cfg(all(feature = "process", not(any(feature = "thread", feature = "async"))))]
pub fn manager() -> Result<Manager, Box<dyn Error>> {
    Ok(executor_process::spawn_manager(Manager::builder())?)
}
