#![cfg_attr(docsrs, feature(doc_cfg))]
//! Jobs on threads: the backend of [`executor_core`] for CPU work and blocking calls in one process.
//!
//! ```
//! use executor_core::{Executor, job};
//! use executor_thread::ThreadExecutor;
//!
//! #[job]
//! fn word_count(text: &str) -> usize {
//!     text.split_whitespace().count()
//! }
//!
//! let pool = ThreadExecutor::new(4)?;
//! let future = pool.submit(word_count::job("to be or not to be"));
//! assert_eq!(future.result()?, 6);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is special to threads
//!
//! * Nothing is encoded: a job moves to its worker as it is.
//! * The workers are those of a rayon pool: `par_iter` and `rayon::join` inside a job use the same threads. While a job
//!   waits there for its own parallel work, no other job begins on top of it or of a piece of it, so that a lock may be
//!   held across parallel work.
//! * [`spawn`](ThreadExecutor::spawn) runs a closure that captures anything; [`scope`](ThreadExecutor::scope) and
//!   [`install`](ThreadExecutor::install) are rayon's own. A panic of a closure that a job leaves to `rayon::spawn` is
//!   reported by the panic hook and ends nothing.
//! * An async job is driven on its worker; while it waits, it holds its worker. With the feature `tokio` it is polled inside of a
//!   tokio runtime, so that what needs one works there; without it there is none.
//! * A thread cannot be killed: `kill` on a running job is false, and a run limit asks the job to stop.
//!
//! # Guarantees
//!
//! * *Order.* Jobs of one priority begin in the order of their submits; with one worker they also end so. After 16 jobs
//!   of a higher priority one of a lower goes.
//! * *Blocking.* A job that blocks holds its own worker and nothing else. A job that follows a row of very short ones may
//!   wait up to 0.1 ms longer than needed if one of them turns out to block.
//! * *Threads.* A pool has its workers and one thread more, which only wakes workers that sleep. Back-off starts another
//!   while jobs wait for their next attempt.
//! * *Idle.* An idle pool uses no CPU. A worker that runs out of jobs looks again for some 20 µs before it sleeps; see
//!   [`looks_before_sleep`](ThreadExecutorBuilder::looks_before_sleep).
//! * *Bounded.* With [`queue_capacity`](ThreadExecutorBuilder::queue_capacity) a submit to a full queue waits, or is
//!   refused by `try_submit`. A job of the same pool is admitted above the bound, because it must not wait for itself.
//! * *End.* After a shutdown every thread has ended, its exit hook included. See [`ThreadExecutor`] for the drop.
//!
//! # What it does not do
//!
//! An abort, a stack overflow or a segmentation fault in a job ends the program. For jobs that may do so there is the
//! process backend.
//!
//! # Features
//!
//! * `tokio`: async jobs are polled inside of a tokio runtime, one for all pools that the first async job starts, with one thread; or
//!   the one that `ThreadExecutorBuilder::tokio` names.
//! * `tracing`: each job has a span, a child of its submitter's; see the features of [`executor_core`].

mod builder;
mod executor;

mod pool;

mod board;
mod buffer;
mod caller;
mod drain;
mod hint;
#[cfg(feature = "tokio")]
mod runtime;
mod sync;
mod tally;
mod timer;
mod worker;

#[cfg(all(test, executor_loom))]
mod loom;

pub use builder::ThreadExecutorBuilder;
pub use executor::ThreadExecutor;

/// The code of the README, as tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
