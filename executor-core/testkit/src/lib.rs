//! The laws of `executor-core`: one suite of tests that every backend passes, and sample jobs to run it with.
//!
//! A backend that keeps these laws behaves as the documentation of `executor-core` says, so that a program can change its
//! backend and nothing else. The suite is for backends of anybody's: implement [`Subject`], call [`laws!`] once.
//!
//! ```
//! use executor_core::{BuildError, InlineExecutor};
//! use executor_testkit::{Config, Subject, laws};
//!
//! struct Mine;
//!
//! impl Subject for Mine {
//!     type Pool = InlineExecutor;
//!
//!     fn build(config: &mut Config) -> Result<InlineExecutor, BuildError> {
//!         // A backend that has workers takes their number, and so on: `config.take_workers().unwrap_or(2)`.
//!         InlineExecutor::builder().build()
//!     }
//! }
//!
//! // In `tests/conformance.rs`: one test for each law. What is not claimed must be named, law by law.
//! laws!(Mine, not_claimed = [killed_job_does_not_go_on, request_to_stop_is_seen]);
//! ```
//!
//! # The nouns
//!
//! * A *law* is a function of [`mod@laws`], generic over the [`Subject`]. [`laws!`] writes a `#[test]` for each; [`check`]
//!   runs one by hand, or one of your own.
//! * [`laws_alone!`] writes a program that runs each law in a process of its own, for pools that can be built only while the
//!   program has one thread.
//! * A [`Lab`] is where a law gets its pools, with a [`Config`]. A pool in its hands is a [`Bench`], which can be
//!   [occupied](Bench::occupy), so that what is submitted stays pending.
//! * A [`Claim`] is something that not every backend can do. A law asks for it, and ends as [`NotClaimed`] where it is
//!   missing.
//! * A [`Gate`] holds jobs until the law opens it; a [`Log`] tells what they did. Both work between processes as between
//!   threads, over a loopback port, and leave no name behind.
//! * The [`jobs`] are what the laws run.
//!
//! # What is looked at beside the law itself
//!
//! * *Hangs.* A watchdog reports and aborts a law that takes longer than 30 s. The variable `EXECUTOR_TEST_SCALE` stretches
//!   this limit and every other one, for slow machines.
//! * *Leaks.* After each law the threads of its pools have ended, and nothing is left that the subject knows of.
//! * *Panics.* What a law throws on purpose says so, and is kept off the output. Any other panic, on any thread, breaks the
//!   law.
//!
//! The laws of one process run one at a time, so that these checks hold under any test runner.
//!
//! # For users
//!
//! [`assert_travels`] checks in a unit test of yours whether a job survives the way to another process.
//!
//! # Platforms
//!
//! The suite runs wherever the standard library has threads and loopback sockets. Threads are counted on Linux only.

pub mod jobs;
pub mod laws;
#[cfg(feature = "tracing")]
#[cfg_attr(docsrs, doc(cfg(feature = "tracing")))]
pub mod spans;

mod macros;

mod subject;
mod verdict;

mod harness;
mod lab;

mod alone;

mod gate;
mod log;
mod time;
mod travel;

mod helpers;
mod panics;
mod station;
mod threads;
mod tools;
mod watchdog;

#[doc(hidden)]
pub use alone::run_alone;
pub use gate::{Gate, Pass};
pub use harness::{check, test_law};
pub use lab::{Bench, Busy, Lab};
pub use log::{Log, Pen};
pub use panics::{BombPayload, ON_PURPOSE, OddPayload};
pub use subject::{Config, Subject};
pub use time::{SCALE_VARIABLE, comes_about, eventually, hang_guard, scaled};
pub use travel::assert_travels;
pub use verdict::{Claim, NotClaimed, Verdict};
