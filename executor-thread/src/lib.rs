//! draft
mod executor;
mod builder;
mod pool;
mod board;
mod buffer;
mod queue;
mod drain;
mod worker;
mod spawn;
mod timer;
mod tally;
mod sync;

pub use builder::ThreadExecutorBuilder;
pub use executor::ThreadExecutor;

#[cfg(all(test, executor_loom))]
mod loom;
