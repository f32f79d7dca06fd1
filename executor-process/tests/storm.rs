//! Workers that are killed at random under load: every job ends, none runs twice, and no more are lost than there were kills.
//!
//! Without a harness, so that the program has one thread and can be forked. The storm of each start method has a process of its
//! own, where descriptors can be counted.
//!
//! A storm takes 2 s, or 60 s with `EXECUTOR_LONG_TESTS=1`, or what `EXECUTOR_STORM_SECONDS` says; `EXECUTOR_STORM_SEED` repeats
//! one.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test, without the harness by which a lint would know it"
)]

mod common;

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use common::blobs::mappings;
use common::{
    Dice, METHODS, descriptors, kill, method_of, named, runs_long_tests, threads_named, watched_for, workers_of,
};
use executor_core::{Executor, JobError, JobOptions, Retries, job};
use executor_process::{ProcessExecutor, StartMethod};
use executor_testkit::{Log, Pen, eventually, jobs};

/// The name of the pool that is under attack.
const POOL: &str = "storm";

fn main() {
    executor_process::init();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let ["storm", method] = arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        return costs_no_more_than_the_jobs_that_were_hit(method_of(method));
    }
    let mut failures = Vec::new();
    for method in METHODS {
        let status = Command::new("/proc/self/exe").args(["storm", &format!("{method:?}")]).status().unwrap();
        println!("test storm_under_{method:?} ... {}", if status.success() { "ok" } else { "FAILED" });
        failures.extend((!status.success()).then_some((method, status)));
    }
    assert!(failures.is_empty(), "{failures:?}");
}

fn number_of(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

fn length() -> Duration {
    let seconds = if runs_long_tests() { 60 } else { 2 };
    Duration::from_secs(number_of("EXECUTOR_STORM_SECONDS").unwrap_or(seconds))
}

/// Writes its number, works a little, and gives back what was asked for.
#[job]
fn work(pen: Option<Pen>, number: u64, spins: u64, bytes: usize) -> (u64, Vec<u8>) {
    if let Some(pen) = pen {
        pen.write(number);
    }
    (0..spins).for_each(|_| std::hint::spin_loop());
    (number, vec![number as u8; bytes])
}

/// What came of the jobs of a storm.
#[derive(Debug, Default)]
struct Tally {
    finished: u64,
    died: u64,
    lost: u64,
}

impl Tally {
    fn take(&mut self, seed: u64, error: &JobError) {
        match error {
            JobError::WorkerDied { .. } => self.died += 1,
            JobError::OutcomeLost { .. } => self.lost += 1,
            error => panic!("seed {seed}: {error}"),
        }
    }
}

/// Kills a worker every few ms until `over`, and gives how many kills there were.
fn rage(dice: &mut Dice, over: &AtomicBool) -> u64 {
    let mut kills = 0;
    while !over.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(1 + dice.below(8)));
        let workers = workers_of(POOL);
        if !workers.is_empty() {
            let victim = workers[dice.below(workers.len() as u64) as usize];
            kills += u64::from(kill(victim));
        }
    }
    kills
}

/// Submits jobs for a while, and judges what came of each.
fn load(pool: &ProcessExecutor, log: &Log, seed: u64, tally: &mut Tally) {
    let mut dice = Dice::new(seed);
    let end = Instant::now() + length();
    let mut number = 0;
    let mut retried = 0;
    while Instant::now() < end {
        let mut futures = Vec::new();
        for _ in 0..50 + dice.below(200) {
            number += 1;
            // A mark is a connection, so that few have one.
            let pen = (dice.below(20) == 0).then(|| log.pen());
            let spins = if dice.below(10) == 0 { dice.below(20_000) } else { dice.below(100) };
            let bytes = if dice.below(50) == 0 { dice.below(300_000) as usize } else { dice.below(20) as usize };
            futures.push((number, bytes, pool.submit(work::job(pen, number, spins, bytes))));
        }
        number += 1;
        let options = JobOptions::new().retries(Retries::times(50));
        let again = pool.submit_with(jobs::echo::job(number), options);
        for (n, item) in (0..).zip(pool.map(jobs::echo::job, 0..1 + dice.below(3000))) {
            match item {
                Ok(value) => {
                    assert_eq!(value, n, "seed {seed}");
                    tally.finished += 1;
                }
                Err(error) => tally.take(seed, &error),
            }
        }
        for (number, bytes, future) in futures {
            match future.result() {
                Ok((value, output)) => {
                    assert_eq!(value, number, "seed {seed}");
                    assert!(output.len() == bytes && output.iter().all(|&byte| byte == number as u8), "seed {seed}");
                    tally.finished += 1;
                }
                Err(error) => tally.take(seed, &error),
            }
        }
        assert_eq!(again.result().unwrap(), number, "seed {seed}: fifty retries were not enough");
        tally.finished += 1;
        retried += 1;
    }
    assert!(retried > 0, "seed {seed}");
}

fn storm(method: StartMethod) {
    // Before anything of this program begins a thread that stays.
    let pool = named(POOL, 3).start_method(method).build().unwrap();
    let _watched = watched_for(length() + Duration::from_secs(40));
    let clock = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().subsec_nanos().into();
    let seed = number_of("EXECUTOR_STORM_SEED").unwrap_or_else(clock);
    let log = Log::new();
    assert_eq!(pool.submit(jobs::echo::job(1)).result().unwrap(), 1);
    let over = AtomicBool::new(false);
    let mut tally = Tally::default();
    let kills = thread::scope(|scope| {
        let killer = scope.spawn(|| rage(&mut Dice::new(seed ^ 1), &over));
        struct Over<'a>(&'a AtomicBool);
        impl Drop for Over<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        let ends = Over(&over);
        load(&pool, &log, seed, &mut tally);
        drop(ends);
        killer.join().unwrap()
    });
    let stats = pool.stats();
    let text = format!("seed {seed}, {method:?}: {kills} kills, {tally:?}, {stats:?}");
    println!("{text}");
    assert!(kills > 0 && tally.died + tally.lost <= kills, "{text}: a kill costs one job");
    assert_eq!((stats.queued, stats.running, stats.cancelled), (0, 0, 0), "{text}");
    assert_eq!((stats.finished, stats.failed), (tally.finished + 1, tally.died + tally.lost), "{text}");
    assert!(stats.worker_restarts <= kills, "{text}");
    let marks = log.entries();
    let distinct: BTreeSet<_> = marks.iter().collect();
    assert_eq!(distinct.len(), marks.len(), "{text}: a job ran twice");
    // It is as good as new.
    assert_eq!(pool.map(jobs::echo::job, 0..1000).filter(Result::is_ok).count(), 1000, "{text}");
    drop(pool);
    assert!(workers_of(POOL).is_empty(), "{text}");
}

fn costs_no_more_than_the_jobs_that_were_hit(method: StartMethod) {
    // What is started once stays, such as the fork server.
    let calm = named("calm", 1).start_method(method).build().unwrap();
    calm.submit(jobs::echo::job(1)).result().unwrap();
    drop(calm);
    eventually("the pool has no thread left", || threads_named("") == 1);
    let before = descriptors();
    storm(method);
    // So does the port of the testkit. A mapping of an output that was long is kept for the next one, with its descriptor.
    eventually("no descriptor is left", || descriptors() <= before + 1 + mappings());
}
