//! [`Seats`]: who waits, of all processes, and who of them has died.
//!
//! A count of waiters in shared memory would stay too high when one dies. So a waiter does not count: it has a *seat*, which
//! is a robust lock, as long as it waits. The system gives up the seats of the dead, as it does any lock. The note of the lock
//! says what its waiter waits for and what became of it; `EMPTY` while nobody has the seat.
//!
//! Whoever sits down or changes what others wait for does so within the *gate*, one thread at a time. The gate is held for as
//! long as it takes to look at the seats, and never while waiting for anything else.
//!
//! ```text
//! │ gate │ sixteen words │ seat │ seat │ … │
//! ```
//!
//! # After a death
//!
//! | who dies | what it leaves |
//! |---|---|
//! | who has a seat | a note that is not `EMPTY` on a lock that nobody has: [`Gate::dead`] finds it, and the seat can be had again |
//! | who gets up | the same, or an empty seat |
//! | who is within the gate | what it has done so far: the next in the gate is [told](Gate::is_from_the_dead) |
//!
//! Nothing but an iteration is made of what is read: notes and words lead to no place.

use std::io;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU32, Ordering, fence};

use serde::de::Error as _;
use serde::{Deserializer, Serializer};

use crate::segment::{Segment, Shape};
use crate::sync::robust::{Reentry, RobustLock};

/// The note of a seat that nobody has.
pub(crate) const EMPTY: u32 = 0;

/// What there is for the user of the seats: a cache line of most machines.
type Words = [AtomicU32; 16];

const LOCK_BYTES: usize = size_of::<RobustLock>();
const WORDS_AT: usize = LOCK_BYTES;
const SEATS_AT: usize = WORDS_AT + size_of::<Words>();

/// So many seats, with a gate.
#[derive(Clone)]
pub(crate) struct Seats {
    segment: Segment,
    count: usize,
}

impl Seats {
    /// Empty seats.
    ///
    /// # Errors
    ///
    /// Those of the system, when descriptors, addresses or memory have run out.
    pub(crate) fn new(shape: Shape, count: usize) -> io::Result<Seats> {
        let seats = Seats { segment: Segment::new(shape, SEATS_AT + count * LOCK_BYTES)?, count };
        seats.gate().make(Reentry::Refused)?;
        seats.row().iter().try_for_each(|seat| seat.make(Reentry::Refused))?;
        Ok(seats)
    }

    /// # Errors
    ///
    /// As [`Segment::serialize`].
    pub(crate) fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.segment.serialize(serializer)
    }

    /// As many seats as it was made with, which is one of these numbers.
    ///
    /// # Errors
    ///
    /// As [`Segment::deserialize`]; and if there is another number of seats.
    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
        shape: Shape,
        counts: RangeInclusive<usize>,
    ) -> Result<Seats, D::Error> {
        let segment = Segment::deserialize(deserializer, shape, SEATS_AT + counts.start() * LOCK_BYTES)?;
        let count = (segment.bytes() - SEATS_AT) / LOCK_BYTES;
        if !counts.contains(&count) {
            return Err(D::Error::custom(format_args!(
                "this {shape} cannot be taken in: it says that it has {count} seats"
            )));
        }
        Ok(Seats { segment, count })
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Words that mean what the user of the seats makes of them. Zero at first.
    pub(crate) fn words(&self) -> &Words {
        self.segment.at(WORDS_AT)
    }

    /// Waits for whoever is within the gate, and enters it.
    pub(crate) fn enter(&self) -> Gate<'_> {
        let taken = self.gate().lock();
        Gate { seats: self, is_from_the_dead: taken.from_the_dead }
    }

    /// The notes of all seats whose waiters live, at this moment.
    pub(crate) fn living(&self) -> impl Iterator<Item = u32> {
        let note = |seat: &RobustLock| seat.holder().map(|_| seat.note().load(Ordering::Relaxed));
        self.row().iter().filter_map(note).filter(|&note| note != EMPTY)
    }

    fn gate(&self) -> &RobustLock {
        self.segment.at(0)
    }

    fn row(&self) -> &[RobustLock] {
        self.segment.row_at(SEATS_AT, self.count)
    }
}

/// The gate of some seats, until it is dropped.
pub(crate) struct Gate<'a> {
    seats: &'a Seats,
    is_from_the_dead: bool,
}

impl<'a> Gate<'a> {
    /// True if who was here last died within.
    pub(crate) fn is_from_the_dead(&self) -> bool {
        self.is_from_the_dead
    }

    /// Takes a seat that is free, with the note of whoever died in it. `None` if there is none.
    pub(crate) fn sit_down(&self) -> Option<(Seat<'a>, Option<u32>)> {
        self.seats.row().iter().find_map(|lock| {
            let taken = lock.try_lock()?;
            let left = taken.from_the_dead.then(|| lock.note().swap(EMPTY, Ordering::Relaxed));
            Some((Seat { lock }, left))
        })
    }

    /// All seats with such a note whose waiters live, by their places; `from` comes first, and those before it last.
    pub(crate) fn with_note(&self, note: u32, from: usize) -> impl Iterator<Item = (usize, &'a AtomicU32)> {
        let row = self.seats.row();
        let all = row.iter().enumerate().cycle().skip(from % row.len().max(1)).take(row.len());
        let is_so = move |seat: &RobustLock| seat.holder().is_some() && seat.note().load(Ordering::Relaxed) == note;
        all.filter(move |(_, seat)| is_so(seat)).map(|(place, seat)| (place, seat.note()))
    }

    /// The seats of those who died in them, with this note.
    pub(crate) fn dead(&self, note: u32) -> impl Iterator<Item = &'a AtomicU32> {
        let died = move |seat: &RobustLock| {
            let has_note = || seat.note().load(Ordering::Relaxed) == note;
            if !has_note() || seat.holder().is_some() {
                return false;
            }
            // Who gets up empties the seat and then releases it. So if it is released, and not emptied, nobody got up; and
            // nobody sits down without the gate. Pairs with the release of the lock.
            fence(Ordering::Acquire);
            has_note()
        };
        self.seats.row().iter().filter(move |seat| died(seat)).map(RobustLock::note)
    }
}

impl Drop for Gate<'_> {
    fn drop(&mut self) {
        self.seats.gate().unlock();
    }
}

/// A seat that this thread has, until it is dropped.
pub(crate) struct Seat<'a> {
    lock: &'a RobustLock,
}

impl<'a> Seat<'a> {
    pub(crate) fn note(&self) -> &'a AtomicU32 {
        self.lock.note()
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.note().store(EMPTY, Ordering::Release);
        self.lock.unlock();
    }
}
