//! Values out of a dictionary that the server of a manager keeps.

use crate::cases::{Case, Figures, Measure, Run, Setup, Verdict};
use crate::kernel;
use crate::outcome::{Failure, Outcome, check_sum};
use crate::peers::Processes;
use crate::results::Results;
use crate::samples::nanos_per_item;

/// One process keeps a thousand numbers, the other one asks: for one at a time, and for many at once.
pub(crate) static CASE: Case = Case {
    name: "ipc-manager",
    title: "get of a manager's dictionary in another process",
    measures: &[
        Measure::lead("us", "µs, p50"),
        Measure::beside("us_99", "p99"),
        Measure::lead("ns", "ns per get, many at once"),
        Measure::beside("rate", "M gets/s"),
    ],
    rounds_max: usize::MAX,
    limit_seconds: 60,
    quick_limit_seconds: 30,
    run: Run::Processes(run),
    verdicts,
};

/// The most that a call may cost: half a million calls a second.
const NANOS_MAX: f64 = 1e9 / 5e5;

fn run(setup: &Setup, peer: &dyn Processes) -> Outcome<Figures> {
    peer.gets(setup.scaled(4_000))?;
    let trips = peer.gets(setup.scaled(20_000))?;
    let mut figures = vec![("us", trips.p50), ("us_99", trips.p99)];
    let gets = setup.scaled(500_000) / peer.fewer_jobs();
    let at_once = || check_sum(peer.gets_at_once(gets)?, kernel::sum_of(gets));
    match at_once() {
        Ok(()) => {
            let nanos = nanos_per_item(3, gets, at_once)?;
            figures.extend([("ns", nanos), ("rate", 1e3 / nanos)]);
        }
        Err(Failure::NotOffered) => {}
        Err(failure) => return Err(failure),
    }
    Ok(figures)
}

fn verdicts(results: &Results) -> Vec<Verdict> {
    let mut verdicts = vec![
        Verdict::ratio(results, "us", "socketpair", 1.4),
        Verdict::at_most(results.ours("ns"), "per get, many at once", "ns", NANOS_MAX),
    ];
    verdicts.extend(Verdict::multiple(results, "us", "p50", "python-pool"));
    verdicts
}
