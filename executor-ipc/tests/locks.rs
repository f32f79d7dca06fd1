//! Locks between the threads of one process.
#![allow(clippy::unwrap_used, reason = "these are tests")]

use std::mem;
use std::panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe, catch_unwind};
use std::sync::Barrier;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use executor_ipc::attach::{collect, supply};
use executor_ipc::sync::{
    LockTimeoutError, Mutex, MutexGuard, OwnerDied, READERS_MAX, ReentrantMutex, ReentrantMutexGuard, RwLock,
    RwLockReadGuard, RwLockWriteGuard, TryLockError,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(60);

const THREADS: usize = 4;
const ROUNDS: u64 = 20_000;

/// The same object, as if it had come from another process.
fn sent<T: Serialize + DeserializeOwned>(object: &T) -> T {
    let (bytes, attachments) = collect(|| postcard::to_stdvec(object).unwrap());
    supply(attachments, || postcard::from_bytes(&bytes).unwrap())
}

/// Calls `hold` on a thread that then goes on to have what it gave, until the answer is dropped.
fn elsewhere<'scope, 'env, G>(
    scope: &'scope thread::Scope<'scope, 'env>,
    hold: impl FnOnce() -> G + Send + 'scope,
) -> Sender<()> {
    let (has, it_has) = channel();
    let (release, released) = channel::<()>();
    scope.spawn(move || {
        let _held = hold();
        has.send(()).unwrap();
        let _ = released.recv();
    });
    it_has.recv().unwrap();
    release
}

fn panics(action: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(action)).unwrap_err();
    panic.downcast_ref::<String>().cloned().unwrap_or_else(|| panic.downcast_ref::<&str>().unwrap().to_string())
}

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

/// Law 248.
#[test]
fn the_debug_text_names_who_has_it() {
    let (mutex, reentrant, rw_lock) = (Mutex::new(0_u8), ReentrantMutex::new(0_u8), RwLock::new(0_u8));
    let (mutex, reentrant, rw_lock) = (mutex.unwrap(), reentrant.unwrap(), rw_lock.unwrap());
    assert_eq!(format!("{mutex:?}"), "Mutex { holder: None, .. }");
    assert_eq!(format!("{reentrant:?}"), "ReentrantMutex { holder: None, depth: 0, .. }");
    assert_eq!(format!("{rw_lock:?}"), "RwLock { writer: None, readers: [], .. }");
    let holder = thread::Builder::new().name("the holder".into()).spawn(move || {
        let thread = rustix::thread::gettid().as_raw_nonzero();
        let me = format!("thread {thread} \"the holder\" of process {}", std::process::id());
        let held =
            (mutex.lock().unwrap(), reentrant.lock().unwrap(), reentrant.lock().unwrap(), rw_lock.read().unwrap());
        assert_eq!(format!("{mutex:?}"), format!("Mutex {{ holder: Some({me}), .. }}"));
        assert_eq!(format!("{reentrant:?}"), format!("ReentrantMutex {{ holder: Some({me}), depth: 2, .. }}"));
        assert_eq!(format!("{rw_lock:?}"), format!("RwLock {{ writer: None, readers: [{me}], .. }}"));
        drop(held);
        let written = rw_lock.write().unwrap();
        assert_eq!(format!("{rw_lock:?}"), format!("RwLock {{ writer: Some({me}), readers: [], .. }}"));
        drop(written);
    });
    holder.unwrap().join().unwrap();
}

#[test]
fn a_panic_marks_the_value_until_it_is_repaired() {
    let mutex = Mutex::new([0_u8; 2]).unwrap();
    let half = || {
        panics(|| {
            let mut guard = mutex.lock().unwrap();
            guard[0] = 1;
            panic!("in the middle");
        })
    };
    assert_eq!(half(), "in the middle");
    let died = mutex.lock().unwrap_err();
    assert!(died.panicked() && died.to_string().contains("panicked meanwhile"), "{died}");
    assert_eq!(*died.into_inner(), [1, 0]);
    // It was looked at and not repaired.
    assert!(matches!(mutex.try_lock(), Err(TryLockError::OwnerDied(died)) if died.panicked()));
    let Err(LockTimeoutError::OwnerDied(died)) = mutex.lock_timeout(LONG) else { panic!("it is not repaired") };
    // A repair that fails is none.
    assert_eq!(panics(|| drop(died.repair(|_| panic!("no copy")))), "no copy");
    let guard = mutex.lock().unwrap_err().repair(|value| **value = [1, 1]);
    drop(guard);
    assert_eq!(*mutex.lock().unwrap(), [1, 1]);
}

#[test]
fn to_lock_while_unwinding_marks_nothing() {
    struct Count<'a>(&'a Mutex<u32>, &'a ReentrantMutex<u32>, &'a RwLock<u32>);
    impl Drop for Count<'_> {
        fn drop(&mut self) {
            *self.0.lock().unwrap() += 1;
            self.1.lock().unwrap().set(1);
            *self.2.write().unwrap() += 1;
        }
    }
    let locks = (Mutex::new(0).unwrap(), ReentrantMutex::new(0).unwrap(), RwLock::new(0).unwrap());
    panics(|| {
        let _count = Count(&locks.0, &locks.1, &locks.2);
        panic!("and unwind");
    });
    assert_eq!((*locks.0.lock().unwrap(), locks.1.lock().unwrap().get(), *locks.2.read().unwrap()), (1, 1, 1));
}

#[test]
fn a_panic_marks_the_value_of_a_reentrant_mutex() {
    let mutex = ReentrantMutex::new(0).unwrap();
    let outer = mutex.lock().unwrap();
    panics(|| {
        let _inner = mutex.lock().unwrap();
        panic!("within");
    });
    let inner = mutex.lock().unwrap_err();
    assert!(inner.panicked());
    drop(inner.repair(|value| value.set(3)));
    drop(outer);
    assert_eq!(mutex.lock().unwrap().get(), 3);
}

#[test]
fn a_thread_that_ends_gives_up_what_it_forgot() {
    let mutex = Mutex::new(5).unwrap();
    let reentrant = ReentrantMutex::new(5).unwrap();
    let rw_lock = RwLock::new(5).unwrap();
    let forget = |hold: &(dyn Fn() + Sync)| thread::scope(|scope| drop(scope.spawn(hold).join()));
    forget(&|| mem::forget(mutex.lock()));
    assert!(!mutex.lock().unwrap_err().panicked());
    forget(&|| mem::forget((reentrant.lock(), reentrant.lock())));
    assert_eq!(reentrant.lock().unwrap_err().into_inner().get(), 5);
    // A reader changed nothing.
    forget(&|| mem::forget(rw_lock.read()));
    assert_eq!(*rw_lock.write().unwrap(), 5);
    forget(&|| mem::forget(rw_lock.write()));
    let Err(TryLockError::OwnerDied(died)) = rw_lock.try_read() else { panic!("a writer died") };
    assert!(!died.panicked());
    drop(died);
    assert!(rw_lock.read().is_err());
    drop(rw_lock.write().unwrap_err().repair(|value| **value = 6));
    assert_eq!(*rw_lock.read().unwrap(), 6);
}

/// The list that the C library keeps leads through it.
#[test]
fn memory_of_a_lock_that_was_forgotten_stays() {
    let other = Mutex::new(0).unwrap();
    for _ in 0..100 {
        let mutex = Mutex::new(0_u64).unwrap();
        mem::forget(mutex.lock());
        drop(mutex);
        // The list is gone through by each of these.
        *other.lock().unwrap() += 1;
        let reentrant = ReentrantMutex::new(0_u64).unwrap();
        mem::forget((reentrant.lock(), reentrant.lock()));
        drop(reentrant);
        let rw_lock = RwLock::new(0_u64).unwrap();
        mem::forget((rw_lock.read(), rw_lock.read()));
    }
    assert_eq!(*other.lock().unwrap(), 100);
}

#[test]
fn one_lock_that_came_twice_is_one_lock() {
    let mutex = Mutex::new(1).unwrap();
    let same = sent(&mutex);
    let guard = mutex.lock().unwrap();
    assert!(same.is_locked() && same.try_lock().is_err());
    assert!(panics(|| drop(same.lock())).contains("would wait for itself"));
    drop(guard);
    *same.lock().unwrap() += 1;
    drop(same);
    assert_eq!(*mutex.lock().unwrap(), 2);

    // The C library has the address of the first lock of a thread in its list, whichever handle gives it up.
    let other = Mutex::new(0).unwrap();
    for _ in 0..100 {
        let mutex = ReentrantMutex::new(1).unwrap();
        let (same, third) = (sent(&mutex), sent(&mutex));
        let first = mutex.lock().unwrap();
        let second = same.lock().unwrap();
        drop(first);
        drop(mutex);
        assert!(thread::scope(|scope| scope.spawn(|| third.try_lock().is_err()).join().unwrap()));
        *other.lock().unwrap() += 1;
        second.set(2);
        drop(second);
        assert_eq!(thread::scope(|scope| scope.spawn(|| third.try_lock().unwrap().get()).join().unwrap()), 2);
    }
}

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

#[test]
fn a_panic_marks_the_value_of_a_rw_lock_if_it_wrote() {
    let rw_lock = RwLock::new(0).unwrap();
    panics(|| {
        let _read = rw_lock.read().unwrap();
        panic!("in vain");
    });
    assert!(rw_lock.read().is_ok());
    panics(|| {
        *rw_lock.write().unwrap() = 1;
        let _written = rw_lock.write().unwrap();
        panic!("in the middle");
    });
    assert!(rw_lock.read().unwrap_err().panicked());
    drop(rw_lock.write().unwrap_err().into_inner());
    assert_eq!(*rw_lock.read().unwrap_err().into_inner(), 1);
    drop(rw_lock.write().unwrap_err().repair(|value| **value = 2));
    assert_eq!(*rw_lock.read().unwrap(), 2);
}

#[test]
fn a_handle_of_another_kind_is_refused() {
    fn refusal<T: DeserializeOwned>(object: &impl Serialize) -> String {
        let (bytes, attachments) = collect(|| serde_json::to_string(object).unwrap());
        supply(attachments, || serde_json::from_str::<T>(&bytes).map(drop).unwrap_err().to_string())
    }
    let mutex = Mutex::new(0_u32).unwrap();
    let said = refusal::<ReentrantMutex<u32>>(&mutex);
    assert_eq!(said, "this ReentrantMutex<u32> cannot be taken in: it was sent as Mutex");
    let said = refusal::<Mutex<[u64; 4]>>(&mutex);
    assert_eq!(
        said,
        "this Mutex<[u64; 4]> cannot be taken in: it was sent as Mutex, with values of 4 bytes aligned to 4"
    );
    assert!(refusal::<Mutex<f32>>(&mutex).ends_with("with values of another type"));
    assert!(refusal::<Mutex<u32>>(&RwLock::new(0_u32).unwrap()).ends_with("it was sent as RwLock"));
    let said = postcard::to_stdvec(&mutex).map(drop).unwrap_err();
    assert_eq!(said, postcard::Error::SerdeSerCustom);
    let said = serde_json::to_string(&mutex).unwrap_err().to_string();
    assert!(said.starts_with("this Mutex cannot be written into bytes: send it as a job argument"), "{said}");
}

#[test]
fn values_may_want_any_alignment() {
    #[repr(C, align(4096))]
    #[derive(Clone, Copy, bytemuck::AnyBitPattern)]
    struct Page([u8; 4096]);
    let mutex = Mutex::new(Page([7; 4096])).unwrap();
    let same = sent(&mutex);
    let guard = same.lock().unwrap();
    assert!(guard.0 == [7; 4096] && (&raw const *guard).addr().is_multiple_of(4096));
    let nothing = Mutex::new(()).unwrap();
    drop(sent(&nothing).lock().unwrap());
}

#[test]
fn handles_go_to_other_threads_and_guards_do_not() {
    fn goes<T: Send + Sync + Clone + UnwindSafe + RefUnwindSafe>() {}
    goes::<Mutex<u8>>();
    goes::<ReentrantMutex<u8>>();
    goes::<RwLock<u8>>();
    fn is_shared<T: Sync>() {}
    is_shared::<MutexGuard<'_, u8>>();
    is_shared::<RwLockReadGuard<'_, u8>>();
    is_shared::<RwLockWriteGuard<'_, u8>>();
    is_shared::<OwnerDied<MutexGuard<'_, u8>>>();

    // For what goes to other threads it could be either of them, and would not compile.
    trait StaysIf<Why> {
        fn stays() {}
    }
    struct Goes;
    impl<T: ?Sized> StaysIf<()> for T {}
    impl<T: ?Sized + Send> StaysIf<Goes> for T {}
    <MutexGuard<'_, u8> as StaysIf<_>>::stays();
    <ReentrantMutexGuard<'_, u8> as StaysIf<_>>::stays();
    <RwLockReadGuard<'_, u8> as StaysIf<_>>::stays();
    <RwLockWriteGuard<'_, u8> as StaysIf<_>>::stays();
    <OwnerDied<MutexGuard<'_, u8>> as StaysIf<_>>::stays();
}
