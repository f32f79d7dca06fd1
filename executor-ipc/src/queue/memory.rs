//! [`Memory`]: where what a queue consists of lies in its segment.
//!
//! ```text
//! │ put lock │ get lock │ limits │ tail, item bell │ head, room bell │ ring size, join bell, … │ slots │ rings
//! ```
//!
//! Each has a cache line of most machines for itself. Behind the slots lie the rings, of which one is used at a time: each is
//! twice as long as the one before. Memory is taken when it is first touched, so that the long ones cost addresses only.

use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use serde::de::Error as _;
use serde::{Deserializer, Serializer};

use super::Overwritten;
use super::bell::{Bell, BellWords};
use super::cursor::Cursor;
use super::ring::Ring;
use crate::segment::{Segment, Shape};
use crate::sync::robust::{Reentry, RobustLock};

/// How many processes can get items of one queue and not have acknowledged all of them.
pub(super) const SLOTS: usize = 1024;

const LINE_BYTES: usize = 64;
const PUT_LOCK_AT: usize = 0;
const GET_LOCK_AT: usize = LINE_BYTES;
const LIMITS_AT: usize = 2 * LINE_BYTES;
const TAIL_AT: usize = 3 * LINE_BYTES;
const HEAD_AT: usize = 4 * LINE_BYTES;
const OTHERS_AT: usize = 5 * LINE_BYTES;
/// In the lines of the tail and of the head.
const BELL_AT: usize = 8;
const SLOTS_AT: usize = 6 * LINE_BYTES;
const RINGS_AT: usize = (SLOTS_AT + SLOTS * LINE_BYTES).next_multiple_of(4096);
const _: () = assert!(size_of::<RobustLock>() == LINE_BYTES, "a lock has a line for itself");

/// The first ring: 64 KiB, which stay in the cache of a core. As logarithm of its words, as all sizes of rings here.
const FIRST_RING: u32 = 13;

/// The shortest ring: a page.
const SHORTEST_RING: u32 = 9;

/// The longest ring: 16 GiB, so that a [`Cursor`] can count its words.
pub(super) const LONGEST_RING: u32 = 31;

/// What never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    /// How many items there can be; `u64::MAX` for as many as find room.
    pub(super) items_max: u64,
    first_ring: u32,
    pub(super) last_ring: u32,
}

impl Limits {
    /// Limits for so many items, and for so many bytes, rounded up to a power of two.
    pub(super) fn new(items_max: u64, bytes_max: usize) -> io::Result<Limits> {
        let words = bytes_max.div_ceil(8).checked_next_power_of_two().unwrap_or(usize::MAX);
        if items_max == 0 || words > 1 << LONGEST_RING {
            let text = format!("a queue holds 1 item or more, in at most {} bytes", 8_u64 << LONGEST_RING);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let last_ring = words.ilog2().max(SHORTEST_RING);
        Ok(Limits { items_max, first_ring: FIRST_RING.min(last_ring), last_ring })
    }

    /// Where a ring lies.
    fn place(self, ring: u32) -> Range<usize> {
        let start = RINGS_AT + 8 * ((1 << ring) - (1 << self.first_ring));
        start..start + (8 << ring)
    }

    fn bytes(self) -> usize {
        self.place(self.last_ring).end
    }
}

/// The memory of one queue. Clones are the same.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    segment: Segment,
    pub(super) limits: Limits,
}

impl Memory {
    /// The memory of an empty queue.
    pub(super) fn new(shape: Shape, limits: Limits) -> io::Result<Memory> {
        let memory = Memory { segment: Segment::new(shape, limits.bytes())?, limits };
        memory.put_lock().make(Reentry::Refused)?;
        memory.get_lock().make(Reentry::Refused)?;
        memory.ring_size().store(limits.first_ring, Ordering::Relaxed);
        let [items_max, first_ring, last_ring, ..] = memory.limit_words();
        items_max.store(limits.items_max, Ordering::Relaxed);
        first_ring.store(limits.first_ring.into(), Ordering::Relaxed);
        last_ring.store(limits.last_ring.into(), Ordering::Relaxed);
        Ok(memory)
    }

    /// Attaches it to the message that this thread encodes.
    pub(super) fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.segment.serialize(serializer)
    }

    /// Takes in what came with the message that this thread decodes. The limits are looked at once.
    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D, shape: Shape) -> Result<Memory, D::Error> {
        let segment = Segment::deserialize(deserializer, shape, RINGS_AT)?;
        let memory = Memory { segment, limits: Limits { items_max: 0, first_ring: 0, last_ring: 0 } };
        let words = memory.limit_words().each_ref().map(|word| word.load(Ordering::Relaxed));
        let limits = believable(words).filter(|limits| limits.bytes() <= memory.segment.bytes());
        let limits = limits.ok_or_else(|| D::Error::custom("this Queue cannot be taken in: its limits are none"))?;
        Ok(Memory { limits, ..memory })
    }

    #[inline]
    pub(super) fn put_lock(&self) -> &RobustLock {
        self.segment.at(PUT_LOCK_AT)
    }

    #[inline]
    pub(super) fn get_lock(&self) -> &RobustLock {
        self.segment.at(GET_LOCK_AT)
    }

    fn limit_words(&self) -> &[AtomicU64; 3] {
        self.segment.at(LIMITS_AT)
    }

    /// Behind the last item that was put. Whoever has the put lock changes it.
    #[inline]
    pub(super) fn tail(&self) -> &AtomicU64 {
        self.segment.at(TAIL_AT)
    }

    /// Rings when an item was put. Its lock is the put lock.
    #[inline]
    pub(super) fn item_bell(&self) -> Bell<'_> {
        Bell::new(self.segment.at::<BellWords>(TAIL_AT + BELL_AT))
    }

    /// Not 0 once the queue is closed. Whoever has both locks changes it.
    #[inline]
    pub(super) fn closed(&self) -> &AtomicU32 {
        self.segment.at(TAIL_AT + BELL_AT + size_of::<BellWords>())
    }

    /// At the first item that was not got yet. Whoever has the get lock changes it.
    #[inline]
    pub(super) fn head(&self) -> &AtomicU64 {
        self.segment.at(HEAD_AT)
    }

    /// Rings when there is room again. Its lock is the get lock.
    #[inline]
    pub(super) fn room_bell(&self) -> Bell<'_> {
        Bell::new(self.segment.at::<BellWords>(HEAD_AT + BELL_AT))
    }

    /// The size of the ring that is used. Whoever has both locks changes it.
    #[inline]
    fn ring_size(&self) -> &AtomicU32 {
        self.segment.at(OTHERS_AT)
    }

    /// How many slots were ever used. Whoever has the get lock changes it.
    pub(super) fn slots_used(&self) -> &AtomicU32 {
        self.segment.at(OTHERS_AT + 4)
    }

    /// Rings when everything may have been acknowledged. Its lock is the get lock.
    #[inline]
    pub(super) fn join_bell(&self) -> Bell<'_> {
        Bell::new(self.segment.at::<BellWords>(OTHERS_AT + 8))
    }

    /// How many items went with consumers that are gone. Whoever has the get lock changes it.
    pub(super) fn lost(&self) -> &AtomicU64 {
        self.segment.at(OTHERS_AT + 16)
    }

    /// What one process has got: a `Slot`.
    ///
    /// # Panics
    ///
    /// If there are not so many.
    #[inline]
    pub(super) fn slot(&self, slot: usize) -> &AtomicU64 {
        assert!(slot < SLOTS, "a queue has {SLOTS} slots");
        self.segment.at(SLOTS_AT + slot * LINE_BYTES)
    }

    /// The ring that is used, and its size. It stays the same for whoever has one of the locks.
    #[inline]
    pub(super) fn ring(&self) -> Result<(Ring<'_>, u32), Overwritten> {
        let size = self.ring_size().load(Ordering::Relaxed);
        let exists = (self.limits.first_ring..=self.limits.last_ring).contains(&size);
        if exists { Ok((self.ring_of(size), size)) } else { Err(Overwritten) }
    }

    #[inline]
    fn ring_of(&self, size: u32) -> Ring<'_> {
        Ring::new(self.segment.row_at(self.limits.place(size).start, 1 << size))
    }

    /// Moves what is between the cursors to a ring of another size. Whoever does it has both locks.
    pub(super) fn resize(&self, from: (Ring<'_>, u32), to: u32, head: Cursor, words: u32) {
        let (ring, size) = from;
        ring.copy_to(self.ring_of(to), head.words, words);
        // The store that counts: who dies before it leaves the old ring, and after it the new one, each of them whole.
        self.ring_size().store(to, Ordering::Release);
        self.segment.release(self.limits.place(size));
    }

    /// Opens the file for the locks of consumers.
    pub(super) fn reopen(&self) -> io::Result<std::os::fd::OwnedFd> {
        self.segment.reopen()
    }
}

#[cfg(test)]
impl Memory {
    pub(super) fn set_ring_size(&self, size: u32) {
        self.ring_size().store(size, Ordering::Relaxed);
    }

    /// The word of the put lock that the system knows, as glibc has it.
    pub(super) fn put_lock_word(&self) -> &AtomicU32 {
        self.segment.at(PUT_LOCK_AT)
    }

    /// How much memory the system has given to it.
    pub(super) fn taken_bytes(&self) -> i64 {
        512 * nix::sys::stat::fstat(self.reopen().unwrap()).unwrap().st_blocks
    }
}

/// Limits, if what was read can be some.
fn believable([items_max, first_ring, last_ring]: [u64; 3]) -> Option<Limits> {
    let [first_ring, last_ring] = [first_ring, last_ring].map(|size| u32::try_from(size).ok());
    let (first_ring, last_ring) = (first_ring?, last_ring?);
    let are_sizes = SHORTEST_RING <= first_ring && first_ring <= last_ring && last_ring <= LONGEST_RING;
    (are_sizes && items_max > 0).then_some(Limits { items_max, first_ring, last_ring })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rings_lie_one_behind_the_other() {
        let limits = Limits::new(1, 1 << 20).unwrap();
        assert_eq!(limits.place(limits.first_ring).start, RINGS_AT);
        for size in limits.first_ring..limits.last_ring {
            assert_eq!(limits.place(size).end, limits.place(size + 1).start);
        }
        assert_eq!(limits.place(limits.last_ring).len(), 1 << 20);
    }

    #[test]
    fn limits_are_rounded_up_and_bounded() {
        let sizes = |bytes| Limits::new(1, bytes).map(|limits| (limits.first_ring, limits.last_ring)).ok();
        assert_eq!(sizes(0), Some((9, 9)));
        assert_eq!(sizes(4097), Some((10, 10)));
        assert_eq!(sizes(1 << 20), Some((13, 17)));
        assert_eq!(sizes(16 << 30), Some((13, 31)));
        assert_eq!((sizes((16 << 30) + 1), sizes(usize::MAX)), (None, None));
        assert!(Limits::new(0, 4096).is_err());
    }

    #[test]
    fn limits_that_cannot_be_are_not_believed() {
        let good = [7, 13, 17];
        assert_eq!(believable(good), Some(Limits { items_max: 7, first_ring: 13, last_ring: 17 }));
        for bad in [[0, 13, 17], [7, 8, 17], [7, 18, 17], [7, 13, 32], [7, u64::MAX, 17], [7, 13, 1 << 32 | 17]] {
            assert_eq!(believable(bad), None, "{bad:?}");
        }
    }
}
