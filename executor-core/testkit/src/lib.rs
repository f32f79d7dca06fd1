//! draft
mod gate;
mod harness;
pub mod jobs;
mod lab;
pub mod laws;
mod log;
mod macros;
mod panics;
mod station;
mod subject;
mod threads;
mod time;
mod tools;
mod travel;
mod verdict;
mod watchdog;

pub use gate::{Gate, Pass};
pub use harness::{check, test_law};
pub use lab::{Bench, Busy, Lab};
pub use log::{Log, Pen};
pub use panics::{BombPayload, ON_PURPOSE, OddPayload};
pub use subject::{Config, Subject};
pub use time::{SCALE_VARIABLE, comes_about, eventually, hang_guard, scaled};
pub use travel::assert_travels;
pub use verdict::{Claim, NotClaimed, Verdict};
