//! What is special to this backend: awaiting, blocking, limits of async jobs, stopping them, and the runtime beneath.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod awaiting;
mod bad_input;
mod blocking;
mod context;
mod limits;
mod polls;
mod runtime;
mod stop;
mod tools;

use std::fmt::Debug;

use executor_async::{AsyncExecutor, AsyncExecutorBuilder};

// Handles and builders cross threads, are shared and are copied.
const _: fn() = || {
    fn has<T: Clone + Debug + Send + Sync + Unpin>() {}
    has::<AsyncExecutor>();
    has::<AsyncExecutorBuilder>();
};
