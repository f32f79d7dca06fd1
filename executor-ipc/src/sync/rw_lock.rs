//! [`RwLock`]: one value, many readers or one writer.
//!
//! # How it works
//!
//! A count of readers in shared memory would stay too high when a reader dies. So a reader does not count: it has one of
//! [`READERS_MAX`] *slots*, each a robust lock, and the writer has them all. The system gives up the slots of the dead, as it does
//! any lock.
//!
//! * *To read*: take a slot that is free, beginning with one that belongs to the thread, so that readers seldom meet.
//! * *To write*: take the *gate*, then every slot, one after another.
//! * *Fairness*: who wants to read while somebody has the gate goes through it first. So a writer waits for those only who read
//!   already.
//! * *To read again*: the writer waits for such a thread, and may have every other slot. So the thread goes past the gate, and
//!   counts in the note of its slot, which is its own as long as it has the slot.
//!
//! # After a death
//!
//! The note beside the gate says what the value was left in, and whether somebody writes. It is written by whoever has the
//! slots for it, the writer, who says that it begins and that it has ended. Who has a slot and finds the note of a writer has
//! found one that died, since a writer has every slot as long as it writes. A reader that died changed nothing, and a writer that
//! died before it had all slots did not either; nobody is told of them.

use std::fmt;
use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytemuck::AnyBitPattern;
use rustix::thread::gettid;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::segment::Pages;
use crate::sync::error::{LockResult, LockTimeoutError, OwnerDied, TryLockError, tried, waited};
use crate::sync::guarded::Guarded;
use crate::sync::holder::Holder;
use crate::sync::robust::{Condition, Patience, Reentry, RobustLock};
use crate::sync::rw_guards::{Row, RwLockReadGuard, RwLockWriteGuard, WRITING};

/// How many threads, of all processes, can read at once; further ones wait. A writer takes as many locks, in about 0.3 µs.
pub const READERS_MAX: usize = 32;

/// The gate and the slots.
const LOCKS: usize = 1 + READERS_MAX;

/// A value of plain data that many threads read at once, or one changes, of any process.
///
/// It is used as [`std::sync::RwLock`] is. A writer is not kept waiting by readers that come after it. If a writer dies,
/// the next ones, readers too, get an [`OwnerDied`] error with their guard, until a writer has repaired the value; a reader that dies
/// harms nobody.
///
/// To write takes about forty times as long as to lock a [`Mutex`](crate::sync::Mutex), and to read a third longer than that; so it
/// is for values that are read for a while, by many, and seldom changed.
///
/// ```
/// use executor_ipc::sync::RwLock;
///
/// let limits = RwLock::new([10_u32, 20])?;
/// {
///     let (one, other) = (limits.read().unwrap(), limits.read().unwrap());
///     assert_eq!(one[0] + other[1], 30);
/// }
/// limits.write().unwrap()[0] = 11;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct RwLock<T> {
    value: Guarded<T, LOCKS>,
}

const KIND: &str = "RwLock";

impl<T: AnyBitPattern> RwLock<T> {
    /// A lock with this value, that nobody has.
    ///
    /// # Errors
    ///
    /// Those of the system, when descriptors, addresses or memory have run out.
    pub fn new(value: T) -> io::Result<Self> {
        let mut guarded = Guarded::new(KIND, Reentry::Refused, 1, Pages::Usual)?;
        guarded.fill([value]);
        Ok(RwLock { value: guarded })
    }

    /// Waits until nobody writes, and reads. A thread that reads may do so again.
    ///
    /// # Errors
    ///
    /// If a writer died or panicked, and the value was not repaired since. The guard is in the error.
    ///
    /// # Panics
    ///
    /// If this thread writes, and would wait for itself.
    ///
    /// # Blocking
    ///
    /// As long as others write or wait to, or as many read as can.
    pub fn read(&self) -> LockResult<RwLockReadGuard<'_, T>> {
        self.reader(Patience::Endless).expect("a wait without an end ends with the lock")
    }

    /// Reads, if nobody writes or waits to.
    ///
    /// # Errors
    ///
    /// If somebody does, or as many read as can; and as [`read`](RwLock::read).
    pub fn try_read(&self) -> Result<RwLockReadGuard<'_, T>, TryLockError<RwLockReadGuard<'_, T>>> {
        tried(self.reader(Patience::None))
    }

    /// Waits until nobody writes, for so long at most, and reads.
    ///
    /// # Errors
    ///
    /// If the time is over; and as [`read`](RwLock::read).
    ///
    /// # Panics
    ///
    /// As [`read`](RwLock::read).
    ///
    /// # Blocking
    ///
    /// For `timeout` at most.
    pub fn read_timeout(
        &self,
        timeout: Duration,
    ) -> Result<RwLockReadGuard<'_, T>, LockTimeoutError<RwLockReadGuard<'_, T>>> {
        waited(self.reader(Patience::of(timeout)))
    }

    /// Waits until nobody reads or writes, and writes.
    ///
    /// # Errors
    ///
    /// If a writer died or panicked, and the value was not repaired since. The guard is in the error.
    ///
    /// # Panics
    ///
    /// If this thread reads or writes, and would wait for itself.
    ///
    /// # Blocking
    ///
    /// As long as others read or write; those who come later to read wait for this one.
    pub fn write(&self) -> LockResult<RwLockWriteGuard<'_, T>> {
        self.writer(Patience::Endless).expect("a wait without an end ends with the lock")
    }

    /// Writes, if nobody reads or writes.
    ///
    /// # Errors
    ///
    /// If somebody does; and as [`write`](RwLock::write).
    pub fn try_write(&self) -> Result<RwLockWriteGuard<'_, T>, TryLockError<RwLockWriteGuard<'_, T>>> {
        tried(self.writer(Patience::None))
    }

    /// Waits until nobody reads or writes, for so long at most, and writes.
    ///
    /// # Errors
    ///
    /// If the time is over; and as [`write`](RwLock::write).
    ///
    /// # Panics
    ///
    /// As [`write`](RwLock::write).
    ///
    /// # Blocking
    ///
    /// For `timeout` at most.
    pub fn write_timeout(
        &self,
        timeout: Duration,
    ) -> Result<RwLockWriteGuard<'_, T>, LockTimeoutError<RwLockWriteGuard<'_, T>>> {
        waited(self.writer(Patience::of(timeout)))
    }

    fn reader(&self, patience: Patience) -> Option<LockResult<RwLockReadGuard<'_, T>>> {
        let slot = self.slot(patience)?;
        let guard = RwLockReadGuard::new(slot, self.value.values().cast());
        Some(OwnerDied::unless_sound(guard, self.found()))
    }

    /// A slot that this thread has got once more.
    fn slot(&self, patience: Patience) -> Option<&RobustLock> {
        let [gate, slots @ ..] = self.value.locks();
        let own = || slots.iter().find(|slot| is_held_by_this_thread(slot));
        if gate.holder().is_some() {
            if let Some(own) = own() {
                return self.read_again(own, patience);
            }
            let _ = gate.take(patience)?;
            gate.unlock();
        }
        let (before, after) = slots.split_at(home());
        let mut in_turn = after.iter().chain(before);
        let slot = match in_turn.clone().find(|slot| slot.try_lock().is_some()) {
            Some(free) => free,
            // A writer that came meanwhile may have all others, and wait for this one.
            None if let Some(own) = own() => return self.read_again(own, patience),
            None => in_turn.next().filter(|slot| slot.take(patience).is_some())?,
        };
        slot.note().store(1, Ordering::Relaxed);
        Some(slot)
    }

    /// Counts the slot that this thread has, if it reads by it.
    fn read_again<'a>(&self, own: &'a RobustLock, patience: Patience) -> Option<&'a RobustLock> {
        if is_held_by_this_thread(&self.value.locks()[0]) {
            return refuse(patience);
        }
        own.note().store(own.note().load(Ordering::Relaxed).saturating_add(1), Ordering::Relaxed);
        Some(own)
    }

    fn writer(&self, patience: Patience) -> Option<LockResult<RwLockWriteGuard<'_, T>>> {
        let [_gate, slots @ ..] = self.value.locks();
        // Whoever has the gate may wait for the slot of this thread.
        if slots.iter().any(is_held_by_this_thread) {
            return refuse(patience);
        }
        let all = Row::take(self.value.locks(), patience)?;
        let condition = self.found();
        Some(OwnerDied::unless_sound(RwLockWriteGuard::new(all, condition, self.value.values().cast()), condition))
    }

    /// What the value was left in, as whoever has a slot finds it.
    fn found(&self) -> Condition {
        let note = self.value.locks()[0].note();
        // The slots order it: it is written by whoever has them all, and read by whoever has one.
        let found = note.load(Ordering::Relaxed);
        if found & WRITING == 0 {
            return Condition::of_mark(found);
        }
        // Whoever has another slot finds and writes the same.
        note.store(Condition::OwnerDied as u32, Ordering::Relaxed);
        Condition::OwnerDied
    }
}

/// What somebody has is not had; to wait for it would be for ever, as this thread has it.
fn refuse<R>(patience: Patience) -> Option<R> {
    assert!(matches!(patience, Patience::None), "this thread has the lock already, and would wait for itself");
    None
}

fn is_held_by_this_thread(lock: &RobustLock) -> bool {
    lock.holder().is_some_and(|holder| holder == gettid().as_raw_nonzero().get().cast_unsigned())
}

/// The place of the slot with which this thread begins. After a fork two threads have the same, which does no harm.
fn home() -> usize {
    thread_local! {
        static HOME: usize = gettid().as_raw_nonzero().get().cast_unsigned() as usize % READERS_MAX;
    }
    HOME.with(|home| *home)
}

impl<T> Clone for RwLock<T> {
    /// The same lock.
    fn clone(&self) -> Self {
        RwLock { value: self.value.clone() }
    }
}

/// Tells who writes, or waits to, and who reads. The value is not looked at.
impl<T> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [gate, slots @ ..] = self.value.locks();
        let writer = gate.holder();
        let readers: Vec<Holder> = slots
            .iter()
            .filter_map(RobustLock::holder)
            .filter(|&holder| Some(holder) != writer)
            .map(Holder::new)
            .collect();
        let writer = writer.map(Holder::new);
        f.debug_struct(KIND).field("writer", &writer).field("readers", &readers).finish_non_exhaustive()
    }
}

impl<T> Serialize for RwLock<T> {
    /// # Errors
    ///
    /// Where no descriptors travel: see [`attach`](crate::attach).
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

impl<'de, T: AnyBitPattern> Deserialize<'de> for RwLock<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Guarded::deserialize(deserializer, KIND, 1).map(|value| RwLock { value })
    }
}
