//! [`spawn_manager`].

use executor_core::job;
use executor_ipc::manager::{Manager, ManagerBuilder, Server};

use crate::process::{Process, SpawnError};

/// Starts a manager whose server has a process of its own: what it keeps is apart from the memory of this program, and a crash of one of its
/// services costs the manager and not the program.
///
/// The process is among the [`active_children`](crate::active_children), by the name `manager`. It ends with the last handle of the manager, or with
/// this program. Ctrl-C does nothing to it, as to every worker. Manager and proxies can be arguments of jobs, on workers and on threads.
///
/// # Errors
///
/// As [`ProcessBuilder::spawn`](crate::ProcessBuilder::spawn); and [`SpawnError::Invalid`] for a builder that has settings that no manager can
/// have, or where the system refuses a socket.
///
/// # Blocking
///
/// As [`ProcessBuilder::spawn`](crate::ProcessBuilder::spawn).
///
/// # Examples
///
/// ```
/// use executor_core::{Executor, job};
/// use executor_ipc::manager::{Counter, Manager};
/// use executor_process::{ProcessExecutor, spawn_manager};
///
/// #[job]
/// fn count(counter: Counter, n: i64) {
///     counter.fetch_add(n).expect("the manager lives as long as its proxies");
/// }
///
/// let manager = spawn_manager(Manager::builder())?;
/// let counter = manager.counter(0)?;
/// let pool = ProcessExecutor::new(2)?;
/// pool.map(|n| count::job(counter.clone(), n), 1..=10).try_for_each(|done| done)?;
/// assert_eq!(counter.get()?, 55);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn spawn_manager(builder: ManagerBuilder) -> Result<Manager, SpawnError> {
    let (server, manager) = builder.pair().map_err(|error| SpawnError::Invalid { what: error.to_string() })?;
    // It ends by itself, so that nobody needs the handle.
    drop(Process::builder().name("manager").spawn(serve_manager::job(server))?);
    Ok(manager)
}

#[job]
fn serve_manager(server: Server) {
    server.run();
}
