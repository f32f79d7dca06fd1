//! Parties that wait for each other.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self};
use std::time::Duration;

use executor_ipc::sync::{Barrier, BarrierError, PARTIES_MAX};

use crate::{LONG, SHORT, THREADS, joined, lasting, many, sent, until};

/// Law 252.
#[test]
fn a_barrier_keeps_all_in_step() {
    for parties in [1, 2, 5] {
        let barrier = Barrier::new(parties).unwrap();
        let (leaders, come) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let rounds = 1_000;
        thread::scope(|scope| {
            let all = many(scope, parties, || {
                let barrier = sent(&barrier);
                for round in 0..rounds {
                    assert!(come.fetch_add(1, Ordering::Relaxed) >= round * parties);
                    let told = if round % 2 == 0 { barrier.wait() } else { barrier.wait_timeout(LONG) };
                    leaders.fetch_add(usize::from(told.unwrap().is_leader()), Ordering::Relaxed);
                    // All have come, and none is two rounds ahead.
                    let now = come.load(Ordering::Relaxed);
                    assert!((round + 1) * parties <= now && now <= (round + 2) * parties, "{now} in round {round}");
                }
            });
            joined(all);
        });
        assert_eq!((leaders.into_inner(), barrier.waiting(), barrier.parties()), (rounds, 0, parties));
        assert!(!barrier.is_broken());
    }
}

/// Law 252.
#[test]
fn the_action_runs_once_a_round_before_anybody_goes_on() {
    let barrier = Barrier::new(THREADS).unwrap();
    let actions = AtomicUsize::new(0);
    thread::scope(|scope| {
        let all = many(scope, THREADS, || {
            for round in 0..300 {
                let act = || _ = actions.fetch_add(1, Ordering::Relaxed);
                barrier.wait_with(act).unwrap();
                let now = actions.load(Ordering::Relaxed);
                assert!(round < now && now <= round + 2);
            }
        });
        joined(all);
    });
    assert_eq!(actions.into_inner(), 300);
}

/// More threads than parties: whoever comes while a round is complete waits for the next.
#[test]
fn a_barrier_lets_as_many_through_as_it_is_for() {
    let barrier = Barrier::new(2).unwrap();
    let (leaders, arrivals) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        let all = many(scope, 6, || {
            while arrivals.fetch_add(1, Ordering::Relaxed) < 600 {
                let told = barrier.wait_with(thread::yield_now).unwrap();
                leaders.fetch_add(usize::from(told.is_leader()), Ordering::Relaxed);
            }
        });
        joined(all);
    });
    assert_eq!((leaders.into_inner(), barrier.waiting()), (300, 0));
}

/// Law 253.
#[test]
fn a_barrier_is_aborted_for_all_and_reset() {
    let barrier = Barrier::new(3).unwrap();
    thread::scope(|scope| {
        let waiters = many(scope, 2, || barrier.wait());
        until("they wait", || barrier.waiting() == 2);
        barrier.abort();
        assert_eq!(joined(waiters), [Err(BarrierError::Aborted); 2]);
    });
    assert!(barrier.is_broken() && sent(&barrier).is_broken());
    assert_eq!(barrier.wait(), Err(BarrierError::Aborted));
    assert_eq!(barrier.wait_timeout(Duration::ZERO), Err(BarrierError::Aborted));
    barrier.reset();
    assert!(!barrier.is_broken());
    let works = || {
        thread::scope(|scope| {
            let told = joined(many(scope, 3, || barrier.wait().unwrap().is_leader()));
            assert_eq!(told.iter().filter(|&&leader| leader).count(), 1);
        });
    };
    works();
    thread::scope(|scope| {
        let waiters = many(scope, 2, || barrier.wait());
        until("they wait", || barrier.waiting() == 2);
        barrier.reset();
        assert_eq!(joined(waiters), [Err(BarrierError::Reset); 2]);
    });
    assert!(!barrier.is_broken());
    works();
}

/// Law 253.
#[test]
fn a_late_party_breaks_the_barrier_for_all() {
    let barrier = Barrier::new(3).unwrap();
    assert_eq!(barrier.wait_timeout(Duration::ZERO), Err(BarrierError::Timeout));
    barrier.reset();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| barrier.wait());
        until("it waits", || barrier.waiting() == 1);
        assert_eq!(lasting(SHORT, || barrier.wait_timeout(SHORT)), Err(BarrierError::Timeout));
        assert_eq!(waiting.join().unwrap(), Err(BarrierError::LateParty));
    });
    assert_eq!(barrier.wait(), Err(BarrierError::LateParty));
    assert_eq!(barrier.waiting(), 0);
}

#[test]
fn an_action_that_panics_breaks_the_barrier() {
    let barrier = Barrier::new(2).unwrap();
    let act = |panics: bool| catch_unwind(AssertUnwindSafe(|| barrier.wait_with(|| assert!(!panics)))).ok();
    thread::scope(|scope| {
        let all = joined(many(scope, 2, || act(true)));
        assert!(
            all == [None, Some(Err(BarrierError::ActionPanicked))]
                || all == [Some(Err(BarrierError::ActionPanicked)), None]
        );
    });
    assert_eq!(barrier.wait(), Err(BarrierError::ActionPanicked));
    // One that was broken or reset meanwhile is no success, and breaks nothing.
    for panics in [false, true] {
        barrier.reset();
        let reset = || {
            barrier.reset();
            assert!(!panics, "after a reset");
        };
        thread::scope(|scope| {
            let come = || catch_unwind(AssertUnwindSafe(|| barrier.wait_with(reset))).ok();
            let all = joined(many(scope, 2, come));
            assert!(all.contains(&Some(Err(BarrierError::Reset))));
            assert_eq!(all.contains(&None), panics);
        });
        assert!(!barrier.is_broken());
    }
}

#[test]
fn a_barrier_is_for_some_parties() {
    for parties in [0, PARTIES_MAX + 1, usize::MAX] {
        let said = Barrier::new(parties).unwrap_err().to_string();
        assert!(said.starts_with("a barrier is for 1 to 1024 parties"), "{said}");
    }
    assert_eq!(sent(&Barrier::new(PARTIES_MAX).unwrap()).parties(), PARTIES_MAX);
}
