//! Waiting for a word of shared memory to change, and waking who waits: `futex(2)` between processes.
//!
//! A waiter looks at the word, decides to sleep, and calls [`wait`] with what it saw; whoever changes the word calls [`wake`]
//! afterwards. The system compares again before it lets the waiter sleep, so that no change between the two is missed.
//!
//! What the system does not do: a waiter that was woken, and is killed before it acts on it, has taken that wake with it. So where
//! wakes are handed out one by one, as by a semaphore, what is there to be had must be in the word itself, and whoever has
//! it must see to the next waiter, or waiters must look again after a while.

use std::io;
use std::num::NonZeroU32;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use rustix::io::Errno;
use rustix::thread::futex::{Flags, wait_bitset, wake as wake_some};
use rustix::time::{ClockId, Timespec, clock_gettime};

/// A moment of the monotonic clock, which all processes of a machine share. It goes on through changes of the time of day, and
/// stands still while the machine is suspended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Deadline(Timespec);

impl Deadline {
    /// The moment so long after now; `None` if it is beyond what the clock can tell, which is as long as for ever.
    pub(crate) fn after(timeout: Duration) -> Option<Deadline> {
        clock_gettime(ClockId::Monotonic).checked_add(Timespec::try_from(timeout).ok()?).map(Deadline)
    }

    /// True from that moment on.
    pub(crate) fn is_past(self) -> bool {
        self.remaining().is_zero()
    }

    /// How long it is until then.
    pub(crate) fn remaining(self) -> Duration {
        let remaining = self.0.checked_sub(clock_gettime(ClockId::Monotonic));
        remaining.and_then(|remaining| Duration::try_from(remaining).ok()).unwrap_or_default()
    }

    /// The moment as the system takes it.
    pub(crate) fn timespec(self) -> Timespec {
        self.0
    }
}

/// Why a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waited {
    /// The word was another, or somebody woke this thread, or it was woken for nothing: look at the word again.
    LookAgain,
    /// The deadline is past.
    TimedOut,
}

/// Sleeps until somebody [wakes](wake) this thread at this word, unless the word is not `seen` any more.
///
/// A signal does not end the wait. It orders no memory: how the word is read and written does.
pub(crate) fn wait(word: &AtomicU32, seen: u32, deadline: Option<Deadline>) -> Waited {
    let deadline = deadline.map(Deadline::timespec);
    // The deadline of this call is a moment, and not a duration, so that a signal does not prolong it. No flag: the word is
    // shared with other processes, and the clock is the monotonic one.
    match wait_bitset(word, Flags::empty(), seen, deadline.as_ref(), NonZeroU32::MAX) {
        Err(Errno::TIMEDOUT) => Waited::TimedOut,
        Ok(()) | Err(Errno::AGAIN | Errno::INTR) => Waited::LookAgain,
        Err(error) => unreachable!("a wait at an aligned and mapped word is refused: {}", io::Error::from(error)),
    }
}

/// Wakes up to `count` threads, of any process, that wait at this word, and tells how many. `i32::MAX` of them are all.
pub(crate) fn wake(word: &AtomicU32, count: u32) -> usize {
    // It can fail for a word that is not mapped or not aligned, which a reference is.
    wake_some(word, Flags::empty(), count.min(i32::MAX as u32)).unwrap_or(0)
}

/// Wakes all threads, of any process, that wait at this word.
pub(crate) fn wake_all(word: &AtomicU32) -> usize {
    wake(word, u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;
    use std::thread;
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_word_that_has_changed_is_looked_at_again() {
        let word = AtomicU32::new(1);
        assert_eq!(wait(&word, 0, None), Waited::LookAgain);
        assert_eq!(wait(&word, 0, Deadline::after(Duration::ZERO)), Waited::LookAgain);
    }

    #[test]
    fn a_wait_lasts_until_its_deadline() {
        let word = AtomicU32::new(0);
        for timeout in [Duration::ZERO, Duration::from_millis(20)] {
            let began = Instant::now();
            let deadline = Deadline::after(timeout).unwrap();
            while wait(&word, 0, Some(deadline)) == Waited::LookAgain {}
            assert!(began.elapsed() >= timeout && deadline.is_past());
        }
        // One that has passed long ago is one too.
        assert_eq!(wait(&word, 0, Some(Deadline(Timespec::default()))), Waited::TimedOut);
    }

    #[test]
    fn a_deadline_is_a_moment() {
        let [near, far] = [60, 3600].map(|seconds| Deadline::after(Duration::from_secs(seconds)).unwrap());
        assert!(near < far && !near.is_past());
        assert_eq!(Deadline::after(Duration::MAX), None);
        assert_eq!(Deadline::after(Duration::from_secs(i64::MAX as u64)), None);
    }

    #[test]
    fn as_many_are_woken_as_are_asked_for() {
        let [word, out] = [const { AtomicU32::new(0) }; 2];
        thread::scope(|scope| {
            for _ in 0..5 {
                scope.spawn(|| {
                    assert_eq!(wait(&word, 0, None), Waited::LookAgain);
                    out.fetch_add(1, Ordering::SeqCst);
                });
            }
            // They come to sleep one after the other, so that a call may find fewer than it asks for.
            let wake_until = |total: usize, ask_for: fn(usize) -> u32| {
                let mut woken = 0;
                while woken < total {
                    let count = ask_for(total - woken);
                    let now = wake(&word, count);
                    assert!(now <= count as usize);
                    woken += now;
                    thread::yield_now();
                }
                assert_eq!(woken, total);
            };
            wake_until(1, |left| left as u32);
            wake_until(2, |left| left as u32);
            while out.load(Ordering::SeqCst) < 3 {
                thread::yield_now();
            }
            wake_until(2, |_| u32::MAX);
        });
        assert_eq!((out.into_inner(), wake_all(&word)), (5, 0));
    }
}
