//! How long it takes from the end of a run limit to the next job on the worker that replaced the killed one.
//!
//! The limit itself is taken off: the job that does not end says when it began, the next one says when it began, both by one clock,
//! and from the time between the two the limit is subtracted. What remains is ours: noticing the end of the limit, the kill, the death
//! of the process, its replacement, and the way of the next job into it.

use std::time::Duration;

use crate::cases::{Case, Figures, Measure, Run, Setup, Verdict};
use crate::outcome::Outcome;
use crate::peers::Processes;
use crate::results::Results;

/// A pool of one worker, so that the next job has no other to run on.
pub(crate) static CASE: Case = Case {
    name: "process-run-limit",
    title: "from the end of a run limit to the next job on the replaced worker",
    measures: &[Measure::lead("ms", "ms, p50"), Measure::beside("ms_99", "p99")],
    rounds_max: usize::MAX,
    limit_seconds: 60,
    quick_limit_seconds: 30,
    run: Run::Processes(run),
    verdicts,
};

/// Long enough that a worker that has just started is at rest when it ends.
const LIMIT: Duration = Duration::from_millis(20);

fn run(setup: &Setup, peer: &dyn Processes) -> Outcome<Figures> {
    let late_ms = peer.run_limit(LIMIT, setup.full_or_quick(200, 20))?;
    Ok(vec![("ms", late_ms.median()), ("ms_99", late_ms.percentile(99))])
}

fn verdicts(results: &Results) -> Vec<Verdict> {
    vec![Verdict::at_most(results.ours("ms"), "beyond the limit", "ms", 1.0)]
}
