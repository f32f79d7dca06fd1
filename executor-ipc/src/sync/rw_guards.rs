#![expect(unsafe_code, reason = "a value in shared memory is reached by address while its lock is held")]
//! [`RwLockReadGuard`] and [`RwLockWriteGuard`]: a lock that is held, and the value behind it.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::atomic::{Ordering, compiler_fence};
use std::thread;

use crate::sync::error::{Repairable, sealed};
use crate::sync::robust::{Condition, Patience, RobustLock};

/// In the note beside the gate, together with a mark: somebody writes.
pub(crate) const WRITING: u32 = 1 << 31;

/// A [`RwLock`](crate::sync::RwLock) that is held for reading until this is dropped. It stays on its thread.
#[must_use = "to drop the guard is to release the lock"]
pub struct RwLockReadGuard<'a, T> {
    slot: &'a RobustLock,
    /// Nobody changes it as long as the slot is held.
    value: NonNull<T>,
}

// SAFETY: what it lends is a shared reference to the value, which several threads may then have.
unsafe impl<T: Sync> Sync for RwLockReadGuard<'_, T> {}

impl<'a, T> RwLockReadGuard<'a, T> {
    /// `slot` is one of the value, has just been taken by this thread, and counts it.
    pub(crate) fn new(slot: &'a RobustLock, value: NonNull<T>) -> Self {
        RwLockReadGuard { slot, value }
    }
}

impl<T> Deref for RwLockReadGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: it is mapped and aligned, any bytes are a value of it, and a writer would need the slot that this has.
        unsafe { self.value.as_ref() }
    }
}

impl<T> Drop for RwLockReadGuard<'_, T> {
    fn drop(&mut self) {
        // As often as it is counted, this thread reads.
        let times = self.slot.note().load(Ordering::Relaxed);
        self.slot.note().store(times.saturating_sub(1), Ordering::Relaxed);
        if times <= 1 {
            self.slot.unlock();
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for RwLockReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// A [`RwLock`](crate::sync::RwLock) that is held for writing until this is dropped.
///
/// It stays on its thread. A panic while it is held marks the value, as [`OwnerDied`](crate::sync::OwnerDied) says.
#[must_use = "to drop the guard is to release the lock"]
pub struct RwLockWriteGuard<'a, T> {
    /// The gate and all slots.
    all: Row<'a>,
    /// Nobody else reaches it as long as they are held.
    value: NonNull<T>,
    was_panicking: bool,
    of: PhantomData<&'a mut T>,
}

// SAFETY: what it lends is a shared reference to the value, which several threads may then have.
unsafe impl<T: Sync> Sync for RwLockWriteGuard<'_, T> {}

impl<'a, T> RwLockWriteGuard<'a, T> {
    /// `all` are the gate and the slots of the value, which was found in this condition.
    pub(crate) fn new(all: Row<'a>, found: Condition, value: NonNull<T>) -> Self {
        let guard = RwLockWriteGuard { all, value, was_panicking: thread::panicking(), of: PhantomData };
        guard.note(found as u32 | WRITING);
        guard
    }

    fn note(&self, note: u32) {
        // Whoever gets a slot later sees it by the lock. The fences keep the compiler from moving changes of the value across it, so
        // that it is right at whichever instruction this thread is killed; what came before that, the system orders.
        compiler_fence(Ordering::SeqCst);
        self.all.locks[0].note().store(note, Ordering::Relaxed);
        compiler_fence(Ordering::SeqCst);
    }
}

impl<T> Deref for RwLockWriteGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: it is mapped and aligned, any bytes are a value of it, and readers and writers would need a slot.
        unsafe { self.value.as_ref() }
    }
}

impl<T> DerefMut for RwLockWriteGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above; and this guard is borrowed alone.
        unsafe { self.value.as_mut() }
    }
}

impl<T> Drop for RwLockWriteGuard<'_, T> {
    fn drop(&mut self) {
        let panicked = !self.was_panicking && thread::panicking();
        let before = self.all.locks[0].note().load(Ordering::Relaxed) & !WRITING;
        self.note(if panicked { Condition::Panicked as u32 } else { before });
    }
}

impl<T> sealed::Sealed for RwLockWriteGuard<'_, T> {}

impl<T> Repairable for RwLockWriteGuard<'_, T> {
    fn declare_sound(&mut self) {
        self.note(Condition::Sound as u32 | WRITING);
    }
}

impl<T: fmt::Debug> fmt::Debug for RwLockWriteGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// Locks that are taken one after another, and released together.
pub(crate) struct Row<'a> {
    locks: &'a [RobustLock],
    /// How many of them, from the first on, are taken.
    taken: usize,
}

impl<'a> Row<'a> {
    /// Takes all of them, if they can be had in time.
    pub(crate) fn take(locks: &'a [RobustLock], patience: Patience) -> Option<Self> {
        let mut row = Row { locks, taken: 0 };
        for lock in locks {
            let _ = lock.take(patience)?;
            row.taken += 1;
        }
        Some(row)
    }
}

impl Drop for Row<'_> {
    fn drop(&mut self) {
        self.locks[..self.taken].iter().rev().for_each(RobustLock::unlock);
    }
}
