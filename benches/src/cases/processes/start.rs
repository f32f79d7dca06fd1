//! How long worker processes take to start, and how much memory an idle one takes.

use crate::cases::{Case, Figures, Measure, Run, Setup, Verdict};
use crate::outcome::Outcome;
use crate::peers::Processes;
use crate::results::Results;

/// Each start begins from nothing: no fork server, no worker.
pub(crate) static CASE: Case = Case {
    name: "process-start",
    title: "from nothing to the first result of a worker process",
    measures: &[
        Measure::lead("ms", "ms"),
        Measure::beside("further", "ms each further"),
        Measure::beside("kib", "KiB of an idle worker"),
    ],
    rounds_max: usize::MAX,
    limit_seconds: 60,
    quick_limit_seconds: 30,
    run: Run::Processes(run),
    verdicts,
};

fn run(setup: &Setup, peer: &dyn Processes) -> Outcome<Figures> {
    let start = peer.start(setup.full_or_quick(40, 8))?;
    let mut figures = vec![("ms", start.first_ms)];
    figures.extend(start.further_ms.map(|ms| ("further", ms)));
    figures.extend(start.idle_kib.map(|kib| ("kib", kib)));
    Ok(figures)
}

/// The limit of memory is one megabyte.
fn verdicts(results: &Results) -> Vec<Verdict> {
    let mut verdicts = vec![
        Verdict::at_most(results.ours("ms"), "to the first result", "ms", 2.0),
        Verdict::at_most(results.ours("further"), "each further worker", "ms", 0.4),
        Verdict::at_most(results.ours("kib"), "memory of an idle worker", "KiB", 1e6 / 1024.0),
    ];
    verdicts.extend(
        ["socketpair", "fork"].iter().filter_map(|peer| Verdict::multiple(results, "ms", "to the first result", peer)),
    );
    verdicts
}
