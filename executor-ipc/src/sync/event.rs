//! [`Event`]: a flag that can be waited for.
//!
//! # How it works
//!
//! One word has the flag, `SET`; a bit, `WAITED`, that says that somebody may sleep; and how often the flag was set, so that who waits
//! learns of a flag that was set and cleared while it slept.
//!
//! * *To set*: set the flag, count, and clear `WAITED`, all by one compare-and-swap; if it was set, wake all. Where the flag is set
//!   already there is nothing to do.
//! * *To wait*: if the flag is clear, set `WAITED`, and sleep until the flag is set or the count is another.
//!
//! # After a death
//!
//! | who dies | what it leaves |
//! |---|---|
//! | a waiter | `WAITED`: the next who sets the flag makes one call of the system in vain |
//! | who sets, before the word has changed | it has not set the flag |
//! | who sets, after that and before the wake | the flag, and others asleep: they look again after a while |
//!
//! All are woken at once, so that no waiter can take the wake of another with it.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::futex::{self, Deadline, Waited};
use crate::segment::{Segment, Shape};
use crate::sync::sleep::sleep;

/// The bit that is the flag.
const SET: u32 = 1;

/// The bit that says that somebody may sleep.
const WAITED: u32 = 2;

/// One in the count of how often the flag was set. It begins anew after 2³⁰ times: a waiter that is not run for as long,
/// and comes when the flag is clear, waits on.
const ONE: u32 = 4;

const SHAPE: Shape = Shape::new("Event");

const BYTES: usize = size_of::<AtomicU32>();

/// A flag that threads of any process set, clear and wait for.
///
/// ```
/// use executor_ipc::sync::Event;
///
/// let ready = Event::new()?;
/// std::thread::scope(|scope| {
///     scope.spawn(|| ready.wait());
///     ready.set();
/// });
/// assert!(ready.is_set());
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// What was written before [`set`](Event::set) is seen by whoever finds the flag set.
///
/// Whoever dies leaves the flag as it is, and nobody waits for the dead: if it was set, all who wait go on, 200 milliseconds later at
/// worst.
#[derive(Clone)]
pub struct Event {
    segment: Segment,
}

impl Event {
    /// A flag that is clear.
    ///
    /// # Errors
    ///
    /// Those of the system, when descriptors, addresses or memory have run out.
    pub fn new() -> io::Result<Self> {
        Segment::new(SHAPE, BYTES).map(|segment| Event { segment })
    }

    /// Sets the flag, and wakes all who wait, also if it is cleared again at once.
    #[inline]
    pub fn set(&self) {
        let set = |word: u32| (word & SET == 0).then(|| (word.wrapping_add(ONE) | SET) & !WAITED);
        // `Release` pairs with the `Acquire` of whoever finds it set. `Acquire`, for who finds it set by another and does nothing.
        if let Ok(before) = self.word().fetch_update(Ordering::Release, Ordering::Acquire, set)
            && before & WAITED != 0
        {
            futex::wake_all(self.word());
        }
    }

    /// Clears the flag: whoever waits from now on does so until it is set again.
    #[inline]
    pub fn clear(&self) {
        // `Acquire` pairs with the `Release` of whoever set it, as for one who finds it set.
        self.word().fetch_and(!SET, Ordering::Acquire);
    }

    /// True if the flag is set, at this moment.
    #[must_use]
    #[inline]
    pub fn is_set(&self) -> bool {
        self.word().load(Ordering::Acquire) & SET != 0
    }

    /// Waits until the flag is set.
    ///
    /// # Blocking
    ///
    /// Until somebody sets it.
    #[inline]
    pub fn wait(&self) {
        let _ = self.is_set() || self.wait_until(None);
    }

    /// Waits until the flag is set, for so long at most; true if it was.
    ///
    /// # Blocking
    ///
    /// For `timeout` at most. With [`Duration::ZERO`] it is [`is_set`](Event::is_set).
    #[must_use = "it tells whether the flag was set"]
    pub fn wait_timeout(&self, timeout: Duration) -> bool {
        self.is_set() || (!timeout.is_zero() && self.wait_until(Deadline::after(timeout)))
    }

    #[cold]
    fn wait_until(&self, deadline: Option<Deadline>) -> bool {
        let word = self.word();
        let began = word.load(Ordering::Acquire);
        let is_over = |now: u32| now & SET != 0 || now & !WAITED != began & !WAITED;
        let mut now = began;
        while !is_over(now) {
            let asked = word.compare_exchange(now, now | WAITED, Ordering::Relaxed, Ordering::Acquire);
            let waited = match asked {
                Ok(_) => sleep(word, now | WAITED, deadline),
                Err(_) => Waited::LookAgain,
            };
            now = word.load(Ordering::Acquire);
            if waited == Waited::TimedOut {
                return is_over(now);
            }
        }
        true
    }

    #[inline]
    fn word(&self) -> &AtomicU32 {
        self.segment.at(0)
    }
}

/// Tells whether it is set.
impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event").field("is_set", &self.is_set()).finish_non_exhaustive()
    }
}

impl Serialize for Event {
    /// # Errors
    ///
    /// Where no descriptors travel: see [`attach`](crate::attach).
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.segment.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Segment::deserialize(deserializer, SHAPE, BYTES).map(|segment| Event { segment })
    }
}
