#![expect(unsafe_code, reason = "a value in shared memory is reached by address while its lock is held")]
//! [`ReentrantMutex`]: one value, one holder at a time, who may take it again.

use std::cell::Cell;
use std::fmt;
use std::io;
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use bytemuck::AnyBitPattern;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::segment::Pages;
use crate::sync::error::{LockResult, LockTimeoutError, OwnerDied, Repairable, TryLockError, sealed, tried, waited};
use crate::sync::guarded::Guarded;
use crate::sync::holder::Holder;
use crate::sync::robust::{Condition, Patience, Reentry, Taken};

/// A mutex that the thread that has it can take again. It is free once every guard is dropped.
///
/// As there may be several guards at once, each gives the value as a [`Cell`]: to be read and replaced, and never lent.
///
/// ```
/// use executor_ipc::sync::ReentrantMutex;
///
/// let balance = ReentrantMutex::new(10_i64)?;
/// let deposit = |amount| {
///     let guard = balance.lock().unwrap();
///     guard.set(guard.get() + amount);
/// };
/// let both = balance.lock().unwrap();
/// deposit(5); // by the same thread
/// deposit(-5);
/// assert_eq!(both.get(), 10);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// What is said of [`Mutex`](crate::sync::Mutex) holds here too: plain data, and the death of a holder.
pub struct ReentrantMutex<T> {
    value: Guarded<T, 1>,
}

const KIND: &str = "ReentrantMutex";

impl<T: AnyBitPattern> ReentrantMutex<T> {
    /// A mutex with this value, that nobody has.
    ///
    /// # Errors
    ///
    /// Those of the system, when descriptors, addresses or memory have run out.
    pub fn new(value: T) -> io::Result<Self> {
        let mut guarded = Guarded::new(KIND, Reentry::Counted, 1, Pages::Usual)?;
        guarded.fill([value]);
        Ok(ReentrantMutex { value: guarded })
    }

    /// Waits until no other thread has the mutex, and takes it.
    ///
    /// # Errors
    ///
    /// If the last holder died or panicked. The mutex is had all the same, by the guard in the error.
    ///
    /// # Panics
    ///
    /// If this thread has it 2³² - 1 times.
    ///
    /// # Blocking
    ///
    /// As long as others have it. A holder that dies has it no more.
    pub fn lock(&self) -> LockResult<ReentrantMutexGuard<'_, T>> {
        self.guard(self.value.locks()[0].lock())
    }

    /// Takes the mutex if no other thread has it.
    ///
    /// # Errors
    ///
    /// If another thread has it; and as [`lock`](ReentrantMutex::lock).
    ///
    /// # Panics
    ///
    /// As [`lock`](ReentrantMutex::lock).
    pub fn try_lock(&self) -> Result<ReentrantMutexGuard<'_, T>, TryLockError<ReentrantMutexGuard<'_, T>>> {
        tried(self.take(Patience::None))
    }

    /// Waits until no other thread has the mutex, for so long at most, and takes it.
    ///
    /// # Errors
    ///
    /// If another thread has it all the while; and as [`lock`](ReentrantMutex::lock).
    ///
    /// # Panics
    ///
    /// As [`lock`](ReentrantMutex::lock).
    ///
    /// # Blocking
    ///
    /// For `timeout` at most.
    pub fn lock_timeout(
        &self,
        timeout: Duration,
    ) -> Result<ReentrantMutexGuard<'_, T>, LockTimeoutError<ReentrantMutexGuard<'_, T>>> {
        waited(self.take(Patience::of(timeout)))
    }

    /// True if a thread of any process has it, at this moment.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.value.locks()[0].holder().is_some()
    }

    fn take(&self, patience: Patience) -> Option<LockResult<ReentrantMutexGuard<'_, T>>> {
        self.value.locks()[0].take(patience).map(|taken| self.guard(taken))
    }

    fn guard(&self, taken: Taken) -> LockResult<ReentrantMutexGuard<'_, T>> {
        // What a dead holder counted ended with it.
        let depth = self.value.locks()[0].note();
        let before = if taken.from_the_dead { 0 } else { depth.load(Ordering::Relaxed) };
        depth.store(before.saturating_add(1), Ordering::Relaxed);
        let guard =
            ReentrantMutexGuard { mutex: self, was_panicking: thread::panicking(), value: self.value.values().cast() };
        OwnerDied::unless_sound(guard, taken.condition)
    }
}

/// A [`ReentrantMutex`] that is held until this and all other guards of the thread are dropped.
///
/// It stays on its thread. A panic while it is held marks the value, as [`OwnerDied`] says.
#[must_use = "to drop the guard is to release the lock"]
pub struct ReentrantMutexGuard<'a, T> {
    mutex: &'a ReentrantMutex<T>,
    was_panicking: bool,
    /// Only this thread reaches it as long as the lock is held.
    value: NonNull<Cell<T>>,
}

impl<T> Deref for ReentrantMutexGuard<'_, T> {
    type Target = Cell<T>;

    fn deref(&self) -> &Cell<T> {
        // SAFETY: it is mapped and aligned, any bytes are a value of it, and the lock keeps other threads from it. What
        // this thread lends of it are cells only, which stay on the thread.
        unsafe { self.value.as_ref() }
    }
}

impl<T> Drop for ReentrantMutexGuard<'_, T> {
    fn drop(&mut self) {
        let lock = &self.mutex.value.locks()[0];
        if !self.was_panicking && thread::panicking() {
            lock.mark(Condition::Panicked);
        }
        lock.note().store(lock.note().load(Ordering::Relaxed).saturating_sub(1), Ordering::Relaxed);
        lock.unlock();
    }
}

impl<T> sealed::Sealed for ReentrantMutexGuard<'_, T> {}

impl<T> Repairable for ReentrantMutexGuard<'_, T> {
    fn declare_sound(&mut self) {
        self.mutex.value.locks()[0].mark(Condition::Sound);
    }
}

impl<T: Copy + fmt::Debug> fmt::Debug for ReentrantMutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

impl<T> Clone for ReentrantMutex<T> {
    /// The same mutex.
    fn clone(&self) -> Self {
        ReentrantMutex { value: self.value.clone() }
    }
}

/// Tells who has it, and how many times. The value is not looked at.
impl<T> fmt::Debug for ReentrantMutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lock = &self.value.locks()[0];
        let holder = lock.holder().map(Holder::new);
        let depth = if holder.is_some() { lock.note().load(Ordering::Relaxed) } else { 0 };
        f.debug_struct(KIND).field("holder", &holder).field("depth", &depth).finish_non_exhaustive()
    }
}

impl<T> Serialize for ReentrantMutex<T> {
    /// # Errors
    ///
    /// Where no descriptors travel: see [`attach`](crate::attach).
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

impl<'de, T: AnyBitPattern> Deserialize<'de> for ReentrantMutex<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Guarded::deserialize(deserializer, KIND, 1).map(|value| ReentrantMutex { value })
    }
}
