//! How a process learns that it is a worker, and becomes one.
//!
//! # The steps
//!
//! 1. The owner starts `/proc/self/exe` with one end of a socket as standard input and the variable of [`Marker`].
//! 2. The constructors of the new process run. One of them is ours, [`image`]; it finds the marker, checks it, runs the
//!    constructors that are due after it, because some of them enter jobs into their table, and calls [`take_over`].
//!    Where the hook is off, [`init`] in the first line of `main` does that instead.
//! 3. `take_over` removes the marker, puts `/dev/null` in the place of standard input, and becomes a fork server or
//!    a worker. It never returns.
//!
//! # What was feared
//!
//! * *A marker that strayed*: somebody copied the environment of a worker. It counts only if standard input is a unix
//!   socket that the process named in the marker has made. Otherwise the program runs as if it were not there.
//! * *The owner ended in between.* The marker is then genuine, but the parent is another: the process ends and does not
//!   run the program a second time.
//! * *A fork bomb*: a process that was started as a worker, missed its entry and runs `main`, which builds a pool,
//!   which starts a worker, and so on. [`check`] refuses to build a pool where neither the hook nor `init` is in place,
//!   so that nothing starts. Should a process still come to build a pool with a marker that nobody took, it exits with
//!   [`MISSED_EXIT`].
//! * *A hook in a shared library*, which runs before the constructors of the program itself: it does nothing, and
//!   [`check`] asks for `init`.

mod image;
mod marker;

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::unistd::{dup2_stderr, dup2_stdin, dup2_stdout, getppid};

pub(crate) use marker::{Marker, Role, VARIABLE};

use crate::start;
use crate::sys;

/// How deep pools may nest: a job of a pool in the program may build a pool, whose job may build one, and so on, this
/// many in all. A number that no sensible program reaches and that a runaway one reaches soon.
pub(crate) const POOL_DEPTH_MAX: u32 = 4;

/// The code with which a process exits that was started as a worker and comes to build a pool instead.
const MISSED_EXIT: i32 = 112;

/// Set by [`init`].
static INIT_RAN: AtomicBool = AtomicBool::new(false);

/// How many pools are around this process: 0 in the program itself, 1 in a worker of its pools.
static DEPTH: AtomicU32 = AtomicU32::new(0);

/// Why no pool can be built here.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EntryError {
    /// A process that was started as a worker would run `main`.
    #[error(
        "worker processes of this program would not find their entry; write `executor_process::init();` as \
         the first line of `main` (it is needed without the feature `hook`, where this crate is linked into a shared \
         library, and in a static program at a fixed address)"
    )]
    NotInPlace,
    /// There are too many pools around this process.
    #[error(
        "this job runs {POOL_DEPTH_MAX} pools deep, and pools of processes nest no deeper; check that the job does not \
         start itself again, or give it a pool of threads"
    )]
    TooDeep,
}

/// Makes this process a worker if it was started as one, and does nothing otherwise.
///
/// Needed as the first line of `main` where the hook is off: without the feature `hook`, if this crate is linked into
/// a shared library, and in a static program at a fixed address. It is allowed everywhere and may be called more than
/// once. What `main` does before this line, every worker does as well.
///
/// In a worker it does not return; the process ends with its owner.
///
/// # Examples
///
/// ```
/// executor_process::init();
/// ```
pub fn init() {
    INIT_RAN.store(true, Ordering::SeqCst);
    if let Some(marker) = Marker::received() {
        take_over(&marker);
    }
}

/// Whether a pool can be built here; the first thing that a builder asks.
///
/// # Errors
///
/// With the text that the user needs.
pub(crate) fn check() -> Result<(), EntryError> {
    if Marker::was_missed() {
        sys::exit_now(MISSED_EXIT);
    }
    if !INIT_RAN.load(Ordering::SeqCst) && !image::hook_in_place() {
        return Err(EntryError::NotInPlace);
    }
    if depth() >= POOL_DEPTH_MAX {
        return Err(EntryError::TooDeep);
    }
    Ok(())
}

/// How many pools are around this process.
pub(crate) fn depth() -> u32 {
    DEPTH.load(Ordering::SeqCst)
}

/// Notes in a new worker how many pools are around it.
pub(crate) fn set_depth(depth: u32) {
    DEPTH.store(depth, Ordering::SeqCst);
}

/// Becomes what the marker says.
fn take_over(marker: &Marker) -> ! {
    sys::remove_variable(VARIABLE);
    if getppid() != marker.owner {
        sys::exit_now(0);
    }
    let socket = match take_stdin() {
        Ok(socket) => socket,
        Err(error) => start::die(&format!("a worker process cannot set up its standard streams: {error}")),
    };
    match marker.role {
        Role::Server => start::serve(socket, marker.owner),
        Role::Worker => start::begin_spawned(socket, marker.owner),
    }
}

/// Takes the socket that is standard input, puts `/dev/null` there, and where standard output or error is closed.
fn take_stdin() -> io::Result<OwnedFd> {
    let socket = io::stdin().as_fd().try_clone_to_owned()?;
    // Cloned, and so not 0, 1 or 2 itself, which the standard streams may have left free.
    let null = File::options().read(true).write(true).open("/dev/null")?.try_clone()?;
    dup2_stdin(&null)?;
    if is_closed(io::stdout()) {
        dup2_stdout(&null)?;
    }
    if is_closed(io::stderr()) {
        dup2_stderr(&null)?;
    }
    Ok(socket)
}

fn is_closed(stream: impl AsFd) -> bool {
    fcntl(stream, FcntlArg::F_GETFD) == Err(Errno::EBADF)
}

#[cfg(test)]
mod tests {
    use super::{EntryError, POOL_DEPTH_MAX, check, init};

    #[test]
    fn a_pool_can_be_built_where_the_entry_is_in_place() {
        init();
        init();
        assert_eq!(check(), Ok(()));
    }

    #[test]
    #[cfg(feature = "hook")]
    fn the_hook_is_in_place_in_a_unit_test() {
        assert!(super::image::hook_in_place());
    }

    #[test]
    fn the_errors_say_what_to_do() {
        assert!(EntryError::NotInPlace.to_string().contains("executor_process::init();"));
        assert!(EntryError::TooDeep.to_string().contains(&POOL_DEPTH_MAX.to_string()));
    }
}
