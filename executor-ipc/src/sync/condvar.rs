//! [`Condvar`]: waiting for a change of what a mutex guards.
//!
//! # How it works
//!
//! A waiter takes one of the [seats](crate::sync::seats), writes `WAITING` on its note, releases the mutex, and sleeps until the
//! note says `NOTIFIED`. Who notifies changes as many notes, within the gate, and wakes those waiters. So a notification is handed
//! to one waiter, who waited before; nobody else can take it, and none is left over.
//!
//! A waiter gets up after it has the mutex again. A word beside the seats says that somebody may have one, so that to notify
//! where nobody waits is to read it.
//!
//! # After a death
//!
//! | who dies | what it leaves |
//! |---|---|
//! | a waiter that was not notified | a dead seat: nobody notifies it, and nobody counts it |
//! | a waiter that was notified, before it had the mutex | a dead seat with a notification: the next who notifies, sits down or looks again hands it to another waiter |
//! | a waiter that has the mutex again | a mutex whose owner died; if it had not got up yet, another waiter is notified besides |
//! | who notifies, before it has changed a note | it has not notified |
//! | who notifies, after that and before the wake | a waiter that sleeps with its notification: it looks again after a while |
//! | who notifies many, in the middle | those that it has notified go on, the others wait |

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::futex::{self, Deadline, Waited};
use crate::segment::Shape;
use crate::sync::error::{LockResult, OwnerDied, Repairable, sealed};
use crate::sync::mutex_guard::MutexGuard;
use crate::sync::robust::Condition;
use crate::sync::seats::{EMPTY, Gate, Seat, Seats};
use crate::sync::sleep::sleep;

/// How many threads, of all processes, can wait at once and be told apart: 128 seats of 64 bytes, two pages. Further ones look
/// every ten milliseconds, as if somebody had notified them.
pub const WAITERS_MAX: usize = 128;

/// How long a waiter without a seat sleeps.
const WITHOUT_A_SEAT: Duration = Duration::from_millis(10);

/// The notes of a seat. One that nobody of us wrote is taken for the second.
const WAITING: u32 = 1;
const NOTIFIED: u32 = 2;

/// The words beside the seats: whether somebody may have one, and which one was notified last.
const TAKEN: usize = 0;
const LAST: usize = 1;

const SHAPE: Shape = Shape::new("Condvar");

/// A condition variable: threads of any process wait until another one has changed what a [`Mutex`](crate::sync::Mutex) guards.
///
/// ```
/// use executor_ipc::sync::{Condvar, Mutex};
///
/// let (jobs, more) = (Mutex::new(0_u32)?, Condvar::new()?);
/// std::thread::scope(|scope| {
///     scope.spawn(|| {
///         let mut jobs = more.wait_while(jobs.lock().unwrap(), |jobs| *jobs == 0).unwrap();
///         *jobs -= 1;
///     });
///     *jobs.lock().unwrap() += 1;
///     more.notify_one();
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// It is used as [`std::sync::Condvar`] is, also with several mutexes. If a holder of the mutex died or panicked meanwhile, the waits
/// give the guard in an [`OwnerDied`] error, as [`lock`](crate::sync::Mutex::lock) does.
///
/// A waiter that dies takes no notification with it: one that it got, and had not acted on yet, goes to another waiter. Where
/// it cannot be told whether it had, another is notified; so whoever is notified should look at the value, as
/// [`wait_while`](Condvar::wait_while) does.
#[derive(Clone)]
pub struct Condvar {
    seats: Seats,
}

impl Condvar {
    /// One for which nobody waits.
    ///
    /// # Errors
    ///
    /// Those of the system, when descriptors, addresses or memory have run out.
    pub fn new() -> io::Result<Self> {
        Seats::new(SHAPE, WAITERS_MAX).map(|seats| Condvar { seats })
    }

    /// Releases the mutex, waits until this thread is notified, and takes the mutex again.
    ///
    /// # Errors
    ///
    /// If the last holder of the mutex died or panicked. The mutex is had all the same, by the guard in the error.
    ///
    /// # Blocking
    ///
    /// Until somebody notifies, and nobody else has the mutex.
    pub fn wait<'a, T: ?Sized>(&self, guard: MutexGuard<'a, T>) -> LockResult<MutexGuard<'a, T>> {
        self.wait_until(guard, None).1
    }

    /// As [`wait`](Condvar::wait), for so long at most. It tells whether this thread was notified.
    ///
    /// # Errors
    ///
    /// As [`wait`](Condvar::wait).
    ///
    /// # Blocking
    ///
    /// For `timeout` at most, and then as long as somebody else has the mutex.
    pub fn wait_timeout<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        timeout: Duration,
    ) -> LockResult<(MutexGuard<'a, T>, bool)> {
        let (notified, guard) = self.wait_until(guard, Deadline::after(timeout));
        told(guard, notified)
    }

    /// Waits as long as `condition` is true of the value.
    ///
    /// # Errors
    ///
    /// As [`wait`](Condvar::wait), at once, whatever the condition is then.
    ///
    /// # Panics
    ///
    /// As `condition`.
    ///
    /// # Blocking
    ///
    /// Until somebody has changed the value, and notified.
    pub fn wait_while<'a, T: ?Sized>(
        &self,
        mut guard: MutexGuard<'a, T>,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> LockResult<MutexGuard<'a, T>> {
        while condition(&mut guard) {
            guard = self.wait(guard)?;
        }
        Ok(guard)
    }

    /// As [`wait_while`](Condvar::wait_while), for so long at most in all. It tells whether the condition has become false.
    ///
    /// # Errors
    ///
    /// As [`wait_while`](Condvar::wait_while).
    ///
    /// # Panics
    ///
    /// As `condition`.
    ///
    /// # Blocking
    ///
    /// For `timeout` at most, and then as long as somebody else has the mutex.
    pub fn wait_timeout_while<'a, T: ?Sized>(
        &self,
        mut guard: MutexGuard<'a, T>,
        timeout: Duration,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> LockResult<(MutexGuard<'a, T>, bool)> {
        let deadline = Deadline::after(timeout);
        while condition(&mut guard) {
            if deadline.is_some_and(Deadline::is_past) {
                return Ok((guard, false));
            }
            let (_, relocked) = self.wait_until(guard, deadline);
            guard = match relocked {
                Ok(guard) => guard,
                died => return told(died, false),
            };
        }
        Ok((guard, true))
    }

    /// Notifies one of those who wait, if there is one.
    pub fn notify_one(&self) {
        self.notify_many(1);
    }

    /// Notifies so many of those who wait, or all if they are fewer.
    pub fn notify_many(&self, count: usize) {
        // Who waits since before the value was changed took its seat under the mutex, which orders it.
        if count > 0 && self.seats.words()[TAKEN].load(Ordering::Relaxed) != 0 {
            self.notify_in_turn(count);
        }
    }

    /// Notifies all who wait.
    pub fn notify_all(&self) {
        self.notify_many(usize::MAX);
    }

    /// How many wait and were not notified yet, of all processes, at this moment. The dead are not counted.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.seats.living().filter(|&note| note == WAITING).count()
    }

    fn wait_until<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        deadline: Option<Deadline>,
    ) -> (bool, LockResult<MutexGuard<'a, T>>) {
        let seat = self.sit_down();
        guard.release_while(|| match &seat {
            Some(seat) => self.sleep(seat, deadline),
            None => {
                let patience = deadline.map_or(WITHOUT_A_SEAT, |deadline| deadline.remaining().min(WITHOUT_A_SEAT));
                thread::sleep(patience);
                !deadline.is_some_and(Deadline::is_past)
            }
        })
        // The seat is given up here, after the mutex is had.
    }

    fn sit_down(&self) -> Option<Seat<'_>> {
        let gate = self.seats.enter();
        let (seat, left) = gate.sit_down()?;
        if left == Some(NOTIFIED) {
            self.hand_out(&gate, 1);
        }
        seat.note().store(WAITING, Ordering::Relaxed);
        self.seats.words()[TAKEN].store(1, Ordering::Relaxed);
        Some(seat)
    }

    /// Sleeps until the seat is notified. False if it was not.
    fn sleep(&self, seat: &Seat<'_>, deadline: Option<Deadline>) -> bool {
        let note = seat.note();
        while note.load(Ordering::Relaxed) == WAITING {
            if sleep(note, WAITING, deadline) == Waited::TimedOut {
                let withdrawn = note.compare_exchange(WAITING, EMPTY, Ordering::Relaxed, Ordering::Relaxed);
                return withdrawn.is_err();
            }
            if note.load(Ordering::Relaxed) == WAITING {
                self.hand_on(&self.seats.enter());
            }
        }
        true
    }

    #[cold]
    fn notify_in_turn(&self, count: usize) {
        let gate = self.seats.enter();
        self.hand_on(&gate);
        self.hand_out(&gate, count);
        if self.seats.living().next().is_none() {
            self.seats.words()[TAKEN].store(0, Ordering::Relaxed);
        }
    }

    /// Hands the notifications of the dead to others.
    fn hand_on(&self, gate: &Gate<'_>) {
        let swallowed = gate.dead(NOTIFIED).map(|note| note.store(EMPTY, Ordering::Relaxed)).count();
        self.hand_out(gate, swallowed);
    }

    /// Notifies so many, beginning behind whoever was the last, so that each has its turn.
    fn hand_out(&self, gate: &Gate<'_>, count: usize) {
        if count == 0 {
            return;
        }
        let last = &self.seats.words()[LAST];
        let waiting = gate.with_note(WAITING, (last.load(Ordering::Relaxed) as usize).wrapping_add(1));
        let notify = |(place, note): (usize, &AtomicU32)| {
            // Unless it has given up meanwhile.
            note.compare_exchange(WAITING, NOTIFIED, Ordering::Relaxed, Ordering::Relaxed).ok()?;
            last.store(place as u32, Ordering::Relaxed);
            futex::wake_all(note);
            Some(())
        };
        waiting.filter_map(notify).take(count).for_each(drop);
    }
}

/// The guard with whether the wait was for something, also where somebody died.
fn told<G>(came: LockResult<G>, answer: bool) -> LockResult<(G, bool)> {
    came.map(|guard| (guard, answer)).or_else(|died| {
        let condition = if died.panicked() { Condition::Panicked } else { Condition::OwnerDied };
        OwnerDied::unless_sound((died.into_inner(), answer), condition)
    })
}

impl<G> sealed::Sealed for (G, bool) {}

/// The guard that a wait with a limit gives beside its answer.
impl<G: Repairable> Repairable for (G, bool) {
    fn declare_sound(&mut self) {
        self.0.declare_sound();
    }
}

/// Tells how many wait.
impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condvar").field("waiting", &self.waiting()).finish_non_exhaustive()
    }
}

impl Serialize for Condvar {
    /// # Errors
    ///
    /// Where no descriptors travel: see [`attach`](crate::attach).
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.seats.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Condvar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Seats::deserialize(deserializer, SHAPE, WAITERS_MAX..=WAITERS_MAX).map(|seats| Condvar { seats })
    }
}
