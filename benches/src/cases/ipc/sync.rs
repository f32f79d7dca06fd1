//! What mutex, semaphore and event cost above the floor of their kind: alone, where no call of the system is needed, and by two
//! processes.

use crate::cases::{Case, Figures, Measure, Run, Setup, Verdict};
use crate::outcome::Outcome;
use crate::peers::Ipc;
use crate::peers::ipc::Turns;
use crate::results::Results;

/// How many turns are taken alone, and by each of two processes.
const TURNS: u64 = 1_000_000;

const MEASURES: &[Measure] = &[Measure::lead("alone", "ns, alone"), Measure::lead("together", "ns, two processes")];

/// Taken, its number raised by one, and released.
pub(crate) static MUTEX: Case = Case {
    verdicts: |results| {
        let alone = ["std-mutex", "bare-pthread"].map(|peer| Verdict::multiple(results, "alone", "alone", peer));
        let targets = [
            Verdict::ratio(results, "alone", "std-mutex", 2.0),
            Verdict::ratio(results, "together", "bare-pthread", 1.5),
        ];
        targets.into_iter().chain(alone.into_iter().flatten()).collect()
    },
    ..case(
        "ipc-sync-mutex",
        "a mutex taken, the number in it raised, and released, and the same by two processes at once",
        |setup, peer| figures(peer.mutex(setup.scaled(TURNS))?),
    )
};

/// One permit: in, and out again.
pub(crate) static SEMAPHORE: Case = case(
    "ipc-sync-semaphore",
    "a semaphore of one permit acquired and released, and the same by two processes at once",
    |setup, peer| figures(peer.semaphore(setup.scaled(TURNS))?),
);

/// Set, waited for and cleared; or set here, and answered by another process with another.
pub(crate) static EVENT: Case = case(
    "ipc-sync-event",
    "an event set, waited for and cleared, and a round trip of two events between two processes",
    |setup, peer| figures(peer.event(setup.scaled(TURNS))?),
);

const fn case(name: &'static str, title: &'static str, run: fn(&Setup, &dyn Ipc) -> Outcome<Figures>) -> Case {
    Case {
        name,
        title,
        measures: MEASURES,
        rounds_max: usize::MAX,
        limit_seconds: 60,
        quick_limit_seconds: 30,
        run: Run::Ipc(run),
        verdicts,
    }
}

fn figures(turns: Turns) -> Outcome<Figures> {
    let together = turns.together.map(|together| ("together", together));
    Ok([("alone", turns.alone)].into_iter().chain(together).collect())
}

fn verdicts(results: &Results) -> Vec<Verdict> {
    ["alone", "together"].map(|key| Verdict::ratio(results, key, "bare-futex", 1.5)).into()
}
