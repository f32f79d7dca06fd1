//! A flag that is waited for.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::thread::{self};
use std::time::Duration;

use executor_ipc::sync::Event;

use crate::{LONG, SHORT, THREADS, joined, lasting, many, sent, until};

/// Law 251.
#[test]
fn an_event_is_set_and_cleared() {
    let event = Event::new().unwrap();
    let same = sent(&event);
    assert!(!event.is_set() && !event.wait_timeout(Duration::ZERO));
    assert!(!lasting(SHORT, || event.wait_timeout(SHORT)));
    for _ in 0..2 {
        event.set();
        assert!(same.is_set() && same.wait_timeout(Duration::ZERO) && same.wait_timeout(LONG));
        same.wait();
    }
    for _ in 0..2 {
        same.clear();
        assert!(!event.is_set() && !event.wait_timeout(Duration::ZERO));
    }
}

/// Law 251.
#[test]
fn an_event_wakes_all_who_wait() {
    let event = Event::new().unwrap();
    let data = AtomicU32::new(0);
    for round in 1..=200 {
        thread::scope(|scope| {
            let waiters = many(scope, THREADS, || {
                let woken = event.wait_timeout(LONG);
                (woken, data.load(Ordering::Relaxed))
            });
            data.store(round, Ordering::Relaxed);
            event.set();
            assert!(joined(waiters).into_iter().all(|told| told == (true, round)));
        });
        event.clear();
    }
}

#[test]
fn who_waits_for_an_event_does_not_miss_it_when_it_is_cleared_at_once() {
    let event = Event::new().unwrap();
    let rounds = 2_000;
    let (waits, woken) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..rounds {
                waits.fetch_add(1, Ordering::SeqCst);
                event.wait();
                woken.fetch_add(1, Ordering::SeqCst);
            }
        });
        for round in 1..=rounds {
            until("it is about to wait", || waits.load(Ordering::SeqCst) >= round);
            // It may come later than that, and waits for the next then.
            until("it is woken", || {
                event.set();
                event.clear();
                woken.load(Ordering::SeqCst) >= round
            });
        }
    });
    assert_eq!(woken.into_inner(), rounds);
}
