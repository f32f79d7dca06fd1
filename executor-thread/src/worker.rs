//! The life of a worker thread: its seat, its hooks, and rayon's loop between them.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::thread;

use executor_core::backend::{Initializer, Seat, Surroundings, catch_hook, quietly};
use rayon::ThreadBuilder;

use crate::pool::Pool;

/// A closure that is told the number of a worker.
pub(crate) type Hook = Arc<dyn Fn(usize) + Send + Sync>;

/// What runs at both ends of a worker's life.
#[derive(Clone, Default)]
pub(crate) struct Hooks {
    pub(crate) initializer: Option<Initializer>,
    pub(crate) on_start: Option<Hook>,
    pub(crate) on_exit: Option<Hook>,
    /// What async jobs are polled inside of.
    pub(crate) surroundings: Option<Surroundings>,
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks")
            .field("initializer", &self.initializer)
            .field("on_start", &self.on_start.is_some())
            .field("on_exit", &self.on_exit.is_some())
            .finish_non_exhaustive()
    }
}

/// Starts the thread of one worker.
///
/// # Errors
///
/// What the system said.
pub(crate) fn start(pool: &Arc<Pool>, hooks: &Hooks, builder: ThreadBuilder) -> io::Result<()> {
    let mut thread = thread::Builder::new();
    if let Some(name) = builder.name() {
        thread = thread.name(name.to_owned());
    }
    if let Some(bytes) = builder.stack_size() {
        thread = thread.stack_size(bytes);
    }
    let on_thread = (Arc::clone(pool), hooks.clone());
    let thread = thread.spawn(move || {
        let (pool, hooks) = on_thread;
        live(&pool, &hooks, builder);
        pool.thread_ended();
    })?;
    pool.thread_started(thread);
    Ok(())
}

fn live(pool: &Arc<Pool>, hooks: &Hooks, builder: ThreadBuilder) {
    let worker = builder.index();
    let _seat = Seat::surrounded(pool.id, worker, hooks.surroundings.clone()).take();
    if let Err(cause) = begin(hooks, worker) {
        pool.break_down(&cause);
    }
    builder.run();
    if let Some(on_exit) = &hooks.on_exit {
        quietly(|| on_exit(worker));
    }
}

/// Runs what comes before a worker's first job.
fn begin(hooks: &Hooks, worker: usize) -> Result<(), String> {
    if let Some(on_start) = &hooks.on_start {
        catch_hook(|| on_start(worker)).map_err(|panic| format!("the start hook of worker {worker} {panic}"))?;
    }
    hooks.initializer.as_ref().map_or(Ok(()), Initializer::run)
}
