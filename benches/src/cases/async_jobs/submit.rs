//! A million trivial async jobs, submitted and then awaited.

use crate::allocator;
use crate::cases::{Case, Figures, Measure, Run, Setup, Verdict};
use crate::kernel;
use crate::outcome::{Outcome, check_sum};
use crate::peers::AsyncJobs;
use crate::peers::async_jobs::{Side, TOKIO};
use crate::results::Results;
use crate::samples::nanos_per_item;

/// From inside the runtime and from outside; in a pass of their own, the allocations.
pub(crate) static CASE: Case = Case {
    name: "async-submit",
    title: "1M trivial async jobs submitted, then each awaited",
    measures: &[
        Measure::lead("inside", "ns, from inside"),
        Measure::lead("outside", "ns, outside"),
        Measure::lead("allocations", "allocations"),
        Measure::beside("bytes", "bytes per job"),
    ],
    rounds_max: usize::MAX,
    limit_seconds: 120,
    quick_limit_seconds: 30,
    run: Run::AsyncJobs(run),
    verdicts,
};

/// The jobs of a full run.
const JOBS: u64 = 1_000_000;

/// The most that a job may cost, as a multiple of a task of tokio.
const OF_TOKIO: f64 = 1.15;

/// So many allocations more than a task of tokio takes: the box of the future that a job of any type starts. A tenth is left for
/// what is allocated now and then, by a queue that grows and a driver that is called.
const MORE_ALLOCATIONS_MAX: f64 = 1.1;

fn run(setup: &Setup, peer: &dyn AsyncJobs) -> Outcome<Figures> {
    let jobs = setup.scaled(JOBS);
    let work = |side| check_sum(peer.submit(side, jobs)?, kernel::sum_of(jobs));
    let mut figures = Figures::new();
    for (key, side) in [("inside", Side::Inside), ("outside", Side::Outside)] {
        // One pass of full size first: the heap and every queue have grown when the clock starts.
        work(side)?;
        figures.push((key, nanos_per_item(3, jobs, || work(side))?));
    }
    allocator::start();
    let counted = work(Side::Outside);
    let counts = allocator::stop();
    counted?;
    figures.push(("allocations", counts.allocations as f64 / jobs as f64));
    figures.push(("bytes", counts.bytes as f64 / jobs as f64));
    Ok(figures)
}

fn verdicts(results: &Results) -> Vec<Verdict> {
    let more =
        results.ours("allocations").zip(results.median(TOKIO, "allocations")).map(|(ours, theirs)| ours - theirs);
    vec![
        Verdict::ratio(results, "inside", TOKIO, OF_TOKIO),
        Verdict::ratio(results, "outside", TOKIO, OF_TOKIO),
        Verdict::at_most(more, "more than a task of tokio", "allocations", MORE_ALLOCATIONS_MAX),
    ]
}
