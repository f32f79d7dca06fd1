//! External programs as jobs: what they get, what comes back, how they end, and that nothing of them stays.
#![allow(clippy::unwrap_used, reason = "these are tests")]

#[path = "../common/mod.rs"]
mod common;
mod tools;

mod ending;
mod running;
