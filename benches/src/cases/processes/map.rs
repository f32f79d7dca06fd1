//! `map` over a million tiny jobs.

use crate::cases::{Case, Figures, Measure, Run, Setup, Verdict};
use crate::kernel;
use crate::outcome::{Outcome, check_sum};
use crate::peers::Processes;
use crate::results::Results;
use crate::samples::nanos_per_item;

/// Ours finds the size of its chunks by itself; the peers are given the best for these jobs.
pub(crate) static CASE: Case = Case {
    name: "process-map",
    title: "map over 1M tiny jobs in worker processes",
    measures: &[Measure::lead("ns", "ns per element"), Measure::beside("rate", "M items/s")],
    rounds_max: usize::MAX,
    limit_seconds: 120,
    quick_limit_seconds: 60,
    run: Run::Processes(run),
    verdicts,
};

/// The items of a full run.
const ITEMS: u64 = 1_000_000;

/// The most that an item may cost: 12 million items a second.
const NANOS_MAX: f64 = 1e9 / 12e6;

fn run(setup: &Setup, peer: &dyn Processes) -> Outcome<Figures> {
    let items = setup.scaled(ITEMS);
    check_sum(peer.map(items)?, kernel::sum_of(items))?;
    let nanos = nanos_per_item(5, items, || check_sum(peer.map(items)?, kernel::sum_of(items)))?;
    Ok(vec![("ns", nanos), ("rate", 1e3 / nanos)])
}

fn verdicts(results: &Results) -> Vec<Verdict> {
    let mut verdicts = vec![
        Verdict::at_most(results.ours("ns"), "per element", "ns", NANOS_MAX),
        Verdict::ratio(results, "ns", "python-pool", 1.0),
    ];
    verdicts.extend(Verdict::multiple(results, "ns", "per element", "socketpair"));
    verdicts
}
