//! Jobs that fail: with an error, with a panic, with a value that must not be dropped.

use std::panic::panic_any;

use executor_core::{current, job};
use serde::{Deserialize, Serialize};

use crate::log::Pen;
use crate::panics::{BombPayload, ON_PURPOSE, OddPayload};

/// Returns `Err` with this text.
#[job]
pub fn fail(text: &str) -> Result<u64, String> {
    Err(text.to_owned())
}

/// Returns its value, as `Err` if it is one of `bad`.
#[job]
pub fn fail_if(value: u64, bad: &[u64]) -> Result<u64, u64> {
    if bad.contains(&value) { Err(value) } else { Ok(value) }
}

/// Panics with this text in the message.
#[job]
pub fn blow_up(text: &str) -> u64 {
    panic!("{text}, {ON_PURPOSE}")
}

/// [`blow_up`] as an async job.
#[job]
pub async fn blow_up_async(text: String) -> u64 {
    panic!("{text}, {ON_PURPOSE}")
}

/// Panics with an [`OddPayload`], which is no text.
#[job]
pub fn throw_number(value: u64) -> u64 {
    panic_any(OddPayload(value))
}

/// Panics with a payload that panics when it is dropped.
#[job]
pub fn throw_bomb() -> u64 {
    panic_any(BombPayload)
}

/// A value that panics when it is dropped, unless it was made harmless.
#[derive(Debug, Serialize, Deserialize)]
pub struct DropBomb {
    armed: bool,
}

impl DropBomb {
    /// Makes it harmless.
    pub fn disarm(mut self) {
        self.armed = false;
    }
}

impl Drop for DropBomb {
    fn drop(&mut self) {
        // A second panic while one is under way would end the process.
        if self.armed && !std::thread::panicking() {
            panic!("the output of a job was dropped, {ON_PURPOSE}");
        }
    }
}

/// Returns a value that panics when it is dropped.
#[job]
pub fn drop_bomb() -> DropBomb {
    DropBomb { armed: true }
}

/// Drops a value that panics when it is dropped.
#[job]
pub fn take_bomb(bomb: DropBomb) {
    drop(bomb);
}

/// Writes the number of its attempt, and fails in every attempt before number `good`.
#[job]
pub fn fail_before(pen: Pen, good: u32) -> Result<u32, u32> {
    attempt(pen, good)
}

/// An argument that cannot be cloned.
#[derive(Debug, Serialize, Deserialize)]
pub struct Uncloned {
    /// Its value.
    pub value: u32,
}

/// [`fail_before`] with an argument that only the codec can copy.
#[job]
pub fn fail_before_uncloned(pen: Pen, good: Uncloned) -> Result<u32, u32> {
    attempt(pen, good.value)
}

fn attempt(pen: Pen, good: u32) -> Result<u32, u32> {
    let attempt = current().attempt();
    pen.write(u64::from(attempt));
    if attempt < good { Err(attempt) } else { Ok(attempt) }
}

/// Writes the number of its attempt, and panics in every attempt before number `good`.
#[job]
pub fn blow_up_before(pen: Pen, good: u32) -> u32 {
    match attempt(pen, good) {
        Ok(attempt) => attempt,
        Err(attempt) => panic!("attempt {attempt} fails, {ON_PURPOSE}"),
    }
}
