//! Masses of async jobs that wait at once.

use std::time::Duration;

use crate::cases::{Case, Figures, Measure, Run, Setup, Verdict};
use crate::kernel;
use crate::outcome::{Outcome, check_sum};
use crate::peers::AsyncJobs;
use crate::peers::async_jobs::TOKIO;
use crate::results::Results;
use crate::samples::nanos_per_item;

/// Each sleeps by the clock of the runtime; then the memory that each takes while it waits.
pub(crate) static CASE: Case = Case {
    name: "async-sleep",
    title: "100k async jobs that sleep 10 ms, all at once",
    measures: &[Measure::lead("ns", "ns per job"), Measure::lead("bytes", "bytes, waiting")],
    rounds_max: usize::MAX,
    limit_seconds: 120,
    quick_limit_seconds: 30,
    run: Run::AsyncJobs(run),
    verdicts,
};

/// The jobs of a full run.
const JOBS: u64 = 100_000;

/// How long each of them sleeps.
const SLEEP: Duration = Duration::from_millis(10);

/// The most that a job may cost, as a multiple of a task of tokio.
const OF_TOKIO: f64 = 1.2;

fn run(setup: &Setup, peer: &dyn AsyncJobs) -> Outcome<Figures> {
    let jobs = setup.scaled(JOBS);
    let work = || check_sum(peer.sleep(jobs, SLEEP)?, kernel::sum_of(jobs));
    work()?;
    let nanos = nanos_per_item(5, jobs, work)?;
    let bytes = peer.waiting_bytes(jobs)?;
    Ok(vec![("ns", nanos), ("bytes", bytes)])
}

fn verdicts(results: &Results) -> Vec<Verdict> {
    vec![Verdict::ratio(results, "ns", TOKIO, OF_TOKIO)]
}
