//! What the jobs of a pool print, where it is captured.
//!
//! # The way of a line
//!
//! ```text
//! job ─► pipe ─► dispatcher: Lines ─► OutputThread ─► the callback, a `tracing` event
//!                          └─► Tail, of standard error
//! ```
//!
//! Each stream of each worker is a pipe of its own, so that nothing of two workers can mix. The dispatcher reads what is
//! there, 64 KiB of a stream in a turn at most, cuts it into lines, and leaves them to a thread of the pool's, on which alone
//! the user's code runs.
//!
//! # Whose line it is
//!
//! A pipe does not say who wrote what. But a worker runs one job at a time, and one rule makes its pipes tell: *behind a job
//! it waits until its pipes are empty, before it says that the job has ended.* So all that is in a pipe at one moment is of
//! one job. The dispatcher sees that something is there, then looks which job the page calls, then reads: as only it reads,
//! the pipe was not empty in between, and so the worker cannot have gone on to another job. What a job wrote is read before
//! its outcome is, and its last line is complete then, with a newline or without.
//!
//! There is no signal for a pipe that was emptied, so that the worker looks again after some µs, and later after 1 ms. Behind a
//! job that has printed nothing it does not wait.
//!
//! # Back-pressure
//!
//! What the callback has not taken is bounded. Beyond the bound the dispatcher does not read; then the pipes fill, and
//! the jobs that print wait in their writes, or behind their end. They wait for the callback and for nothing else, and the
//! callback may not wait for them: a blocking wait for a job of the pool is refused on its thread, as on that of the other
//! callbacks. The pipes of a worker that has ended are read to their end whatever the bound says, because its jobs are to end. So
//! that this is bounded too, no worker is started while the bound is passed.

mod line;
mod lines;
mod tail;
mod thread;

pub use line::{LineEnd, OutputJob, OutputLine, OutputStream};

pub(crate) use line::{Listener, Printed};
pub(crate) use lines::Lines;
pub(crate) use tail::Tail;
pub(crate) use thread::OutputThread;
