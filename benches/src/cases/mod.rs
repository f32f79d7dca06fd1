//! What is measured: one file per case.
//!
//! A case warms its peer up, measures, checks the results and returns figures by the keys of its measures. Where the
//! project has set itself a target, the case knows it and judges the table by it.

mod allocations;
mod as_completed;
#[cfg(feature = "async")]
mod async_jobs;
mod idle_cpu;
#[cfg(feature = "ipc")]
mod ipc;
mod map;
mod memory;
mod nested;
#[cfg(feature = "process")]
mod processes;
mod round_trip;
mod submit;
mod verdict;

use std::error::Error;
use std::time::Duration;

pub(crate) use self::verdict::Verdict;
use crate::field::Field;
use crate::outcome::Outcome;
#[cfg(feature = "async")]
use crate::peers::AsyncJobs;
#[cfg(feature = "ipc")]
use crate::peers::Ipc;
use crate::peers::Pool;
#[cfg(feature = "process")]
use crate::peers::Processes;
use crate::results::Results;

/// All cases, in the order in which they run.
pub(crate) const CASES: &[&Case] = &[
    &submit::CASE,
    &round_trip::IDLE,
    &round_trip::BUSY,
    &map::TINY,
    &map::LONG,
    &as_completed::CASE,
    &nested::CASE,
    &allocations::CASE,
    &memory::CASE,
    &idle_cpu::CASE,
    #[cfg(feature = "process")]
    &processes::submit::CASE,
    #[cfg(feature = "process")]
    &processes::map::CASE,
    #[cfg(feature = "process")]
    &processes::round_trip::CASE,
    #[cfg(feature = "process")]
    &processes::start::CASE,
    #[cfg(feature = "process")]
    &processes::payload::CASE,
    #[cfg(feature = "process")]
    &processes::run_limit::CASE,
    #[cfg(feature = "process")]
    &processes::fair::CASE,
    #[cfg(feature = "ipc")]
    &ipc::channel_ping_pong::CASE,
    #[cfg(feature = "process")]
    &processes::manager::CASE,
    #[cfg(feature = "ipc")]
    &ipc::sync::MUTEX,
    #[cfg(feature = "ipc")]
    &ipc::sync::SEMAPHORE,
    #[cfg(feature = "ipc")]
    &ipc::sync::EVENT,
    #[cfg(feature = "ipc")]
    &ipc::queue::CASE,
    #[cfg(feature = "ipc")]
    &ipc::array::CASE,
    #[cfg(feature = "async")]
    &async_jobs::submit::CASE,
    #[cfg(feature = "async")]
    &async_jobs::as_completed::CASE,
    #[cfg(feature = "async")]
    &async_jobs::sleep::CASE,
];

/// The figures of one run, by the key of their measure.
pub(crate) type Figures = Vec<(&'static str, f64)>;

/// One thing that is measured.
pub(crate) struct Case {
    /// The name on the command line.
    pub(crate) name: &'static str,
    /// What it is, in one line.
    pub(crate) title: &'static str,
    /// The figures that a run returns.
    pub(crate) measures: &'static [Measure],
    /// More rounds than these tell nothing new.
    pub(crate) rounds_max: usize,
    /// A child that takes longer is killed, in seconds.
    pub(crate) limit_seconds: u64,
    /// The same for a quick run.
    pub(crate) quick_limit_seconds: u64,
    /// Measures one peer.
    pub(crate) run: Run,
    /// The project's targets and whether ours, which did not fail in any round, meets them.
    verdicts: fn(&Results) -> Vec<Verdict>,
}

/// How a peer is measured.
pub(crate) enum Run {
    /// A pool of threads.
    Threads(fn(&Setup, &dyn Pool) -> Outcome<Figures>),
    /// Worker processes.
    #[cfg(feature = "process")]
    Processes(fn(&Setup, &dyn Processes) -> Outcome<Figures>),
    /// What processes share.
    #[cfg(feature = "ipc")]
    Ipc(fn(&Setup, &dyn Ipc) -> Outcome<Figures>),
    /// Async jobs.
    #[cfg(feature = "async")]
    AsyncJobs(fn(&Setup, &dyn AsyncJobs) -> Outcome<Figures>),
}

impl Case {
    /// Whom it compares.
    pub(crate) fn field(&self) -> Field {
        match self.run {
            Run::Threads(_) => Field::Threads,
            #[cfg(feature = "process")]
            Run::Processes(_) => Field::Processes,
            #[cfg(feature = "ipc")]
            Run::Ipc(_) => Field::Ipc,
            #[cfg(feature = "async")]
            Run::AsyncJobs(_) => Field::AsyncJobs,
        }
    }

    /// How long a child may take.
    pub(crate) fn limit(&self, quick: bool) -> Duration {
        Duration::from_secs(if quick { self.quick_limit_seconds } else { self.limit_seconds })
    }

    /// Judges what was measured by the project's targets. Where ours failed once, no median of the other rounds counts.
    pub(crate) fn judge(&self, results: &Results) -> Vec<Verdict> {
        let ours = self.field().ours();
        match results.failure(ours) {
            Some(run) => vec![Verdict::new(format!("{ours}: {run}"), false)],
            None => (self.verdicts)(results),
        }
    }
}

/// One figure of a case.
pub(crate) struct Measure {
    /// Its name between child and parent.
    pub(crate) key: &'static str,
    /// Its name in the table, with its unit.
    pub(crate) label: &'static str,
    /// Where it stands in the table.
    pub(crate) place: Place,
}

impl Measure {
    /// A measure with a block of its own: median, range, and ratio to ours.
    const fn lead(key: &'static str, label: &'static str) -> Self {
        Self { key, label, place: Place::Lead }
    }

    /// A measure of which the median stands beside the leading one before it.
    const fn beside(key: &'static str, label: &'static str) -> Self {
        Self { key, label, place: Place::Beside }
    }
}

/// Where a measure stands in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// It has a block of its own.
    Lead,
    /// It is a column of the leading measure before it.
    Beside,
}

/// What is the same for every case of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    /// Worker threads of every pool.
    pub(crate) workers: usize,
    /// A twentieth of the jobs, and short pauses.
    pub(crate) quick: bool,
}

impl Setup {
    /// `jobs`, or a twentieth of them in a quick run.
    fn scaled(&self, jobs: u64) -> u64 {
        if self.quick { jobs / 20 } else { jobs }
    }

    /// One of two values.
    fn full_or_quick<T>(&self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }
}

/// The case called `name`, or all cases of the field called so.
pub(crate) fn named(name: &str) -> Result<Vec<&'static Case>, Box<dyn Error>> {
    let field = Field::ALL.iter().find(|field| field.name() == name);
    let is_named = |case: &&Case| case.name == name || Some(&case.field()) == field;
    let cases: Vec<_> = CASES.iter().copied().filter(is_named).collect();
    if !cases.is_empty() {
        return Ok(cases);
    }
    let absent = [
        ("process", cfg!(not(feature = "process"))),
        ("ipc", cfg!(not(feature = "ipc"))),
        ("async", cfg!(not(feature = "async"))),
    ];
    Err(match absent.iter().find(|(feature, is_absent)| *is_absent && name.starts_with(feature)) {
        Some((feature, _)) => format!("the case {name} is not in this build: add --features {feature}").into(),
        None => format!("there is no case {name}").into(),
    })
}

/// For a case without a target.
fn no_verdict(_results: &Results) -> Vec<Verdict> {
    Vec::new()
}
