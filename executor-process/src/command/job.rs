//! [`Command`]: an external program and how to run it.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::time::Duration;

use executor_core::{Job, Work, register_job};
use serde::{Deserialize, Serialize};

use super::error::CommandError;
use super::output::CommandOutput;
use super::run::run;

/// How many bytes are kept of each output, unless the command says otherwise: 256 MiB. A result is held in memory, a
/// few times on its way from another process; more than this is better written to a file.
const OUTPUT_BYTES_MAX: usize = 256 << 20;

/// How long a program that was asked to end may take, unless the command says otherwise. A program that removes what
/// it has half written needs far less; an operator who shuts down waits no longer.
const GRACE: Duration = Duration::from_secs(2);

/// An external program as a job, which runs on every backend: see [`command`].
///
/// The methods describe what to run; nothing is started before the job runs. A program that fails is a job that
/// fails: its output is [`CommandError::Failed`], and retries apply. [`unchecked`](Command::unchecked) turns that
/// off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[must_use = "a command does nothing until it is submitted or run"]
pub struct Command {
    pub(super) program: OsString,
    pub(super) arguments: Vec<OsString>,
    pub(super) input: Vec<u8>,
    pub(super) environment_cleared: bool,
    /// A variable and its value, or `None` to remove it.
    pub(super) environment: BTreeMap<OsString, Option<OsString>>,
    pub(super) directory: Option<OsString>,
    pub(super) run_limit: Option<Duration>,
    pub(super) grace: Duration,
    pub(super) output_bytes_max: usize,
    pub(super) unchecked: bool,
}

/// A job that runs an external program: no shell is involved, and each argument arrives as it is.
///
/// A name without a `/` is looked for in the `PATH` of the command's environment; a relative path starts at
/// [`current_dir`](Command::current_dir).
///
/// # What is promised
///
/// * *Whole output.* What the program writes to its standard output and standard error is collected, apart, as bytes.
///   Beyond [`output_bytes_max`](Command::output_bytes_max) nothing is cut silently: the program is stopped, and that
///   is an error.
/// * *No deadlock.* Input is fed while output is read. A program that does not read its input to the end is free to
///   do so.
/// * *Stop.* [`request_stop`](executor_core::JobFuture::request_stop), a run limit, and a shutdown that kills end the
///   program and all of its process group: by `SIGTERM`, and after the [`grace`](Command::grace) by `SIGKILL`.
/// * *Nothing stays.* The program runs in a process group of its own. However the job ends, the group gets `SIGKILL`
///   at that moment, also if the worker process is killed, by [`kill`](executor_core::JobFuture::kill), by an
///   enforced run limit or by a crash, and also if the program that owns the pool is killed. What the program leaves
///   running in the background ends so when the program has ended.
///
/// What leaves the group escapes this, as a daemon does by `setsid`; so does a program that takes the rights of
/// another user, which nobody may signal. A program that the system holds in an uninterruptible wait ends when the
/// system lets go of it, and the job with it. Code that forks the job's process and executes nothing makes a copy;
/// should the process then be killed, the group ends with that copy.
///
/// Ctrl-C reaches the program that owns the pool and not the group; the group ends with the owner.
///
/// # What it costs
///
/// Beside the program a shell is started, which guards the group: it needs `/bin/sh`, about 0.6 ms on the machine of
/// the benches, and a process for as long as the program runs. A changed `PATH`, or a cleared environment, makes the
/// start slower in a process that uses much memory, unless the program is given by a path.
///
/// # Blocking
///
/// The job occupies its worker until the program has ended.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use executor_core::{Executor, InlineExecutor};
/// use executor_process::command;
///
/// let pool = InlineExecutor::new(); // or any other
/// let sort = command("sort").arg("-r").input("one\ntwo\n").env("LC_ALL", "C").run_limit(Duration::from_secs(10));
/// let output = pool.submit(sort).result()??;
/// assert_eq!(output.stdout, b"two\none\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn command(program: impl AsRef<OsStr>) -> Command {
    Command {
        program: program.as_ref().to_owned(),
        arguments: Vec::new(),
        input: Vec::new(),
        environment_cleared: false,
        environment: BTreeMap::new(),
        directory: None,
        run_limit: None,
        grace: GRACE,
        output_bytes_max: OUTPUT_BYTES_MAX,
        unchecked: false,
    }
}

impl Command {
    /// Adds an argument, which arrives as it is: blanks and quotes mean nothing.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    pub fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// What the program reads as its standard input. Default: nothing.
    pub fn input(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = bytes.into();
        self
    }

    /// Sets an environment variable. Others are those of the process in which the job runs.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.environment.insert(name.as_ref().to_owned(), Some(value.as_ref().to_owned()));
        self
    }

    /// Removes an environment variable.
    pub fn env_remove(mut self, name: impl AsRef<OsStr>) -> Self {
        self.environment.insert(name.as_ref().to_owned(), None);
        self
    }

    /// Removes all environment variables, also those that were set on this command before.
    pub fn env_clear(mut self) -> Self {
        self.environment_cleared = true;
        self.environment.clear();
        self
    }

    /// The directory in which the program begins. Default: that of the process in which the job runs.
    pub fn current_dir(mut self, directory: impl AsRef<Path>) -> Self {
        self.directory = Some(directory.as_ref().as_os_str().to_owned());
        self
    }

    /// How long the program may run. Then it is asked to end, and killed after the [`grace`](Command::grace); the job
    /// ends as [`CommandError::RunLimit`], with what was written until then. Default: no limit.
    ///
    /// The limit in [`JobOptions::run_limit`](executor_core::JobOptions::run_limit) is that of the job, on every
    /// backend: it ends the program too, and drops what it wrote.
    pub fn run_limit(mut self, limit: Duration) -> Self {
        self.run_limit = Some(limit);
        self
    }

    /// How long the program and its group may take to end after `SIGTERM`, before they get `SIGKILL`; zero kills at
    /// once. It is also how long others may hold the outputs open after the program has ended. Default: 2 s.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// How many bytes of standard output, and how many of standard error, the program may write. If it writes more, it is
    /// stopped as by a limit, and the job ends as [`CommandError::OutputTooLong`]. Default: 256 MiB.
    pub fn output_bytes_max(mut self, bytes: usize) -> Self {
        self.output_bytes_max = bytes;
        self
    }

    /// Takes every end of the program as a success, also a code other than 0 and a signal: [`CommandOutput::exit`]
    /// tells. For programs whose code is an answer, such as `grep` and `diff`.
    pub fn unchecked(mut self) -> Self {
        self.unchecked = true;
        self
    }

    /// Runs the program here and now: for a job that does more than this, or without any executor.
    ///
    /// Inside a job it heeds what asks that job to stop.
    ///
    /// # Errors
    ///
    /// See [`CommandError`].
    ///
    /// # Blocking
    ///
    /// Until the program has ended.
    ///
    /// # Examples
    ///
    /// ```
    /// use executor_core::job;
    /// use executor_process::{CommandError, command};
    ///
    /// #[job]
    /// fn count_lines(text: String) -> Result<usize, CommandError> {
    ///     let output = command("wc").arg("-l").input(text).run()?;
    ///     Ok(output.stdout_text().trim().parse().unwrap_or(0))
    /// }
    ///
    /// assert_eq!(count_lines("one\ntwo\n".into())?, 2);
    /// # Ok::<(), CommandError>(())
    /// ```
    pub fn run(self) -> Result<CommandOutput, CommandError> {
        run(self)
    }
}

impl Job for Command {
    type Output = Result<CommandOutput, CommandError>;

    fn start(self) -> Work<Self::Output> {
        Work::Ready(self.run())
    }

    fn failed(output: &Self::Output) -> bool {
        output.is_err()
    }

    fn failure_text(output: &Self::Output) -> Option<String> {
        output.as_ref().err().map(CommandError::to_string)
    }

    fn duplicate(&self) -> Option<Self> {
        Some(self.clone())
    }

    register_job!(Command);
}
