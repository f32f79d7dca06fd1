//! Why an executor was not built, why it did not end in time, and why it does not take an option.

use thiserror::Error;

/// Why a shutdown did not reach its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ShutdownError {
    /// The time limit passed first. The executor refuses new jobs, and goes on with these.
    #[error(
        "the time limit of the shutdown passed before {jobs} of the jobs had ended, and they go on; shut down again to wait \
         for them, or with `Shutdown::Kill` to stop them"
    )]
    TimedOut {
        /// How many jobs were queued or running.
        jobs: usize,
    },
    /// It was called on a worker of the executor itself, which would wait for its own end.
    #[error("an executor cannot be shut down from one of its own jobs; drop the handle there, or shut down outside")]
    OwnWorker,
    /// Waiting for the end here would block a thread that must not block; nothing was begun.
    #[error("this thread must not block until the executor has ended: {advice}")]
    WouldBlock {
        /// What to do instead.
        advice: &'static str,
    },
}

/// An executor could not be built.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A number in the builder makes no sense.
    #[error("{what}")]
    Invalid {
        /// What is wrong, and what would be right.
        what: String,
    },
    /// Two jobs claim one name.
    #[error(transparent)]
    DuplicateJobName(#[from] DuplicateJobName),
    /// The system refused to start a worker.
    #[error("worker {worker} could not be started: {cause}")]
    Start {
        /// The number of the worker, from 0.
        worker: usize,
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
}

/// Two jobs with one explicit name are linked into this program.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("two jobs are named `{name}`, at {first} and at {second}; give one of them another name")]
pub struct DuplicateJobName {
    pub(crate) name: &'static str,
    pub(crate) first: &'static str,
    pub(crate) second: &'static str,
}

impl DuplicateJobName {
    /// The name that is taken twice.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name
    }
}

/// An option asks for something impossible, such as a window of no items.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{what}")]
pub struct OptionError {
    pub(crate) what: String,
}

#[cfg(test)]
mod tests {
    use super::ShutdownError;

    #[test]
    fn a_limit_that_passed_is_told_with_what_is_left() {
        assert_eq!(
            ShutdownError::TimedOut { jobs: 2 }.to_string(),
            "the time limit of the shutdown passed before 2 of the jobs had ended, and they go on; shut down again to wait \
             for them, or with `Shutdown::Kill` to stop them"
        );
    }
}
