//! One message through a channel to another process and one back, then the next.

use crate::cases::{Case, Figures, Measure, Run, Setup, Verdict};
use crate::outcome::Outcome;
use crate::peers::Ipc;
use crate::results::Results;

/// Nothing else happens. Most of it is the time that the system takes to wake a process on another core.
pub(crate) static CASE: Case = Case {
    name: "ipc-channel-ping-pong",
    title: "one message through a channel to another process and one back",
    measures: &[Measure::lead("us", "µs, p50"), Measure::lead("us_99", "µs, p99")],
    rounds_max: usize::MAX,
    limit_seconds: 60,
    quick_limit_seconds: 30,
    run: Run::Ipc(run),
    verdicts,
};

fn run(setup: &Setup, peer: &dyn Ipc) -> Outcome<Figures> {
    peer.ping_pong(setup.scaled(4_000))?;
    let trips = peer.ping_pong(setup.scaled(20_000))?;
    Ok(vec![("us", trips.p50), ("us_99", trips.p99)])
}

fn verdicts(results: &Results) -> Vec<Verdict> {
    vec![Verdict::ratio(results, "us", "bare-socketpair", 1.2)]
}
