//! The cell of a job under Miri: every transition, by one thread step by step, and by two threads against each other.
//!
//! Miri sees what no assertion can: a stage read while another thread writes it, a value dropped twice or never, a cell
//! that is freed too early. So these tests are small and look at little; they are there to be run by
//! `cargo +nightly miri test -p executor-core --test miri`, and run under plain `cargo test` too, with more rounds.
//!
//! They use the public API alone. The pool of threads is [`crew::Crew`], a backend made of the standard library.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod crew;
mod one_thread;
mod polled;
mod tools;
mod two_threads;
