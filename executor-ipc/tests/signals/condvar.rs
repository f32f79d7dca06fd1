//! Waits for a change of a value, and notifications of it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self};
use std::time::Duration;

use executor_ipc::sync::{Condvar, Mutex, WAITERS_MAX};

use crate::{LONG, SHORT, THREADS, joined, lasting, many, sent, until};

/// Law 250.
#[test]
fn one_that_notifies_wakes_one_and_many_wakes_as_many() {
    let (woken, condvar) = (Mutex::new(0_usize).unwrap(), Condvar::new().unwrap());
    let is_woken = |count| until("they are woken", || *woken.lock().unwrap() == count);
    thread::scope(|scope| {
        let waiters = many(scope, 10, || {
            let condvar = sent(&condvar);
            *condvar.wait(woken.lock().unwrap()).unwrap() += 1;
        });
        until("all wait", || condvar.waiting() == 10);
        let mut total = 0;
        for (count, notify) in [(1, 1), (3, 3), (0, 0), (1, 1)] {
            condvar.notify_many(notify);
            total += count;
            assert_eq!(condvar.waiting(), 10 - total);
            is_woken(total);
        }
        condvar.notify_one();
        is_woken(6);
        // Whoever was not notified waits on; nobody comes to it by chance.
        thread::sleep(3 * SHORT);
        assert_eq!((*woken.lock().unwrap(), condvar.waiting()), (6, 4));
        condvar.notify_all();
        joined(waiters);
    });
    assert_eq!((*woken.lock().unwrap(), condvar.waiting()), (10, 0));
}

/// Law 250.
#[test]
fn no_notification_is_left_over() {
    let (mutex, condvar) = (Mutex::new(()).unwrap(), Condvar::new().unwrap());
    let times_out = || {
        let (guard, notified) = lasting(SHORT, || condvar.wait_timeout(mutex.lock().unwrap(), SHORT).unwrap());
        drop(guard);
        !notified
    };
    condvar.notify_one();
    condvar.notify_many(7);
    condvar.notify_all();
    assert!(times_out());
    thread::scope(|scope| {
        let waiting = scope.spawn(|| condvar.wait_timeout(mutex.lock().unwrap(), LONG).unwrap().1);
        until("it waits", || condvar.waiting() == 1);
        condvar.notify_many(7);
        assert!(waiting.join().unwrap());
    });
    assert!(times_out());
    assert_eq!(condvar.waiting(), 0);
}

/// Law 250.
#[test]
fn a_predicate_is_waited_for_with_one_limit_for_all() {
    let (state, condvar) = (Mutex::new(0_u32).unwrap(), Condvar::new().unwrap());
    thread::scope(|scope| {
        let waiting = scope.spawn(|| *condvar.wait_while(state.lock().unwrap(), |state| *state < 4).unwrap());
        let limited = scope.spawn(|| {
            let waited = condvar.wait_timeout_while(state.lock().unwrap(), LONG, |state| *state < 3).unwrap();
            (*waited.0 >= 3, waited.1)
        });
        for _ in 0..4 {
            *state.lock().unwrap() += 1;
            condvar.notify_all();
        }
        assert_eq!((waiting.join().unwrap(), limited.join().unwrap()), (4, (true, true)));

        // Notified time and again, and in vain.
        let over = AtomicU32::new(0);
        thread::scope(|scope| {
            let notifying = scope.spawn(|| {
                while over.load(Ordering::SeqCst) == 0 {
                    condvar.notify_all();
                    thread::yield_now();
                }
            });
            let in_vain =
                || condvar.wait_timeout_while(state.lock().unwrap(), 3 * SHORT, |state| *state == 4).unwrap().1;
            let became_so = lasting(3 * SHORT, in_vain);
            over.store(1, Ordering::SeqCst);
            notifying.join().unwrap();
            assert!(!became_so);
        });
    });
    // What is so already is not waited for.
    assert!(condvar.wait_timeout_while(state.lock().unwrap(), Duration::ZERO, |_| false).unwrap().1);
    assert!(!condvar.wait_timeout_while(state.lock().unwrap(), Duration::ZERO, |_| true).unwrap().1);
}

#[test]
fn a_queue_of_notifications_loses_none() {
    let (items, more) = (Mutex::new(0_usize).unwrap(), Condvar::new().unwrap());
    let rounds = 5_000;
    thread::scope(|scope| {
        let takers = many(scope, THREADS, || {
            for _ in 0..rounds {
                *more.wait_while(items.lock().unwrap(), |items| *items == 0).unwrap() -= 1;
            }
        });
        let givers = many(scope, THREADS, || {
            for _ in 0..rounds {
                *items.lock().unwrap() += 1;
                more.notify_one();
            }
        });
        joined(givers);
        joined(takers);
    });
    assert_eq!((*items.lock().unwrap(), more.waiting()), (0, 0));
}

#[test]
fn more_may_wait_than_there_are_seats() {
    let (open, condvar) = (Mutex::new(0_u8).unwrap(), Condvar::new().unwrap());
    thread::scope(|scope| {
        let waiters = many(scope, WAITERS_MAX + 5, || {
            drop(condvar.wait_while(open.lock().unwrap(), |open| *open == 0).unwrap());
        });
        until("all seats are taken", || condvar.waiting() == WAITERS_MAX);
        *open.lock().unwrap() = 1;
        condvar.notify_all();
        joined(waiters);
    });
    assert_eq!(condvar.waiting(), 0);
}

#[test]
fn who_waits_is_told_of_a_panic_under_the_mutex() {
    let (mutex, condvar) = (Mutex::new(0_u8).unwrap(), Condvar::new().unwrap());
    thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let died = condvar.wait(mutex.lock().unwrap()).unwrap_err();
            assert!(died.panicked());
            drop(died);
            let died = condvar.wait_timeout(mutex.lock().unwrap_err().into_inner(), SHORT).unwrap_err();
            assert!(died.panicked());
            let (guard, notified) = died.repair(|(value, _)| **value = 7);
            assert_eq!((*guard, notified), (7, false));
        });
        until("it waits", || condvar.waiting() == 1);
        let panicking = catch_unwind(AssertUnwindSafe(|| {
            let _held = mutex.lock().unwrap();
            panic!("while it has the mutex");
        }));
        assert!(panicking.is_err());
        condvar.notify_one();
        waiting.join().unwrap();
    });
    assert_eq!(*mutex.lock().unwrap(), 7);
}
