//! The tokio runtime inside of which async jobs are polled.

use std::sync::{Arc, OnceLock};

use executor_core::backend::Surroundings;
use tokio::runtime::{Builder, Handle, Runtime};

/// The runtime of all pools of this process that were given none.
static OWN: OnceLock<Runtime> = OnceLock::new();

/// Polls happen inside of the runtime of `handle`, or else of our own, which the first one starts.
pub(crate) fn surroundings(handle: Option<Handle>) -> Surroundings {
    Arc::new(move |poll| {
        let _inside = handle.as_ref().unwrap_or_else(|| OWN.get_or_init(start).handle()).enter();
        poll();
    })
}

/// One thread is enough for the clock and for what tells of readiness: jobs are polled on their workers.
fn start() -> Runtime {
    let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("executor-tokio").enable_all().build();
    runtime.unwrap_or_else(|cause| panic!("the system refuses what a tokio runtime for async jobs needs: {cause}"))
}
