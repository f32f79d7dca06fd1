//! [`Semaphore`]: permits, to be had and given back.
//!
//! # How it works
//!
//! One word has it all: how many permits there are, and a bit, `WAITED`, that says that somebody may sleep.
//!
//! * *To acquire*: lower the number by compare-and-swap. If it is 0: set the bit, and sleep until the word is another. Who has
//!   slept sets the bit once more when it takes a permit, since it does not know who sleeps besides.
//! * *To release*: raise the number by compare-and-swap. If the bit is set, wake as many. If nobody slept, clear the
//!   bit, unless the word has changed.
//!
//! A wake gives nobody a permit: whoever lowers the number has it, woken or not. So nothing can be lost on the way.
//!
//! # After a death
//!
//! | who dies | what it leaves |
//! |---|---|
//! | a waiter, asleep | the bit: the next release makes one call of the system in vain, and clears it |
//! | a waiter that was woken, before it took the permit | the permit in the word, and perhaps others asleep beside it: they look again after a while |
//! | who releases, before the number is raised | it has not released |
//! | who releases, after that and before the wake | the permit in the word, as above |
//! | who has a permit | one permit less, as described at [`Semaphore`] |

use std::fmt;
use std::io;
use std::mem;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::futex::{self, Deadline, Waited};
use crate::segment::{Segment, Shape};
use crate::sync::sleep::sleep;

/// How many permits a semaphore can have: 2³¹ - 1, one bit less than its word.
pub const PERMITS_MAX: u32 = WAITED - 1;

/// The bit that says that somebody may sleep.
const WAITED: u32 = 1 << 31;

const SHAPE: Shape = Shape::new("Semaphore");

/// The permits with the bit, and how many there can be, which stays.
const BYTES: usize = 2 * size_of::<AtomicU32>();

/// A number of permits, which threads of any process acquire and give back.
///
/// ```
/// use executor_ipc::sync::Semaphore;
///
/// let connections = Semaphore::bounded(2)?;
/// let (one, other) = (connections.acquire(), connections.acquire());
/// assert!(connections.try_acquire().is_none());
/// drop(one); // gives it back
/// assert_eq!(connections.available_permits(), 1);
/// # drop(other);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// A permit need not be given back by who acquired it: [`forget`](SemaphorePermit::forget) it, and somebody else, of another
/// process too, calls [`release`](Semaphore::release). So a semaphore can also count what is there to be taken.
///
/// # When a process dies
///
/// A waiter that dies harms nobody. What died with a permit does not give it back, because a permit belongs to nobody, as with
/// the semaphores of POSIX and of Python: nothing tells a permit that the dead would have released from one that somebody else will.
/// Whoever learns of the death, as from the `WorkerDied` of a job, and knows what the dead one had, calls
/// [`release`](Semaphore::release) for it. Others wait until then; give their waits a limit where nobody would learn of it.
/// Where one at a time is let in, a [`Mutex`](crate::sync::Mutex) is the better choice: it comes back at once, with the news.
#[derive(Clone)]
pub struct Semaphore {
    segment: Segment,
    /// Learned once, so that nonsense that is written to the segment later changes nothing.
    limit: u32,
}

impl Semaphore {
    /// A semaphore with so many permits at first, and as many as are released.
    ///
    /// # Errors
    ///
    /// If there are more than [`PERMITS_MAX`]; and those of the system, when descriptors, addresses or memory have run out.
    pub fn new(permits: u32) -> io::Result<Self> {
        Semaphore::with_limit(permits, PERMITS_MAX)
    }

    /// A semaphore with so many permits, and never more: a release beyond them is an error.
    ///
    /// # Errors
    ///
    /// As [`new`](Semaphore::new).
    pub fn bounded(permits: u32) -> io::Result<Self> {
        Semaphore::with_limit(permits, permits)
    }

    fn with_limit(permits: u32, limit: u32) -> io::Result<Self> {
        if permits > PERMITS_MAX {
            let message = format!("a semaphore has {PERMITS_MAX} permits at most, and not {permits}");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let semaphore = Semaphore { segment: Segment::new(SHAPE, BYTES)?, limit };
        let [word, last] = semaphore.words();
        // Nobody else has them yet.
        word.store(permits, Ordering::Relaxed);
        last.store(limit, Ordering::Relaxed);
        Ok(semaphore)
    }

    /// Waits until there is a permit, and takes it.
    ///
    /// # Blocking
    ///
    /// Until somebody releases one. A process that dies releases nothing.
    #[inline]
    pub fn acquire(&self) -> SemaphorePermit<'_> {
        let taken = self.try_take(0).or_else(|| self.take_later(None));
        taken.unwrap_or_else(|| unreachable!("a wait without an end ends with a permit"))
    }

    /// Takes a permit if there is one.
    #[inline]
    pub fn try_acquire(&self) -> Option<SemaphorePermit<'_>> {
        self.try_take(0)
    }

    /// Waits until there is a permit, for so long at most, and takes it.
    ///
    /// # Blocking
    ///
    /// For `timeout` at most. With [`Duration::ZERO`] it is [`try_acquire`](Semaphore::try_acquire).
    pub fn acquire_timeout(&self, timeout: Duration) -> Option<SemaphorePermit<'_>> {
        // What is there at once costs no look at the clock.
        let later = || if timeout.is_zero() { None } else { self.take_later(Deadline::after(timeout)) };
        self.try_take(0).or_else(later)
    }

    /// One permit more, whoever acquired it.
    ///
    /// # Errors
    ///
    /// If there would be more than there were at first, of a [bounded](Semaphore::bounded) semaphore; more than [`PERMITS_MAX`], of
    /// any other. Nothing is released then.
    #[inline]
    pub fn release(&self) -> Result<(), ReleaseError> {
        self.release_many(1)
    }

    /// So many permits more, all at once.
    ///
    /// # Errors
    ///
    /// As [`release`](Semaphore::release).
    #[inline]
    pub fn release_many(&self, permits: u32) -> Result<(), ReleaseError> {
        let raise = |word: u32| {
            let raised = (word & !WAITED).checked_add(permits).filter(|&raised| raised <= self.limit)?;
            Some(word & WAITED | raised)
        };
        // `Release` pairs with the `Acquire` of whoever takes one of these permits.
        let before = self.word().fetch_update(Ordering::Release, Ordering::Relaxed, raise);
        let before = before.map_err(|word| ReleaseError { available: word & !WAITED, limit: self.limit })?;
        if before & WAITED != 0 && permits != 0 {
            self.wake(before + permits, permits);
        }
        Ok(())
    }

    /// How many permits there are, at this moment.
    #[must_use]
    pub fn available_permits(&self) -> u32 {
        self.word().load(Ordering::Relaxed) & !WAITED
    }

    fn words(&self) -> &[AtomicU32; 2] {
        self.segment.at(0)
    }

    #[inline]
    fn word(&self) -> &AtomicU32 {
        self.segment.at(0)
    }

    /// Takes a permit if there is one, and sets these bits with it.
    #[inline]
    fn try_take(&self, bits: u32) -> Option<SemaphorePermit<'_>> {
        let lower = |word: u32| (word & !WAITED != 0).then(|| (word - 1) | bits);
        // `Acquire` pairs with the `Release` of whoever gave it back: what it did before is seen.
        let before = self.word().fetch_update(Ordering::Acquire, Ordering::Relaxed, lower).ok()?;
        Some(SemaphorePermit { semaphore: self, left: (before - 1) | bits })
    }

    #[cold]
    fn take_later(&self, deadline: Option<Deadline>) -> Option<SemaphorePermit<'_>> {
        let word = self.word();
        let mut bits = 0;
        loop {
            // It is not so if there are permits now.
            let nobody_else = word.compare_exchange(0, WAITED, Ordering::Relaxed, Ordering::Relaxed);
            let waited = match nobody_else {
                Ok(_) | Err(WAITED) => {
                    bits = WAITED;
                    sleep(word, WAITED, deadline)
                }
                Err(_) => Waited::LookAgain,
            };
            let taken = self.try_take(bits);
            if taken.is_some() {
                return taken;
            }
            if waited == Waited::TimedOut {
                // If it had been woken before, it has set the bit again since.
                return None;
            }
        }
    }

    /// Wakes as many as there are new permits; `now` is what the word was made.
    #[cold]
    fn wake(&self, now: u32, permits: u32) {
        let word = self.word();
        if futex::wake(word, permits) == 0 {
            // If it is another by now, whoever changed it sees to it.
            let _ = word.compare_exchange(now, now & !WAITED, Ordering::Relaxed, Ordering::Relaxed);
        }
    }
}

/// A permit of a [`Semaphore`], which is given back when this is dropped.
#[must_use = "to drop it is to give it back"]
pub struct SemaphorePermit<'a> {
    semaphore: &'a Semaphore,
    /// What the word was when the permit had been taken.
    left: u32,
}

impl SemaphorePermit<'_> {
    /// Keeps the permit taken, until somebody [releases](Semaphore::release) one.
    pub fn forget(self) {
        mem::forget(self);
    }
}

impl Drop for SemaphorePermit<'_> {
    #[inline]
    fn drop(&mut self) {
        // Mostly nothing has happened since, and the word need not be read first, for which a processor waits as it has just
        // changed it. `Release` pairs as in `release_many`.
        let raised = self.left.wrapping_add(1);
        let word = self.semaphore.word();
        if self.left & WAITED != 0
            || word.compare_exchange(self.left, raised, Ordering::Release, Ordering::Relaxed).is_err()
        {
            // It fails if somebody has given it back already, by `release`.
            let _ = self.semaphore.release();
        }
    }
}

impl fmt::Debug for SemaphorePermit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SemaphorePermit").field("semaphore", self.semaphore).finish()
    }
}

/// The error of a release that would give a semaphore more permits than it can have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the semaphore has {available} of {limit} permits, and cannot have so many more: something was released twice")]
pub struct ReleaseError {
    available: u32,
    limit: u32,
}

/// Tells how many permits there are, and how many there can be if that was said.
impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("Semaphore");
        text.field("available_permits", &self.available_permits());
        if self.limit != PERMITS_MAX {
            text.field("bound", &self.limit);
        }
        text.finish_non_exhaustive()
    }
}

impl Serialize for Semaphore {
    /// # Errors
    ///
    /// Where no descriptors travel: see [`attach`](crate::attach).
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.segment.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Semaphore {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let segment = Segment::deserialize(deserializer, SHAPE, BYTES)?;
        let [_, limit] = segment.at::<[AtomicU32; 2]>(0);
        let limit = limit.load(Ordering::Relaxed);
        if limit > PERMITS_MAX {
            return Err(D::Error::custom("the memory of this Semaphore was overwritten"));
        }
        Ok(Semaphore { segment, limit })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attach::{collect, supply};

    #[test]
    fn what_others_write_is_not_believed() {
        let semaphore = Semaphore::bounded(2).unwrap();
        let [word, limit] = semaphore.words();
        word.store(u32::MAX, Ordering::Relaxed);
        semaphore.release().unwrap_err();
        assert_eq!(semaphore.available_permits(), PERMITS_MAX);
        limit.store(WAITED, Ordering::Relaxed);
        let (bytes, attachments) = collect(|| serde_json::to_string(&semaphore).unwrap());
        let said = supply(attachments, || serde_json::from_str::<Semaphore>(&bytes).unwrap_err().to_string());
        assert_eq!(said, "the memory of this Semaphore was overwritten");
    }

    #[test]
    fn after_all_who_waited_a_release_is_no_call_of_the_system() {
        let semaphore = Semaphore::new(0).unwrap();
        let word = || semaphore.word().load(Ordering::Relaxed);
        assert!(semaphore.acquire_timeout(Duration::from_millis(1)).is_none());
        assert_eq!(word(), WAITED);
        semaphore.release().unwrap();
        assert_eq!(word(), 1);
        drop(semaphore.acquire());
        assert_eq!(word(), 1);
    }
}
