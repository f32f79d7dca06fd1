//! procspawn's pool of processes.

use std::cell::OnceCell;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

use procspawn::{JoinHandle, Pool};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Around, Payload, Processes, Start, Trips, busy_for, check_pattern, median_ms, pattern};
use crate::kernel;
use crate::outcome::{Failure, Outcome, check_sum};
use crate::peers::{Open, Peer};

/// `Pool::spawn`, with so few jobs open at a time that the program does not run out of descriptors.
pub(crate) const PEER: Peer = Peer {
    name: "procspawn",
    package: "procspawn",
    how: "Pool::spawn of functions, 64 open at a time, because each takes four descriptors; joined in order",
    open: Open::Processes(|workers| Ok(Box::new(Procspawn { workers, pool: OnceCell::new() }))),
};

/// How many jobs are open at a time.
const OPEN_MAX: usize = 64;

struct Procspawn {
    workers: usize,
    pool: OnceCell<Pool>,
}

impl Procspawn {
    fn pool(&self) -> Outcome<&Pool> {
        if self.pool.get().is_none() {
            let pool = Pool::new(self.workers)?;
            self.pool.get_or_init(|| pool);
        }
        Ok(self.pool.get().expect("it was set just now"))
    }

    /// Spawns `function` with each of `items` and hands each result to `take`, in order.
    fn all<A, R>(
        &self,
        function: fn(A) -> R,
        items: impl Iterator<Item = A>,
        mut take: impl FnMut(JoinHandle<R>) -> Outcome<()>,
    ) -> Outcome<()>
    where
        A: Serialize + DeserializeOwned,
        R: Serialize + DeserializeOwned + Send + 'static,
    {
        let pool = self.pool()?;
        let mut open = VecDeque::with_capacity(OPEN_MAX);
        for item in items {
            if open.len() == OPEN_MAX {
                take(open.pop_front().expect("it is full"))?;
            }
            open.push_back(pool.spawn(item, function));
        }
        open.into_iter().try_for_each(take)
    }
}

fn echo(bytes: Vec<u8>) -> Vec<u8> {
    bytes
}

fn busy(length: Duration) -> u64 {
    busy_for(length);
    1
}

impl Processes for Procspawn {
    fn fewer_jobs(&self) -> u64 {
        20
    }

    fn submit(&self, jobs: u64) -> Outcome<u64> {
        let mut sum = 0;
        self.all(kernel::inc, 0..jobs, |handle| {
            sum += handle.join()?;
            Ok(())
        })?;
        Ok(sum)
    }

    fn round_trips(&self, count: u64) -> Outcome<Trips> {
        let pool = self.pool()?;
        Trips::measure(count, |n| Ok(pool.spawn(n, kernel::inc).join()?))
    }

    fn start(&self, times: usize) -> Outcome<Start> {
        let first_ms = median_ms(times, || {
            let pool = Pool::new(self.workers)?;
            check_sum(pool.spawn(1, kernel::inc).join()?, 2)?;
            Ok(pool)
        })?;
        Ok(Start { first_ms, further_ms: None, idle_kib: None })
    }

    fn payload(&self, bytes: usize, times: usize) -> Outcome<Payload> {
        let pool = self.pool()?;
        let mut copies = vec![pattern(bytes); times + 1];
        let mut back = || {
            let bytes = copies.pop().ok_or_else(|| Failure::because("there is no copy left"))?;
            Ok(pool.spawn(bytes, echo).join()?)
        };
        check_pattern(&back()?, bytes)?;
        Ok(Payload { fresh_ms: Some(median_ms(times, back)?), kept_ms: None })
    }

    fn busy(&self, jobs: u64, length: Duration) -> Outcome<()> {
        self.all(busy, (0..jobs).map(|_| length), |handle| {
            handle.join()?;
            Ok(())
        })
    }

    /// The open tiny jobs are fewer than those submitted; the long one is not among those that are joined in order.
    fn around(&self, jobs: u64, long: Duration) -> Outcome<Around> {
        let begin = Instant::now();
        let half = begin + long / 2;
        let (mut sum, mut delayed, mut last_ms) = (0, 0, 0.0);
        let mut take = |handle: JoinHandle<u64>| {
            sum += handle.join()?;
            delayed += u64::from(Instant::now() > half);
            last_ms = begin.elapsed().as_secs_f64() * 1e3;
            Ok(())
        };
        self.all(kernel::inc, 0..jobs / 2, &mut take)?;
        let long_one = self.pool()?.spawn(long, busy);
        self.all(kernel::inc, jobs / 2..jobs, &mut take)?;
        check_sum(sum, kernel::sum_of(jobs))?;
        long_one.join()?;
        Ok(Around { delayed, last_ms })
    }
}
