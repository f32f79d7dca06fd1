//! The laws of spans on [`ThreadExecutor`].

use executor_core::BuildError;
use executor_testkit::{Config, Subject, span_laws};
use executor_thread::ThreadExecutor;

struct Threads;

impl Subject for Threads {
    type Pool = ThreadExecutor;

    fn build(config: &mut Config) -> Result<ThreadExecutor, BuildError> {
        ThreadExecutor::builder().workers(config.take_workers().unwrap_or(2)).build()
    }
}

span_laws!(Threads, not_claimed = []);
