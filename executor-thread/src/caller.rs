//! The caller: a thread through which loops that sleep in rayon are called back.
//!
//! A worker that is to help with the parallel work of others sleeps inside rayon, because only there rayon finds and
//! wakes it. Rayon wakes a sleeper for a job of rayon's, which runs wherever the next worker looks for work: at the
//! bottom of its stack, or on top of a piece of somebody's job. A drain loop must not begin there. So the loop is not
//! such a job; it stays at the bottom of the worker's stack and waits there for a latch, as `join` does.
//!
//! Of the waits that rayon offers, one is for something that happens outside of the pool: `install` into *another* pool.
//! The other pool has one thread, the caller. A loop goes to sleep by installing there a closure that returns when
//! somebody is called for; until then the loop's worker serves its own pool. The caller runs these closures one after
//! the other, so that each call wakes one loop, the one that has slept longest.
//!
//! A loop that was called may be inside a long piece just then. If it does not come within [`PATIENCE`], the next one is
//! called as well. A loop that comes and finds nothing goes to sleep again.
//!
//! [`PATIENCE`]: crate::board

use std::io;
use std::sync::Arc;
use std::thread;

use crate::pool::Pool;

/// The closures that the caller runs need next to nothing of its stack.
const STACK_BYTES: usize = 128 * 1024;

/// Starts the caller of `pool`.
///
/// # Errors
///
/// What the system said.
pub(crate) fn start(pool: &Arc<Pool>, name: &str) -> Result<rayon::ThreadPool, rayon::ThreadPoolBuildError> {
    let name = format!("{name}-caller");
    rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .spawn_handler(|builder| -> io::Result<()> {
            let owner = Arc::clone(pool);
            let thread = thread::Builder::new().name(name.clone()).stack_size(STACK_BYTES);
            let thread = thread.spawn(move || {
                builder.run();
                owner.thread_ended();
            })?;
            pool.thread_started(thread);
            Ok(())
        })
        .build()
}
