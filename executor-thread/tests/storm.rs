//! Everything at once: threads that submit, cancel, stop, wait, drop and map at random, and shut their pool down in the
//! midst of it. At the end every job has run as often as it should, and all sums agree.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod common;
#[path = "storm/ledger.rs"]
mod ledger;

use std::cell::RefCell;
use std::collections::HashMap;
use std::env;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use common::{Dice, block_on, watched};
use executor_core::{
    Executor, JobError, JobFuture, JobId, JobOptions, MapOptions, Priority, Retries, Shutdown, ShutdownError, WaitFor,
    as_completed, current, job, wait,
};
use executor_testkit::ON_PURPOSE;
use executor_thread::{ThreadExecutor, ThreadExecutorBuilder};
use ledger::{Ledger, Outcome, Sheet, lock, mark_run, new_mark};
use rayon::prelude::*;

/// Makes the threads of a storm choose as they did in another: the number that stands in their names. In which order
/// they run, and what depends on that, is new each time.
const SEED_VARIABLE: &str = "EXECUTOR_STORM_SEED";

const THREADS: u64 = 4;

/// How many things each thread does.
const STEPS: u32 = 2000;

type Future = JobFuture<Outcome>;

/// What a job does: one of several things, by a number. It gives its mark.
#[job]
fn act(mark: usize, kind: u64, good_attempt: u32) -> Outcome {
    mark_run(mark);
    let is_good = current().attempt() >= good_attempt;
    match kind % 8 {
        0 => (0..kind % 5000).for_each(|_| std::hint::spin_loop()),
        1 => assert_eq!((0..16_u32).into_par_iter().map(|n| n % 2).sum::<u32>(), 8),
        2 if !is_good => return Err(mark),
        3 if !is_good => panic!("an attempt fails {ON_PURPOSE}"),
        _ => {}
    }
    Ok(mark)
}

/// [`act`] as an async job that is suspended some times.
#[job]
async fn act_async(mark: usize, kind: u64) -> Outcome {
    for _ in 0..kind % 4 {
        let mut is_second = false;
        std::future::poll_fn(|cx| {
            cx.waker().wake_by_ref();
            if std::mem::replace(&mut is_second, true) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
    act(mark, kind, 1)
}

/// Goes on until it is asked to stop, by its run limit at the latest.
#[job]
fn until_stop(mark: usize) -> Outcome {
    mark_run(mark);
    while !current().should_stop() {
        thread::yield_now();
    }
    Ok(mark)
}

/// One thread of the storm.
struct Rider<'a> {
    pool: &'a ThreadExecutor,
    ledger: &'a Arc<Mutex<Ledger>>,
    dice: Dice,
    /// The pool is shut down before the storm is over.
    ends: bool,
    held: Vec<Future>,
    /// Of each job that is held.
    sheets: HashMap<JobId, Sheet>,
}

impl Rider<'_> {
    fn ride(mut self) {
        for step in 0..STEPS {
            match self.dice.below(100) {
                0..60 => self.submit(),
                60..64 => self.map(),
                64..68 => self.take_all(),
                _ => self.treat_one(),
            }
            if self.held.len() > 100 {
                self.take_all();
            }
            if self.ends && step > STEPS / 2 && self.dice.below(200) == 0 {
                self.shut_down();
            }
        }
        self.take_all();
    }

    fn options(&mut self, retries: u8) -> JobOptions {
        let priority = [Priority::Low, Priority::Normal, Priority::High][self.dice.below(3) as usize];
        let backoff = Duration::from_micros([0, 0, 200, 2000][self.dice.below(4) as usize]);
        JobOptions::new().priority(priority).retries(Retries::times(retries.into()).backoff(backoff))
    }

    fn submit(&mut self) {
        let (mark, kind, good) = (new_mark(), self.dice.below(1 << 20), 1 + self.dice.below(3) as u32);
        let job = act::job(mark, kind, good);
        let mut attempts = 1;
        let future = match self.dice.below(10) {
            0 | 1 => Some(self.pool.submit(job)),
            2 => Some(self.pool.submit(act_async::job(mark, kind))),
            3 => Some(block_on(self.pool.submit_wait(job))),
            4 | 5 => {
                attempts += self.dice.below(3) as u8;
                let options = self.options(attempts - 1);
                Some(self.pool.submit_with(job, options))
            }
            6 => {
                let limit = Duration::from_micros(self.dice.below(2000));
                Some(self.pool.submit_with(until_stop::job(mark), JobOptions::new().run_limit(limit)))
            }
            7 => Some(self.submit_parent(mark)),
            // It gives up if there is no room at once.
            8 => match pin!(self.pool.submit_wait(job)).poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(future) => Some(future),
                Poll::Pending => None,
            },
            _ => match self.pool.try_submit(job) {
                Ok(future) => Some(future),
                Err(refused) => {
                    assert!(refused.is_full() || (self.ends && refused.is_shut_down()), "{refused}");
                    None
                }
            },
        };
        let Some(future) = future else { return lock(self.ledger).runs.push((mark, 0, 0)) };
        lock(self.ledger).submitted += 1;
        self.sheets.insert(future.id(), (mark, attempts));
        self.held.push(future);
    }

    /// A job that waits for two jobs of its own pool.
    fn submit_parent(&mut self, mark: usize) -> Future {
        let (own, ledger) = (self.pool.clone(), Arc::clone(self.ledger));
        let kinds = [self.dice.below(1 << 20), self.dice.below(1 << 20)];
        self.pool.spawn(move || {
            mark_run(mark);
            let children = kinds.map(|kind| {
                let mark = new_mark();
                (mark, own.submit(act::job(mark, kind, 1)))
            });
            for (mark, child) in children {
                let outcome = child.result();
                let mut ledger = lock(&ledger);
                ledger.submitted += 1;
                ledger.end((mark, 1), &outcome);
            }
            Ok(mark)
        })
    }

    /// Counts the end of a job that was held.
    fn end(&mut self, id: JobId, outcome: Result<Outcome, JobError>) {
        lock(self.ledger).end(self.sheets.remove(&id).unwrap(), &outcome);
    }

    /// Does one of the things that one does with a future.
    fn treat_one(&mut self) {
        if self.held.is_empty() {
            return;
        }
        let index = self.dice.below(self.held.len() as u64) as usize;
        let mut future = self.held.swap_remove(index);
        let id = future.id();
        let limit = Duration::from_micros(self.dice.below(100));
        let outcome = match self.dice.below(11) {
            0 | 1 => {
                let cancelled = future.cancel();
                assert_eq!(cancelled, future.is_cancelled());
                None
            }
            2 => {
                future.request_stop();
                None
            }
            3 => {
                assert!(!future.kill() || future.is_done());
                None
            }
            4 => match future.result_timeout(limit) {
                Err(JobError::Timeout) => None,
                outcome => Some(outcome),
            },
            5 => {
                assert!(!future.wait_timeout(limit) || future.is_done());
                None
            }
            6 => {
                let (mark, attempts) = self.sheets.remove(&id).unwrap();
                let mut ledger = lock(self.ledger);
                ledger.dropped += 1;
                ledger.unsure += u64::from(self.ends);
                return ledger.runs.push((mark, 0, attempts));
            }
            7 => {
                let sheet = self.sheets.remove(&id).unwrap();
                let ledger = Arc::clone(self.ledger);
                future.on_done(move |outcome| lock(&ledger).end(sheet, &outcome));
                return;
            }
            8 => future.try_result(),
            9 => return self.end(id, block_on(future)),
            _ => return self.end(id, future.result()),
        };
        match outcome {
            Some(outcome) => self.end(id, outcome),
            None => self.held.push(future),
        }
    }

    /// Takes the outcomes of all, in one of several ways.
    fn take_all(&mut self) {
        let held = std::mem::take(&mut self.held);
        match self.dice.below(3) {
            0 => as_completed(held).for_each(|done| self.end(done.id(), done.result())),
            1 => {
                let waited = wait(held, WaitFor::First, Some(Duration::from_micros(self.dice.below(300))));
                waited.done.into_iter().chain(waited.not_done).for_each(|job| self.end(job.id(), job.result()));
            }
            _ => held.into_iter().for_each(|job| self.end(job.id(), job.result())),
        }
    }

    /// Maps, and reads some or all of it.
    fn map(&mut self) {
        let items = self.dice.below(100);
        let reads = self.dice.below(2 * items + 1) as usize;
        let options = MapOptions::new().window(1 + self.dice.below(32) as usize);
        let pulled = RefCell::new(Vec::new());
        let items = (0..items).map(|kind| {
            let mark = new_mark();
            pulled.borrow_mut().push(mark);
            (mark, kind)
        });
        let to_job = |(mark, kind)| act::job(mark, kind, 1);
        let in_order = self.dice.below(2) == 0;
        let outcomes: Vec<_> = if in_order {
            self.pool.map_with(to_job, items, options).unwrap().take(reads).collect()
        } else {
            self.pool.map_unordered_with(to_job, items, options).unwrap().take(reads).collect()
        };
        let mut left = pulled.take();
        let mut ledger = lock(self.ledger);
        ledger.submitted += left.len() as u64;
        ledger.dropped += (left.len() - outcomes.len()) as u64;
        ledger.unsure += (left.len() - outcomes.len()) as u64;
        for outcome in &outcomes {
            match outcome {
                // No job has two outcomes, and in order the next is that of the first job that is left.
                Ok(Ok(mark) | Err(mark)) => {
                    let place = left.iter().position(|other| other == mark).unwrap();
                    assert!(place == 0 || !in_order);
                    ledger.end((left.remove(place), 1), outcome);
                }
                _ if in_order => ledger.end((left.remove(0), 1), outcome),
                // Nothing tells whose outcome it is.
                _ => drop(ledger.count(None, outcome)),
            }
        }
        ledger.runs.extend(left.into_iter().map(|mark| (mark, 0, 1)));
    }

    fn shut_down(&mut self) {
        let mode = [Shutdown::Drain, Shutdown::CancelPending, Shutdown::Kill][self.dice.below(3) as usize];
        let ended = match self.dice.below(2) {
            0 => self.pool.shutdown(mode),
            _ => self.pool.shutdown_timeout(mode, Duration::from_micros(self.dice.below(2000))),
        };
        assert!(matches!(ended, Ok(()) | Err(ShutdownError::TimedOut { .. })), "{ended:?}");
    }
}

fn seed() -> u32 {
    match env::var(SEED_VARIABLE) {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => RandomState::new().build_hasher().finish() as u32,
    }
}

fn storm(ends: bool, builder: ThreadExecutorBuilder) {
    let _watched = watched();
    let seed = seed();
    let pool = builder.build().unwrap();
    let ledger = Arc::new(Mutex::new(Ledger::default()));
    thread::scope(|scope| {
        let riders: Vec<_> = (0..THREADS)
            .map(|thread| {
                let dice = Dice::new(u64::from(seed) * THREADS + thread);
                let (held, sheets) = (Vec::new(), HashMap::new());
                let rider = Rider { pool: &pool, ledger: &ledger, dice, ends, held, sheets };
                // A report of a panic or of a hang shows the names of threads.
                thread::Builder::new().name(format!("seed-{seed}")).spawn_scoped(scope, || rider.ride()).unwrap()
            })
            .collect();
        // The sum of the columns is what was accepted at some moment, so it never goes down.
        let mut submitted = 0;
        while !riders.iter().all(|rider| rider.is_finished()) {
            let now = pool.stats().submitted();
            assert!(now >= submitted, "seed {seed}: {now} jobs after {submitted}");
            submitted = now;
            thread::yield_now();
        }
        for rider in riders {
            assert!(rider.join().is_ok(), "seed {seed}: a thread of the storm failed");
        }
    });
    pool.shutdown(Shutdown::Drain).unwrap();
    lock(&ledger).assert_agrees(pool.stats(), ends, seed);
}

#[test]
fn two_workers() {
    (0..2).for_each(|_| storm(false, ThreadExecutor::builder().workers(2)));
}

#[test]
fn three_workers_and_a_short_queue() {
    (0..2).for_each(|_| storm(false, ThreadExecutor::builder().workers(3).queue_capacity(8)));
}

#[test]
fn two_workers_and_a_queue_of_one() {
    (0..2).for_each(|_| storm(false, ThreadExecutor::builder().workers(2).queue_capacity(1)));
}

#[test]
fn one_worker_that_sleeps_at_once() {
    (0..2).for_each(|_| storm(false, ThreadExecutor::builder().workers(1).looks_before_sleep(0)));
}

#[test]
fn more_workers_than_processors() {
    (0..2).for_each(|_| storm(false, ThreadExecutor::builder().workers(7)));
}

#[test]
fn shutdowns_in_the_midst_of_it() {
    for workers in 1..=4 {
        storm(true, ThreadExecutor::builder().workers(workers));
        storm(true, ThreadExecutor::builder().workers(workers).queue_capacity(4));
    }
}
