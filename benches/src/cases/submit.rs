//! A million tiny jobs, submitted from outside, and the result of each collected.

use super::{Case, Figures, Measure, Run, Setup, Verdict};
use crate::kernel;
use crate::outcome::{Outcome, check_sum};
use crate::peers::Pool;
use crate::results::Results;
use crate::samples::nanos_per_item;

/// Submits all from a thread that is no worker, then collects all, so that a million results are open at once.
pub(crate) static CASE: Case = Case {
    name: "submit",
    title: "1M tiny jobs from outside, each result collected",
    measures: &[Measure::lead("ns", "ns per job")],
    rounds_max: usize::MAX,
    limit_seconds: 120,
    quick_limit_seconds: 30,
    run: Run::Threads(run),
    verdicts,
};

/// The jobs of a full run.
const JOBS: u64 = 1_000_000;

fn run(setup: &Setup, pool: &dyn Pool) -> Outcome<Figures> {
    let jobs = setup.scaled(JOBS);
    // One pass of full size first: the heap and every queue have grown when the clock starts.
    check_sum(pool.submit(jobs)?, kernel::sum_of(jobs))?;
    let nanos = nanos_per_item(3, jobs, || check_sum(pool.submit(jobs)?, kernel::sum_of(jobs)))?;
    Ok(vec![("ns", nanos)])
}

fn verdicts(results: &Results) -> Vec<Verdict> {
    vec![Verdict::ratio(results, "ns", "rayon-spawn", 0.5), Verdict::ratio(results, "ns", "tokio", 0.3)]
}
