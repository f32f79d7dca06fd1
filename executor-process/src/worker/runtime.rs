//! The tokio runtime inside of which a worker polls its async jobs.

use std::sync::{Arc, OnceLock};

use executor_core::backend::Surroundings;
use tokio::runtime::{Builder, Runtime};

/// The first async job of a worker starts it, and it ends with the process.
static RUNTIME: OnceLock<Runtime> = OnceLock::new();

pub(super) fn surroundings() -> Surroundings {
    Arc::new(|poll| {
        let _inside = RUNTIME.get_or_init(start).enter();
        poll();
    })
}

/// One thread is enough for the clock and for what tells of readiness: jobs are polled on the worker's own.
fn start() -> Runtime {
    let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("executor-tokio").enable_all().build();
    runtime.unwrap_or_else(|cause| panic!("the system refuses what a tokio runtime for async jobs needs: {cause}"))
}
