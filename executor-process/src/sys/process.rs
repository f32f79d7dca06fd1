#![expect(unsafe_code, reason = "fork, reaping by raw status and the end without exit handlers have no safe wrapper")]
//! A process and its children: fork, reap, niceness, the end.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::linux::fs::MetadataExt;
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::unistd::{ForkResult, Pid};

/// How often a count of threads above one is taken again, because a thread that was just joined is still on its way
/// out.
const LOOKS: u32 = 20;

/// How long each time.
const PAUSE: Duration = Duration::from_micros(200);

/// Which side of a fork this is.
#[derive(Debug)]
pub(crate) enum Fork {
    /// The process that forked, and its new child.
    Parent(Pid),
    /// The child.
    Child,
}

/// Why there was no fork.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ForkError {
    /// The process has more than one thread. The others would be missing in the child, with the locks they hold locked
    /// for ever.
    #[error("the process has {0} threads, and only a process of one can be forked")]
    Threads(u64),
    /// The system refused.
    #[error("the system refuses another process: {0}")]
    System(io::Error),
}

/// How many threads this process has, 1.7 µs.
///
/// The folder has one entry for each thread, and its count of links is two more.
pub(crate) fn thread_count() -> io::Result<u64> {
    Ok(std::fs::metadata("/proc/self/task")?.st_nlink().saturating_sub(2))
}

/// Forks, if the process has one thread.
pub(crate) fn fork() -> Result<Fork, ForkError> {
    let mut looks = LOOKS;
    loop {
        let threads = thread_count().map_err(ForkError::System)?;
        if threads == 1 {
            break;
        }
        if looks == 0 {
            return Err(ForkError::Threads(threads));
        }
        looks -= 1;
        thread::sleep(PAUSE);
    }
    // SAFETY: there is one thread, this one, as counted above; nobody else can begin another or hold a lock. So the
    // child is a whole copy of the process, and may do all that the parent may.
    match unsafe { nix::unistd::fork() } {
        Ok(ForkResult::Parent { child }) => Ok(Fork::Parent(child)),
        Ok(ForkResult::Child) => Ok(Fork::Child),
        Err(error) => Err(ForkError::System(error.into())),
    }
}

/// Reaps one ended child, if there is one, and gives its number and its status as `wait` has it.
///
/// `nix` has no name for the real-time signals and would lose a child that one of them ended.
pub(crate) fn reap() -> Option<(Pid, i32)> {
    let mut status = 0;
    loop {
        // SAFETY: the system writes one int, and `status` is one.
        let answer = unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) };
        match Errno::result(answer) {
            Ok(0) => return None,
            Ok(pid) => return Some((Pid::from_raw(pid), status)),
            Err(Errno::EINTR) => {}
            Err(_) => return None,
        }
    }
}

/// Adds `increment` to the niceness of this process.
pub(crate) fn renice(increment: i32) -> io::Result<()> {
    Errno::clear();
    // SAFETY: the call takes a number and no memory of ours.
    let answer = unsafe { libc::nice(increment) };
    // -1 is a niceness too, so that only the error number tells.
    if answer == -1 && Errno::last_raw() != 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Takes a variable out of the environment. Only for a process that has just begun: before `main`, or in its first
/// line.
pub(crate) fn remove_variable(name: &str) {
    // SAFETY: nothing else of the program runs yet, so that no other thread reads the environment.
    unsafe { std::env::remove_var(name) }
}

/// Changes the environment of a worker that has just been forked and has one thread.
pub(crate) fn change_environment(changes: &BTreeMap<OsString, Option<OsString>>) {
    for (name, value) in changes {
        match value {
            // SAFETY: this process has one thread, so that no other reads the environment.
            Some(value) => unsafe { std::env::set_var(name, value) },
            // SAFETY: as above.
            None => unsafe { std::env::remove_var(name) },
        }
    }
}

/// Ends this process here: nothing is flushed, no exit handler runs. In a forked process both belong to the parent.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: the call takes a number, and nothing of this process is left that could rely on what did not run.
    unsafe { libc::_exit(code) }
}
