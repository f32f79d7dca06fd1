//! How a drain loop gets onto a worker: as a job of rayon, or in a loom model as a thread of its own.

use std::sync::Arc;

use crate::pool::Pool;

/// Starts a loop that has its token already.
#[cfg(not(executor_loom))]
pub(crate) fn spawn_loop(pool: &Arc<Pool>, rayon: &rayon::ThreadPool) {
    let pool = Arc::clone(pool);
    rayon.spawn(move || crate::drain::run_with_token(&pool));
}

/// Starts loops as threads of the model; each takes a seat that is free.
#[cfg(executor_loom)]
pub(crate) fn spawn_loops_in_model(pool: &Arc<Pool>, loops: usize) {
    for _ in 0..loops {
        let pool = Arc::clone(pool);
        // A loop that gave its token back may not have left its seat yet.
        let worker = loop {
            let free = pool.free_seats.lock().pop();
            match free {
                Some(worker) => break worker,
                None => loom::thread::yield_now(),
            }
        };
        loom::thread::spawn(move || {
            let seat = executor_core::backend::Seat::new(pool.id, worker).take();
            crate::drain::run_with_token(&pool);
            drop(seat);
            pool.free_seats.lock().push(worker);
        });
    }
}
