#![cfg_attr(docsrs, feature(doc_cfg))]
//! Jobs that run where you choose: the contract.
//!
//! A program writes its work once, as typed [jobs](Job), and chooses in one place where they run: on threads, in worker
//! processes, on an async runtime, or on many machines. This crate is what all of these have in common. It has no
//! threads, no runtime and no I/O; a program depends on it and on one backend, such as `executor-thread`.
//!
//! ```
//! use executor_core::{Executor, InlineExecutor, as_completed, job};
//!
//! #[job]
//! fn is_prime(n: u64) -> bool {
//!     n > 1 && (2..).take_while(|d| d * d <= n).all(|d| n % d != 0)
//! }
//!
//! // The only line that names a backend. This one runs each job at once, on the caller.
//! let pool = InlineExecutor::new();
//!
//! let future = pool.submit(is_prime::job(1_000_003));
//! assert!(future.result()?);
//!
//! let primes: Result<Vec<bool>, _> = pool.map(is_prime::job, 1..=5).collect();
//! assert_eq!(primes?, [false, true, true, false, true]);
//!
//! for done in as_completed((6..9).map(|n| pool.submit(is_prime::job(n)))) {
//!     println!("{}: {}", done.id(), done.result()?);
//! }
//! # Ok::<(), executor_core::JobError>(())
//! ```
//!
//! # The nouns
//!
//! * A [`Job`] is a function call as data. [`#[job]`](macro@job) on a function makes the type; what is not serde in
//!   both directions does not compile.
//! * An [`Executor`] takes jobs: [`submit`](Executor::submit), [`try_submit`](Executor::try_submit),
//!   [`map`](Executor::map), [`shutdown`](Executor::shutdown). Every [`Backend`] is one, and so are references,
//!   boxes and `Arc`s of one.
//! * A [`JobFuture`] is the result to come: wait for it, with a limit or without, await it, cancel it, be called back.
//!   [`as_completed`], [`wait()`] take many; a [`JobHandle`] is the part of it that can be cloned.
//! * [`current`] is what a job learns of itself: whether it [should stop](JobContext::should_stop), its worker's
//!   state, its attempt; and where it tells its [progress](JobContext::progress).
//!
//! # Guarantees
//!
//! * *Order.* What happened before `submit` happens before the job's body; the body, and the drop of all that it
//!   captured, happen before its future is seen to be done. Jobs of one priority begin in the order of their submits.
//! * *Once.* A job begins once, unless its [retries](JobOptions::retries) allow more. [`cancel`](JobFuture::cancel)
//!   answers true only if the job never ran and never will.
//! * *No deadlock by nesting.* A worker that waits for a job of its own pool, with no limit, runs it itself if
//!   nobody has begun it; it never runs another job meanwhile.
//! * *Memory.* A submit allocates once. Queues and windows are bounded where you say so, a [`map`](Executor::map)
//!   always. Nothing keeps a value that was handed out.
//! * *Panics.* A panic of a job is its future's [error](JobError::Panicked), of a callback nobody's; no pool dies of it.
//! * *Shutdown.* One rule for every backend, with a time limit: see [`Shutdown`]. Dropping the last handle of a pool
//!   drains it.
//!
//! The whole contract, state by state, is the page [`contract`].
//!
//! # What it does not do
//!
//! It does not kill threads, run a job again that was not told to, or send closures over a wire. Loops over data inside a job
//! are rayon's business, and `executor-thread` shares its pool with it.
//!
//! # Features
//!
//! * `tracing`: each job has a span, by the crate `tracing`, from its submit until it is done. Off by default. It costs a submit one
//!   load where no subscriber wants spans, and four allocations more where one does. The backends have a feature of the same name.
//!
//! The span is a child of the one that is current where the job is submitted, or where `map` is called for an item of it. It is
//! entered while the job runs, and of an async job on a runtime only while that is polled: so what a job tells is inside it, and so are
//! the spans of the jobs that it submits. Name `job`, target `executor_core::job`, level `INFO`; the fields are `id` (number), `name`,
//! `worker` (number, when one has the job) and `attempt` (from 1; recorded again for each further one). It is closed before the
//! future is done; where jobs run in other processes, shortly after, by the thread of the callbacks.
//!
//! A worker process has a span of its own around each attempt of a job, if its initializer has set a subscriber. It has the same name,
//! target and fields, so that `id` joins the two, and `submitter`: the number of the span around the submit, in the owner.
//!
//! # Platforms
//!
//! This crate runs wherever the standard library has threads. The minimum Rust version is in its manifest, and the
//! check of this repository builds with it.

pub mod contract;

mod job;
mod registry;

mod error;
mod options;
mod state;
mod stats;

mod executor;
mod future;
mod handle;

mod as_completed;
mod map;
mod wait;

mod context;
mod unread;

mod inline;

pub mod backend;
pub mod codec;

mod ageing;
mod any_job;
mod arguments;
mod bells;
mod carrier;
mod cell;
mod completion;
mod drive;
mod guest;
mod initializer;
mod job_ref;
mod macro_support;
mod panic;
mod parcel;
mod payload;
mod polled;
mod put_off;
mod queue;
mod record;
mod register;
mod room;
mod row;
mod run;
mod single;
mod submission;
mod submit_wait;
mod sync;
mod task;
mod trace;
mod waiting;

#[cfg(all(test, executor_loom))]
mod loom;

pub use any_job::{AnyJob, AnyOutput};
pub use as_completed::{AsCompleted, AsCompletedStream, as_completed};
pub use backend::{Backend, Shutdown};
pub use context::{JobContext, Stopped, current};
pub use error::{
    BoxError, BuildError, DuplicateJobName, JobError, OptionError, PanicPayload, Rejection, ShutdownError,
    TrySubmitError, WaitTimeout, WorkerDeath,
};
pub use executor::{Executor, map, map_unordered};
/// Makes a job of a function, which stays callable as it was.
///
/// Beside the function there is then a type of the same name, with `job(arguments…)`; one `use` brings both. It works on
/// `fn` and `async fn`; borrowed parameters (`&str`, `&[T]`, `&T`) are stored owned.
///
/// | option | meaning |
/// |---|---|
/// | `name = "…"` | fixes the name by which the job is known to people and, as a value, in storage; see [`AnyJob`] |
/// | `type = Name` | names the type otherwise, where the module has one of the function's name |
/// | `crate = path` | where this crate is, if it is re-exported |
///
/// A generic function, a method, a borrowed result, or an argument that is not serde is a compile error that says what to
/// do.
///
/// # Examples
///
/// ```
/// use executor_core::{Executor, InlineExecutor, job};
///
/// #[job]
/// fn count(text: &str, letter: char) -> usize {
///     text.chars().filter(|&c| c == letter).count()
/// }
///
/// #[job(name = "greet")]
/// async fn greet(name: String) -> Result<String, String> {
///     if name.is_empty() { Err("nobody is there".to_owned()) } else { Ok(format!("hello, {name}")) }
/// }
///
/// let pool = InlineExecutor::new();
/// assert_eq!(count("banana", 'a'), 3);
/// assert_eq!(pool.submit(count::job("banana", 'a')).result()?, 3);
/// assert_eq!(pool.submit(greet::job("you".to_owned())).result()?, Ok("hello, you".to_owned()));
/// # Ok::<(), executor_core::JobError>(())
/// ```
pub use executor_macros::job;
pub use future::JobFuture;
pub use handle::JobHandle;
pub use inline::{InlineExecutor, InlineExecutorBuilder};
pub use job::{Job, Work};
pub use map::{Map, MapOptions, MapStream, MapUnordered, MapUnorderedStream};
pub use options::{JobOptions, Priority, Retries};
pub use registry::{JobEntry, job_named};
pub use state::{JobId, JobState};
pub use stats::{Restarts, Stats};
pub use unread::{UnreadFailure, on_unread_failure};
pub use wait::{WaitFor, Waited, wait};

#[doc(hidden)]
pub mod __private {
    pub use crate::any_job::{duplicate_any, start_any};
    pub use crate::carrier::LinkedCarrier;
    pub use crate::macro_support::{
        Argument, CannotCopy, Copier, JobArgument, JobOutput, NeverFails, NotAnArgument, NotSerde, Outcome,
        assert_argument,
    };
    pub use crate::register::entry_of;
    pub use crate::registry::{JobEntry, Registration};
    pub use {inventory, serde, typetag};
}
