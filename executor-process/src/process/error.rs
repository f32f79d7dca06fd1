//! [`SpawnError`].

use std::io;

use executor_core::{DuplicateJobName, JobError};

/// Why there is no process.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// No process can be as the builder says, or it would not find its entry in this program.
    #[error("{what}")]
    Invalid {
        /// What is wrong, and what would be right.
        what: String,
    },
    /// Two jobs of this program have one name.
    #[error(transparent)]
    DuplicateJobName(#[from] DuplicateJobName),
    /// The job cannot be sent to a process.
    #[error("the job of process `{name}` cannot be sent to it: {cause}")]
    Job {
        /// The name of the process.
        name: String,
        /// What keeps it: mostly [`JobError::Encode`].
        #[source]
        cause: JobError,
    },
    /// The system refused the process, or it ended before it was ready.
    #[error("process `{name}` could not be started: {cause}")]
    Start {
        /// The name of the process.
        name: String,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
}
