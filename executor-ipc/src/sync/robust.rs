#![expect(unsafe_code, reason = "only the C library can tell the system which locks a thread has")]
//! [`RobustLock`]: a lock in shared memory that outlives its holder.
//!
//! It is the C library's mutex, shared between processes and *robust*: each thread keeps a list of those it has, and when it
//! ends, however it does, the system marks them and wakes whoever waits. Nothing in memory could tell that by itself, as the
//! number of a dead thread is given to another one sooner or later; and there is one such list a thread, which is the C library's.
//!
//! That list goes through the locks themselves, by address. So the memory of a lock must stay mapped as long as any thread of this
//! process has the lock: [`Guarded`](crate::sync::guarded::Guarded) sees to it.
//!
//! # After a death
//!
//! The C library hands such a lock over once, with `EOWNERDEAD`; released without having been declared consistent, it is
//! unusable for ever. We declare it so at once, and keep a mark beside it, which stays until somebody has repaired what the lock
//! guards. The mark is set first: who dies between the two leaves the lock as it was.

use std::cell::UnsafeCell;
use std::io;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use libc::c_int;

use crate::futex::Deadline;
use crate::segment::Atom;

/// Whether a thread may take the lock again that it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reentry {
    /// It is told of its mistake by a panic.
    Refused,
    /// It has the lock until it has released it as many times.
    Counted,
}

/// In what condition the last holder left what the lock guards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Condition {
    Sound = 0,
    /// It died while it had the lock, and nobody has repaired it since.
    OwnerDied = 1,
    /// It panicked while it had the lock, and nobody has repaired it since.
    Panicked = 2,
}

impl Condition {
    /// What a mark in shared memory says.
    #[inline]
    pub(crate) fn of_mark(mark: u32) -> Condition {
        if mark == Condition::Sound as u32 { Condition::Sound } else { Condition::of_bad_mark(mark) }
    }

    /// A mark that nobody of us wrote is taken for the worst.
    #[cold]
    fn of_bad_mark(mark: u32) -> Condition {
        if mark == Condition::Panicked as u32 { Condition::Panicked } else { Condition::OwnerDied }
    }
}

/// How long to wait for a lock.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Patience {
    None,
    Until(Deadline),
    Endless,
}

impl Patience {
    /// As long as this, from now on.
    pub(crate) fn of(timeout: Duration) -> Patience {
        Deadline::after(timeout).map_or(Patience::Endless, Patience::Until)
    }
}

/// A lock that this thread has got.
#[derive(Clone, Copy, Debug)]
#[must_use = "the lock is not released before `unlock`"]
pub(crate) struct Taken {
    /// What the mark says.
    pub(crate) condition: Condition,
    /// True if it was not released by who had it last, but by the system at its death.
    pub(crate) from_the_dead: bool,
}

/// A lock, where it lies in a segment. Zeros are none yet: its maker [makes](RobustLock::make) one of them before anybody
/// else has the segment.
///
/// It has a cache line of most machines for itself, so that neighbours do not slow each other down.
#[repr(C, align(64))]
pub(crate) struct RobustLock {
    mutex: UnsafeCell<libc::pthread_mutex_t>,
    /// Written by the holder only.
    mark: AtomicU32,
    /// For the use of whoever builds on the lock.
    note: AtomicU32,
}

// SAFETY: the C library's mutex is made for threads that use it at once.
unsafe impl Sync for RobustLock {}
// SAFETY: any bytes are one for the compiler, and it is changed by atomic operations or within the C library. That the C library
// finds a mutex there is what its maker saw to, and holders leave it so, as the page of segments says.
unsafe impl Atom for RobustLock {}

/// After so long who sleeps at a lock looks whether it is free after all, which a death can hide from it.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

impl RobustLock {
    /// Makes a lock of zeros that nobody has.
    ///
    /// # Errors
    ///
    /// If the system has no such locks.
    pub(crate) fn make(&self, reentry: Reentry) -> io::Result<()> {
        let kind = match reentry {
            Reentry::Refused => libc::PTHREAD_MUTEX_ERRORCHECK,
            Reentry::Counted => libc::PTHREAD_MUTEX_RECURSIVE,
        };
        let mut attributes = MaybeUninit::uninit();
        let attributes = attributes.as_mut_ptr();
        // SAFETY: there is room for attributes.
        done(unsafe { libc::pthread_mutexattr_init(attributes) })?;
        // SAFETY: they have been made above, as for the calls below.
        done(unsafe { libc::pthread_mutexattr_settype(attributes, kind) })?;
        // Miri has one process, and no thread that ends with a lock.
        if cfg!(not(miri)) {
            // SAFETY: as above.
            done(unsafe { libc::pthread_mutexattr_setpshared(attributes, libc::PTHREAD_PROCESS_SHARED) })?;
            // SAFETY: as above.
            done(unsafe { libc::pthread_mutexattr_setrobust(attributes, libc::PTHREAD_MUTEX_ROBUST) })?;
        }
        // SAFETY: as above; and there is room for a mutex, which nobody uses yet. Attributes own nothing to be freed.
        done(unsafe { libc::pthread_mutex_init(self.mutex.get(), attributes) })
    }

    /// Waits until this thread has the lock.
    ///
    /// # Panics
    ///
    /// If it has it already, and must not have it again.
    #[inline]
    pub(crate) fn lock(&self) -> Taken {
        match self.try_lock() {
            Some(taken) => taken,
            None => self.wait_for(None).expect("a wait without an end ends with the lock"),
        }
    }

    /// Waits for the lock. Nobody sleeps for long without a look: if one that was woken is killed while somebody else has taken the lock
    /// already, the system sees nothing to do, and the new holder does not know that others sleep.
    #[cold]
    fn wait_for(&self, deadline: Option<Deadline>) -> Option<Taken> {
        loop {
            let look = Deadline::after(LOOK_AGAIN);
            let until = deadline.map_or(look, |deadline| look.map(|look| look.min(deadline)));
            let Some(until) = until else {
                // SAFETY: as in `try_lock`.
                return self.taken(unsafe { libc::pthread_mutex_lock(self.mutex.get()) });
            };
            let taken = self.taken(timed_lock(self.mutex.get(), until));
            if taken.is_some() || deadline == Some(until) {
                return taken;
            }
        }
    }

    /// Takes the lock if nobody has it; also this thread must not, unless it is counted.
    #[inline]
    pub(crate) fn try_lock(&self) -> Option<Taken> {
        // SAFETY: it is a mutex that stays mapped while it is borrowed, and as long as a thread of this process has it.
        let code = unsafe { libc::pthread_mutex_trylock(self.mutex.get()) };
        self.taken(if code == libc::EDEADLK { libc::EBUSY } else { code })
    }

    /// Takes the lock, and waits as long as it may. A lock that is free is had also after the deadline.
    ///
    /// # Panics
    ///
    /// If it waits for itself, as [`lock`](RobustLock::lock).
    pub(crate) fn take(&self, patience: Patience) -> Option<Taken> {
        match patience {
            Patience::None => self.try_lock(),
            Patience::Until(deadline) => self.try_lock().or_else(|| self.wait_for(Some(deadline))),
            Patience::Endless => Some(self.lock()),
        }
    }

    /// Releases the lock, once. Nothing happens if this thread does not have it, as after a fork.
    #[inline]
    pub(crate) fn unlock(&self) {
        // SAFETY: as in `try_lock`; of a lock of another thread it says that it is.
        let code = unsafe { libc::pthread_mutex_unlock(self.mutex.get()) };
        debug_assert!(matches!(code, 0 | libc::EPERM), "a lock can be released: {code}");
    }

    /// The number that the system has for the thread that has the lock. Under Miri nobody is known.
    pub(crate) fn holder(&self) -> Option<u32> {
        if cfg!(miri) {
            return None;
        }
        /// Where the C library keeps the word that the system knows, which is the number of the holder and two bits: in glibc
        /// it is the first of the mutex, in musl the second.
        const WORD: usize = if cfg!(target_env = "musl") { 1 } else { 0 };
        let words = self.mutex.get().cast::<AtomicU32>();
        // SAFETY: it lies within the mutex, which consists of such words.
        let word = unsafe { words.add(WORD) };
        // SAFETY: it stays mapped while the lock is borrowed, and is changed by atomic operations only.
        let word = unsafe { &*word }.load(Ordering::Relaxed);
        Some(word & libc::FUTEX_TID_MASK).filter(|&thread| thread != 0)
    }

    /// True if a thread of this process has the lock.
    pub(crate) fn is_held_here(&self) -> bool {
        let is_ours = |thread: u32| {
            let process = std::process::id();
            // SAFETY: signal 0 is none; the system only says whether the thread is there.
            let code = unsafe { libc::syscall(libc::SYS_tgkill, process, thread, 0) };
            code == 0
        };
        self.holder().is_some_and(is_ours)
    }

    /// A word beside the lock, zero at first, that means what its user makes of it.
    pub(crate) fn note(&self) -> &AtomicU32 {
        &self.note
    }

    /// What the guarded values were left in, as whoever has the lock knows it.
    #[inline]
    pub(crate) fn condition(&self) -> Condition {
        Condition::of_mark(self.mark.load(Ordering::Relaxed))
    }

    /// Sets the mark. Only whoever has the lock may.
    pub(crate) fn mark(&self, condition: Condition) {
        // The lock orders it: who has the lock next sees it. After a death that is the system's doing.
        self.mark.store(condition as u32, Ordering::Relaxed);
    }

    /// What came of a call that was to get the lock; `None` if somebody else has it.
    #[inline]
    fn taken(&self, code: c_int) -> Option<Taken> {
        let from_the_dead = code != 0;
        if from_the_dead && !self.is_handed_over(code) {
            return None;
        }
        Some(Taken { condition: self.condition(), from_the_dead })
    }

    #[cold]
    fn is_handed_over(&self, code: c_int) -> bool {
        match code {
            libc::EBUSY | libc::ETIMEDOUT => false,
            libc::EOWNERDEAD => {
                self.mark(Condition::OwnerDied);
                // SAFETY: this thread has the lock.
                let consistent = unsafe { libc::pthread_mutex_consistent(self.mutex.get()) };
                assert_eq!(consistent, 0, "a lock that was left by the dead can be used again");
                true
            }
            libc::EDEADLK => panic!("this thread has the lock already, and would wait for itself"),
            libc::EAGAIN => panic!("this thread has the lock as often as it can be counted"),
            _ => panic!("the memory of the lock was overwritten: {}", io::Error::from_raw_os_error(code)),
        }
    }
}

/// Asks the C library for the lock until a moment of the monotonic clock.
#[cfg(all(target_env = "gnu", not(miri)))]
fn timed_lock(mutex: *mut libc::pthread_mutex_t, deadline: Deadline) -> c_int {
    unsafe extern "C" {
        /// Since glibc 2.30.
        fn pthread_mutex_clocklock(
            mutex: *mut libc::pthread_mutex_t,
            clock: libc::clockid_t,
            deadline: *const libc::timespec,
        ) -> c_int;
    }
    let deadline = timespec(deadline);
    // SAFETY: as in `lock`.
    unsafe { pthread_mutex_clocklock(mutex, libc::CLOCK_MONOTONIC, &raw const deadline) }
}

/// Asks the C library for the lock until a moment of the monotonic clock, where it knows the time of day only: for a short while,
/// time and again, so that a change of the time of day moves the end by that while at most.
#[cfg(not(target_env = "gnu"))]
fn timed_lock(mutex: *mut libc::pthread_mutex_t, deadline: Deadline) -> c_int {
    use std::time::{Duration, SystemTime};
    const WHILE: Duration = Duration::from_millis(50);
    loop {
        let remaining = deadline.remaining();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let end = now.saturating_add(remaining.min(WHILE));
        let end = libc::timespec {
            // It fits until 2038 wherever it has 32 bits.
            tv_sec: end.as_secs().try_into().unwrap_or_default(),
            tv_nsec: libc::c_long::from(end.subsec_nanos().cast_signed()),
        };
        // SAFETY: as in `lock`.
        let code = unsafe { libc::pthread_mutex_timedlock(mutex, &raw const end) };
        if code != libc::ETIMEDOUT || remaining.is_zero() {
            return code;
        }
    }
}

/// Miri has no lock with a time limit.
#[cfg(miri)]
fn timed_lock(mutex: *mut libc::pthread_mutex_t, deadline: Deadline) -> c_int {
    loop {
        // SAFETY: as in `lock`.
        let code = unsafe { libc::pthread_mutex_trylock(mutex) };
        match code {
            libc::EBUSY if deadline.is_past() => return libc::ETIMEDOUT,
            libc::EBUSY => std::thread::yield_now(),
            _ => return code,
        }
    }
}

#[cfg(all(target_env = "gnu", not(miri)))]
fn timespec(deadline: Deadline) -> libc::timespec {
    let rustix::time::Timespec { tv_sec, tv_nsec } = deadline.timespec();
    // A moment that a narrower clock cannot tell is as far as it can.
    libc::timespec {
        tv_sec: libc::time_t::try_from(tv_sec).unwrap_or(libc::time_t::MAX),
        tv_nsec: libc::c_long::try_from(tv_nsec).unwrap_or(0),
    }
}

fn done(code: c_int) -> io::Result<()> {
    if code == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(code)) }
}

#[cfg(test)]
mod tests;
