//! [`Group`]: a program and all that it starts.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::process::{self, Child};
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::{Pid, getpgid};

use super::guard::Guard;
use crate::exit::Exit;
use crate::sys::PidFd;

/// A program that runs, in the group of its guard.
///
/// A drop kills every member, and reaps the program.
#[derive(Debug)]
pub(super) struct Group {
    program: PidFd,
    pid: Pid,
    exit: Option<Exit>,
    guard: Guard,
}

impl Group {
    /// Starts the program. Its ends of pipes stay in the child that is given beside.
    ///
    /// # Errors
    ///
    /// What the system said.
    pub(super) fn start(guard: Guard, command: &mut process::Command) -> io::Result<(Group, Child)> {
        let mut child = command.process_group(guard.group().as_raw()).spawn()?;
        let pid = Pid::from_raw(child.id().cast_signed());
        match PidFd::open(pid) {
            Ok(program) => Ok((Group { program, pid, exit: None, guard }, child)),
            Err(error) => {
                drop(guard);
                // In case it has left the group. Both fail only if it has ended already.
                let _ = child.kill();
                let _ = child.wait();
                Err(error)
            }
        }
    }

    /// How the program ended; `None` if it has not.
    pub(super) fn exit(&mut self) -> Option<Exit> {
        if self.exit.is_none() {
            // It fails only for a descriptor that is none of a process.
            self.exit = self.program.reap().unwrap_or(Some(Exit::Unknown));
        }
        self.exit
    }

    /// True once [`exit`](Group::exit) has seen the end of the program.
    pub(super) fn has_ended(&self) -> bool {
        self.exit.is_some()
    }

    /// Becomes readable when the program has ended.
    pub(super) fn ended_fd(&self) -> BorrowedFd<'_> {
        self.program.as_fd()
    }

    /// Sends a signal to the program, once, and to all others of the group.
    pub(super) fn signal(&self, signal: Signal) {
        let left = !self.has_ended() && getpgid(Some(self.pid)).is_ok_and(|group| group != self.guard.group());
        self.guard.signal(signal);
        if left {
            // It fails for a program that runs with the rights of somebody else.
            let _ = self.program.signal(signal as i32);
        }
    }

    /// True if the group has a member beside its guard. It reads the list of all processes.
    pub(super) fn has_others(&self) -> bool {
        let group = self.guard.group().as_raw();
        let Ok(processes) = fs::read_dir("/proc") else { return true };
        processes
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
            .filter(|&pid| pid != group)
            .any(|pid| fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| is_live_member(&stat, group)))
    }
}

/// Reads `/proc/PID/stat`: the number, the name in parentheses, the state, the parent, the group.
fn is_live_member(stat: &str, group: i32) -> bool {
    let Some((_, rest)) = stat.rsplit_once(')') else { return false };
    let mut words = rest.split_whitespace();
    let (state, of) = (words.next(), words.nth(1));
    !matches!(state, Some("Z" | "X")) && of.and_then(|of| of.parse().ok()) == Some(group)
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
        while self.exit().is_none() {
            self.program.wait_ended(Duration::from_secs(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_live_member;

    #[test]
    fn a_member_is_told_by_the_list_of_processes() {
        assert!(is_live_member("12 (a (b) c) S 1 77 77 0 -1", 77));
        assert!(!is_live_member("12 (sleep) Z 1 77 77 0 -1", 77));
        assert!(!is_live_member("12 (sleep) S 77 12 77 0 -1", 77));
        assert!(!is_live_member("", 77));
    }
}
