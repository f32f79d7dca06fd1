#![cfg_attr(docsrs, feature(doc_cfg))]
//! Jobs on an async runtime: the tokio backend of [`executor_core`], for programs that are async already and for masses of
//! work that waits.
//!
//! ```
//! use executor_async::AsyncExecutor;
//! use executor_core::{Executor, job};
//!
//! #[job]
//! async fn fetch(page: u32) -> String {
//!     tokio::time::sleep(std::time::Duration::from_millis(1)).await;
//!     format!("page {page}")
//! }
//!
//! #[job]
//! fn count(text: String) -> usize {
//!     text.chars().filter(|c| c.is_alphabetic()).count()
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let pool = AsyncExecutor::current()?;
//!     let page = pool.submit(fetch::job(7)).await?; // a task of the runtime
//!     let letters = pool.submit(count::job(page)).await?; // on a thread that may block
//!     assert_eq!(letters, 4);
//!     Ok(())
//! }
//! ```
//!
//! # What is special to an async runtime
//!
//! * Nothing is encoded: a job moves to where it runs as it is.
//! * A job made of an `async fn` is polled on the runtime, and is a task of its own there once it was woken; as many run at once as
//!   [`async_jobs`](AsyncExecutorBuilder::async_jobs) says. A job made of an `fn` runs on a thread that may block; as many
//!   run at once as there are [`blocking_threads`](AsyncExecutorBuilder::blocking_threads). A job of a type written by hand
//!   counts as a function unless its [`Job::is_async`](executor_core::Job::is_async) says otherwise, and so does a boxed
//!   `AnyJob`; a future that it starts is driven on its thread.
//! * [`spawn`](AsyncExecutor::spawn) and [`spawn_blocking`](AsyncExecutor::spawn_blocking) run a future or a closure that
//!   captures anything.
//! * `kill`, a run limit and [`Shutdown::Kill`](executor_core::Shutdown::Kill) drop the future of an async job at its next
//!   await. Functions can only be asked to stop: `kill` on a running one is false.
//! * The runtime is the executor's own ([`new`](AsyncExecutor::new)) or the caller's ([`on`](AsyncExecutor::on),
//!   [`current`](AsyncExecutor::current)).
//! * A [`map`](executor_core::Executor::map) of async jobs has 4 for each worker under way, unless its window says otherwise.
//!
//! # Guarantees
//!
//! * *Order.* Async jobs of one priority are handed to the runtime in the order of their submits, and functions begin in the order
//!   of theirs; after 16 of a higher priority one of a lower goes.
//! * *Blocking.* No thread of a runtime is blocked: what would block there is an error that says what to await instead. See
//!   [`AsyncExecutor`].
//! * *Waiting inside.* A job may wait for jobs of its own executor, by blocking in a function and by awaiting in an async job. What is
//!   awaited so goes above the limits where it must, because the one that waits has a place.
//! * *Polls.* An async job is polled once at first, and then when it was woken. Its first poll is a part of a task that begins many
//!   jobs; from the second one on it is a task of its own, as tools for tokio show it.
//! * *Context.* [`current`](executor_core::current) speaks of the job at each of its polls, on whichever thread that is.
//!   What a job gives to `tokio::spawn` is not a part of it.
//! * *Panics.* A panic of a poll is the outcome of its job; one of a drop concerns nobody.
//! * *Callbacks* run where the job ended: for an async job on a thread of the runtime, which they must not hold up.
//! * *Bounded.* With [`queue_capacity`](AsyncExecutorBuilder::queue_capacity) the jobs that wait are bounded too.
//! * *End.* If the runtime is shut down first, every open future ends as [`Broken`](executor_core::JobError::Broken), and what is
//!   submitted later too.
//! * *Threads.* One thread more is started with the first run limit or back-off, and with the feature `tracing` to look for jobs that
//!   block. It ends with the executor.
//!
//! # What it does not do
//!
//! A future that never yields holds its thread of the runtime, and cannot be stopped. On a `current_thread` runtime, async jobs
//! come forward only while somebody drives it. An abort, a stack overflow or a segmentation fault in a job ends the program;
//! for jobs that may do so there is the process backend.
//!
//! # Features
//!
//! * `tracing`: each job has a span, a child of its submitter's; see the features of [`executor_core`]. And an async job that does not
//!   yield is told of while it holds its thread of the runtime: see `AsyncExecutorBuilder::warn_when_blocked_for`. The latter costs
//!   some 30 ns a poll, and a few looks a second while jobs are polled.

mod builder;
mod executor;

mod blocking;

mod pool;

mod agenda;
mod asyncs;
#[cfg(feature = "tracing")]
mod blocked;
mod board;
mod driver;
mod functions;
mod order;
mod parked;
mod place;
mod poller;
mod slots;
mod sync;
mod tally;
mod timer;
mod watch;
mod worker;

pub use blocking::allow_blocking;
pub use builder::AsyncExecutorBuilder;
pub use executor::AsyncExecutor;
