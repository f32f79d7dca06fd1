//! Every primitive of concurrency that this crate uses, from the standard library or, under
//! `--cfg executor_loom`, from loom.

#[cfg(not(executor_loom))]
pub(crate) use std::sync::atomic;

#[cfg(executor_loom)]
pub(crate) use loom::sync::atomic;
