//! One job to a worker process and its result back, then the next.

use crate::cases::{Case, Figures, Measure, Run, Setup, Verdict};
use crate::outcome::Outcome;
use crate::peers::Processes;
use crate::results::Results;

/// The pool has nothing else to do. Most of it is the time that the system takes to wake a process on another core.
pub(crate) static CASE: Case = Case {
    name: "process-round-trip",
    title: "one job to a worker process and back, idle pool",
    measures: &[Measure::lead("us", "µs, p50"), Measure::lead("us_99", "µs, p99")],
    rounds_max: usize::MAX,
    limit_seconds: 60,
    quick_limit_seconds: 30,
    run: Run::Processes(run),
    verdicts,
};

fn run(setup: &Setup, peer: &dyn Processes) -> Outcome<Figures> {
    peer.round_trips(setup.scaled(4_000))?;
    let trips = peer.round_trips(setup.scaled(20_000))?;
    Ok(vec![("us", trips.p50), ("us_99", trips.p99)])
}

fn verdicts(results: &Results) -> Vec<Verdict> {
    let mut verdicts = vec![Verdict::ratio(results, "us", "socketpair", 1.3)];
    verdicts.extend(Verdict::multiple(results, "us_99", "p99", "socketpair"));
    verdicts
}
