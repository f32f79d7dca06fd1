//! What is left by holders that panic, end, or forget their guards.

use std::mem;
use std::thread;

use executor_ipc::sync::{LockTimeoutError, Mutex, ReentrantMutex, RwLock, TryLockError};

use crate::{LONG, panics};

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
