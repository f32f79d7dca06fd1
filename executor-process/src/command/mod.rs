//! External programs as jobs.
//!
//! # The life of a command
//!
//! 1. A *guard* is started: a shell that leads a process group of its own, ignores what asks it to end, and reads from
//!    a pipe of which only the process of the job holds the other end.
//! 2. The program is started as a member of that group, and with it all that it starts.
//! 3. The thread of the job feeds its input, reads both of its outputs, and waits for its end, all at once by `poll`.
//!    Every 20 ms it looks whether it is asked to stop.
//! 4. If it is to stop, the group gets `SIGTERM`. When nobody is left in it, or the grace has passed, it gets `SIGKILL`.
//! 5. However it ended, the whole group is killed, the guard with it, and both children are reaped.
//!
//! # What was feared
//!
//! * *The process of the job is killed*, or its owner and so the worker. The pipe of the guard closes with it, and
//!   the guard kills the group, which is its own: `kill -KILL 0` names no number, so that it can hit nobody else.
//!   Between the start of the program and its place in the group nothing can go wrong, because a new process holds a
//!   copy of the pipe until it executes its program, and is a member of the group before that.
//! * *A number that is used again.* The number of the group is that of the guard, which is our child and is reaped
//!   last; the program is known by its descriptor.
//! * *The program ends the guard*: a shell script that cleans up by `kill 0` asks its whole group to end. The guard
//!   ignores that, and says that it does before the program is started. `SIGKILL` to the group takes the program
//!   along.
//! * *A full pipe.* Nobody waits for one direction while another one is full: all are served by one `poll`, without
//!   blocking.
//! * *A program of the program holds the outputs open* after the program has ended. What the program wrote is in the
//!   pipes by then; the end of the others is waited for as long as the grace is, and no longer.
//! * *The program leaves the group* by `setsid`. It itself is still our child, and is asked to end and killed apart;
//!   what it starts from there is out of reach.
//! * *`fork` of a large program.* Everything here goes the way of `posix_spawn`, which copies no memory: nothing is done
//!   between fork and exec that needs code of ours. Only a changed `PATH` makes the standard library leave that way.

mod job;
mod output;

mod error;

mod run;
mod start;

mod group;
mod guard;
mod streams;

pub use error::CommandError;
pub use job::{Command, command};
pub use output::CommandOutput;
