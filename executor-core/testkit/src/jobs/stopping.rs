//! Jobs that look whether they were asked to stop.

use std::thread;
use std::time::{Duration, Instant};

use executor_core::{current, job};

use crate::gate::Pass;
use crate::log::Pen;

/// Writes `value`, and goes on until it is asked to stop; then it gives the value back.
#[job]
pub fn spin_until_stop(pen: Pen, value: u64) -> u64 {
    let job = current();
    pen.write(value);
    while !job.should_stop() {
        thread::yield_now();
    }
    value
}

/// Writes `value`, and awaits that it is asked to stop; then it gives the value back.
#[job]
pub async fn stopped_async(pen: Pen, value: u64) -> u64 {
    pen.write(value);
    current().stopped().await;
    value
}

/// Goes through the gate, and tells whether it is to stop.
#[job]
pub fn note_should_stop(gate: Pass) -> bool {
    gate.go();
    current().should_stop()
}

/// Goes on until its run limit has passed, and then through the gate: it outlasts its limit, and does not end before
/// the gate opens. Gives whether it was to stop, as text.
#[job]
pub fn overrun(gate: Pass) -> String {
    let job = current();
    while job.time_left().is_some_and(|left| !left.is_zero()) {
        thread::yield_now();
    }
    gate.go();
    format!("asked to stop: {}", job.should_stop())
}

/// Is busy for at least so many ms, and writes its attempt when it begins.
#[job]
pub fn outlast(pen: Pen, at_least_ms: u64) -> u64 {
    let until = Instant::now() + Duration::from_millis(at_least_ms);
    pen.write(u64::from(current().attempt()));
    while Instant::now() < until {
        thread::yield_now();
    }
    at_least_ms
}
