//! [`Guard`]: leads a process group, and kills it if this process ends first.

use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// What the shell does. It ignores all signals that a program might send to its own group, says so by an empty line,
/// waits for the end of its input, and kills its own group. Every word is POSIX, and nearly all are built into the
/// shell.
const SCRIPT: &str = "trap '' HUP INT QUIT PIPE ALRM TERM USR1 USR2 TSTP TTIN TTOU; echo; read line; kill -KILL 0";

/// What lists of processes show as the name of the script.
const NAME: &str = "executor-command-guard";

/// A shell that leads a process group. Its standard input is the lifeline: it closes with this process.
///
/// A drop kills the whole group.
#[derive(Debug)]
pub(super) struct Guard {
    shell: Child,
    group: Pid,
}

impl Guard {
    /// Starts it, and waits until it ignores signals.
    ///
    /// # Errors
    ///
    /// With a text that says what it is for.
    pub(super) fn start() -> io::Result<Guard> {
        let failed = |error: io::Error| {
            io::Error::new(error.kind(), format!("/bin/sh, which guards the program, cannot be started: {error}"))
        };
        let shell = Command::new("/bin/sh")
            .args(["-c", SCRIPT, NAME])
            // A shell takes functions from its environment, and one of them may be named as a word of the script.
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        let group = Pid::from_raw(shell.id().cast_signed());
        let mut guard = Guard { shell, group };
        let mut ready = [0];
        let said = guard.shell.stdout.take().map_or(Ok(()), |mut stdout| stdout.read_exact(&mut ready));
        said.map_err(failed)?;
        Ok(guard)
    }

    /// The group. The number belongs to it as long as the guard was not dropped.
    pub(super) fn group(&self) -> Pid {
        self.group
    }

    /// Sends a signal to every member of the group. The guard itself heeds `SIGKILL` only.
    pub(super) fn signal(&self, signal: Signal) {
        // It fails if no member may be signalled, and there is nothing else to try.
        let _ = killpg(self.group, signal);
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
        // It fails if the system has reaped the guard already, as it does in a program that ignores `SIGCHLD`.
        let _ = self.shell.wait();
    }
}
