//! Small items through a queue, from one process to another.

use crate::cases::{Case, Figures, Measure, Run, Setup, Verdict};
use crate::kernel;
use crate::outcome::{Outcome, check_sum};
use crate::peers::Ipc;
use crate::results::Results;
use crate::samples::nanos_per_item;

/// One process puts numbers as fast as it can, and this one gets them.
pub(crate) static CASE: Case = Case {
    name: "ipc-queue",
    title: "2M numbers through a queue from one process to another",
    measures: &[Measure::lead("ns", "ns per item"), Measure::beside("rate", "M items/s")],
    rounds_max: usize::MAX,
    limit_seconds: 60,
    quick_limit_seconds: 30,
    run: Run::Ipc(run),
    verdicts,
};

/// The items of a full run, unless the peer is slow.
const ITEMS: u64 = 2_000_000;

/// The most that an item may cost: 3 million items a second.
const NANOS_MAX: f64 = 1e9 / 3e6;

/// What part of the time of Python's queue an item may take.
const OF_PYTHON: f64 = 1.0 / 20.0;

fn run(setup: &Setup, peer: &dyn Ipc) -> Outcome<Figures> {
    let items = setup.scaled(ITEMS) / peer.fewer_numbers();
    let work = || check_sum(peer.queue(items)?, kernel::sum_of(items));
    work()?;
    let nanos = nanos_per_item(5, items, work)?;
    Ok(vec![("ns", nanos), ("rate", 1e3 / nanos)])
}

fn verdicts(results: &Results) -> Vec<Verdict> {
    vec![
        Verdict::at_most(results.ours("ns"), "per item", "ns", NANOS_MAX),
        Verdict::ratio(results, "ns", "python-queue", OF_PYTHON),
    ]
}
