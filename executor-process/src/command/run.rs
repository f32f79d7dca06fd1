//! Running a command to its end, on the thread of the job.

use std::io;
use std::mem;
use std::process::{Child, ChildStderr, ChildStdout};
use std::time::{Duration, Instant};

use executor_core::{JobContext, current};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;

use super::error::{CommandError, shown};
use super::group::Group;
use super::guard::Guard;
use super::job::Command;
use super::output::CommandOutput;
use super::start::{check, described, not_started, refused};
use super::streams::{Collected, Feed};
use crate::exit::Exit;

/// How often a job looks whether it is to stop. Not every backend can wake a thread that waits for descriptors; fifty
/// looks a second cost some µs, and nobody notices the delay beside the grace.
const LOOK: Duration = Duration::from_millis(20);

/// Runs `command` to its end.
pub(super) fn run(mut command: Command) -> Result<CommandOutput, CommandError> {
    check(&command)?;
    let guard = Guard::start().map_err(|error| refused(&command, &error))?;
    let started = Group::start(guard, &mut described(&command));
    let (group, child) = started.map_err(|error| not_started(&command, &error))?;
    let input = mem::take(&mut command.input);
    let mut run = Run::new(&command, group, child, input).map_err(|error| refused(&command, &error))?;
    while !run.is_over() {
        run.serve().map_err(|error| refused(&command, &error.into()))?;
    }
    run.finish()
}

/// Why a program is ended.
#[derive(Clone, Copy, Debug)]
enum Why {
    /// The job was asked to.
    Asked,
    /// It has run for longer than this.
    Limit(Duration),
    /// It wrote too much.
    TooLong,
}

/// A program that runs.
struct Run<'a> {
    command: &'a Command,
    job: JobContext,
    group: Group,
    feed: Feed,
    stdout: Collected<ChildStdout>,
    stderr: Collected<ChildStderr>,
    began: Instant,
    /// Why the group was asked to end, if it was.
    stop: Option<Why>,
    /// Until when the group may end by itself: set when it was asked to, and when the program has ended.
    patience: Option<Instant>,
    killed: bool,
}

impl<'a> Run<'a> {
    fn new(command: &'a Command, group: Group, mut child: Child, input: Vec<u8>) -> io::Result<Self> {
        Ok(Run {
            command,
            job: current(),
            group,
            feed: Feed::new(child.stdin.take(), input)?,
            stdout: Collected::new(child.stdout.take(), command.output_bytes_max)?,
            stderr: Collected::new(child.stderr.take(), command.output_bytes_max)?,
            began: Instant::now(),
            stop: None,
            patience: None,
            killed: false,
        })
    }

    /// Asks or forces the group to end where that is due. True if there is nothing more to wait for.
    fn is_over(&mut self) -> bool {
        let now = Instant::now();
        let ended = self.group.exit().is_some();
        if ended {
            self.feed.close();
            self.patience.get_or_insert_with(|| after(now, self.command.grace));
        }
        if self.stop.is_none()
            && let Some(why) = self.reason_to_stop(now)
        {
            if ended {
                // The program has its outcome; only others hold its outputs open.
                self.patience = Some(now);
            } else {
                self.group.signal(Signal::SIGTERM);
                self.patience = Some(after(now, self.command.grace));
                self.stop = Some(why);
            }
        }
        if !self.killed && self.patience.is_some_and(|until| now >= until) {
            self.group.signal(Signal::SIGKILL);
            self.killed = true;
        }
        let is_quiet = self.stdout.fd().is_none() && self.stderr.fd().is_none();
        // Whoever was asked to end gets the time to do so; what was merely left behind does not.
        ended && (self.killed || is_quiet && (self.stop.is_none() || !self.group.has_others()))
    }

    fn reason_to_stop(&self, now: Instant) -> Option<Why> {
        if self.job.should_stop() {
            return Some(Why::Asked);
        }
        if self.stdout.is_too_long() || self.stderr.is_too_long() {
            return Some(Why::TooLong);
        }
        self.command.run_limit.filter(|&limit| now - self.began >= limit).map(Why::Limit)
    }

    /// Waits until there is something to do, at most for a look; then feeds and reads as much as goes without waiting.
    fn serve(&mut self) -> Result<(), Errno> {
        let ended = (!self.group.has_ended()).then(|| PollFd::new(self.group.ended_fd(), PollFlags::POLLIN));
        let feed = self.feed.fd().map(|fd| PollFd::new(fd, PollFlags::POLLOUT));
        let outputs = [self.stdout.fd(), self.stderr.fd()];
        let outputs = outputs.into_iter().flatten().map(|fd| PollFd::new(fd, PollFlags::POLLIN));
        let mut fds: Vec<_> = ended.into_iter().chain(feed).chain(outputs).collect();
        match poll(&mut fds, self.next_look()) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error),
        }
        self.feed.write();
        self.stdout.read();
        self.stderr.read();
        Ok(())
    }

    /// How long until the next look: sooner if something is due before.
    fn next_look(&self) -> PollTimeout {
        let now = Instant::now();
        let limit = self.command.run_limit.map(|limit| after(self.began, limit));
        let due = [limit.filter(|_| self.stop.is_none()), self.patience.filter(|_| !self.killed)];
        let left = due.into_iter().flatten().map(|due| due.saturating_duration_since(now)).fold(LOOK, Duration::min);
        // Rounded up to whole milliseconds, so that the last wait is not a spin.
        PollTimeout::try_from(left + Duration::from_micros(999)).unwrap_or(PollTimeout::ZERO)
    }

    /// The outcome. What is left of the group is killed before the last of the output is taken.
    fn finish(self) -> Result<CommandOutput, CommandError> {
        let Run { command, mut group, stdout, stderr, stop, .. } = self;
        let exit = group.exit().unwrap_or(Exit::Unknown);
        drop(group);
        let ((stdout, out_too_long), (stderr, err_too_long)) = (stdout.finish(), stderr.finish());
        let output = CommandOutput { exit, stdout, stderr };
        let program = shown(&command.program);
        match stop {
            Some(Why::Asked) => Err(CommandError::Stopped { program, output }),
            Some(Why::Limit(limit)) => Err(CommandError::RunLimit { program, limit, output }),
            _ if out_too_long || err_too_long => {
                Err(CommandError::OutputTooLong { program, bytes_max: command.output_bytes_max, output })
            }
            _ if !exit.is_success() && !command.unchecked => Err(CommandError::Failed { program, output }),
            _ => Ok(output),
        }
    }
}

/// A time from now on; very far away where the sum is beyond what the clock counts.
fn after(now: Instant, duration: Duration) -> Instant {
    const FAR: Duration = Duration::from_secs(u32::MAX as u64);
    now.checked_add(duration).unwrap_or(now + FAR)
}
