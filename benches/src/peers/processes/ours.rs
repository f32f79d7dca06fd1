//! Our own pool of processes, used as its front page says: jobs are functions with `#[job]`, nothing is tuned.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::process;
use std::thread;
use std::time::{Duration, Instant};

use executor_core::{Executor, JobError, JobOptions, current, job};
use executor_ipc::Blob;
use executor_ipc::manager::{Dict, Manager};
use executor_process::{ProcessExecutor, spawn_manager};

use super::{
    Around, ENTRIES, OURS, Payload, Processes, Start, Trips, busy_for, check_pattern, median_ms, now_nanos, pattern,
};
use crate::kernel;
use crate::outcome::{Failure, Outcome, check_sum};
use crate::peers::{Open, Peer, handles};
use crate::process::proportional_kib_of;
use crate::samples::Samples;

/// `submit` and `map` of `ProcessExecutor`.
pub(crate) const PEER: Peer = Peer {
    name: OURS,
    package: "executor-process",
    how: "submit + result and map as they are; workers are forked from the fork server",
    open: Open::Processes(|workers| Ok(Box::new(Ours { workers, pool: OnceCell::new(), managed: OnceCell::new() }))),
};

/// How many workers a pool has where each further one is timed.
const START_WORKERS: usize = 8;

/// How long a worker keeps a job from the others, while all of a pool start: far longer than that takes.
const HOLD: Duration = Duration::from_millis(200);

struct Ours {
    workers: usize,
    pool: OnceCell<ProcessExecutor>,
    /// A dictionary in the process of a manager.
    managed: OnceCell<Dict<u64, u64>>,
}

#[job]
fn inc(n: u64) -> u64 {
    kernel::inc(n)
}

#[job]
fn echo(bytes: Vec<u8>) -> Vec<u8> {
    bytes
}

/// Makes other bytes of the ones it gets, in shared memory.
#[job]
fn copy(bytes: Blob) -> Blob {
    Blob::from(&bytes[..])
}

#[job]
fn busy(length: Duration) -> u64 {
    busy_for(length);
    1
}

/// Says when it began, by its progress, and goes on for longer than any run limit here.
#[job]
fn endless() {
    current().progress(now_nanos(), 1);
    thread::sleep(Duration::from_secs(60));
}

/// Says which process it runs in and when it began, and keeps that process for a while.
#[job]
fn visit(hold: Duration) -> (u32, u64) {
    let began = now_nanos();
    thread::sleep(hold);
    (process::id(), began)
}

impl Ours {
    fn pool(&self) -> Outcome<&ProcessExecutor> {
        if self.pool.get().is_none() {
            let pool = ProcessExecutor::new(self.workers)?;
            self.pool.get_or_init(|| pool);
        }
        Ok(self.pool.get().expect("it was set just now"))
    }

    fn managed(&self) -> Outcome<&Dict<u64, u64>> {
        if self.managed.get().is_none() {
            let dict = spawn_manager(Manager::builder())?.dict()?;
            dict.insert_many((0..ENTRIES).map(|n| (n, n + 1)))?;
            self.managed.get_or_init(|| dict);
        }
        Ok(self.managed.get().expect("it was set just now"))
    }
}

/// When each worker of `pool` began its first job, by its number: each gets one job and holds it until all have.
fn visit_all(pool: &ProcessExecutor, workers: usize) -> Outcome<BTreeMap<u32, u64>> {
    let visits: Vec<_> = (0..workers).map(|_| pool.submit(visit::job(HOLD))).collect();
    let mut began = BTreeMap::new();
    for visit in visits {
        let (pid, nanos) = visit.result()?;
        began.insert(pid, nanos);
    }
    match began.len() {
        found if found == workers => Ok(began),
        found => Err(Failure::because(format!("only {found} of {workers} workers took a job in time"))),
    }
}

/// What each worker of a pool after the first takes, in milliseconds.
fn further_ms() -> Outcome<f64> {
    let pool = ProcessExecutor::new(START_WORKERS)?;
    let began = visit_all(&pool, START_WORKERS)?;
    let first = began.values().min().expect("there is a worker");
    let last = began.values().max().expect("there is a worker");
    Ok((last - first) as f64 / 1e6 / (START_WORKERS - 1) as f64)
}

/// The memory of the largest of `workers` idle workers.
fn idle_kib(workers: usize) -> Outcome<f64> {
    let pool = ProcessExecutor::new(workers)?;
    let pids = visit_all(&pool, workers)?;
    let kib = pids.keys().map(|&pid| proportional_kib_of(pid)).collect::<Outcome<Vec<_>>>()?;
    kib.into_iter().max().map(|kib| kib as f64).ok_or_else(|| Failure::because("there is no worker"))
}

impl Processes for Ours {
    fn submit(&self, jobs: u64) -> Outcome<u64> {
        let pool = self.pool()?;
        let mut futures = handles(jobs)?;
        futures.extend((0..jobs).map(|n| pool.submit(inc::job(n))));
        let mut sum = 0;
        for future in futures {
            sum += future.result()?;
        }
        Ok(sum)
    }

    fn map(&self, items: u64) -> Outcome<u64> {
        let mut sum = 0;
        for result in self.pool()?.map(inc::job, 0..items) {
            sum += result?;
        }
        Ok(sum)
    }

    fn round_trips(&self, count: u64) -> Outcome<Trips> {
        let pool = self.pool()?;
        Trips::measure(count, |n| Ok(pool.submit(inc::job(n)).result()?))
    }

    fn gets(&self, count: u64) -> Outcome<Trips> {
        let dict = self.managed()?;
        Trips::measure(count, |n| {
            let key = n % ENTRIES;
            Ok(dict.get(&key)?.map_or(0, |value| value + n - key))
        })
    }

    fn gets_at_once(&self, count: u64) -> Outcome<u64> {
        let keys: Vec<u64> = (0..count).map(|n| n % ENTRIES).collect();
        let values = self.managed()?.get_many(&keys)?;
        Ok((0..count).zip(values).map(|(n, value)| value.map_or(0, |value| value + n - n % ENTRIES)).sum())
    }

    /// The fork server ends with the last pool, so that each start is a cold one.
    fn start(&self, times: usize) -> Outcome<Start> {
        let first_ms = median_ms(times, || {
            let pool = ProcessExecutor::new(self.workers)?;
            check_sum(pool.submit(inc::job(1)).result()?, 2)?;
            Ok(pool)
        })?;
        let further = (0..times.div_ceil(4)).map(|_| further_ms()).collect::<Outcome<Vec<_>>>()?;
        Ok(Start {
            first_ms,
            further_ms: Samples::new(further).map(|samples| samples.median()),
            idle_kib: Some(idle_kib(self.workers)?),
        })
    }

    /// What is sent is a `Vec<u8>`; and, where memory is kept, a `Blob`, of which the job makes another one.
    fn payload(&self, bytes: usize, times: usize) -> Outcome<Payload> {
        let pool = self.pool()?;
        let sent = pattern(bytes);
        // A job takes its bytes for itself: those of each job are made before the clock starts.
        let mut copies = vec![sent; times + 1];
        let mut back = || {
            let bytes = copies.pop().ok_or_else(|| Failure::because("there is no copy left"))?;
            Ok(pool.submit(echo::job(bytes)).result()?)
        };
        check_pattern(&back()?, bytes)?;
        let fresh_ms = median_ms(times, back)?;
        let sent = pattern(bytes);
        let shared = || check_pattern(&pool.submit(copy::job(Blob::from(&sent[..]))).result()?, bytes);
        shared()?;
        Ok(Payload { fresh_ms: Some(fresh_ms), kept_ms: Some(median_ms(times, shared)?) })
    }

    fn run_limit(&self, limit: Duration, times: usize) -> Outcome<Samples> {
        let pool = ProcessExecutor::new(1)?;
        check_sum(pool.submit(inc::job(1)).result()?, 2)?;
        let mut late_ms = Vec::with_capacity(times);
        for _ in 0..times {
            let endless = pool.submit_with(endless::job(), JobOptions::new().run_limit(limit));
            let handle = endless.handle();
            let next = pool.submit(visit::job(Duration::ZERO));
            let (_, next_began) = next.result()?;
            match endless.result() {
                Err(JobError::RunLimit { .. }) => {}
                other => return Err(Failure::because(format!("the job without an end came to {other:?}"))),
            }
            let (began, _) = handle.progress().ok_or_else(|| Failure::because("a job did not say when it began"))?;
            late_ms.push((next_began - began) as f64 / 1e6 - limit.as_secs_f64() * 1e3);
        }
        Samples::new(late_ms).ok_or_else(|| Failure::because("no run limit was asked for"))
    }

    fn busy(&self, jobs: u64, length: Duration) -> Outcome<()> {
        let pool = self.pool()?;
        let mut futures = handles(jobs)?;
        futures.extend((0..jobs).map(|_| pool.submit(busy::job(length))));
        for future in futures {
            future.result()?;
        }
        Ok(())
    }

    fn busy_map(&self, jobs: u64, length: Duration) -> Outcome<()> {
        for result in self.pool()?.map(busy::job, (0..jobs).map(|_| length)) {
            result?;
        }
        Ok(())
    }

    fn around(&self, jobs: u64, long: Duration) -> Outcome<Around> {
        let pool = self.pool()?;
        let begin = Instant::now();
        let mut futures = handles(jobs)?;
        futures.extend((0..jobs / 2).map(|n| pool.submit(inc::job(n))));
        let long_one = pool.submit(busy::job(long));
        futures.extend((jobs / 2..jobs).map(|n| pool.submit(inc::job(n))));

        let half = begin + long / 2;
        let mut delayed = 0;
        for future in &futures {
            if !future.wait_timeout(half.saturating_duration_since(Instant::now())) {
                delayed += 1;
            }
        }
        let mut sum = 0;
        for future in futures {
            sum += future.result()?;
        }
        let last_ms = begin.elapsed().as_secs_f64() * 1e3;
        check_sum(sum, kernel::sum_of(jobs))?;
        long_one.result()?;
        Ok(Around { delayed, last_ms })
    }
}
