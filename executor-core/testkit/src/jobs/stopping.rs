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

/// Goes on until its run limit has passed, writes 1 if it is to stop and 0 if not, and goes through the gate: it
/// outlasts its limit, and does not end before the gate opens.
#[job]
pub fn overrun(pen: Pen, gate: Pass) {
    let job = current();
    while job.time_left().is_some_and(|left| !left.is_zero()) {
        thread::yield_now();
    }
    pen.write(u64::from(job.should_stop()));
    gate.go();
}

/// How much of its run limit is left when it begins.
#[job]
pub fn time_left() -> Option<Duration> {
    current().time_left()
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
