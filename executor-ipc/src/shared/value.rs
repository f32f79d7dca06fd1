//! [`SharedValue`]: one value that several processes have.

use std::fmt;
use std::io;
use std::ops::Deref;
use std::time::Duration;

use bytemuck::{AnyBitPattern, Zeroable};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::segment::{Atom, Pages};
use crate::sync::guarded::Guarded;
use crate::sync::robust::{Patience, Reentry};
use crate::sync::{LockResult, LockTimeoutError, MutexGuard, OwnerDied, TryLockError, tried, waited};

/// One value that several threads have, of any process: with a lock, or an atomic, which needs none.
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use executor_ipc::SharedValue;
///
/// // Plain data has a lock.
/// let position = SharedValue::new([0.0_f64, 1.0])?;
/// position.set([2.0, 3.0]);
/// position.lock().unwrap()[1] += 1.0; // read and changed at once
/// assert_eq!(position.get().unwrap(), [2.0, 4.0]);
///
/// // An atomic is reached as it is.
/// let done = SharedValue::new(AtomicU64::new(0))?;
/// done.fetch_add(1, Ordering::Relaxed);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// A clone is the same value, and so is what arrives in another process. With a lock it is a [`Mutex`](crate::sync::Mutex) that can be
/// read and replaced as a whole besides.
pub struct SharedValue<T> {
    value: Guarded<T, 1>,
}

const KIND: &str = "SharedValue";

impl<T: Zeroable> SharedValue<T> {
    /// A value that is this at first.
    ///
    /// # Errors
    ///
    /// Those of the system, when descriptors, addresses or memory have run out.
    pub fn new(value: T) -> io::Result<Self> {
        let mut guarded = Guarded::new(KIND, Reentry::Refused, 1, Pages::Usual)?;
        guarded.fill([value]);
        Ok(SharedValue { value: guarded })
    }
}

impl<T: AnyBitPattern> SharedValue<T> {
    /// The value as it is now.
    ///
    /// # Errors
    ///
    /// If the last one who had the lock died or panicked meanwhile, so that it may be half changed.
    ///
    /// # Panics
    ///
    /// If this thread has the lock, and would wait for itself.
    ///
    /// # Blocking
    ///
    /// As long as others have the lock.
    pub fn get(&self) -> Result<T, OwnerDied<MutexGuard<'_, T>>> {
        self.lock().map(|value| *value)
    }

    /// Replaces the value. One that was half changed is whole again.
    ///
    /// # Panics
    ///
    /// If this thread has the lock, and would wait for itself.
    ///
    /// # Blocking
    ///
    /// As long as others have the lock.
    pub fn set(&self, value: T) {
        match self.lock() {
            Ok(mut guard) => *guard = value,
            Err(died) => drop(died.repair(|guard| **guard = value)),
        }
    }

    /// Waits until nobody has the lock, and takes it.
    ///
    /// # Errors
    ///
    /// If the last holder died or panicked. The lock is had all the same, by the guard in the error.
    ///
    /// # Panics
    ///
    /// If this thread has it already, and would wait for itself.
    ///
    /// # Blocking
    ///
    /// As long as others have it.
    #[inline]
    pub fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        self.value.lock()
    }

    /// Takes the lock if nobody has it.
    ///
    /// # Errors
    ///
    /// If somebody has it; and as [`lock`](SharedValue::lock).
    pub fn try_lock(&self) -> Result<MutexGuard<'_, T>, TryLockError<MutexGuard<'_, T>>> {
        tried(self.value.take(Patience::None))
    }

    /// Waits until nobody has the lock, for so long at most, and takes it.
    ///
    /// # Errors
    ///
    /// If somebody has it all the while; and as [`lock`](SharedValue::lock).
    ///
    /// # Panics
    ///
    /// As [`lock`](SharedValue::lock).
    ///
    /// # Blocking
    ///
    /// For `timeout` at most.
    pub fn lock_timeout(&self, timeout: Duration) -> Result<MutexGuard<'_, T>, LockTimeoutError<MutexGuard<'_, T>>> {
        waited(self.value.take(Patience::of(timeout)))
    }
}

/// An atomic is reached without the lock.
impl<A: Atom> Deref for SharedValue<A> {
    type Target = A;

    #[inline]
    fn deref(&self) -> &A {
        &self.value.atoms()[0]
    }
}

impl<T> Clone for SharedValue<T> {
    /// The same value.
    fn clone(&self) -> Self {
        SharedValue { value: self.value.clone() }
    }
}

/// The value is not looked at.
impl<T> fmt::Debug for SharedValue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(KIND).field("type", &std::any::type_name::<T>()).finish_non_exhaustive()
    }
}

impl<T> Serialize for SharedValue<T> {
    /// # Errors
    ///
    /// Where no descriptors travel: see [`attach`](crate::attach).
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

impl<'de, T: Zeroable> Deserialize<'de> for SharedValue<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Guarded::deserialize(deserializer, KIND, 1).map(|value| SharedValue { value })
    }
}
