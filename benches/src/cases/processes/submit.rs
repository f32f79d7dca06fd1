//! A million tiny jobs, submitted from outside, and the result of each collected.

use crate::cases::{Case, Figures, Measure, Run, Setup, Verdict};
use crate::kernel;
use crate::outcome::{Outcome, check_sum};
use crate::peers::Processes;
use crate::results::Results;
use crate::samples::nanos_per_item;

/// Submits all, then collects all, so that a million results are open at once.
pub(crate) static CASE: Case = Case {
    name: "process-submit",
    title: "1M tiny jobs to worker processes, each result collected",
    measures: &[Measure::lead("ns", "ns per job"), Measure::beside("rate", "M jobs/s")],
    rounds_max: usize::MAX,
    limit_seconds: 120,
    quick_limit_seconds: 60,
    run: Run::Processes(run),
    verdicts,
};

/// The jobs of a full run.
const JOBS: u64 = 1_000_000;

/// The most that a job may cost: 1.5 million jobs a second.
const NANOS_MAX: f64 = 1e9 / 1.5e6;

fn run(setup: &Setup, peer: &dyn Processes) -> Outcome<Figures> {
    let jobs = setup.scaled(JOBS) / peer.fewer_jobs();
    // One pass of full size first: the workers have started, and heap, buffers and windows have grown.
    check_sum(peer.submit(jobs)?, kernel::sum_of(jobs))?;
    let nanos = nanos_per_item(3, jobs, || check_sum(peer.submit(jobs)?, kernel::sum_of(jobs)))?;
    Ok(vec![("ns", nanos), ("rate", 1e3 / nanos)])
}

fn verdicts(results: &Results) -> Vec<Verdict> {
    let mut verdicts = vec![Verdict::at_most(results.ours("ns"), "per job", "ns", NANOS_MAX)];
    verdicts.extend(Verdict::multiple(results, "ns", "per job", "socketpair"));
    verdicts
}
