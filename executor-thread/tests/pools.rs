//! Several pools in one program: one after another, side by side, one inside another.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod common;

use std::sync::{Arc, Barrier};
use std::thread;

use common::{count_threads, named_pool, pool, watched};
use executor_core::{Executor, JobFuture, Shutdown, WaitFor, as_completed, job, wait};
use executor_testkit::{Gate, eventually};

#[job]
fn echo(n: u64) -> u64 {
    n
}

#[test]
fn two_hundred_pools_come_and_go() {
    let _watched = watched();
    let mut ends: Vec<JobFuture<u64>> = Vec::new();
    for n in 0..200 {
        let pool = named_pool(2, "po-many");
        ends.push(pool.submit(echo::job(n)));
        match n % 4 {
            0 => pool.shutdown(Shutdown::Drain).unwrap(),
            1 => assert_eq!(pool.install(|| n), n),
            2 => assert_eq!(pool.submit(echo::job(n)).result().unwrap(), n),
            _ => {}
        }
    }
    for (n, end) in (0..).zip(ends) {
        assert!(end.is_done());
        assert_eq!(end.result().unwrap(), n);
    }
    eventually("the threads are gone", || count_threads("po-many") == 0);
}

#[test]
fn pools_that_are_never_used_end_too() {
    let _watched = watched();
    for _ in 0..200 {
        drop(named_pool(3, "po-unused"));
    }
    eventually("the threads are gone", || count_threads("po-unused") == 0);
}

#[test]
fn two_pools_do_not_get_in_each_other_s_way() {
    let _watched = watched();
    let (left, right) = (pool(1), pool(1));
    // Each of two jobs waits for the other, so that they need a worker of each pool.
    for round in 0..500 {
        let meet = Arc::new(Barrier::new(2));
        let jobs = [&left, &right].map(|pool| {
            let meet = Arc::clone(&meet);
            pool.spawn(move || {
                meet.wait();
                round
            })
        });
        for job in jobs {
            assert_eq!(job.result().unwrap(), round);
        }
    }
    left.shutdown(Shutdown::Kill).unwrap();
    assert_eq!(right.submit(echo::job(1)).result().unwrap(), 1);
    assert_eq!((left.stats().finished, right.stats().finished), (500, 501));
}

#[test]
fn a_job_of_one_pool_waits_for_jobs_of_another() {
    let _watched = watched();
    let (near, far) = (pool(2), pool(1));
    let jobs: Vec<_> = (0..200)
        .map(|n| {
            let far = far.clone();
            near.spawn(move || {
                let inner = far.spawn(|| thread::current().id());
                assert_ne!(inner.result().unwrap(), thread::current().id());
                far.map(echo::job, 0..n).map(Result::unwrap).sum::<u64>()
            })
        })
        .collect();
    for (n, job) in (0..200).zip(jobs) {
        assert_eq!(job.result().unwrap(), (0..n).sum());
    }
}

/// A worker that waits for jobs of two pools runs those of its own, also if the first of the set is of the other pool and
/// does not begin before.
#[test]
fn a_job_waits_for_a_set_of_jobs_of_two_pools() {
    let _watched = watched();
    let (near, far) = (pool(1), pool(1));
    // Each gives what is done first and what comes after the gate is open.
    type Both = fn([JobFuture<u64>; 2], &Gate) -> (u64, u64);
    let by_as_completed: Both = |set, gate| {
        let mut set = as_completed(set).map(|done| done.result().unwrap());
        let first = set.next().unwrap();
        gate.open();
        (first, set.next().unwrap())
    };
    let by_wait: Both = |set, gate| {
        let waited = wait(set, WaitFor::First, None);
        gate.open();
        let [first, second] = [waited.done, waited.not_done].map(|part| part.into_iter().next().unwrap());
        (first.result().unwrap(), second.result().unwrap())
    };
    for both in [by_as_completed, by_wait] {
        let gate = Gate::new();
        let pass = gate.pass();
        let blocks = far.spawn(move || pass.go());
        gate.wait_for(1);
        let (own, theirs) = (near.clone(), far.submit(echo::job(1)));
        let job = near.spawn(move || both([theirs, own.submit(echo::job(2))], &gate));
        assert_eq!(job.result().unwrap(), (2, 1));
        blocks.result().unwrap();
    }
}

#[test]
fn a_job_has_a_pool_of_its_own() {
    let _watched = watched();
    let outer = pool(2);
    let jobs: Vec<_> = (0..40)
        .map(|n| {
            outer.spawn(move || {
                let inner = named_pool(2, "po-inner");
                let job = inner.submit(echo::job(n));
                let sum: u64 = inner.map(echo::job, 0..100).map(Result::unwrap).sum();
                // The drop waits, because this is no worker of the inner pool.
                drop(inner);
                assert!(job.is_done());
                sum + job.result().unwrap()
            })
        })
        .collect();
    for (n, job) in (0..).zip(jobs) {
        assert_eq!(job.result().unwrap(), 4950 + n);
    }
    drop(outer);
    eventually("the threads are gone", || count_threads("po-inner") == 0);
}

#[test]
fn a_large_pool_works() {
    let _watched = watched();
    let pool = named_pool(200, "po-large");
    // The workers, and the thread that calls those that sleep.
    eventually("every thread has its name", || count_threads("po-large") == 201);
    let all_run = Arc::new(Barrier::new(200));
    let jobs: Vec<_> = (0..200)
        .map(|_| {
            let all_run = Arc::clone(&all_run);
            pool.spawn(move || {
                all_run.wait();
            })
        })
        .collect();
    jobs.into_iter().for_each(|job| job.result().unwrap());
    assert_eq!(pool.map(echo::job, 0..5000).map(Result::unwrap).sum::<u64>(), 12_497_500);
    drop(pool);
    eventually("the threads are gone", || count_threads("po-large") == 0);
}
