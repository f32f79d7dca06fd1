//! Jobs submitted and taken in the order in which they finish.

use super::{Case, Figures, Measure, Run, Setup, Verdict};
use crate::kernel;
use crate::outcome::{Outcome, check_sum};
use crate::peers::{OURS, Pool};
use crate::results::Results;
use crate::samples::nanos_per_item;

/// 100k jobs, and a quarter of them, to see whether the cost per job grows with their number.
pub(crate) static CASE: Case = Case {
    name: "as-completed",
    title: "100k tiny jobs submitted, results taken as they finish",
    measures: &[
        Measure::lead("ns", "ns per job"),
        Measure::beside("ns_quarter", "of 25k jobs"),
        Measure::beside("growth", "growth"),
    ],
    rounds_max: usize::MAX,
    limit_seconds: 120,
    quick_limit_seconds: 30,
    run: Run::Threads(run),
    verdicts,
};

/// The cost per job may differ so much between 25k and 100k jobs and still count as linear: caches and noise. A
/// quadratic one would be four.
const GROWTH_MAX: f64 = 1.5;

fn run(setup: &Setup, pool: &dyn Pool) -> Outcome<Figures> {
    let jobs = setup.scaled(100_000);
    measure(pool, jobs, 1)?;
    let quarter = measure(pool, jobs / 4, 7)?;
    let whole = measure(pool, jobs, 5)?;
    Ok(vec![("ns", whole), ("ns_quarter", quarter), ("growth", whole / quarter)])
}

fn measure(pool: &dyn Pool, jobs: u64, times: usize) -> Outcome<f64> {
    nanos_per_item(times, jobs, || check_sum(pool.as_completed(jobs)?, kernel::sum_of(jobs)))
}

fn verdicts(results: &Results) -> Vec<Verdict> {
    vec![
        Verdict::ratio(results, "ns", "tokio", 1.0),
        Verdict::at_most(
            results.median(OURS, "growth"),
            "linear, growth of the cost per job with four times the jobs",
            "times",
            GROWTH_MAX,
        ),
    ]
}
