//! From a description to a start, and from what the system says about that to an error that a user can act on.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{self, Stdio};

use nix::errno::Errno;
use nix::unistd::{AccessFlags, access};

use super::error::{CommandError, shown};
use super::job::Command;

/// Finds what no program can be given, before anything is started.
pub(super) fn check(command: &Command) -> Result<(), CommandError> {
    let has_null = |text: &OsStr| text.as_bytes().contains(&0);
    let what = if command.program.is_empty() {
        "its name is empty".to_owned()
    } else if has_null(&command.program) {
        "its name has a null byte in it".to_owned()
    } else if let Some(place) = command.arguments.iter().position(|argument| has_null(argument)) {
        format!(
            "argument {} of {} has a null byte in it; hand such bytes over as input or in a file",
            place + 1,
            command.arguments.len()
        )
    } else if command.directory.as_deref().is_some_and(has_null) {
        "the name of its directory has a null byte in it".to_owned()
    } else if let Some((name, _)) = command.environment.iter().find(|(name, value)| {
        name.is_empty() || name.as_bytes().contains(&b'=') || has_null(name) || value.as_deref().is_some_and(has_null)
    }) {
        format!(
            "the environment variable {name:?} cannot be set: a name is not empty and has no `=`, and neither name nor \
             value has a null byte"
        )
    } else {
        return Ok(());
    };
    Err(CommandError::Invalid { program: shown(&command.program), what })
}

/// The command as the standard library starts it.
pub(super) fn described(command: &Command) -> process::Command {
    let mut described = process::Command::new(&command.program);
    described.args(&command.arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    described.stdin(if command.input.is_empty() { Stdio::null() } else { Stdio::piped() });
    if command.environment_cleared {
        described.env_clear();
    }
    for (name, value) in &command.environment {
        match value {
            Some(value) => described.env(name, value),
            None => described.env_remove(name),
        };
    }
    if let Some(directory) = &command.directory {
        described.current_dir(directory);
    }
    described
}

/// The system does not let us have what we need.
pub(super) fn refused(command: &Command, error: &io::Error) -> CommandError {
    CommandError::Refused { program: shown(&command.program), cause: error.to_string() }
}

/// Why the program was not started. The system gives one number for several reasons, so that its files are looked at
/// again.
pub(super) fn not_started(command: &Command, error: &io::Error) -> CommandError {
    let program = shown(&command.program);
    let about_a_file =
        matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied | ErrorKind::NotADirectory);
    if let Some(directory) = command.directory.as_deref().filter(|_| about_a_file)
        && let Err(error) = may_enter(Path::new(directory))
    {
        return CommandError::Directory { program, directory: shown(directory), cause: error.to_string() };
    }
    let not_executable =
        |cause: &str| CommandError::NotExecutable { program: program.clone(), cause: cause.to_owned() };
    if error.raw_os_error() == Some(Errno::ENOEXEC as i32) {
        return not_executable("it is neither a program for this machine nor a script that begins with `#!`");
    }
    match error.kind() {
        ErrorKind::NotFound if file(command).is_some_and(|file| file.exists()) => {
            not_executable("the interpreter or the loader that it names is not there")
        }
        ErrorKind::NotFound | ErrorKind::NotADirectory => CommandError::NotFound { program },
        ErrorKind::PermissionDenied if file(command).is_some_and(|file| file.is_dir()) => {
            not_executable("it is a directory")
        }
        ErrorKind::PermissionDenied => {
            not_executable("permission is denied; give it the right to be executed, by `chmod +x`, if it is a program")
        }
        ErrorKind::ExecutableFileBusy => not_executable("somebody has it open for writing; close it first"),
        ErrorKind::ArgumentListTooLong => CommandError::Invalid {
            program,
            what: "its arguments and environment are longer than the system takes; hand them over as input".to_owned(),
        },
        _ => refused(command, error),
    }
}

/// Whether a program can begin there.
fn may_enter(directory: &Path) -> io::Result<()> {
    if !fs::metadata(directory)?.is_dir() {
        return Err(Errno::ENOTDIR.into());
    }
    Ok(access(directory, AccessFlags::X_OK)?)
}

/// The file of a program that is given by a path.
fn file(command: &Command) -> Option<PathBuf> {
    let is_path = command.program.as_bytes().contains(&b'/');
    is_path.then(|| Path::new(command.directory.as_deref().unwrap_or_default()).join(&command.program))
}
