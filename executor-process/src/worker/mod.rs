//! What a worker process runs.
//!
//! # The life of a worker
//!
//! The thread on which the process began reads orders, runs jobs, and tells outcomes. It blocks in two places only: in a job, and
//! in a read when it has nothing to do. Before it reads it has told everything.
//!
//! A second thread, the [`ear`], is there for what must not wait for the end of a job: it tells outcomes that were kept
//! back behind a job that turned out long, and wakes an async job that was asked to stop. The owner rings it through an
//! eventfd.

mod ear;
mod pace;
mod prints;
mod run;
#[cfg(feature = "tokio")]
mod runtime;
mod station;

use std::os::fd::OwnedFd;

use serde::{Deserialize, Serialize};

/// What a worker does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Role {
    /// Runs the jobs of a pool.
    #[default]
    Pool,
    /// Runs one job, and exits with the code that says how it ended.
    Process {
        /// Exit handlers of the process are its own and run at its end. In a fork of the program they are the program's,
        /// and only what was printed is flushed.
        exit_handlers: bool,
    },
    /// Answers questions about itself, for tests.
    #[cfg(any(test, feature = "testing"))]
    Witness,
}

/// What a worker has when it begins. Everything that its pool asked for is in force: directory, limits, standard streams.
#[derive(Debug)]
pub(crate) struct WorkerStart {
    /// The connection to the owner: a stream socket that blocks.
    pub(crate) channel: OwnedFd,
    /// What else the pool handed over, in its order.
    pub(crate) fds: Vec<OwnedFd>,
    /// The pipes behind its standard streams, as far as they are captured. They are not inherited by programs.
    pub(crate) pipes: Vec<OwnedFd>,
    /// The place of the worker in its pool, from 0.
    pub(crate) index: usize,
    /// How many pools are around the worker, from 1.
    #[cfg_attr(not(any(test, feature = "testing")), expect(dead_code, reason = "only tests ask"))]
    pub(crate) depth: u32,
    /// The name of the pool.
    #[cfg_attr(not(any(test, feature = "testing")), expect(dead_code, reason = "only tests ask"))]
    pub(crate) name: String,
    /// What to do.
    pub(crate) role: Role,
}

/// Runs a worker, from its start to the end of the process.
pub(crate) fn run(start: WorkerStart) -> ! {
    match start.role {
        Role::Pool | Role::Process { .. } => run::serve(start),
        #[cfg(any(test, feature = "testing"))]
        Role::Witness => crate::testing::witness(start),
    }
}
