//! [`Barrier`]: parties that wait for each other.
//!
//! # How it works
//!
//! A party takes one of the [seats](crate::sync::seats), within the gate, and counts who waits: as many seats have a note that says
//! so. If it is the last, it leads: it writes on each such note what became of the round, changes the *round* word, at which
//! all sleep, and wakes them. Each reads its own note, at whatever time it gets to it, and gets up.
//!
//! A round that is broken ends in the same way, with the reason on the notes; the reason also stays in a word beside the seats
//! until a reset, and whoever comes meanwhile reads it there.
//!
//! There are two seats a party, so that the next round can gather while some of the last have not got up yet.
//!
//! ```text
//! notes:  EMPTY -> WAITING -> PASSED or a reason -> EMPTY
//!                   WAITING -> ACTING -> …            the leader, while it runs its action
//! ```
//!
//! # After a death
//!
//! | who dies | what it leaves |
//! |---|---|
//! | a party that waits, or runs its action | a dead seat: the next party that comes, or looks again, breaks the barrier |
//! | a party that has read its note | nothing: the round was over for it |
//! | a party within the gate | the gate: the next within breaks the barrier. Others of the round may have passed already |
//! | the leader, between the notes and the wake | a round that has passed; the others sleep, and look again after a while |
//! | a party that has not come yet | nothing that could be known: others wait, and a limit of their waits breaks the barrier |

use std::fmt;
use std::io;
use std::mem;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::futex::{self, Deadline, Waited};
use crate::segment::Shape;
use crate::sync::seats::{EMPTY, Gate, Seat, Seats};
use crate::sync::sleep::sleep;

/// How many parties a barrier can have. Each looks at all seats when it comes, so the looks of a round
/// grow with the square of the parties: with so many, they are ten million.
pub const PARTIES_MAX: usize = 1024;

/// How long to wait before another look, where all seats have somebody who was woken and has not got up yet, or an action runs.
const NO_SEAT_YET: Duration = Duration::from_millis(1);

/// The notes of a seat whose round is not over.
const WAITING: u32 = 1;
const ACTING: u32 = 2;
/// The note of one whose round was completed. Further ones are reasons.
const PASSED: u32 = 3;

/// The words beside the seats: what changes with each round, and why the barrier is broken, or 0.
const ROUND: usize = 0;
const REASON: usize = 1;

const SHAPE: Shape = Shape::new("Barrier");

/// A meeting place for a number of threads, of any process: nobody goes on before all have come. It can be used any number
/// of times.
///
/// ```
/// use executor_ipc::sync::Barrier;
///
/// let barrier = Barrier::new(3)?;
/// let leaders: usize = std::thread::scope(|scope| {
///     let parties = [(); 3].map(|()| scope.spawn(|| barrier.wait().unwrap().is_leader()));
///     parties.map(|party| usize::from(party.join().unwrap())).iter().sum()
/// });
/// assert_eq!(leaders, 1);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// What a party wrote before it came is seen by all others after they went on.
///
/// # When it breaks
///
/// A wait whose limit is over breaks the barrier, and so do [`abort`](Barrier::abort), an action that panics, and a party that dies while it
/// waits, within 200 milliseconds: then all who wait, and all who come, get an error that tells which of these it was,
/// until somebody calls [`reset`](Barrier::reset). A party that dies before it comes is not known to the barrier; give the waits a limit.
#[derive(Clone)]
pub struct Barrier {
    seats: Seats,
}

impl Barrier {
    /// A barrier for so many parties.
    ///
    /// # Errors
    ///
    /// If they are none, or more than [`PARTIES_MAX`]; and those of the system, when descriptors, addresses or memory have
    /// run out.
    pub fn new(parties: usize) -> io::Result<Self> {
        if !(1..=PARTIES_MAX).contains(&parties) {
            let message = format!("a barrier is for 1 to {PARTIES_MAX} parties, and not for {parties}");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        Seats::new(SHAPE, 2 * parties).map(|seats| Barrier { seats })
    }

    /// Waits until all parties have come. One of them is told that it leads.
    ///
    /// # Errors
    ///
    /// If the barrier is broken, or breaks meanwhile, or is reset.
    ///
    /// # Blocking
    ///
    /// Until as many parties have come, or the barrier breaks.
    pub fn wait(&self) -> Result<BarrierWaitResult, BarrierError> {
        self.come(None, None::<fn()>)
    }

    /// As [`wait`](Barrier::wait), for so long at most.
    ///
    /// # Errors
    ///
    /// If the time is over, which breaks the barrier for all; and as [`wait`](Barrier::wait).
    ///
    /// # Blocking
    ///
    /// For `timeout` at most.
    pub fn wait_timeout(&self, timeout: Duration) -> Result<BarrierWaitResult, BarrierError> {
        self.come(Deadline::after(timeout), None::<fn()>)
    }

    /// As [`wait`](Barrier::wait), and if this party leads, calls `action` before anybody goes on. So it is called once a round,
    /// where all parties wait in this way.
    ///
    /// # Errors
    ///
    /// As [`wait`](Barrier::wait); also if the barrier breaks while the action runs.
    ///
    /// # Panics
    ///
    /// As `action`. That breaks the barrier.
    ///
    /// # Blocking
    ///
    /// As [`wait`](Barrier::wait), and until the action has run.
    pub fn wait_with(&self, action: impl FnOnce()) -> Result<BarrierWaitResult, BarrierError> {
        self.come(None, Some(action))
    }

    /// Breaks the barrier: all who wait, and all who come, get an error, until it is reset.
    pub fn abort(&self) {
        self.break_for(&self.enter(), BarrierError::Aborted);
    }

    /// Makes the barrier as good as new. Those who wait get an error.
    pub fn reset(&self) {
        let gate = self.enter();
        self.seats.words()[REASON].store(0, Ordering::Relaxed);
        if self.come_so_far() > 0 {
            self.end_round(&gate, BarrierError::Reset as u32);
        }
    }

    /// True if it is broken, and nobody has reset it since.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.reason().is_some()
    }

    /// How many parties it is for.
    #[must_use]
    pub fn parties(&self) -> usize {
        self.seats.count() / 2
    }

    /// How many of them wait, at this moment. The dead are not counted.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.come_so_far()
    }

    fn come(
        &self,
        deadline: Option<Deadline>,
        action: Option<impl FnOnce()>,
    ) -> Result<BarrierWaitResult, BarrierError> {
        let (mut gate, seat) = self.sit_down(deadline)?;
        if self.come_so_far() < self.parties() {
            let round = self.seats.words()[ROUND].load(Ordering::Relaxed);
            drop(gate);
            return self.await_end(&seat, round, deadline).map(|()| BarrierWaitResult(false));
        }
        if let Some(action) = action {
            seat.note().store(ACTING, Ordering::Relaxed);
            drop(gate);
            let unless_done = BreakOnPanic { barrier: self, seat: &seat };
            action();
            mem::forget(unless_done);
            gate = self.enter();
            // It was broken or reset meanwhile.
            outcome(seat.note()).transpose()?;
        }
        self.end_round(&gate, PASSED);
        Ok(BarrierWaitResult(true))
    }

    /// A seat of a round that is not complete yet, with the gate still held.
    fn sit_down(&self, deadline: Option<Deadline>) -> Result<(Gate<'_>, Seat<'_>), BarrierError> {
        loop {
            let gate = self.enter();
            if let Some(reason) = self.reason() {
                return Err(reason);
            }
            let is_complete = || gate.with_note(ACTING, 0).next().is_some();
            if !is_complete()
                && let Some((seat, _)) = gate.sit_down()
            {
                seat.note().store(WAITING, Ordering::Relaxed);
                return Ok((gate, seat));
            }
            if deadline.is_some_and(Deadline::is_past) {
                self.break_for(&gate, BarrierError::LateParty);
                return Err(BarrierError::Timeout);
            }
            drop(gate);
            thread::sleep(deadline.map_or(NO_SEAT_YET, |deadline| deadline.remaining().min(NO_SEAT_YET)));
        }
    }

    /// Sleeps until this round is over.
    fn await_end(&self, seat: &Seat<'_>, round: u32, deadline: Option<Deadline>) -> Result<(), BarrierError> {
        loop {
            if let Some(outcome) = outcome(seat.note()) {
                return outcome;
            }
            let waited = sleep(&self.seats.words()[ROUND], round, deadline);
            if outcome(seat.note()).is_none() {
                let gate = self.enter();
                // By now it may be over, as somebody died.
                if waited == Waited::TimedOut && outcome(seat.note()).is_none() {
                    self.break_for(&gate, BarrierError::LateParty);
                    return Err(BarrierError::Timeout);
                }
            }
        }
    }

    /// Enters the gate, and breaks the barrier if somebody died there or in a seat.
    fn enter(&self) -> Gate<'_> {
        let gate = self.seats.enter();
        let died = |note: u32| gate.dead(note).next().is_some();
        if gate.is_from_the_dead() || died(WAITING) || died(ACTING) {
            self.break_for(&gate, BarrierError::PartyDied);
        }
        gate
    }

    fn break_for(&self, gate: &Gate<'_>, reason: BarrierError) {
        self.seats.words()[REASON].store(reason as u32, Ordering::Relaxed);
        self.end_round(gate, reason as u32);
    }

    /// Tells all who wait what became of the round.
    fn end_round(&self, gate: &Gate<'_>, outcome: u32) {
        for note in [WAITING, ACTING] {
            gate.dead(note).for_each(|note| note.store(EMPTY, Ordering::Relaxed));
            // `Release` pairs with the `Acquire` of whoever reads its note: what all did before they came is seen.
            gate.with_note(note, 0).for_each(|(_, note)| note.store(outcome, Ordering::Release));
        }
        let round = &self.seats.words()[ROUND];
        round.fetch_add(1, Ordering::Release);
        futex::wake_all(round);
    }

    fn come_so_far(&self) -> usize {
        self.seats.living().filter(|&note| is_open(note)).count()
    }

    fn reason(&self) -> Option<BarrierError> {
        match self.seats.words()[REASON].load(Ordering::Relaxed) {
            0 => None,
            reason => Some(BarrierError::of(reason)),
        }
    }
}

/// What became of the round, as the note of a seat tells; `None` if it is not over.
fn outcome(note: &AtomicU32) -> Option<Result<(), BarrierError>> {
    // Pairs with the `Release` of whoever ended it.
    match note.load(Ordering::Acquire) {
        note if is_open(note) => None,
        PASSED => Some(Ok(())),
        reason => Some(Err(BarrierError::of(reason))),
    }
}

/// True of the notes of a round that is not over.
fn is_open(note: u32) -> bool {
    matches!(note, WAITING | ACTING)
}

/// Breaks the barrier if it is dropped in an open round: the action has panicked.
struct BreakOnPanic<'a> {
    barrier: &'a Barrier,
    seat: &'a Seat<'a>,
}

impl Drop for BreakOnPanic<'_> {
    fn drop(&mut self) {
        let gate = self.barrier.enter();
        if outcome(self.seat.note()).is_none() {
            self.barrier.break_for(&gate, BarrierError::ActionPanicked);
        }
    }
}

/// What [`Barrier::wait`] tells of a round that was completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BarrierWaitResult(bool);

impl BarrierWaitResult {
    /// True for exactly one party of each round: the one that came last.
    #[must_use]
    pub fn is_leader(self) -> bool {
        self.0
    }
}

/// Why a wait at a [`Barrier`] did not end with all parties there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[repr(u32)]
pub enum BarrierError {
    /// The limit of this wait is over, and the barrier is broken by that.
    #[error("not all parties came in time, and the barrier is broken: `reset` it")]
    Timeout = 4,
    /// The limit of the wait of another party is over.
    #[error("not all parties came in time for one that waited, and the barrier is broken: `reset` it")]
    LateParty = 5,
    /// Somebody called [`abort`](Barrier::abort).
    #[error("the barrier was aborted: `reset` it")]
    Aborted = 6,
    /// Somebody called [`reset`](Barrier::reset) while this party waited. The barrier is as good as new.
    #[error("the barrier was reset while this party waited: wait again")]
    Reset = 7,
    /// A party died while it waited.
    #[error("a party died while it waited, and the barrier is broken: `reset` it")]
    PartyDied = 8,
    /// The action of the leader panicked.
    #[error("the action of the leader panicked, and the barrier is broken: `reset` it")]
    ActionPanicked = 9,
}

impl BarrierError {
    /// What a word in shared memory says. One that nobody of us wrote is taken for what a death left.
    fn of(word: u32) -> BarrierError {
        let all = [BarrierError::LateParty, BarrierError::Aborted, BarrierError::Reset, BarrierError::ActionPanicked];
        all.into_iter().find(|&error| error as u32 == word).unwrap_or(BarrierError::PartyDied)
    }
}

/// Tells who has come, and why it is broken.
impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Barrier")
            .field("parties", &self.parties())
            .field("waiting", &self.waiting())
            .field("broken", &self.reason())
            .finish_non_exhaustive()
    }
}

impl Serialize for Barrier {
    /// # Errors
    ///
    /// Where no descriptors travel: see [`attach`](crate::attach).
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.seats.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Barrier {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Seats::deserialize(deserializer, SHAPE, 2..=2 * PARTIES_MAX).map(|seats| Barrier { seats })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attach::{collect, supply};

    #[test]
    fn what_others_write_is_not_believed() {
        let barrier = Barrier::new(2).unwrap();
        for word in [PASSED, BarrierError::PartyDied as u32, 1000, u32::MAX] {
            barrier.seats.words()[REASON].store(word, Ordering::Relaxed);
            assert_eq!(barrier.wait(), Err(BarrierError::PartyDied));
        }
        assert_eq!(outcome(&AtomicU32::new(u32::MAX)), Some(Err(BarrierError::PartyDied)));
    }

    #[test]
    fn as_many_seats_come_as_a_barrier_can_have() {
        let refusal = |count: usize| {
            let seats = Seats::new(SHAPE, count).unwrap();
            let mut bytes = Vec::new();
            let (_, attachments) = collect(|| seats.serialize(&mut serde_json::Serializer::new(&mut bytes)).unwrap());
            supply(attachments, || serde_json::from_slice::<Barrier>(&bytes).unwrap_err().to_string())
        };
        assert!(refusal(0).contains("it says that it has 128 bytes"), "{}", refusal(0));
        let many = refusal(2 * PARTIES_MAX + 1);
        assert_eq!(many, "this Barrier cannot be taken in: it says that it has 2049 seats");
    }
}
