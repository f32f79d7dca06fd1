//! [`Launch`]: what the workers of a pool have in common.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::Path;

use nix::sys::resource::{Resource, getrlimit};
use serde::{Deserialize, Serialize};

use crate::worker::Role;

/// Changes of the environment: a variable and its value, or `None` to remove it.
pub(crate) type Environment = BTreeMap<OsString, Option<OsString>>;

/// What the workers of a pool have in common.
#[derive(Clone, Debug, Default)]
pub(crate) struct Launch {
    /// What differs from the environment that the owner has when the server, or with `Spawn` the worker, is started.
    /// With `Fork` it is applied in each worker.
    pub(crate) environment: Environment,
    /// What each worker does to itself.
    pub(crate) settings: Settings,
}

/// What each worker does to itself before it begins.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Settings {
    /// The name of the pool; worker 3 of the pool `resize` is `resize-3` in lists of processes.
    pub(crate) name: String,
    /// What the worker does.
    pub(crate) role: Role,
    /// Where it works; `None` for where the owner, or its fork server, was when it was started.
    pub(crate) directory: Option<OsString>,
    /// What is added to the niceness of the owner; 0 changes nothing.
    pub(crate) niceness: i32,
    /// What it may use.
    pub(crate) limits: Limits,
    /// Where its standard output goes.
    pub(crate) stdout: Stream,
    /// Where its standard error goes.
    pub(crate) stderr: Stream,
}

/// What a worker may use. `None` leaves a limit as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Limits {
    /// Address space in bytes. An allocation beyond it fails, which ends most programs by `SIGABRT`.
    pub(crate) address_space_bytes: Option<u64>,
    /// Processor time in seconds, of all threads together. `SIGXCPU` comes then, `SIGKILL` a second later.
    pub(crate) cpu_seconds: Option<u64>,
    /// Open files, counted as the number above the highest descriptor.
    pub(crate) open_files: Option<u64>,
}

/// Where a standard stream of a worker goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Stream {
    /// Where that of the owner goes.
    #[default]
    Inherit,
    /// Nowhere.
    Null,
    /// To the owner, which reads it from a pipe.
    Piped,
}

impl Settings {
    /// The name of a worker, which a process with one job has to itself.
    pub(crate) fn worker_name(&self, index: usize) -> String {
        match self.role {
            Role::Process { .. } => self.name.clone(),
            _ => format!("{}-{index}", self.name),
        }
    }
}

impl Launch {
    /// Refuses what no worker could do, before one is started.
    pub(crate) fn check(&self) -> io::Result<()> {
        for (name, value) in &self.environment {
            let bytes = name.as_encoded_bytes();
            let null = value.as_ref().is_some_and(|value| value.as_encoded_bytes().contains(&0));
            if bytes.is_empty() || bytes.contains(&b'=') || bytes.contains(&0) || null {
                return Err(invalid(format!(
                    "the environment variable {name:?} cannot be set: a name is not empty and has no `=`, and \
                     neither name nor value has a null byte"
                )));
            }
        }
        if let Some(directory) = &self.settings.directory
            && !Path::new(directory).is_dir()
        {
            return Err(invalid(format!("workers cannot work in {directory:?}, which is not a directory")));
        }
        for (what, resource, limit) in self.settings.limits.each() {
            let (_, most) = getrlimit(resource)?;
            if limit > most {
                return Err(invalid(format!(
                    "workers cannot have {limit} {what}: this process may have {most} at most"
                )));
            }
        }
        Ok(())
    }
}

impl Limits {
    /// What is limited, by its name in a message, and to how much.
    pub(crate) fn each(&self) -> impl Iterator<Item = (&'static str, Resource, u64)> {
        [
            ("open files", Resource::RLIMIT_NOFILE, self.open_files),
            ("seconds of processor time", Resource::RLIMIT_CPU, self.cpu_seconds),
            ("bytes of address space", Resource::RLIMIT_AS, self.address_space_bytes),
        ]
        .into_iter()
        .filter_map(|(what, resource, limit)| Some((what, resource, limit?)))
    }
}

fn invalid(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

#[cfg(test)]
mod tests {
    use super::{Launch, Limits};

    fn refusal(launch: &Launch) -> String {
        launch.check().expect_err("no worker can be like that").to_string()
    }

    #[test]
    fn what_no_worker_can_do_is_refused() {
        for name in ["", "A=B", "A\0"] {
            let mut launch = Launch::default();
            launch.environment.insert(name.into(), Some("1".into()));
            assert!(refusal(&launch).contains("cannot be set"), "{name:?}");
        }
        let mut launch = Launch::default();
        launch.settings.directory = Some("/nowhere/at/all".into());
        assert!(refusal(&launch).contains("is not a directory"));
        let mut launch = Launch::default();
        launch.settings.limits = Limits { open_files: Some(u64::MAX - 1), ..Limits::default() };
        assert!(refusal(&launch).contains("may have"));
    }

    #[test]
    fn the_defaults_are_fine() {
        Launch::default().check().unwrap();
    }
}
