//! Jobs that are held at a gate until the law opens it.

use executor_core::job;

use crate::gate::Pass;
use crate::log::Pen;
use crate::panics::ON_PURPOSE;

/// Goes through the gate, and gives its value back.
#[job]
pub fn pass(gate: Pass, value: u64) -> u64 {
    gate.go();
    value
}

/// [`pass`] as an async job: it is suspended while it waits.
#[job]
pub async fn pass_async(gate: Pass, value: u64) -> u64 {
    gate.go_async().await;
    value
}

/// Writes its value, goes through the gate, and gives its value back.
#[job]
pub fn note_pass(pen: Pen, gate: Pass, value: u64) -> u64 {
    pen.write(value);
    gate.go();
    value
}

/// Goes through the gate, and then returns `Err` with this text, or its value where there is none.
#[job]
pub fn pass_then_fail(gate: Pass, value: u64, text: Option<String>) -> Result<u64, String> {
    gate.go();
    text.map_or(Ok(value), Err)
}

/// Goes through the gate, and then panics with this text in the message.
#[job]
pub fn pass_then_blow_up(gate: Pass, text: String) -> u64 {
    gate.go();
    panic!("{text}, {ON_PURPOSE}")
}

/// Goes through the gate, and then writes its value.
#[job]
pub fn pass_then_note(gate: Pass, pen: Pen, value: u64) -> u64 {
    gate.go();
    pen.write(value);
    value
}
