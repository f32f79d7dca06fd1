//! [`ServerHandle`]: a fork server, as its owner has it.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, dup2_stdin, getpid};

use super::launch::Environment;
use super::link::Link;
use super::server::{Request, serve};
use super::settle::die;
use crate::entry::{Marker, Role, VARIABLE};
use crate::exit::Exit;
use crate::sys::{self, Fork, ForkError, PidFd};

/// How long the end of a server is waited for. It waits for its workers itself, and less long.
const END_LIMIT: Duration = Duration::from_secs(4);

/// This process came of a fork of the program, and has what is the program's.
static IS_COPY: AtomicBool = AtomicBool::new(false);

/// True in the workers of [`StartMethod::Fork`](super::StartMethod::Fork): exit handlers, and the values of the thread, are at
/// least in part those of the program, which runs them itself.
pub(crate) fn is_copy_of_program() -> bool {
    // Written before the process had a second thread.
    IS_COPY.load(Ordering::Relaxed)
}

/// The servers that pools share.
static SHARED: Mutex<Vec<Weak<ServerHandle>>> = Mutex::new(Vec::new());

/// A fork server. Dropping the handle ends it and its workers, and waits for that, some milliseconds.
#[derive(Debug)]
pub(super) struct ServerHandle {
    control: Mutex<Link>,
    pidfd: PidFd,
    /// The process that made it. A forked copy of the owner must leave the server alone.
    owner: Pid,
    environment: Environment,
    exit: Mutex<Option<Exit>>,
}

impl ServerHandle {
    /// The server of this process for that environment, started if there is none: 1 ms.
    pub(super) fn shared(environment: &Environment) -> io::Result<Arc<ServerHandle>> {
        let mut servers = lock(&SHARED);
        servers.retain(|server| server.strong_count() > 0);
        for server in servers.iter().filter_map(Weak::upgrade) {
            if server.owner == getpid()
                && server.environment == *environment
                && !server.pidfd.wait_ended(Duration::ZERO)
            {
                return Ok(server);
            }
        }
        let server = Arc::new(ServerHandle::execute(environment)?);
        servers.push(Arc::downgrade(&server));
        Ok(server)
    }

    /// Starts a server from the executable.
    fn execute(environment: &Environment) -> io::Result<ServerHandle> {
        let (control, theirs) = Link::pair()?;
        let (_, pidfd) = execute("executor-fork-server", environment, Role::Server, theirs.into_fd())
            .map_err(|error| io::Error::new(error.kind(), format!("the fork server cannot be started: {error}")))?;
        Ok(ServerHandle::new(control, pidfd, environment.clone()))
    }

    /// Forks a server from this process.
    ///
    /// # Errors
    ///
    /// If the process has more than one thread.
    pub(super) fn fork() -> io::Result<Arc<ServerHandle>> {
        let owner = getpid();
        let (control, theirs) = Link::pair()?;
        // What is still in the buffer would be written by every worker as well.
        io::stdout().flush()?;
        match sys::fork() {
            Ok(Fork::Parent(pid)) => Ok(Arc::new(ServerHandle::new(control, watch_child(pid)?, Environment::new()))),
            Ok(Fork::Child) => {
                IS_COPY.store(true, Ordering::Relaxed);
                drop(control);
                if let Err(error) = File::open("/dev/null").and_then(|null| Ok(dup2_stdin(null)?)) {
                    die(&format!("a forked server cannot close its standard input: {error}"));
                }
                serve(theirs.into_fd(), owner)
            }
            Err(ForkError::Threads(threads)) => Err(io::Error::other(format!(
                "`StartMethod::Fork` forks this program, which has {threads} threads and can be forked only \
                 with one; build this pool before any other pool, runtime or thread begins, or use \
                 `StartMethod::ForkServer`"
            ))),
            Err(ForkError::System(error)) => {
                Err(io::Error::new(error.kind(), format!("this program cannot be forked: {error}")))
            }
        }
    }

    fn new(control: Link, pidfd: PidFd, environment: Environment) -> ServerHandle {
        let control = Mutex::new(control);
        ServerHandle { control, pidfd, owner: getpid(), environment, exit: Mutex::new(None) }
    }

    /// A connection of its own for a pool.
    pub(super) fn connect(&self) -> io::Result<Link> {
        let (ours, theirs) = Link::pair()?;
        lock(&self.control).send(&Request::Connect, vec![theirs.into_fd()])?;
        Ok(ours)
    }

    /// Readable once the server has ended.
    pub(super) fn pidfd(&self) -> &PidFd {
        &self.pidfd
    }

    /// How the server ended; `None` while it runs.
    pub(super) fn exit(&self) -> Option<Exit> {
        let mut exit = lock(&self.exit);
        if exit.is_none() {
            *exit = self.pidfd.reap().unwrap_or(Some(Exit::Unknown));
        }
        *exit
    }
}

impl Drop for ServerHandle {
    fn drop(&mut self) {
        if getpid() != self.owner {
            return;
        }
        lock(&self.control).shut();
        if !self.pidfd.wait_ended(END_LIMIT) {
            // A server that was stopped, for example. Its workers end with it.
            let _ = self.pidfd.signal(libc::SIGKILL);
            self.pidfd.wait_ended(END_LIMIT);
        }
        self.exit();
    }
}

/// Starts this executable again, with `socket` as standard input, and gives the number of the process and a descriptor
/// of it.
pub(super) fn execute(name: &str, environment: &Environment, role: Role, socket: OwnedFd) -> io::Result<(Pid, PidFd)> {
    let mut command = Command::new("/proc/self/exe");
    command.arg0(name).stdin(Stdio::from(socket)).env(VARIABLE, Marker::for_child(role).text());
    for (name, value) in environment {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let child = command.spawn().map_err(|error| {
        io::Error::new(error.kind(), format!("`/proc/self/exe` cannot be executed: {error}; `/proc` has to be mounted"))
    })?;
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("the number of a process is a C int"));
    Ok((pid, watch_child(pid)?))
}

/// A descriptor of a new child, which nobody has reaped yet; without one the child is ended.
fn watch_child(pid: Pid) -> io::Result<PidFd> {
    PidFd::open(pid).inspect_err(|_| {
        // Both fail only if the child is gone.
        let _ = kill(pid, Signal::SIGKILL);
        let _ = waitpid(pid, None);
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing under these locks is left half done by a panic.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
