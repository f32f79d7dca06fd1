//! [`CommandError`].

use std::ffi::OsStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::output::CommandOutput;

/// Why an external program has no output, or none that counts. It travels, so that it is the same on every backend.
///
/// `program` is the name that the command was given; what is not UTF-8 in it is replaced.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum CommandError {
    /// There is no such program.
    #[error("program `{program}` was not found; install it, give its path, or check the `PATH` that the command gets")]
    NotFound {
        /// The program.
        program: String,
    },
    /// There is such a file, and the system does not execute it.
    #[error("program `{program}` cannot be executed: {cause}")]
    NotExecutable {
        /// The program.
        program: String,
        /// Why, and what to do.
        cause: String,
    },
    /// The program cannot begin in the directory that the command names.
    #[error("program `{program}` cannot begin in the directory `{directory}`: {cause}")]
    Directory {
        /// The program.
        program: String,
        /// The directory.
        directory: String,
        /// What the system said.
        cause: String,
    },
    /// The command describes what no program can be given.
    #[error("program `{program}` cannot be started: {what}")]
    Invalid {
        /// The program.
        program: String,
        /// What is wrong, and where.
        what: String,
    },
    /// The system refused a process, a descriptor or memory, or `/bin/sh`, which guards the program, is not there.
    #[error("program `{program}` cannot be run: {cause}")]
    Refused {
        /// The program.
        program: String,
        /// What the system refused.
        cause: String,
    },
    /// The program ended by a code other than 0, or by a signal.
    #[error("program `{program}` failed: {}{}", output.exit, last_words(output))]
    Failed {
        /// The program.
        program: String,
        /// How it ended, and what it wrote.
        output: CommandOutput,
    },
    /// The program ran for longer than [`Command::run_limit`](super::Command::run_limit), and was ended.
    #[error(
        "program `{program}` passed its run limit of {limit:?} and was ended; raise the limit{}",
        last_words(output)
    )]
    RunLimit {
        /// The program.
        program: String,
        /// The limit.
        limit: Duration,
        /// How it ended, and what it wrote until then.
        output: CommandOutput,
    },
    /// The job was asked to stop, and the program was ended.
    #[error("program `{program}` was ended because its job was asked to stop")]
    Stopped {
        /// The program.
        program: String,
        /// How it ended, and what it wrote until then.
        output: CommandOutput,
    },
    /// The program wrote more than [`Command::output_bytes_max`](super::Command::output_bytes_max), and was ended.
    #[error(
        "program `{program}` wrote more than {bytes_max} bytes to its standard output or its standard error and was \
         ended; raise `output_bytes_max`, or let it write to a file"
    )]
    OutputTooLong {
        /// The program.
        program: String,
        /// The bound for each of the two.
        bytes_max: usize,
        /// How it ended, and the first bytes of both.
        output: CommandOutput,
    },
}

impl CommandError {
    /// The program, as the command was given it.
    #[must_use]
    pub fn program(&self) -> &str {
        match self {
            CommandError::NotFound { program }
            | CommandError::NotExecutable { program, .. }
            | CommandError::Directory { program, .. }
            | CommandError::Invalid { program, .. }
            | CommandError::Refused { program, .. }
            | CommandError::Failed { program, .. }
            | CommandError::RunLimit { program, .. }
            | CommandError::Stopped { program, .. }
            | CommandError::OutputTooLong { program, .. } => program,
        }
    }

    /// How the program ended and what it wrote; `None` if it was not started.
    #[must_use]
    pub fn output(&self) -> Option<&CommandOutput> {
        match self {
            CommandError::Failed { output, .. }
            | CommandError::RunLimit { output, .. }
            | CommandError::Stopped { output, .. }
            | CommandError::OutputTooLong { output, .. } => Some(output),
            CommandError::NotFound { .. }
            | CommandError::NotExecutable { .. }
            | CommandError::Directory { .. }
            | CommandError::Invalid { .. }
            | CommandError::Refused { .. } => None,
        }
    }
}

fn last_words(output: &CommandOutput) -> String {
    output.last_words().map(|words| format!("; its last words: {words}")).unwrap_or_default()
}

/// A name as it stands in a message.
pub(super) fn shown(name: &OsStr) -> String {
    name.to_string_lossy().into_owned()
}
