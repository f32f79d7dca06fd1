//! Async jobs submitted and taken in the order in which they finish.

use crate::cases::{Case, Figures, Measure, Run, Setup, Verdict};
use crate::kernel;
use crate::outcome::{Outcome, check_sum};
use crate::peers::AsyncJobs;
use crate::peers::async_jobs::{JOIN_SET, Side};
use crate::results::Results;
use crate::samples::nanos_per_item;

/// 100k jobs, and a quarter of them, to see whether the cost per job grows with their number.
pub(crate) static CASE: Case = Case {
    name: "async-as-completed",
    title: "100k trivial async jobs submitted, results awaited as they finish",
    measures: &[
        Measure::lead("inside", "ns, from inside"),
        Measure::beside("inside_quarter", "of 25k jobs"),
        Measure::beside("inside_growth", "growth"),
        Measure::lead("outside", "ns, outside"),
        Measure::beside("outside_quarter", "of 25k jobs"),
        Measure::beside("outside_growth", "growth"),
    ],
    rounds_max: usize::MAX,
    limit_seconds: 120,
    quick_limit_seconds: 30,
    run: Run::AsyncJobs(run),
    verdicts,
};

/// The jobs of a full run.
const JOBS: u64 = 100_000;

/// The cost per job may differ so much between 25k and 100k jobs and still count as linear: caches and noise. A quadratic
/// one would be four.
const GROWTH_MAX: f64 = 1.5;

fn run(setup: &Setup, peer: &dyn AsyncJobs) -> Outcome<Figures> {
    let jobs = setup.scaled(JOBS) / peer.fewer_completed();
    let measure = |side, jobs, times| {
        nanos_per_item(times, jobs, || check_sum(peer.as_completed(side, jobs)?, kernel::sum_of(jobs)))
    };
    let mut figures = Figures::new();
    for (side, [whole_key, quarter_key, growth_key]) in [
        (Side::Inside, ["inside", "inside_quarter", "inside_growth"]),
        (Side::Outside, ["outside", "outside_quarter", "outside_growth"]),
    ] {
        measure(side, jobs, 1)?;
        let quarter = measure(side, jobs / 4, 7)?;
        let whole = measure(side, jobs, 5)?;
        figures.extend([(whole_key, whole), (quarter_key, quarter), (growth_key, whole / quarter)]);
    }
    Ok(figures)
}

fn verdicts(results: &Results) -> Vec<Verdict> {
    let growth = |key, side: &str| {
        let what = format!("linear, growth of the cost per job with four times the jobs, from {side},");
        Verdict::at_most(results.ours(key), &what, "times", GROWTH_MAX)
    };
    vec![
        Verdict::ratio(results, "inside", JOIN_SET, 1.0),
        Verdict::ratio(results, "outside", JOIN_SET, 1.0),
        growth("inside_growth", "inside"),
        growth("outside_growth", "outside"),
    ]
}
