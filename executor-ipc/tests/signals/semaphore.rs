//! Permits that are acquired and released.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self};
use std::time::Duration;

use executor_ipc::sync::{PERMITS_MAX, Semaphore};

use crate::{LONG, SHORT, THREADS, joined, lasting, many, sent};

/// Law 249.
#[test]
fn a_semaphore_counts() {
    let semaphore = Semaphore::new(2).unwrap();
    assert_eq!(semaphore.available_permits(), 2);
    let (one, other) = (semaphore.acquire(), semaphore.try_acquire().unwrap());
    assert_eq!(semaphore.available_permits(), 0);
    assert!(semaphore.try_acquire().is_none());
    drop(one);
    assert_eq!(semaphore.available_permits(), 1);
    other.forget();
    assert_eq!(semaphore.available_permits(), 1);
    // It may have more than at first.
    semaphore.release_many(5).unwrap();
    assert_eq!(sent(&semaphore).available_permits(), 6);
    semaphore.release_many(0).unwrap();
    assert_eq!(semaphore.available_permits(), 6);
}

/// Law 249.
#[test]
fn a_bounded_semaphore_refuses_what_was_not_acquired() {
    let semaphore = Semaphore::bounded(2).unwrap();
    let said = semaphore.release().unwrap_err().to_string();
    assert!(said.starts_with("the semaphore has 2 of 2 permits"), "{said}");
    semaphore.acquire().forget();
    let same = sent(&semaphore);
    same.release_many(2).unwrap_err();
    assert_eq!(same.available_permits(), 1);
    same.release().unwrap();
    same.release().unwrap_err();
    // What was given back for it already is not given back twice.
    let permit = semaphore.acquire();
    semaphore.release().unwrap();
    drop(permit);
    assert_eq!(semaphore.available_permits(), 2);
    let closed = Semaphore::bounded(0).unwrap();
    assert!(closed.try_acquire().is_none() && closed.release().is_err());
}

#[test]
fn a_semaphore_has_as_many_permits_as_can_be_counted() {
    for permits in [PERMITS_MAX + 1, u32::MAX] {
        let said = Semaphore::new(permits).unwrap_err().to_string();
        assert!(said.contains("2147483647 permits at most"), "{said}");
        Semaphore::bounded(permits).unwrap_err();
    }
    let full = Semaphore::new(PERMITS_MAX).unwrap();
    full.release().unwrap_err();
    full.acquire().forget();
    full.release_many(u32::MAX).unwrap_err();
    full.release_many(2).unwrap_err();
    full.release().unwrap();
    assert_eq!(full.available_permits(), PERMITS_MAX);
}

/// Law 249.
#[test]
fn a_semaphore_is_waited_for_as_long_as_one_likes() {
    let semaphore = Semaphore::new(0).unwrap();
    for timeout in [Duration::ZERO, SHORT] {
        assert!(lasting(timeout, || semaphore.acquire_timeout(timeout)).is_none());
    }
    thread::scope(|scope| {
        let waiting = scope.spawn(|| semaphore.acquire_timeout(LONG).map(|permit| permit.forget()));
        let endless = scope.spawn(|| semaphore.acquire_timeout(Duration::MAX).map(|permit| permit.forget()));
        semaphore.release_many(2).unwrap();
        assert!(waiting.join().unwrap().is_some() && endless.join().unwrap().is_some());
    });
    semaphore.release().unwrap();
    assert!(semaphore.acquire_timeout(Duration::ZERO).is_some());
}

/// Law 249.
#[test]
fn as_many_are_let_in_as_there_are_permits() {
    let semaphore = Semaphore::bounded(2).unwrap();
    let inside = AtomicU32::new(0);
    thread::scope(|scope| {
        let inside = &inside;
        let all = many(scope, THREADS, || {
            let semaphore = sent(&semaphore);
            for round in 0..5_000 {
                let permit = match round % 3 {
                    0 => semaphore.acquire(),
                    1 => semaphore.acquire_timeout(LONG).unwrap(),
                    _ => loop {
                        // Gives up time and again, also when it was woken.
                        if let Some(permit) = semaphore.acquire_timeout(Duration::from_micros(1)) {
                            break permit;
                        }
                    },
                };
                assert!(inside.fetch_add(1, Ordering::SeqCst) < 2);
                inside.fetch_sub(1, Ordering::SeqCst);
                drop(permit);
            }
        });
        joined(all);
    });
    assert_eq!(semaphore.available_permits(), 2);
}

/// Every permit that is released is had by somebody, however they come and go.
#[test]
fn what_is_released_is_had() {
    let semaphore = Semaphore::new(0).unwrap();
    let rounds = 20_000;
    thread::scope(|scope| {
        let takers = many(scope, THREADS, || (0..rounds).for_each(|_| semaphore.acquire().forget()));
        let givers = many(scope, THREADS / 2, || (0..rounds).for_each(|_| semaphore.release_many(2).unwrap()));
        joined(givers);
        joined(takers);
    });
    assert_eq!(semaphore.available_permits(), 0);
}
