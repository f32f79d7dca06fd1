//! Jobs that tell what they know of themselves and of their worker.

use executor_core::{Job, Work, current, job, register_job};
use serde::{Deserialize, Serialize};

use crate::gate::Pass;
use crate::log::Pen;
use crate::panics::{BombPayload, ON_PURPOSE};

/// What a job knows of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhoAmI {
    /// The number of the job.
    pub id: Option<u64>,
    /// Its name.
    pub name: String,
    /// The number of its worker.
    pub worker: Option<usize>,
    /// The number of its attempt.
    pub attempt: u32,
    /// Whether it has a run limit.
    pub is_limited: bool,
    /// Whether it is to stop.
    pub should_stop: bool,
}

/// Tells what the job knows of itself.
#[job]
pub fn who_am_i() -> WhoAmI {
    let job = current();
    WhoAmI {
        id: job.id().map(|id| id.as_u64()),
        name: job.name().to_owned(),
        worker: job.worker(),
        attempt: job.attempt(),
        is_limited: job.time_left().is_some(),
        should_stop: job.should_stop(),
    }
}

/// The name of the job and the number of its attempt, as `Err` before attempt number `good`.
#[job]
pub fn name_and_attempt(good: u32) -> Result<(String, u32), (String, u32)> {
    let job = current();
    let told = (job.name().to_owned(), job.attempt());
    if told.1 < good { Err(told) } else { Ok(told) }
}

/// [`name_and_attempt`] as an async job.
#[job]
pub async fn name_and_attempt_async(good: u32) -> Result<(String, u32), (String, u32)> {
    name_and_attempt(good)
}

/// The number of the process that the job runs in.
#[job]
pub fn process_id() -> u32 {
    std::process::id()
}

/// Tells its progress, goes through the gate, and tells it again, as all done.
#[job]
pub fn tell_progress(gate: Pass, done: u64, total: u64) -> u64 {
    current().progress(done, total);
    gate.go();
    current().progress(total, total);
    total
}

/// What a [`SetUp`] is to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Plan {
    /// Leave this mark as the state of the worker.
    Mark(u64),
    /// Leave it in an async way.
    MarkAsync(u64),
    /// Leave a state of the worker that panics when it is dropped.
    LeaveBomb,
    /// Return `Err` with this text.
    Fail(String),
    /// Panic with this text in the message.
    BlowUp(String),
}

/// An initializer: it goes through the gate, if it has one, writes 1 into its log, and does what its plan says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SetUp {
    /// Where it writes.
    pub pen: Pen,
    /// What it waits for first.
    pub gate: Option<Pass>,
    /// What it is to do.
    pub plan: Plan,
}

/// The state of a worker.
struct Mark(u64);

impl Job for SetUp {
    type Output = Result<(), String>;

    fn start(self) -> Work<Self::Output> {
        if let Some(gate) = self.gate {
            gate.go();
        }
        self.pen.write(1);
        match self.plan {
            Plan::Mark(mark) => {
                current().set_worker_state(Mark(mark));
                Work::Ready(Ok(()))
            }
            Plan::MarkAsync(mark) => Work::future(async move {
                current().set_worker_state(Mark(mark));
                Ok(())
            }),
            Plan::LeaveBomb => {
                current().set_worker_state(BombPayload);
                Work::Ready(Ok(()))
            }
            Plan::Fail(text) => Work::Ready(Err(text)),
            Plan::BlowUp(text) => panic!("{text}, {ON_PURPOSE}"),
        }
    }

    register_job!(SetUp);

    fn failed(output: &Self::Output) -> bool {
        output.is_err()
    }

    fn failure_text(output: &Self::Output) -> Option<String> {
        output.as_ref().err().cloned()
    }

    fn duplicate(&self) -> Option<Self> {
        Some(self.clone())
    }
}

/// Goes through the gate, if it has one, and gives the mark that a [`SetUp`] left on its worker.
#[job]
pub fn worker_mark(gate: Option<Pass>) -> Option<u64> {
    if let Some(gate) = gate {
        gate.go();
    }
    current().worker_state::<Mark>().map(|mark| mark.0)
}
