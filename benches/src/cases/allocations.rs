//! How many allocations a job costs from submit to result.

use super::{Case, Figures, Measure, Run, Setup, no_verdict};
use crate::allocator;
use crate::kernel;
use crate::outcome::{Outcome, check_sum};
use crate::peers::Pool;

/// Counts every allocation of the process while the jobs of `submit` run, the peer's threads included.
pub(crate) static CASE: Case = Case {
    name: "allocations",
    title: "allocations per tiny job, from submit to result",
    measures: &[Measure::lead("allocations", "per job"), Measure::beside("bytes", "bytes per job")],
    // The number hardly differs from run to run.
    rounds_max: 2,
    limit_seconds: 120,
    quick_limit_seconds: 30,
    run: Run::Threads(run),
    verdicts: no_verdict,
};

fn run(setup: &Setup, pool: &dyn Pool) -> Outcome<Figures> {
    let jobs = setup.scaled(200_000);
    // Threads and queues allocate when they are first used; that is not a cost per job.
    check_sum(pool.submit(jobs)?, kernel::sum_of(jobs))?;
    allocator::start();
    let sum = pool.submit(jobs);
    let counts = allocator::stop();
    check_sum(sum?, kernel::sum_of(jobs))?;
    Ok(vec![("allocations", counts.allocations as f64 / jobs as f64), ("bytes", counts.bytes as f64 / jobs as f64)])
}
