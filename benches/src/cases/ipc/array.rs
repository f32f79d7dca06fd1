//! The elements of a large array, read and changed one after the other.

use crate::cases::{Case, Figures, Measure, Run, Setup, Verdict};
use crate::outcome::Outcome;
use crate::peers::Ipc;
use crate::results::Results;

/// Numbers, and points of two; under one lock, which is not what costs here.
pub(crate) static CASE: Case = Case {
    name: "ipc-array",
    title: "the elements of an array of 8 MiB: summed up, and each of them changed",
    measures: &[
        Measure::lead("sum", "ns, number read"),
        Measure::beside("points_sum", "ns, point read"),
        Measure::lead("update", "ns, changed"),
        Measure::beside("points_update", "ns, point changed"),
    ],
    rounds_max: usize::MAX,
    limit_seconds: 60,
    quick_limit_seconds: 30,
    run: Run::Ipc(run),
    verdicts,
};

const BYTES: usize = 8 << 20;

/// The most that an element may cost, beside one of a vector.
const RATIO_MAX: f64 = 1.05;

fn run(setup: &Setup, peer: &dyn Ipc) -> Outcome<Figures> {
    let accesses = peer.array(setup.full_or_quick(BYTES, BYTES / 20))?;
    Ok(vec![
        ("sum", accesses.sum),
        ("points_sum", accesses.points_sum),
        ("update", accesses.update),
        ("points_update", accesses.points_update),
    ])
}

fn verdicts(results: &Results) -> Vec<Verdict> {
    let keys = ["sum", "points_sum", "update", "points_update"];
    keys.map(|key| Verdict::ratio(results, key, "bare-slice", RATIO_MAX)).into()
}
