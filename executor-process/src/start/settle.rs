//! What a new worker does to itself before it begins.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::{dup2_stderr, dup2_stdout};

use super::launch::{Settings, Stream};
use super::link::Link;
use super::message::{Failure, Order, Report};
use super::order::Kit;
use super::spawn;
use crate::entry;
use crate::process;
use crate::sys::{self, Disposition, PidFd};
use crate::worker::{self, Role, WorkerStart};

/// The code with which a process exits that could not become what it was started for.
const SETTLE_EXIT: i32 = 113;

/// The longest name that the system keeps for a thread, in bytes: `TASK_COMM_LEN` of Linux without the null byte.
const NAME_BYTES_MAX: usize = 15;

/// A process that is to become a worker.
pub(super) struct Newborn {
    /// What is wanted.
    pub(super) order: Order,
    /// The descriptors that came with it.
    pub(super) fds: Vec<OwnedFd>,
    /// Where to say that it cannot be done.
    pub(super) reporter: Link,
    /// The owner, if this process has to watch it by itself.
    pub(super) owner: Option<PidFd>,
}

/// Ends the process if it is dropped. A panic of ours must not unwind into the code of the program that a forked
/// process has on its stack, and that would go on as if it were the program.
pub(super) struct NoUnwinding;

impl Drop for NoUnwinding {
    fn drop(&mut self) {
        std::process::abort();
    }
}

/// Becomes the worker.
pub(super) fn begin(newborn: Newborn) -> ! {
    let Newborn { order, fds, mut reporter, owner } = newborn;
    let (ticket, index) = (order.ticket, order.index);
    match settle(order, fds, owner) {
        Ok(start) => {
            drop(reporter);
            worker::run(start)
        }
        Err((what, error)) => {
            let failure = Failure::new(&format!("worker {index} cannot {what}"), &error);
            // If the owner does not listen any more, the end of this process says enough.
            let _ = reporter.send(&Report::Failed { ticket, failure }, Vec::new());
            sys::exit_now(SETTLE_EXIT)
        }
    }
}

/// Ends a process that cannot even report.
pub(crate) fn die(text: &str) -> ! {
    let _ = writeln!(io::stderr(), "{text}");
    sys::exit_now(SETTLE_EXIT)
}

/// What could not be done, and why.
type Trouble = (String, io::Error);

fn settle(order: Order, fds: Vec<OwnedFd>, owner: Option<PidFd>) -> Result<WorkerStart, Trouble> {
    let settings = &order.settings;
    let Some(kit) = Kit::from_fds(settings, fds) else {
        return Err(("begin".into(), io::Error::other("descriptors were lost on the way to it")));
    };
    entry::set_depth(order.depth);
    process::note_birth(settings.worker_name(order.index), order.owner);
    set_name(settings, order.index);
    // What a handler of the program would do belongs to the program; a job may still set its own.
    sys::set_disposition(Signal::SIGINT, Disposition::Swallow);
    sys::set_disposition(Signal::SIGTERM, Disposition::Default);
    // As the standard library has it.
    sys::set_disposition(Signal::SIGPIPE, Disposition::Ignore);
    // What the owner blocked, in the thread that built the pool, a program that a job executes would not get either. The
    // fork server has blocked what it takes for itself.
    let unblocked = SigSet::empty().thread_set_mask();
    unblocked.map_err(|error| ("set its signals".to_owned(), error.into()))?;
    sys::change_environment(&order.environment);
    if let Some(owner) = owner {
        // Before the limits, which it must not run into.
        let watched = kit.channel.try_clone().and_then(|channel| spawn::watch(owner, channel));
        watched.map_err(|error| ("watch its owner".into(), error))?;
    }
    redirect(settings, &kit).map_err(|error| ("redirect its output".into(), error))?;
    if let Some(directory) = &settings.directory {
        let moved = std::env::set_current_dir(Path::new(directory));
        moved.map_err(|error| (format!("change to the directory {directory:?}"), error))?;
    }
    if settings.niceness != 0 {
        let set = sys::renice(settings.niceness);
        set.map_err(|error| (format!("add {} to its niceness", settings.niceness), error))?;
    }
    for (what, resource, limit) in settings.limits.each() {
        limit_to(resource, limit).map_err(|error| (format!("limit itself to {limit} {what}"), error))?;
    }
    let Kit { channel, extra, stdout, stderr } = kit;
    let pipes = stdout.into_iter().chain(stderr).collect();
    let Order { index, depth, settings, .. } = order;
    Ok(WorkerStart { channel, fds: extra, pipes, index, depth, name: settings.name, role: settings.role })
}

/// `resize-3`, with the name cut so that the number is always to be seen; a process with one job has no number.
fn set_name(settings: &Settings, index: usize) {
    let number = match settings.role {
        Role::Process { .. } => String::new(),
        _ => format!("-{index}"),
    };
    let room = NAME_BYTES_MAX.saturating_sub(number.len());
    let short = &settings.name[..settings.name.floor_char_boundary(room)];
    if let Ok(text) = CString::new(format!("{short}{number}")) {
        // The name is for lists of processes, and nothing depends on it.
        let _ = prctl::set_name(&text);
    }
}

fn redirect(settings: &Settings, kit: &Kit) -> io::Result<()> {
    if let Some(fd) = target(settings.stdout, kit.stdout.as_ref())? {
        dup2_stdout(fd)?;
    }
    if let Some(fd) = target(settings.stderr, kit.stderr.as_ref())? {
        dup2_stderr(fd)?;
    }
    Ok(())
}

/// Where a stream is to go, if not where it goes already.
fn target(stream: Stream, pipe: Option<&OwnedFd>) -> io::Result<Option<OwnedFd>> {
    match stream {
        Stream::Inherit => Ok(None),
        Stream::Null => Ok(Some(File::options().write(true).open("/dev/null")?.into())),
        Stream::Piped => pipe.map(|pipe| pipe.as_fd().try_clone_to_owned()).transpose(),
    }
}

/// Sets a limit that the process cannot raise again.
fn limit_to(resource: Resource, limit: u64) -> io::Result<()> {
    let (_, most) = getrlimit(resource)?;
    // A process that goes on after `SIGXCPU` is killed at the second limit.
    let hard = if resource == Resource::RLIMIT_CPU { limit.saturating_add(1).min(most) } else { limit };
    Ok(setrlimit(resource, limit.min(most), hard)?)
}
