//! Who is measured with worker processes: ours, the floors, and those that a user would otherwise pick.

pub(crate) mod fork;
pub(crate) mod ipc;
pub(crate) mod mapping;
pub(crate) mod ours;
pub(crate) mod procspawn_pool;
pub(crate) mod python;
pub(crate) mod socketpair;

use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

use crate::outcome::{Failure, Outcome};
use crate::samples::Samples;

/// The name of our own pool of processes among the peers.
pub(crate) const OURS: &str = "executor-process";

/// Worker processes as the cases see them. What a peer does not offer is left at its default, and the table says so.
///
/// The processes start when they are first needed, so that a case can measure that. They are two, or as many as the
/// command line says, unless a method says otherwise.
pub(crate) trait Processes {
    /// By how much fewer single jobs this peer is given, because it takes tens of microseconds for each. All figures are
    /// per job.
    fn fewer_jobs(&self) -> u64 {
        1
    }

    /// Submits one tiny job for each `n` in `0..jobs`, then collects the results. Their sum.
    fn submit(&self, _jobs: u64) -> Outcome<u64> {
        Err(Failure::NotOffered)
    }

    /// Maps the tiny job over `0..items`; every result arrives at this thread. The sum of the results.
    fn map(&self, _items: u64) -> Outcome<u64> {
        Err(Failure::NotOffered)
    }

    /// Runs `count` tiny jobs, one at a time, on idle workers.
    fn round_trips(&self, _count: u64) -> Outcome<Trips> {
        Err(Failure::NotOffered)
    }

    /// Asks the server of a manager for `count` values of a dictionary, one at a time.
    fn gets(&self, _count: u64) -> Outcome<Trips> {
        Err(Failure::NotOffered)
    }

    /// The same with many on their way at once. The sum of `n + 1` for each `n` in `0..count`.
    fn gets_at_once(&self, _count: u64) -> Outcome<u64> {
        Err(Failure::NotOffered)
    }

    /// Starts workers, `times` times.
    fn start(&self, _times: usize) -> Outcome<Start> {
        Err(Failure::NotOffered)
    }

    /// Sends `bytes` bytes to a worker, which sends them back, `times` times.
    fn payload(&self, _bytes: usize, _times: usize) -> Outcome<Payload> {
        Err(Failure::NotOffered)
    }

    /// Runs a job that does not end with the run limit `limit` on a pool of one worker, and behind it a job, `times` times.
    /// How much later than the limit the job behind it began, in milliseconds.
    fn run_limit(&self, _limit: Duration, _times: usize) -> Outcome<Samples> {
        Err(Failure::NotOffered)
    }

    /// Submits `jobs` jobs that keep their worker busy for `length`, and collects the results.
    fn busy(&self, _jobs: u64, _length: Duration) -> Outcome<()> {
        Err(Failure::NotOffered)
    }

    /// The same with a map.
    fn busy_map(&self, _jobs: u64, _length: Duration) -> Outcome<()> {
        Err(Failure::NotOffered)
    }

    /// Submits `jobs` tiny jobs, after half of them one that keeps its worker busy for `long`, and collects the results of the
    /// tiny ones.
    fn around(&self, _jobs: u64, _long: Duration) -> Outcome<Around> {
        Err(Failure::NotOffered)
    }
}

/// The entries of the dictionary of a manager: the value of each number is the next one.
const ENTRIES: u64 = 1_000;

/// What round trips took, in microseconds.
pub(crate) struct Trips {
    /// The median.
    pub(crate) p50: f64,
    /// The 99th percentile.
    pub(crate) p99: f64,
}

/// What a start took. The median of several, each of which begins from nothing.
pub(crate) struct Start {
    /// From nothing to the first result of a pool, in milliseconds.
    pub(crate) first_ms: f64,
    /// What each worker after the first took to begin its first job, in milliseconds.
    pub(crate) further_ms: Option<f64>,
    /// The proportional share of memory of the largest of the idle workers, in KiB.
    pub(crate) idle_kib: Option<f64>,
}

/// What bytes there and back took, in milliseconds.
pub(crate) struct Payload {
    /// The median, where each side gets memory that is new to it.
    pub(crate) fresh_ms: Option<f64>,
    /// The median, where each side keeps its memory.
    pub(crate) kept_ms: Option<f64>,
}

/// How tiny jobs fared around a long one.
pub(crate) struct Around {
    /// How many were not done when half of the long one's time was over.
    pub(crate) delayed: u64,
    /// When the last of them was done, in milliseconds since the first submit.
    pub(crate) last_ms: f64,
}

impl Trips {
    /// Takes `count` trips.
    pub(crate) fn measure(count: u64, mut trip: impl FnMut(u64) -> Outcome<u64>) -> Outcome<Self> {
        let mut micros = Vec::with_capacity(usize::try_from(count)?);
        for n in 0..count {
            let begin = Instant::now();
            let result = trip(n)?;
            micros.push(begin.elapsed().as_nanos() as f64 / 1_000.0);
            crate::outcome::check_sum(result, n + 1)?;
        }
        let micros = Samples::new(micros).ok_or_else(|| Failure::because("no round trips were asked for"))?;
        Ok(Self { p50: micros.median(), p99: micros.percentile(99) })
    }
}

/// The median of what `times` calls of `work` took, in milliseconds. What `work` returns is dropped after the clock was
/// read.
fn median_ms<T>(times: usize, mut work: impl FnMut() -> Outcome<T>) -> Outcome<f64> {
    let mut millis = Vec::with_capacity(times);
    for _ in 0..times.max(1) {
        let begin = Instant::now();
        let done = work()?;
        millis.push(begin.elapsed().as_secs_f64() * 1e3);
        drop(done);
    }
    let millis = Samples::new(millis).expect("the loop ran at least once");
    Ok(millis.median())
}

/// Some bytes that are not all the same.
fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|place| (place / 64) as u8).collect()
}

/// Fails unless `bytes` are those of [`pattern`], as far as the first of each line of the cache tells.
fn check_pattern(bytes: &[u8], length: usize) -> Outcome<()> {
    let right = bytes.len() == length && bytes.iter().step_by(64).enumerate().all(|(line, &byte)| byte == line as u8);
    if right { Ok(()) } else { Err(Failure::because("the bytes that came back are not those that were sent")) }
}

/// The time in nanoseconds by a clock that is one for all processes of the machine, which that of `Instant` is but does
/// not promise.
fn now_nanos() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("every Linux has this clock");
    Duration::from(now).as_nanos() as u64
}

/// Keeps the caller busy for a time by the clock: whatever else the machine does, it takes no longer.
fn busy_for(length: Duration) {
    let begin = Instant::now();
    while begin.elapsed() < length {
        std::hint::spin_loop();
    }
}
