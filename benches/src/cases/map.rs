//! `map` over many elements: tiny ones, which show the cost of an element, and long ones, which show how well the
//! workers are kept busy.

use super::{Case, Figures, Measure, Run, Setup, Verdict};
use crate::kernel::{self, Element};
use crate::outcome::{Outcome, check_sum};
use crate::peers::{OURS, Pool};
use crate::results::Results;
use crate::samples::nanos_per_item;

/// A million tiny elements.
pub(crate) static TINY: Case = Case {
    name: "map-tiny",
    title: "map over 1M tiny jobs",
    measures: &[Measure::lead("ns", "ns per element")],
    rounds_max: usize::MAX,
    limit_seconds: 120,
    quick_limit_seconds: 30,
    run: Run::Threads(run_tiny),
    verdicts: tiny_verdicts,
};

/// A hundred thousand elements of 5 µs.
pub(crate) static LONG: Case = Case {
    name: "map-5us",
    title: "map over 100k jobs of about 5 µs",
    measures: &[Measure::lead("ns", "ns per element")],
    rounds_max: usize::MAX,
    limit_seconds: 120,
    quick_limit_seconds: 30,
    run: Run::Threads(run_long),
    verdicts: long_verdicts,
};

fn run_tiny(setup: &Setup, pool: &dyn Pool) -> Outcome<Figures> {
    run(pool, Element::Tiny, setup.scaled(1_000_000), 3)
}

fn run_long(setup: &Setup, pool: &dyn Pool) -> Outcome<Figures> {
    run(pool, Element::Long, setup.scaled(100_000), 1)
}

fn run(pool: &dyn Pool, element: Element, items: u64, times: usize) -> Outcome<Figures> {
    // Tiny elements are warmed up at full size, so that heap and queues have grown; of long ones a tenth will do.
    let warm_up = match element {
        Element::Tiny => items,
        Element::Long => items / 10,
    };
    check_sum(pool.map(element, warm_up)?, kernel::sum_of(warm_up))?;
    let nanos = nanos_per_item(times, items, || check_sum(pool.map(element, items)?, kernel::sum_of(items)))?;
    Ok(vec![("ns", nanos)])
}

/// The overhead is what an element takes beyond the work itself, which the peer `inline` tells. The work is counted
/// whole, although several workers share it: with a nanosecond per element that hides less than the noise does.
fn tiny_verdicts(results: &Results) -> Vec<Verdict> {
    let work = results.median("inline", "ns").unwrap_or_default();
    let overhead = results.median(OURS, "ns").map(|ours| (ours - work).max(0.0));
    vec![Verdict::at_most(overhead, "overhead per element", "ns", 25.0)]
}

fn long_verdicts(results: &Results) -> Vec<Verdict> {
    vec![Verdict::ratio(results, "ns", "rayon-par", 1.03)]
}
