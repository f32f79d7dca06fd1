//! Jobs that wait for jobs of their own pool: `fib(20)` where every call is a job that submits two and waits for both.
//!
//! With two workers the third job that waits has no worker left to run what it waits for, unless the pool does
//! something about it. A peer that does not is killed after some seconds, and the table says deadlock.

use super::{Case, Figures, Measure, Run, Setup, Verdict};
use crate::kernel;
use crate::outcome::{Outcome, check_sum};
use crate::peers::{OURS, Pool};
use crate::results::Results;
use crate::samples::nanos_per_item;

/// 21891 jobs.
pub(crate) static CASE: Case = Case {
    name: "nested-fib",
    title: "fib(20), every call a job that waits for the two it submits",
    measures: &[Measure::lead("ns", "ns per job")],
    rounds_max: usize::MAX,
    limit_seconds: 10,
    quick_limit_seconds: 4,
    run: Run::Threads(run),
    verdicts,
};

fn run(setup: &Setup, pool: &dyn Pool) -> Outcome<Figures> {
    let n = setup.full_or_quick(20, 14);
    let jobs = kernel::fib_calls(n);
    let nanos = nanos_per_item(5, jobs, || check_sum(pool.fib(n)?, kernel::fib(n)))?;
    Ok(vec![("ns", nanos)])
}

fn verdicts(results: &Results) -> Vec<Verdict> {
    vec![match results.median(OURS, "ns") {
        Some(_) => Verdict::new("finishes".to_owned(), true),
        None => Verdict::open("has to finish".to_owned()),
    }]
}
