//! Jobs that block: each holds its own worker and nothing else.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod common;

use std::sync::{Arc, Barrier};
use std::thread;

use common::{Dice, dawdle, pool, watched};
use executor_core::{Executor, JobFuture, JobOptions, MapOptions, Priority, job};
use executor_testkit::{Gate, Pass, hang_guard};
use executor_thread::ThreadExecutor;

#[job]
fn echo(n: u64) -> u64 {
    n
}

/// Goes through the gate, if it has one.
#[job]
fn pass_or_echo(gate: Option<Pass>, n: u64) -> u64 {
    if let Some(gate) = gate {
        gate.go();
    }
    n
}

/// Takes the values of jobs that must end while others block.
#[track_caller]
fn assert_all_end(jobs: impl IntoIterator<Item = JobFuture<u64>>) {
    for mut job in jobs {
        if let Err(error) = job.result_timeout(hang_guard()) {
            panic!("job {} does not end while another one blocks: {error}", job.id());
        }
    }
}

fn quick(pool: &ThreadExecutor, jobs: u64) -> Vec<JobFuture<u64>> {
    (0..jobs).map(|n| pool.submit(echo::job(n))).collect()
}

fn blocked(pool: &ThreadExecutor, gate: &Gate) -> JobFuture<u64> {
    pool.submit(pass_or_echo::job(Some(gate.pass()), 0))
}

#[test]
fn a_blocked_job_holds_its_own_worker_only() {
    let _watched = watched();
    let pool = pool(2);
    let gate = Gate::new();
    let before = quick(&pool, 10_000);
    let slow = blocked(&pool, &gate);
    let behind = quick(&pool, 10_000);
    gate.wait_for(1);
    let after = quick(&pool, 10_000);
    assert_all_end(before.into_iter().chain(behind).chain(after));
    for n in 0..1000 {
        assert_all_end([pool.submit(echo::job(n))]);
    }
    assert!(slow.is_running());
    gate.open();
    assert_eq!(slow.result().unwrap(), 0);
}

#[test]
fn one_free_worker_is_enough() {
    let _watched = watched();
    let pool = pool(4);
    let gate = Gate::new();
    let slow: Vec<_> = (0..3).map(|_| blocked(&pool, &gate)).collect();
    gate.wait_for(3);
    assert_all_end(quick(&pool, 10_000));
    gate.open();
    assert_all_end(slow);
}

/// Short jobs make the workers take several at one go. One in the middle of them that blocks must not keep those that
/// were taken together with it.
#[test]
fn nothing_waits_behind_a_slow_job_in_a_row_of_quick_ones() {
    let _watched = watched();
    for workers in [2, 3, 4, 6] {
        let pool = pool(workers);
        let mut dice = Dice::new(workers as u64);
        for round in 0..100 {
            let gate = Gate::new();
            let mut slow = Vec::new();
            let mut jobs = quick(&pool, 500 + dice.below(500));
            jobs[dice.below(500) as usize].wait();
            let most = [4, 16, 64, 400, 1500][dice.below(5) as usize];
            for _ in 1..workers {
                jobs.extend(quick(&pool, dice.below(most)));
                slow.push(blocked(&pool, &gate));
            }
            jobs.extend(quick(&pool, dice.below(most)));
            dawdle(round);
            assert_all_end(jobs);
            assert!(slow.iter().all(|job| !job.is_done()));
            gate.open();
            assert_all_end(slow);
        }
    }
}

#[test]
fn nothing_waits_behind_a_slow_job_of_any_priority() {
    let _watched = watched();
    let pool = pool(2);
    let priorities = [Priority::Low, Priority::Normal, Priority::High];
    let submit = |gate: Option<Pass>, priority: usize| {
        let options = JobOptions::new().priority(priorities[priority]);
        pool.submit_with(pass_or_echo::job(gate, 0), options)
    };
    for round in 0..90 {
        let gate = Gate::new();
        let before: Vec<_> = (0..500).map(|n| submit(None, n % 3)).collect();
        let slow = submit(Some(gate.pass()), round % 3);
        let behind: Vec<_> = (0..500).map(|n| submit(None, (n + round) % 3)).collect();
        assert_all_end(before.into_iter().chain(behind));
        gate.open();
        assert_all_end([slow]);
    }
}

#[test]
fn nothing_waits_behind_a_slow_job_in_a_bounded_queue() {
    let _watched = watched();
    let pool = ThreadExecutor::builder().workers(2).queue_capacity(4).build().unwrap();
    for _ in 0..50 {
        let gate = Gate::new();
        let before = quick(&pool, 100);
        let slow = blocked(&pool, &gate);
        let behind = quick(&pool, 100);
        assert_all_end(before.into_iter().chain(behind));
        gate.open();
        assert_all_end([slow]);
    }
}

#[test]
fn no_item_of_a_map_waits_behind_a_slow_one() {
    let _watched = watched();
    let pool = pool(2);
    let mut dice = Dice::new(5);
    for _ in 0..30 {
        let gate = Gate::new();
        let slow = dice.below(2000);
        let pass = gate.pass();
        let to_job = |n| pass_or_echo::job((n == slow).then_some(pass), n);
        let mut map = pool.map_unordered_with(to_job, 0..2000, MapOptions::new().window(2000)).unwrap();
        let mut seen: Vec<u64> = map.by_ref().take(1999).map(Result::unwrap).collect();
        seen.sort_unstable();
        assert!(seen.iter().copied().eq((0..2000).filter(|&n| n != slow)));
        gate.open();
        assert_eq!(map.map(Result::unwrap).collect::<Vec<_>>(), [slow]);
    }
}

#[test]
fn a_job_that_waits_for_one_that_blocks_holds_one_worker_too() {
    let _watched = watched();
    let pool = pool(3);
    let gate = Gate::new();
    let slow = blocked(&pool, &gate);
    gate.wait_for(1);
    let waits = pool.spawn(move || slow.result().unwrap());
    assert_all_end(quick(&pool, 5000));
    assert!(!waits.is_done());
    gate.open();
    assert_eq!(waits.result().unwrap(), 0);
}

#[test]
fn more_workers_than_processors_run_all_at_once() {
    let _watched = watched();
    let workers = 2 * thread::available_parallelism().unwrap().get() + 2;
    let pool = pool(workers);
    for _ in 0..100 {
        let all_run = Arc::new(Barrier::new(workers));
        let jobs: Vec<_> = (0..workers as u64)
            .map(|n| {
                let all_run = Arc::clone(&all_run);
                pool.spawn(move || {
                    all_run.wait();
                    n
                })
            })
            .collect();
        assert_all_end(jobs);
    }
}
