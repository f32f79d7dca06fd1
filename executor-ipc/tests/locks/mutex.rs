//! One at a time: the mutex, and the one that a thread takes again.

use std::thread;
use std::time::{Duration, Instant};

use executor_ipc::sync::{LockTimeoutError, Mutex, ReentrantMutex, TryLockError};

use crate::{LONG, ROUNDS, THREADS, elsewhere, panics};

/// Law 246.
#[test]
fn one_thread_at_a_time_has_a_mutex() {
    let mutex = Mutex::new(0_u64).unwrap();
    thread::scope(|scope| {
        for _ in 0..THREADS {
            let mutex = mutex.clone();
            scope.spawn(move || {
                for _ in 0..ROUNDS {
                    *mutex.lock().unwrap() += 1;
                }
            });
        }
    });
    assert_eq!(*mutex.lock().unwrap(), THREADS as u64 * ROUNDS);
}

/// Law 246.
#[test]
fn a_mutex_that_somebody_has_is_not_had() {
    let mutex = Mutex::new([1_u8, 2, 3]).unwrap();
    thread::scope(|scope| {
        let held = elsewhere(scope, || mutex.lock().unwrap());
        assert!(mutex.is_locked());
        assert!(matches!(mutex.try_lock(), Err(TryLockError::WouldBlock)));
        for timeout in [Duration::ZERO, Duration::from_millis(20)] {
            let began = Instant::now();
            assert!(matches!(mutex.lock_timeout(timeout), Err(LockTimeoutError::Timeout)));
            assert!(began.elapsed() >= timeout);
        }
        drop(held);
        assert_eq!(*mutex.lock_timeout(LONG).unwrap(), [1, 2, 3]);
    });
    assert!(!mutex.is_locked());
    assert!(mutex.lock_timeout(Duration::ZERO).is_ok() && mutex.lock_timeout(Duration::MAX).is_ok());
    let _held = mutex.try_lock().unwrap();
    assert!(mutex.try_lock().is_err());
    assert!(panics(|| drop(mutex.lock())).contains("would wait for itself"));
}

/// Law 247.
#[test]
fn a_reentrant_mutex_is_free_after_as_many_releases() {
    let mutex = ReentrantMutex::new(0_u64).unwrap();
    let is_free = || thread::scope(|scope| scope.spawn(|| mutex.try_lock().is_ok()).join().unwrap());
    let first = mutex.lock().unwrap();
    let second = mutex.try_lock().unwrap();
    let third = mutex.lock_timeout(LONG).unwrap();
    third.set(first.get() + 1);
    second.set(second.get() + 1);
    assert_eq!(first.get(), 2);
    for guard in [second, first, third] {
        assert!(!is_free() && mutex.is_locked());
        drop(guard);
    }
    assert!(is_free() && !mutex.is_locked());
    thread::scope(|scope| {
        let held = elsewhere(scope, || [mutex.lock().unwrap(), mutex.lock().unwrap()]);
        assert!(matches!(mutex.lock_timeout(Duration::from_millis(5)), Err(LockTimeoutError::Timeout)));
        drop(held);
        assert!(mutex.lock_timeout(LONG).is_ok());
    });
}

/// Law 247.
#[test]
fn one_thread_at_a_time_has_a_reentrant_mutex() {
    let mutex = ReentrantMutex::new(0_u64).unwrap();
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for _ in 0..ROUNDS {
                    let outer = mutex.lock().unwrap();
                    let inner = mutex.lock().unwrap();
                    inner.set(outer.get() + 1);
                }
            });
        }
    });
    assert_eq!(mutex.lock().unwrap().get(), THREADS as u64 * ROUNDS);
}
