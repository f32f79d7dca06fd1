//! [`News`]: what one reading of a worker's reports brought, apart from the bytes in which it came.

use std::ops::Range;
use std::sync::Arc;

use executor_core::JobError;
use executor_core::backend::{Arrived, JobRef, table};
use executor_ipc::attach::Attachments;

use super::outputs::{Output, Outputs};
use crate::carrier;
use crate::wire::{ErrorKind, Outcome, Place, Report, VERSION};

/// What a worker told, in its order.
#[derive(Default)]
pub(crate) struct News {
    told: Vec<Told>,
    outputs: Outputs,
}

/// One thing that a worker told.
pub(crate) enum Told {
    Ready { failure: Option<String> },
    Row(Row),
    Outcome { place: Place, item: u16, outcome: Ran },
    Done { outcomes: u16, busy_ns: u32, passed: bool },
    Progress { place: Place, item: u16, done: u64, total: u64 },
}

/// What came of an item.
pub(crate) enum Ran {
    Output {
        bytes: Output,
        failed: bool,
        /// What came beside the bytes, if anything did.
        attachments: Option<Attachments>,
    },
    Panicked {
        message: String,
        location: Option<String>,
    },
    Error {
        kind: ErrorKind,
        what: String,
        cause: String,
    },
    RunLimit,
    /// It ran to its end, and what came of it went with the worker.
    Lost(Death),
    /// The worker died while it ran, and what it had last written to standard error.
    Died(Death, Option<String>),
}

/// How a worker died.
#[derive(Clone)]
pub(crate) struct Death {
    pub(crate) pid: u32,
    pub(crate) how: executor_core::WorkerDeath,
}

/// Outputs of items in a row, none of which is a failure, or has anything beside its bytes.
pub(crate) struct Row {
    pub(super) place: Place,
    pub(super) first: u16,
    /// The buffer that they share.
    pub(super) buffer: usize,
    /// Which of the [parts](Outputs::into_parts) are theirs.
    pub(super) parts: Range<usize>,
}

impl Row {
    pub(super) fn items(&self) -> u16 {
        self.parts.len() as u16
    }

    pub(super) fn has(&self, place: Place, item: u16) -> bool {
        self.place == place && item.checked_sub(self.first).is_some_and(|number| number < self.items())
    }

    /// What came of each.
    pub(crate) fn outcomes(&self, parts: &[Range<u32>]) -> impl Iterator<Item = Ran> {
        let output = |part: &Range<u32>| Output::Shared { buffer: self.buffer, range: wide(part) };
        let parts = &parts[self.parts.clone()];
        parts.iter().map(move |part| Ran::Output { bytes: output(part), failed: false, attachments: None })
    }
}

fn wide(part: &Range<u32>) -> Range<usize> {
    part.start as usize..part.end as usize
}

impl News {
    pub(crate) fn add(&mut self, report: Report<'_>) {
        let told = match report {
            // Nearly all that is ever told.
            Report::Outputs { place, first, pieces, parts } => return self.add_row(place, first, pieces, parts),
            Report::Ready { version, digest, failure, .. } => {
                let same = version == VERSION && digest == u128::from(table().digest());
                let replaced = "the executable was replaced while the program runs; start the program anew";
                let failure = failure.map(|text| text.into_owned());
                Told::Ready { failure: failure.or_else(|| (!same).then(|| replaced.to_owned())) }
            }
            Report::Outcome { place, item, outcome } => {
                Told::Outcome { place, item, outcome: Ran::of(outcome, &mut self.outputs) }
            }
            Report::Done { outcomes, busy_ns, passed, .. } => Told::Done { outcomes, busy_ns, passed },
            Report::Progress { place, item, done, total } => Told::Progress { place, item, done, total },
        };
        self.told.push(told);
    }

    fn add_row(&mut self, place: Place, mut first: u16, pieces: &[u8], mut parts: &[Range<u32>]) {
        while !parts.is_empty() {
            let (buffer, put) = self.outputs.put_row(pieces, parts);
            parts = &parts[put.len()..];
            let row = Row { place, first, buffer, parts: put };
            first += row.items();
            self.told.push(Told::Row(row));
        }
    }

    /// What was told, in its order, and the bytes of it.
    pub(crate) fn into_parts(self) -> (Vec<Told>, Outputs) {
        (self.told, self.outputs)
    }
}

impl Ran {
    fn of(outcome: Outcome<'_>, outputs: &mut Outputs) -> Ran {
        match outcome {
            Outcome::Output { failed, bytes, attachments } => {
                Ran::Output { bytes: outputs.add(bytes), failed, attachments }
            }
            Outcome::Panicked { message, location } => {
                Ran::Panicked { message: message.into_owned(), location: location.map(|text| text.into_owned()) }
            }
            Outcome::Error { kind, what, cause } => {
                Ran::Error { kind, what: what.into_owned(), cause: cause.into_owned() }
            }
            Outcome::RunLimit => Ran::RunLimit,
        }
    }

    pub(crate) fn into_arrived(self, job: &JobRef, outputs: &[Arc<Vec<u8>>]) -> Arrived {
        let name = || job.name().to_owned();
        Arrived::Failed(match self {
            Ran::Output { bytes, failed, attachments } => {
                let bytes = bytes.into_slice(outputs);
                let bytes = match attachments {
                    Some(attachments) => bytes.with_attachments(carrier::DESCRIPTORS, Arc::new(attachments)),
                    None => bytes,
                };
                return Arrived::Output { bytes, failed };
            }
            Ran::Panicked { message, location } => JobError::panicked_elsewhere(name(), message, location),
            Ran::Error { kind: ErrorKind::Encode, what, cause } => {
                let what = if what.is_empty() { format!("the output of job `{}`", job.name()) } else { what };
                JobError::Encode { what, cause: cause.into() }
            }
            Ran::Error { kind: ErrorKind::Decode, what, cause } => JobError::Decode { what, cause: cause.into() },
            Ran::Error { kind: ErrorKind::UnknownJob, .. } => JobError::UnknownJob { name: name() },
            Ran::RunLimit => run_limit(job),
            Ran::Lost(Death { pid, how }) => JobError::OutcomeLost { job: name(), pid, death: how },
            Ran::Died(Death { pid, how }, stderr) => JobError::WorkerDied { job: name(), pid, death: how, stderr },
        })
    }
}

pub(super) fn run_limit(job: &JobRef) -> JobError {
    JobError::RunLimit { job: job.name().to_owned(), limit: job.run_limit().unwrap_or_default() }
}
