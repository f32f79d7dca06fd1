//! Many bytes to a worker process and back.

use crate::cases::{Case, Figures, Measure, Run, Setup, Verdict};
use crate::outcome::Outcome;
use crate::peers::Processes;
use crate::results::Results;

/// Bytes that are received into new memory, as those of a job and of a result are, and bytes in memory that is kept or shared.
pub(crate) static CASE: Case = Case {
    name: "process-payload",
    title: "64 MiB to a worker process and back",
    measures: &[Measure::lead("fresh", "ms, new memory"), Measure::lead("kept", "ms, kept memory")],
    rounds_max: usize::MAX,
    limit_seconds: 120,
    quick_limit_seconds: 60,
    run: Run::Processes(run),
    verdicts,
};

/// The bytes of one direction.
const BYTES: u64 = 64 << 20;

fn run(setup: &Setup, peer: &dyn Processes) -> Outcome<Figures> {
    let bytes = usize::try_from(setup.scaled(BYTES).next_multiple_of(1 << 16))?;
    let payload = peer.payload(bytes, setup.full_or_quick(11, 3))?;
    let mut figures = Vec::new();
    figures.extend(payload.fresh_ms.map(|ms| ("fresh", ms)));
    figures.extend(payload.kept_ms.map(|ms| ("kept", ms)));
    Ok(figures)
}

/// `Vec<u8>` against the socket. What ours keeps or shares is held against the mapping.
fn verdicts(results: &Results) -> Vec<Verdict> {
    vec![Verdict::ratio(results, "fresh", "socketpair", 1.5), Verdict::ratio(results, "kept", "shared-mapping", 1.3)]
}
