//! What a pool uses while it has nothing to do.

use std::time::Duration;

use super::{Case, Figures, Measure, Run, Setup, no_verdict};
use crate::kernel;
use crate::outcome::{Outcome, check_sum};
use crate::peers::Pool;
use crate::process;

/// Ten seconds from the moment the last result of a burst was taken.
pub(crate) static CASE: Case = Case {
    name: "idle-cpu",
    title: "CPU while idle for 10 s after a burst of jobs",
    measures: &[
        Measure::lead("percent", "% of one core"),
        Measure::beside("ms", "CPU ms"),
        Measure::beside("wakes", "wakes per s"),
    ],
    rounds_max: 1,
    limit_seconds: 120,
    quick_limit_seconds: 30,
    run: Run::Threads(run),
    verdicts: no_verdict,
};

fn run(setup: &Setup, pool: &dyn Pool) -> Outcome<Figures> {
    let jobs = setup.scaled(100_000);
    check_sum(pool.submit(jobs)?, kernel::sum_of(jobs))?;
    let length = setup.full_or_quick(Duration::from_secs(10), Duration::from_secs(2));
    let idle = process::sleep_and_watch(length)?;
    Ok(vec![
        ("percent", idle.cpu_percent),
        ("ms", idle.cpu_percent / 100.0 * length.as_secs_f64() * 1_000.0),
        ("wakes", idle.wakes_per_second),
    ])
}
