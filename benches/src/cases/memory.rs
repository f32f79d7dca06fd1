//! What is left in memory when a million futures were made, finished and dropped.

use std::thread;
use std::time::Duration;

use super::{Case, Figures, Measure, Run, Setup, Verdict};
use crate::allocator;
use crate::kernel;
use crate::outcome::{Outcome, check_sum};
use crate::peers::{OURS, Pool};
use crate::process;
use crate::results::Results;

/// Live bytes tell what the peer keeps. Resident memory after `malloc_trim` tells the same from the system's side.
/// Resident memory as it was found tells more about the C library than about the peer: glibc keeps freed blocks of up
/// to 128 bytes unmerged, and one block in a thread's cache holds all that lies below it. It stands beside.
pub(crate) static CASE: Case = Case {
    name: "memory",
    title: "what is left after futures were made, finished and dropped, 1M at a time",
    measures: &[
        Measure::lead("live_kib", "live KiB left"),
        Measure::beside("peak", "peak bytes per job"),
        Measure::lead("trimmed_mib", "RSS MiB left"),
        Measure::beside("untrimmed_mib", "untrimmed after 1M"),
        Measure::beside("untrimmed_mib_3", "after 3M"),
    ],
    // The numbers hardly differ from run to run.
    rounds_max: 2,
    limit_seconds: 120,
    quick_limit_seconds: 30,
    run: Run::Threads(run),
    verdicts,
};

/// What may be left live: a free list or a block of a queue is no leak.
const LIVE_KIB_MAX: f64 = 64.0;

/// What may be left resident: pages that hold a few blocks of a thread's cache.
const RSS_MIB_MAX: f64 = 1.0;

fn run(setup: &Setup, pool: &dyn Pool) -> Outcome<Figures> {
    let jobs = setup.scaled(1_000_000);
    let warm_up = jobs / 100;
    check_sum(pool.submit(warm_up)?, kernel::sum_of(warm_up))?;

    allocator::trim();
    let before = process::resident_bytes()?;
    allocator::start();
    check_sum(pool.submit(jobs)?, kernel::sum_of(jobs))?;
    // A worker may still hold the last job that it ran.
    thread::sleep(Duration::from_millis(10));
    let counts = allocator::counts();
    let after_one = process::resident_bytes()?;
    for _ in 0..2 {
        check_sum(pool.submit(jobs)?, kernel::sum_of(jobs))?;
    }
    allocator::stop();
    let after_three = process::resident_bytes()?;
    allocator::trim();
    let trimmed = process::resident_bytes()?;

    let grown_mib = |bytes: u64| (bytes as f64 - before as f64) / f64::from(1 << 20);
    Ok(vec![
        ("live_kib", counts.live_bytes as f64 / 1024.0),
        ("peak", counts.live_bytes_max as f64 / jobs as f64),
        ("trimmed_mib", grown_mib(trimmed)),
        ("untrimmed_mib", grown_mib(after_one)),
        ("untrimmed_mib_3", grown_mib(after_three)),
    ])
}

fn verdicts(results: &Results) -> Vec<Verdict> {
    vec![
        Verdict::at_most(results.median(OURS, "live_kib"), "left live", "KiB", LIVE_KIB_MAX),
        Verdict::at_most(results.median(OURS, "trimmed_mib"), "left resident", "MiB", RSS_MIB_MAX),
    ]
}
