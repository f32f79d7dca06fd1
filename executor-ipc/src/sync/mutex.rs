//! [`Mutex`]: one value, one holder at a time.

use std::fmt;
use std::io;
use std::time::Duration;

use bytemuck::AnyBitPattern;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::segment::Pages;
use crate::sync::error::{LockResult, LockTimeoutError, TryLockError, tried, waited};
use crate::sync::guarded::Guarded;
use crate::sync::holder::Holder;
use crate::sync::mutex_guard::MutexGuard;
use crate::sync::robust::{Patience, Reentry};

/// A value of plain data that one thread at a time has, of any process.
///
/// It is used as [`std::sync::Mutex`] is. If whoever has it dies, the next one gets it with an
/// [`OwnerDied`](crate::sync::OwnerDied) error, at once, and can repair the value.
///
/// ```
/// use executor_ipc::sync::Mutex;
///
/// let counter = Mutex::new(0_u64)?;
/// let same = counter.clone(); // or sent to another process
/// *same.lock().unwrap() += 1;
/// assert_eq!(*counter.lock().unwrap(), 1);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// The value is plain data: numbers, arrays, and structs that derive [`bytemuck::AnyBitPattern`] (or `Pod`). What is not, such as a
/// `String`, does not compile, because its bytes mean nothing to another process.
///
/// ```compile_fail,E0277
/// executor_ipc::sync::Mutex::new(String::new());
/// ```
pub struct Mutex<T> {
    value: Guarded<T, 1>,
}

const KIND: &str = "Mutex";

impl<T: AnyBitPattern> Mutex<T> {
    /// A mutex with this value, that nobody has.
    ///
    /// # Errors
    ///
    /// Those of the system, when descriptors, addresses or memory have run out: each mutex takes a descriptor and, for a small
    /// value, 4 KiB of memory.
    pub fn new(value: T) -> io::Result<Self> {
        let mut guarded = Guarded::new(KIND, Reentry::Refused, 1, Pages::Usual)?;
        guarded.fill([value]);
        Ok(Mutex { value: guarded })
    }

    /// Waits until nobody has the mutex, and takes it.
    ///
    /// # Errors
    ///
    /// If the last holder died or panicked. The mutex is had all the same, by the guard in the error.
    ///
    /// # Panics
    ///
    /// If this thread has it already, and would wait for itself.
    ///
    /// # Blocking
    ///
    /// As long as others have it. A holder that dies has it no more.
    #[inline]
    pub fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        self.value.lock()
    }

    /// Takes the mutex if nobody has it.
    ///
    /// # Errors
    ///
    /// If somebody has it; and as [`lock`](Mutex::lock).
    pub fn try_lock(&self) -> Result<MutexGuard<'_, T>, TryLockError<MutexGuard<'_, T>>> {
        tried(self.value.take(Patience::None))
    }

    /// Waits until nobody has the mutex, for so long at most, and takes it.
    ///
    /// # Errors
    ///
    /// If somebody has it all the while; and as [`lock`](Mutex::lock).
    ///
    /// # Panics
    ///
    /// As [`lock`](Mutex::lock).
    ///
    /// # Blocking
    ///
    /// For `timeout` at most. With [`Duration::ZERO`] it is [`try_lock`](Mutex::try_lock).
    pub fn lock_timeout(&self, timeout: Duration) -> Result<MutexGuard<'_, T>, LockTimeoutError<MutexGuard<'_, T>>> {
        waited(self.value.take(Patience::of(timeout)))
    }

    /// True if somebody has it, of whatever process, at this moment.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.value.locks()[0].holder().is_some()
    }
}

impl<T> Clone for Mutex<T> {
    /// The same mutex.
    fn clone(&self) -> Self {
        Mutex { value: self.value.clone() }
    }
}

/// Tells who has it. The value is not looked at.
impl<T> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let holder = self.value.locks()[0].holder().map(Holder::new);
        f.debug_struct(KIND).field("holder", &holder).finish_non_exhaustive()
    }
}

impl<T> Serialize for Mutex<T> {
    /// # Errors
    ///
    /// Where no descriptors travel: see [`attach`](crate::attach).
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

impl<'de, T: AnyBitPattern> Deserialize<'de> for Mutex<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Guarded::deserialize(deserializer, KIND, 1).map(|value| Mutex { value })
    }
}
