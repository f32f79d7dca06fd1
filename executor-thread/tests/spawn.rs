//! `spawn`: closures that capture what no job could.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use common::{all_asleep, dawdle, pool, watched};
use executor_core::{Executor, JobError, JobState, Rejection, Shutdown, WaitFor, as_completed, current, wait};
use executor_testkit::{Gate, ON_PURPOSE, OddPayload, eventually};
use executor_thread::ThreadExecutor;

#[test]
fn a_closure_captures_and_returns_what_cannot_be_encoded() {
    let _watched = watched();
    let pool = pool(2);
    let (tx, rx) = mpsc::channel();
    let shared = Arc::new(Mutex::new(Vec::new()));
    let mut counter = 0;
    let mut count: Box<dyn FnMut() -> u32 + Send> = Box::new(move || {
        counter += 1;
        counter
    });
    let theirs = Arc::clone(&shared);
    let future = pool.spawn(move || {
        let first: u32 = rx.recv().unwrap();
        theirs.lock().unwrap().push(first);
        count();
        // A closure, a channel and a lock go back.
        (move || first + count(), rx, theirs)
    });
    tx.send(40).unwrap();
    let (mut closure, _rx, theirs) = future.result().unwrap();
    assert_eq!(closure(), 42);
    assert!(Arc::ptr_eq(&shared, &theirs));
    assert_eq!(*shared.lock().unwrap(), [40]);
}

#[test]
fn a_closure_is_a_job_like_any_other() {
    let _watched = watched();
    let pool = pool(2);
    let future = pool.spawn(|| (current().id(), current().worker(), current().attempt(), current().should_stop()));
    let id = future.id();
    let (seen, worker, attempt, stops) = future.result().unwrap();
    assert_eq!((seen, attempt, stops), (Some(id), 1, false));
    assert!(worker.is_some_and(|worker| worker < 2), "{worker:?}");

    let futures = (0..100u64).map(|n| pool.spawn(move || n));
    let sum: u64 = as_completed(futures).map(|done| done.result().unwrap()).sum();
    assert_eq!(sum, 4950);
    let waited = wait((0..10).map(|n| pool.spawn(move || n)), WaitFor::All, None);
    assert_eq!((waited.done.len(), waited.not_done.len()), (10, 0));
    assert_eq!(common::block_on(pool.spawn(|| "awaited")).unwrap(), "awaited");
}

#[test]
fn a_panic_is_the_outcome_and_resumes_with_its_payload() {
    let _watched = watched();
    let pool = pool(2);
    let error = pool.spawn(|| panic_any(OddPayload(17))).result().unwrap_err();
    assert!(error.is_panic());
    let payload = catch_unwind(AssertUnwindSafe(|| error.resume())).unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&OddPayload(17)));

    let line = line!() + 1;
    match pool.spawn(|| -> u32 { panic!("a closure fails {ON_PURPOSE}") }).result() {
        Err(JobError::Panicked { message, location: Some(location), .. }) => {
            assert_eq!(message, format!("a closure fails {ON_PURPOSE}"));
            assert!(location.contains("spawn.rs") && location.contains(&line.to_string()), "{location}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(pool.spawn(|| 1).result().unwrap(), 1);
    let stats = pool.stats();
    assert_eq!((stats.finished, stats.failed), (1, 2));
}

#[test]
fn what_a_closure_captured_is_dropped_before_its_future_is_done() {
    let _watched = watched();
    let pool = pool(2);
    for round in 0..3000 {
        let token = Arc::new(());
        let captured = Arc::clone(&token);
        let panics = round % 16 == 0;
        let future = pool.spawn(move || {
            let _captured = captured;
            assert!(!panics, "it fails {ON_PURPOSE}");
        });
        dawdle(round);
        while !future.is_done() {
            std::hint::spin_loop();
        }
        assert_eq!(Arc::strong_count(&token), 1, "round {round}");
        assert_eq!(future.result().is_err(), panics);
    }
}

#[test]
fn what_a_cancelled_closure_captured_is_dropped_when_cancel_returns() {
    let _watched = watched();
    let pool = pool(1);
    let gate = Gate::new();
    let pass = gate.pass();
    let blocked = pool.spawn(move || pass.go());
    gate.wait_for(1);
    let token = Arc::new(());
    let futures: Vec<_> = (0..200)
        .map(|_| {
            let captured = Arc::clone(&token);
            pool.spawn(move || drop(captured))
        })
        .collect();
    assert_eq!(Arc::strong_count(&token), 201);
    for (left, future) in (0..200).rev().zip(futures) {
        assert!(future.cancel());
        assert_eq!(Arc::strong_count(&token), left + 1);
        assert!(future.result().unwrap_err().is_cancelled());
    }
    gate.open();
    blocked.result().unwrap();
}

#[test]
fn a_closure_whose_future_is_dropped_still_runs_and_its_value_is_dropped() {
    let _watched = watched();
    let pool = pool(2);
    let token = Arc::new(());
    let ran = Arc::new(AtomicUsize::new(0));
    for _ in 0..500 {
        let (value, ran) = (Arc::clone(&token), Arc::clone(&ran));
        drop(pool.spawn(move || {
            ran.fetch_add(1, Ordering::Relaxed);
            value
        }));
    }
    pool.shutdown(Shutdown::Drain).unwrap();
    assert_eq!(ran.load(Ordering::Relaxed), 500);
    assert_eq!(Arc::strong_count(&token), 1);
}

#[test]
fn a_closure_after_shutdown_is_refused_and_dropped() {
    let _watched = watched();
    let pool = pool(2);
    pool.shutdown(Shutdown::Drain).unwrap();
    let ran = Arc::new(AtomicBool::new(false));
    let captured = Arc::clone(&ran);
    let future = pool.spawn(move || captured.store(true, Ordering::Relaxed));
    assert!(future.is_done());
    assert!(matches!(future.result(), Err(JobError::Rejected(Rejection::ShutDown))));
    assert_eq!(Arc::strong_count(&ran), 1);
    assert!(!ran.load(Ordering::Relaxed));
    assert_eq!(pool.stats().submitted(), 0);
}

#[test]
fn a_closure_spawns_closures_on_its_own_pool() {
    let _watched = watched();
    for workers in [1, 2] {
        let pool = pool(workers);
        let own = pool.clone();
        let outer = pool.spawn(move || {
            let inner = own.spawn(|| thread::current().id());
            let detached = Arc::new(AtomicUsize::new(0));
            for _ in 0..10 {
                let detached = Arc::clone(&detached);
                drop(own.spawn(move || detached.fetch_add(1, Ordering::Relaxed)));
            }
            (inner.result().unwrap(), thread::current().id(), detached)
        });
        let (inner, outer, detached) = outer.result().unwrap();
        if workers == 1 {
            assert_eq!(inner, outer);
        }
        pool.shutdown(Shutdown::Drain).unwrap();
        assert_eq!(detached.load(Ordering::Relaxed), 10);
    }
}

#[test]
fn many_closures_from_many_threads_run_once_each() {
    const EACH: usize = 20_000;
    let _watched = watched();
    let pool = pool(2);
    let runs: Arc<[AtomicUsize]> = (0..4 * EACH).map(|_| AtomicUsize::new(0)).collect();
    thread::scope(|scope| {
        for thread in 0..4 {
            let (pool, runs) = (&pool, &runs);
            scope.spawn(move || {
                let numbers = thread * EACH..(thread + 1) * EACH;
                let futures: Vec<_> = numbers
                    .clone()
                    .map(|n| {
                        let runs = Arc::clone(runs);
                        pool.spawn(move || runs[n].fetch_add(1, Ordering::Relaxed) + n)
                    })
                    .collect();
                for (n, future) in numbers.zip(futures) {
                    assert_eq!(future.result().unwrap(), n);
                }
            });
        }
    });
    assert!(runs.iter().all(|runs| runs.load(Ordering::Relaxed) == 1));
    assert_eq!(pool.stats().finished, 4 * EACH as u64);
}

#[test]
fn a_full_queue_holds_spawners_up() {
    const CAPACITY: usize = 3;
    let _watched = watched();
    let pool = ThreadExecutor::builder().workers(1).queue_capacity(CAPACITY).build().unwrap();
    let gate = Gate::new();
    let pass = gate.pass();
    let running = pool.spawn(move || pass.go());
    gate.wait_for(1);
    let handed_over = AtomicUsize::new(0);
    thread::scope(|scope| {
        let spawners: Vec<_> = (0..4)
            .map(|_| {
                let spawn = || {
                    let hand_over = |n: usize| {
                        let future = pool.spawn(move || n);
                        handed_over.fetch_add(1, Ordering::Relaxed);
                        future
                    };
                    let futures: Vec<_> = (0..1000).map(hand_over).collect();
                    futures.into_iter().map(|future| future.result().unwrap()).sum::<usize>()
                };
                thread::Builder::new().name("sp-full".to_owned()).spawn_scoped(scope, spawn).unwrap()
            })
            .collect();
        eventually("the queue is full", || handed_over.load(Ordering::Relaxed) >= CAPACITY);
        eventually("the spawners wait", || all_asleep("sp-full"));
        assert_eq!(handed_over.load(Ordering::Relaxed), CAPACITY);
        gate.open();
        for spawner in spawners {
            assert_eq!(spawner.join().unwrap(), 499_500);
        }
    });
    running.result().unwrap();
}

#[test]
fn a_spawner_that_waits_for_room_hears_of_a_shutdown() {
    let _watched = watched();
    let pool = ThreadExecutor::builder().workers(1).queue_capacity(1).build().unwrap();
    let gate = Gate::new();
    let pass = gate.pass();
    let running = pool.spawn(move || pass.go());
    gate.wait_for(1);
    let queued = pool.spawn(|| ());
    thread::scope(|scope| {
        let late = scope.spawn(|| pool.spawn(|| ()).result());
        let ends = scope.spawn(|| pool.shutdown(Shutdown::CancelPending));
        let outcome = late.join().unwrap();
        // It came before the shutdown and was cancelled with the rest, or it was refused.
        assert!(matches!(outcome, Err(JobError::Rejected(Rejection::ShutDown) | JobError::Cancelled)), "{outcome:?}");
        gate.open();
        ends.join().unwrap().unwrap();
    });
    assert_eq!(running.state(), JobState::Finished);
    assert!(queued.is_cancelled());
}

#[test]
fn a_wait_with_a_limit_leaves_the_closure_alone() {
    let _watched = watched();
    let pool = pool(1);
    let gate = Gate::new();
    let pass = gate.pass();
    let mut future = pool.spawn(move || {
        pass.go();
        7
    });
    assert!(future.result_timeout(Duration::from_millis(1)).unwrap_err().is_timeout());
    eventually("the closure runs", || future.is_running());
    assert!(future.try_result().is_none());
    assert!(!future.cancel());
    gate.open();
    assert_eq!(future.result().unwrap(), 7);
}
