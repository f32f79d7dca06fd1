//! Many who read, or one who writes.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use executor_ipc::sync::{LockTimeoutError, READERS_MAX, RwLock, TryLockError};

use crate::{LONG, ROUNDS, THREADS, elsewhere, panics, sent};

#[test]
fn readers_read_together_and_alone_from_writers() {
    let rw_lock = RwLock::new([0_u64; 2]).unwrap();
    let together = Barrier::new(THREADS);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                // All have it at once, or this never ends.
                let value = rw_lock.read().unwrap();
                together.wait();
                assert_eq!(*value, [0, 0]);
            });
        }
    });
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for round in 0..ROUNDS / 20 {
                    if round % 4 == 0 {
                        let mut value = rw_lock.write().unwrap();
                        value[0] += 1;
                        value[1] += 1;
                    } else {
                        let value = rw_lock.read().unwrap();
                        assert_eq!(value[0], value[1]);
                    }
                }
            });
        }
    });
    assert_eq!(*rw_lock.read().unwrap(), [THREADS as u64 * ROUNDS / 80; 2]);
}

#[test]
fn a_rw_lock_that_somebody_has_is_not_had() {
    let rw_lock = RwLock::new(0).unwrap();
    let short = Duration::from_millis(5);
    thread::scope(|scope| {
        let held = elsewhere(scope, || rw_lock.write().unwrap());
        assert!(matches!(rw_lock.try_read(), Err(TryLockError::WouldBlock)));
        assert!(matches!(rw_lock.try_write(), Err(TryLockError::WouldBlock)));
        assert!(matches!(rw_lock.read_timeout(short), Err(LockTimeoutError::Timeout)));
        assert!(matches!(rw_lock.write_timeout(short), Err(LockTimeoutError::Timeout)));
        drop(held);
        assert!(rw_lock.read_timeout(LONG).is_ok() && rw_lock.write_timeout(LONG).is_ok());
    });
    thread::scope(|scope| {
        let held = elsewhere(scope, || rw_lock.read().unwrap());
        assert!(matches!(rw_lock.try_write(), Err(TryLockError::WouldBlock)));
        let began = Instant::now();
        assert!(matches!(rw_lock.write_timeout(short), Err(LockTimeoutError::Timeout)));
        assert!(began.elapsed() >= short);
        // What the writers took on the way is released.
        assert!(rw_lock.try_read().is_ok() && rw_lock.read_timeout(short).is_ok());
        drop(held);
        assert!(rw_lock.write_timeout(LONG).is_ok());
    });
    let _written = rw_lock.write().unwrap();
    assert!(rw_lock.try_read().is_err() && rw_lock.try_write().is_err());
    let waits: [fn(&RwLock<i32>); 3] =
        [|lock| drop(lock.read()), |lock| drop(lock.write()), |lock| drop(lock.read_timeout(LONG))];
    for wait in waits {
        assert!(panics(|| wait(&rw_lock)).contains("would wait for itself"));
    }
}

#[test]
fn a_thread_that_reads_may_read_again_while_a_writer_waits() {
    let rw_lock = RwLock::new(0).unwrap();
    // Each thread has another slot, so that the writer has more or fewer of them when it waits for that one.
    for round in 0..READERS_MAX as u32 {
        thread::scope(|scope| {
            scope.spawn(|| {
                let first = rw_lock.read().unwrap();
                let writer = scope.spawn(|| *rw_lock.write().unwrap() += 1);
                // It waits once others cannot read any more.
                while !scope.spawn(|| rw_lock.try_read().is_err()).join().unwrap() {}
                // In most rounds it gets to its wait for that slot meanwhile.
                thread::sleep(Duration::from_micros(200));
                let second = rw_lock.read().unwrap();
                let third = rw_lock.try_read().unwrap();
                assert_eq!([*first, *second, *third], [round; 3]);
                // To write, the one would wait for the other.
                assert!(matches!(rw_lock.try_write(), Err(TryLockError::WouldBlock)));
                assert!(panics(|| drop(rw_lock.write())).contains("would wait for itself"));
                assert!(panics(|| drop(rw_lock.write_timeout(LONG))).contains("would wait for itself"));
                drop(first);
                let fourth = rw_lock.read_timeout(LONG).unwrap();
                drop((second, third, fourth));
                writer.join().unwrap();
            });
        });
    }
    assert_eq!(*rw_lock.read().unwrap(), READERS_MAX as u32);
}

#[test]
fn a_writer_is_not_kept_waiting_by_later_readers() {
    let rw_lock = RwLock::new(0).unwrap();
    for round in 0..20 {
        thread::scope(|scope| {
            let first = rw_lock.read().unwrap();
            let writer = scope.spawn(|| *rw_lock.write().unwrap() += 1);
            while !scope.spawn(|| rw_lock.try_read().is_err()).join().unwrap() {}
            // Whoever comes now reads what was written.
            let later: Vec<_> = (0..THREADS).map(|_| scope.spawn(|| *rw_lock.read().unwrap())).collect();
            assert_eq!(*first, round);
            drop(first);
            writer.join().unwrap();
            assert!(later.into_iter().all(|later| later.join().unwrap() == round + 1));
        });
    }
}

#[test]
fn every_mixture_of_reading_and_writing_is_right() {
    const SHORT: Duration = Duration::from_micros(50);
    /// Both halves are equal but while it is written.
    fn write(value: &mut [u64; 2]) -> u64 {
        assert_eq!(value[0], value[1]);
        value[0] += 1;
        std::hint::black_box(&mut *value)[1] += 1;
        1
    }
    fn read(value: &[u64; 2]) -> u64 {
        assert_eq!(value[0], value[1]);
        0
    }
    let rw_lock = RwLock::new([0_u64; 2]).unwrap();
    // Every other one came by another way.
    let handles: Vec<_> =
        (0..THREADS).map(|thread| if thread % 2 == 0 { rw_lock.clone() } else { sent(&rw_lock) }).collect();
    let written: u64 = thread::scope(|scope| {
        let threads: Vec<_> = (1_u64..)
            .zip(&handles)
            .map(|(seed, lock)| {
                scope.spawn(move || {
                    let mut random = seed * 0x9e37_79b9;
                    let turns = (0..ROUNDS / 4).map(|_| {
                        random ^= random << 13;
                        random ^= random >> 7;
                        random ^= random << 17;
                        match random % 8 {
                            0 => read(&lock.read().unwrap()),
                            1 => {
                                let outer = lock.read().unwrap();
                                read(&lock.read().unwrap())
                                    + lock.try_read().map_or(0, |value| read(&value))
                                    + read(&outer)
                            }
                            2 => lock.try_read().map_or(0, |value| read(&value)),
                            3 => lock.read_timeout(SHORT).map_or(0, |value| read(&value)),
                            4 => write(&mut lock.write().unwrap()),
                            5 => lock.try_write().map_or(0, |mut value| write(&mut value)),
                            6 => lock.write_timeout(SHORT).map_or(0, |mut value| write(&mut value)),
                            _ => lock.read().map_or(0, |value| u64::from(lock.try_write().is_ok()) + read(&value)),
                        }
                    });
                    turns.sum::<u64>()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(*rw_lock.read().unwrap(), [written; 2]);
    assert!(written > 0);
}

#[test]
fn as_many_read_as_can() {
    let rw_lock = RwLock::new(7).unwrap();
    thread::scope(|scope| {
        let mut held: Vec<_> = (0..READERS_MAX).map(|_| elsewhere(scope, || rw_lock.read().unwrap())).collect();
        assert!(matches!(rw_lock.try_read(), Err(TryLockError::WouldBlock)));
        assert!(matches!(rw_lock.read_timeout(Duration::from_millis(5)), Err(LockTimeoutError::Timeout)));
        let waiting = scope.spawn(|| *rw_lock.read().unwrap());
        held.clear();
        assert_eq!(waiting.join().unwrap(), 7);
    });
    // One thread reads as often as it likes.
    let mut all: Vec<_> = (0..3 * READERS_MAX).map(|_| rw_lock.read().unwrap()).collect();
    assert!(rw_lock.try_write().is_err());
    for place in [5, 0, 70, 1] {
        drop(all.swap_remove(place));
        assert!(rw_lock.try_write().is_err() && *all[place] == 7);
    }
    all.drain(1..);
    assert!(rw_lock.try_write().is_err());
    drop(all);
    assert!(rw_lock.try_write().is_ok());
}
