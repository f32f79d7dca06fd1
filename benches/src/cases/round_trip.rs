//! One job there and its result back, then the next.
//!
//! Two points of each pool: back to back, and after the submitter slept 1 ms, so that the workers had time to fall
//! asleep. And two pools: an idle one, and one of whose workers one is kept busy by a chain of jobs of 20 µs, each of
//! which submits the next from inside.

use std::thread;
use std::time::{Duration, Instant};

use super::{Case, Figures, Measure, Run, Setup, Verdict};
use crate::kernel;
use crate::outcome::{Failure, Outcome, check_sum};
use crate::peers::{OURS, Pool};
use crate::process;
use crate::results::Results;
use crate::samples::Samples;
use crate::table::number;

/// All workers are idle.
pub(crate) static IDLE: Case = Case {
    name: "round-trip",
    title: "one job there and back, idle pool",
    measures: &[
        Measure::lead("us", "µs back to back"),
        Measure::beside("us_99", "p99"),
        Measure::beside("on_caller", "% run by caller"),
        Measure::beside("idle", "% CPU idle"),
        Measure::lead("us_ms", "µs after 1 ms"),
        Measure::beside("us_ms_99", "p99"),
    ],
    rounds_max: usize::MAX,
    limit_seconds: 120,
    quick_limit_seconds: 30,
    run: Run::Threads(run_idle),
    verdicts,
};

/// One worker is busy.
pub(crate) static BUSY: Case = Case {
    name: "round-trip-busy",
    title: "one job there and back, one worker kept busy with jobs of 20 µs",
    measures: &[
        Measure::lead("us", "µs back to back"),
        Measure::beside("us_99", "p99"),
        Measure::beside("on_caller", "% run by caller"),
        Measure::beside("idle", "% CPU idle"),
        Measure::beside("busy", "% of a worker busy"),
        Measure::lead("us_ms", "µs after 1 ms"),
        Measure::beside("us_ms_99", "p99"),
    ],
    rounds_max: usize::MAX,
    limit_seconds: 120,
    quick_limit_seconds: 30,
    run: Run::Threads(run_busy),
    verdicts,
};

/// A pool that uses more than this while it has nothing to do burns CPU, in percent of one core. One that wakes now and
/// then stays below it.
const QUIET_CPU_PERCENT_MAX: f64 = 2.0;

fn run_idle(setup: &Setup, pool: &dyn Pool) -> Outcome<Figures> {
    let mut figures = prepare(setup, pool)?;
    figures.extend(both_points(setup, pool)?);
    Ok(figures)
}

fn run_busy(setup: &Setup, pool: &dyn Pool) -> Outcome<Figures> {
    let mut figures = prepare(setup, pool)?;
    pool.keep_busy()?;
    let begin = Instant::now();
    while kernel::links() < 100 {
        if begin.elapsed() > Duration::from_secs(5) {
            return Err(Failure::because("the chain of jobs that keeps a worker busy does not run"));
        }
        thread::sleep(Duration::from_millis(1));
    }

    let links = kernel::links();
    let begin = Instant::now();
    figures.extend(both_points(setup, pool)?);
    let busy_seconds = (kernel::links() - links) as f64 * kernel::LINK_SECONDS;
    figures.push(("busy", 100.0 * busy_seconds / begin.elapsed().as_secs_f64()));
    kernel::stop_chain();
    Ok(figures)
}

/// Warms the pool up and finds out how it works: who runs the jobs, and what it uses while it has none.
fn prepare(setup: &Setup, pool: &dyn Pool) -> Outcome<Figures> {
    const PROBES: u64 = 100;
    trips(pool, setup.scaled(10_000), None)?;
    let caller = kernel::thread_number(0);
    let mut on_caller = 0;
    for _ in 0..PROBES {
        if pool.thread_of_job()? == caller {
            on_caller += 1;
        }
    }
    let idle = process::sleep_and_watch(setup.full_or_quick(Duration::from_millis(500), Duration::from_millis(200)))?;
    Ok(vec![("on_caller", 100.0 * f64::from(on_caller) / PROBES as f64), ("idle", idle.cpu_percent)])
}

fn both_points(setup: &Setup, pool: &dyn Pool) -> Outcome<Figures> {
    let back_to_back = trips(pool, setup.scaled(20_000), None)?;
    let after_pause = trips(pool, setup.full_or_quick(1_000, 100), Some(Duration::from_millis(1)))?;
    Ok(vec![
        ("us", back_to_back.median()),
        ("us_99", back_to_back.percentile(99)),
        ("us_ms", after_pause.median()),
        ("us_ms_99", after_pause.percentile(99)),
    ])
}

/// `count` round trips, each after `pause`, in microseconds.
fn trips(pool: &dyn Pool, count: u64, pause: Option<Duration>) -> Outcome<Samples> {
    let mut micros = Vec::with_capacity(usize::try_from(count)?);
    for n in 0..count {
        if let Some(pause) = pause {
            thread::sleep(pause);
        }
        let begin = Instant::now();
        let result = pool.round_trip(n)?;
        micros.push(begin.elapsed().as_nanos() as f64 / 1_000.0);
        check_sum(result, n + 1)?;
    }
    Samples::new(micros).ok_or_else(|| Failure::because("no round trips were asked for"))
}

fn verdicts(results: &Results) -> Vec<Verdict> {
    [("us", "back to back"), ("us_ms", "after 1 ms")]
        .into_iter()
        .map(|(key, point)| no_worse_than_the_best(results, key, point))
        .collect()
}

/// Ours against the best peer that is quiet while idle and really hands its jobs to a worker.
fn no_worse_than_the_best(results: &Results, key: &str, point: &str) -> Verdict {
    let best = results
        .peers()
        .filter(|&peer| peer != OURS)
        .filter(|&peer| results.median(peer, "idle").is_some_and(|percent| percent <= QUIET_CPU_PERCENT_MAX))
        .filter(|&peer| results.median(peer, "on_caller") == Some(0.0))
        .filter_map(|peer| Some((peer, results.median(peer, key)?)))
        .min_by(|(_, a), (_, b)| a.total_cmp(b));
    match (best, results.median(OURS, key)) {
        (Some((peer, theirs)), Some(ours)) => Verdict::new(
            format!("{point} {} µs, best quiet peer {peer} {} µs", number(ours), number(theirs)),
            ours <= theirs,
        ),
        _ => Verdict::open(format!("{point} no worse than the best peer that is quiet while idle")),
    }
}
