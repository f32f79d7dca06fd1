//! [`ProcessBuilder`].

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use executor_core::backend::{Parcel, table};
use executor_core::{Job, JobError, JobFuture};

use super::birth::{self, Born};
use super::child::Process;
use super::error::SpawnError;
use super::handle::ProcessHandle;
use super::intake;
use super::keeper::Keeper;
use super::life::Life;
use super::ward::Ward;
use crate::carrier::descriptors;
use crate::entry;
use crate::start::{Launch, StartMethod, Stream};
use crate::wire::{Item, ItemOptions, Lane, Order, SocketLane};
use crate::worker::Role;

/// How many processes this program has spawned.
static SPAWNED: AtomicUsize = AtomicUsize::new(0);

/// Starts a [`Process`]. What it has in common with a pool has the same words as in
/// [`ProcessExecutorBuilder`](crate::ProcessExecutorBuilder).
///
/// # Examples
///
/// ```
/// use executor_core::job;
/// use executor_process::Process;
///
/// #[job]
/// fn watch_folder() {
///     loop {
///         std::thread::park();
///     }
/// }
///
/// let watcher = Process::builder().name("watcher").daemon(true).env("LANG", "C").spawn(watch_folder::job())?;
/// assert!(watcher.is_alive());
/// drop(watcher); // a daemon is killed
/// # Ok::<(), executor_process::SpawnError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `spawn`"]
pub struct ProcessBuilder {
    name: Option<String>,
    daemon: bool,
    method: StartMethod,
    launch: Launch,
}

impl ProcessBuilder {
    pub(super) fn new() -> Self {
        ProcessBuilder { name: None, daemon: false, method: StartMethod::default(), launch: Launch::default() }
    }

    /// The name of the process. Default: `process-` and its number in this program, from 1. The system shows the first
    /// 15 bytes.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Whether the process is killed, by `SIGKILL`, when its [`Process`] is dropped. Default: no. The children of a process
    /// do not inherit it.
    pub fn daemon(mut self, daemon: bool) -> Self {
        self.daemon = daemon;
        self
    }

    /// How the process comes to be. Default: [`StartMethod::ForkServer`]. [`StartMethod::Fork`] works for the first
    /// process of a program only, because with it begins a thread that watches over all of them.
    pub fn start_method(mut self, method: StartMethod) -> Self {
        self.method = method;
        self
    }

    /// Sets a variable in the environment of the process.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.launch.environment.insert(name.into(), Some(value.into()));
        self
    }

    /// Removes a variable from the environment of the process.
    pub fn env_remove(mut self, name: impl Into<OsString>) -> Self {
        self.launch.environment.insert(name.into(), None);
        self
    }

    /// The directory in which the process begins. Default: that of the program.
    pub fn current_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.launch.settings.directory = Some(directory.into().into_os_string());
        self
    }

    /// What is added to the niceness of the program: 1 to 19 give way to others. Default: 0.
    pub fn niceness(mut self, increment: i32) -> Self {
        self.launch.settings.niceness = increment;
        self
    }

    /// How much address space the process may have, in bytes. An allocation beyond it fails, which ends most jobs'
    /// processes by `SIGABRT`. Default: as the program.
    pub fn address_space_max(mut self, bytes: u64) -> Self {
        self.launch.settings.limits.address_space_bytes = Some(bytes);
        self
    }

    /// How much processor time the process may use, in seconds; then it is ended. Default: as the program.
    pub fn cpu_seconds_max(mut self, seconds: u64) -> Self {
        self.launch.settings.limits.cpu_seconds = Some(seconds);
        self
    }

    /// How many files the process may have open. Default: as the program.
    pub fn open_files_max(mut self, files: u64) -> Self {
        self.launch.settings.limits.open_files = Some(files);
        self
    }

    /// Sends what the process writes to its standard output and standard error nowhere. Default: where those of the
    /// program go.
    pub fn discard_output(mut self) -> Self {
        self.launch.settings.stdout = Stream::Null;
        self.launch.settings.stderr = Stream::Null;
        self
    }

    /// Starts a process for `job`. The job is encoded and dropped before this returns.
    ///
    /// # Errors
    ///
    /// * [`SpawnError::Invalid`] for settings that no process can have, for a program whose processes would not find their
    ///   entry, and for jobs that run as deep as processes nest: a job may spawn processes and have pools whose jobs do
    ///   the same, four deep in all.
    /// * [`SpawnError::DuplicateJobName`] if two jobs of this program have the same explicit name.
    /// * [`SpawnError::Job`] if the job cannot be encoded.
    /// * [`SpawnError::Start`] if the system refuses what the process needs, if the process ends before it has begun with
    ///   the job, and for [`StartMethod::Fork`] in a program that has more than one thread.
    ///
    /// # Blocking
    ///
    /// Until the process is ready for the job: about 1 ms for the first one, and less for others. [`StartMethod`] has figures.
    pub fn spawn<J: Job>(self, job: J) -> Result<Process<J::Output>, SpawnError> {
        let refused = |error: &dyn std::fmt::Display| SpawnError::Invalid { what: error.to_string() };
        entry::check().map_err(|error| refused(&error))?;
        self.launch.check().map_err(|error| refused(&error))?;
        executor_core::backend::prepare()?;
        // Numbers that differ are all that is asked of it.
        let number = SPAWNED.fetch_add(1, Ordering::Relaxed) + 1;
        let name = self.name.clone().unwrap_or_else(|| format!("process-{number}"));
        let taken = intake::take_in(job).map_err(|cause| SpawnError::Job { name: name.clone(), cause })?;
        let (future, parcel): (JobFuture<J::Output>, Arc<Parcel>) = taken;
        match self.start(name, number, &parcel) {
            Ok(handle) => Ok(Process::new(future, handle)),
            Err(error) => {
                // It has not failed, so that nobody is to hear of a failure that was not read.
                parcel.job(0).withdraw(|| {});
                Err(error)
            }
        }
    }

    /// Starts the process, and has the keeper see to it.
    fn start(self, name: String, number: usize, parcel: &Parcel) -> Result<ProcessHandle, SpawnError> {
        let unsendable = |cause| SpawnError::Job { name: name.clone(), cause };
        let not_started = |cause| SpawnError::Start { name: name.clone(), cause };
        let job = table().index_of(parcel.entry());
        let job = job.ok_or_else(|| unsendable(JobError::UnknownJob { name: parcel.entry().name().to_owned() }))?;
        let mut launch = self.launch;
        launch.settings.name.clone_from(&name);
        launch.settings.role = Role::Process { exit_handlers: self.method != StartMethod::Fork };
        if launch.settings.directory.is_none() {
            // A fork server is where the program was when it was started. A directory that was deleted has no path.
            launch.settings.directory = std::env::current_dir().ok().map(PathBuf::into_os_string);
        }
        // With `Fork` this forks, so that the thread of the keeper is started behind it.
        let Born { starter, mut lane, pid, pidfd, page, ear } =
            birth::start(self.method, launch, number).map_err(not_started)?;
        let keeper = Keeper::get().map_err(not_started)?;
        send(&mut lane, job, parcel).map_err(unsendable)?;
        let life = Arc::new(Life::new(name.clone(), self.daemon, pid, pidfd, page, ear));
        let claim = parcel.job(0).claim();
        keeper.take(Ward::new(starter, lane, Arc::clone(&life), claim, self.method));
        Ok(ProcessHandle::new(life))
    }
}

/// Has the job wait in the lane, and behind it the order to leave.
fn send(lane: &mut SocketLane, job: u32, parcel: &Parcel) -> Result<(), JobError> {
    let argument = match parcel.large_arguments() {
        Some(shared) => shared.into(),
        None => parcel.arguments(0).into(),
    };
    parcel.note_worker(0..1, 0);
    let (id, submitter_span) = (Some(parcel.job(0).id().as_u64()), parcel.submitter_span());
    let options = ItemOptions { id, submitter_span, ..ItemOptions::default() };
    let attachments = parcel.attachments(0).and_then(descriptors);
    let pushed = lane.push_run(job, &[Item { argument, options: Some(&options), attachments }]);
    pushed.and_then(|_| lane.push(Order::Exit)).map_err(|error| {
        let what = format!("job `{}`", parcel.entry().name());
        JobError::Encode { what, cause: error.into() }
    })
}
