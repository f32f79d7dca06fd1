#![expect(unsafe_code, reason = "a value in shared memory is reached by address while its lock is held")]
//! [`MutexGuard`]: a lock that is held, and the value behind it.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::thread;

use bytemuck::AnyBitPattern;

use crate::sync::error::{LockResult, OwnerDied, Repairable, sealed};
use crate::sync::guarded::Guarded;
use crate::sync::robust::{Condition, Patience, RobustLock, Taken};

/// A lock that is held until this is dropped, and the value behind it.
///
/// It stays on its thread. A panic while it is held marks the value, as [`OwnerDied`] says.
#[must_use = "to drop the guard is to release the lock"]
pub struct MutexGuard<'a, T: ?Sized> {
    lock: &'a RobustLock,
    /// Nobody else reaches it as long as the lock is held.
    value: NonNull<T>,
    was_panicking: bool,
    of: PhantomData<&'a mut T>,
}

// SAFETY: what it lends is a shared reference to the value, which several threads may then have.
unsafe impl<T: ?Sized + Sync> Sync for MutexGuard<'_, T> {}

impl<T: AnyBitPattern> Guarded<T, 1> {
    /// Waits for the lock, and gives the first value, which there is.
    #[inline]
    pub(crate) fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        // What is known before need not be waited for behind the lock, which the processor lets nothing overtake.
        let (value, was_panicking) = (self.values().cast(), thread::panicking());
        let lock = &self.locks()[0];
        let taken = lock.lock();
        OwnerDied::unless_sound(MutexGuard { lock, value, was_panicking, of: PhantomData }, taken.condition)
    }

    /// Takes the lock, if it can be had in time, and gives the first value, which there is.
    pub(crate) fn take(&self, patience: Patience) -> Option<LockResult<MutexGuard<'_, T>>> {
        let taken = self.locks()[0].take(patience)?;
        Some(self.guard(taken, self.values().cast()))
    }

    /// Takes the lock, if it can be had in time, and gives all values.
    #[inline]
    pub(crate) fn take_all(&self, patience: Patience) -> Option<LockResult<MutexGuard<'_, [T]>>> {
        let taken = self.locks()[0].take(patience)?;
        Some(self.guard(taken, self.values()))
    }

    /// `value` is among the values.
    #[inline]
    fn guard<V: ?Sized>(&self, taken: Taken, value: NonNull<V>) -> LockResult<MutexGuard<'_, V>> {
        OwnerDied::unless_sound(MutexGuard::new(&self.locks()[0], value), taken.condition)
    }
}

impl<'a, T: ?Sized> MutexGuard<'a, T> {
    /// Of a lock that this thread has just got, and the value behind it.
    #[inline]
    fn new(lock: &'a RobustLock, value: NonNull<T>) -> Self {
        MutexGuard { lock, value, was_panicking: thread::panicking(), of: PhantomData }
    }

    /// Releases the lock, calls `wait`, and takes the lock again, as a condition variable does.
    pub(crate) fn release_while<R>(self, wait: impl FnOnce() -> R) -> (R, LockResult<Self>) {
        let MutexGuard { lock, value, .. } = self;
        drop(self);
        let waited = wait();
        let taken = lock.lock();
        (waited, OwnerDied::unless_sound(MutexGuard::new(lock, value), taken.condition))
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: it is mapped and aligned, any bytes are a value of it, and the lock keeps everybody else from changing it.
        unsafe { self.value.as_ref() }
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above; the lock keeps everybody else from reading it too, and this guard is borrowed alone.
        unsafe { self.value.as_mut() }
    }
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if !self.was_panicking && thread::panicking() {
            self.lock.mark(Condition::Panicked);
        }
        self.lock.unlock();
    }
}

impl<T: ?Sized> sealed::Sealed for MutexGuard<'_, T> {}

impl<T: ?Sized> Repairable for MutexGuard<'_, T> {
    fn declare_sound(&mut self) {
        self.lock.mark(Condition::Sound);
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
