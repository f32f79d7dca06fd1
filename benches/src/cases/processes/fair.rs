//! How well workers are kept busy, and whether a long job holds up short ones.

use std::time::{Duration, Instant};

use crate::cases::{Case, Figures, Measure, Run, Setup, Verdict};
use crate::outcome::{Failure, Outcome};
use crate::peers::Processes;
use crate::results::Results;

/// Perfect use is the time of all jobs divided by the workers. A job of 1 ms is over after 1 ms by the clock, so that what else
/// runs on the cores, the owner of the pool among it, does not make the jobs longer but costs the time between them.
pub(crate) static CASE: Case = Case {
    name: "process-fair",
    title: "jobs of 1 ms beyond perfect use of the workers; a long job in the midst of 10k tiny ones",
    measures: &[
        Measure::lead("over", "% beyond perfect"),
        Measure::beside("over_map", "% with map"),
        Measure::lead("last", "ms to the last tiny"),
        Measure::beside("delayed", "delayed"),
    ],
    rounds_max: usize::MAX,
    limit_seconds: 60,
    quick_limit_seconds: 30,
    run: Run::Processes(run),
    verdicts,
};

/// How long a job of the first part takes.
const LENGTH: Duration = Duration::from_millis(1);

/// The tiny jobs of the second part, of which a quick run has as many.
const TINY: u64 = 10_000;

fn run(setup: &Setup, peer: &dyn Processes) -> Outcome<Figures> {
    let jobs = setup.scaled(4_000);
    let perfect = LENGTH.as_secs_f64() * jobs as f64 / setup.workers as f64;
    let over = |run: &dyn Fn(u64) -> Outcome<()>| {
        run(jobs / 10)?;
        let begin = Instant::now();
        run(jobs)?;
        Ok(100.0 * (begin.elapsed().as_secs_f64() / perfect - 1.0))
    };
    let mut figures = vec![("over", over(&|jobs| peer.busy(jobs, LENGTH))?)];
    match over(&|jobs| peer.busy_map(jobs, LENGTH)) {
        Ok(over) => figures.push(("over_map", over)),
        Err(Failure::NotOffered) => {}
        Err(failure) => return Err(failure),
    }
    let around = peer.around(TINY, setup.full_or_quick(Duration::from_secs(1), Duration::from_millis(500)))?;
    figures.extend([("last", around.last_ms), ("delayed", around.delayed as f64)]);
    Ok(figures)
}

fn verdicts(results: &Results) -> Vec<Verdict> {
    vec![
        Verdict::at_most(results.ours("over"), "beyond perfect use", "%", 3.0),
        Verdict::at_most(results.ours("over_map"), "beyond perfect use with map", "%", 3.0),
        Verdict::at_most(results.ours("delayed"), "tiny jobs that waited for the long one", "jobs", 0.0),
    ]
}
