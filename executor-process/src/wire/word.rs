//! The words of the shared page: how their bits are packed.

use crate::wire::Place;

/// What the word of a slot says: `begun` items of the frame have begun, and only those below `limit` may.
///
/// ```text
///   63            32 31      16 15       0
///   ┌───────────────┬──────────┬──────────┐
///   │   sequence    │  limit   │  begun   │
///   └───────────────┴──────────┴──────────┘
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SlotWord {
    pub(crate) sequence: u32,
    pub(crate) begun: u16,
    pub(crate) limit: u16,
}

impl SlotWord {
    pub(crate) fn pack(self) -> u64 {
        u64::from(self.sequence) << 32 | u64::from(self.limit) << 16 | u64::from(self.begun)
    }

    pub(crate) fn unpack(word: u64) -> Self {
        SlotWord { sequence: (word >> 32) as u32, limit: (word >> 16) as u16, begun: word as u16 }
    }
}

/// What the worker does, as its status word says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Activity {
    /// It has not yet run anything.
    Fresh,
    /// It runs the initializer.
    Starting,
    /// It runs this item: its argument is being decoded, its body runs, or its output is being encoded.
    Running(Place, u16),
    /// It runs nothing, and this item was the last that it ran.
    Ended(Place, u16),
    /// The word is none that a worker writes.
    Torn,
}

const FRESH: u64 = 0;
const STARTING: u64 = 1;
const RUNNING: u64 = 2;
const ENDED: u64 = 3;

/// How many bits of the status word hold the slot.
pub(crate) const SLOT_BITS: u32 = 12;
const SLOT_MASK: u64 = (1 << SLOT_BITS) - 1;

impl Activity {
    /// ```text
    ///   63            32 31   28 27       16 15       0
    ///   ┌───────────────┬───────┬───────────┬──────────┐
    ///   │   sequence    │ kind  │   slot    │   item   │
    ///   └───────────────┴───────┴───────────┴──────────┘
    /// ```
    pub(crate) fn pack(self) -> u64 {
        let (kind, place, item) = match self {
            Activity::Fresh | Activity::Torn => return FRESH << 28,
            Activity::Starting => return STARTING << 28,
            Activity::Running(place, item) => (RUNNING, place, item),
            Activity::Ended(place, item) => (ENDED, place, item),
        };
        let slot = u64::from(place.slot) & SLOT_MASK;
        u64::from(place.sequence) << 32 | kind << 28 | slot << 16 | u64::from(item)
    }

    pub(crate) fn unpack(word: u64) -> Self {
        let place = Place { slot: (word >> 16 & SLOT_MASK) as u16, sequence: (word >> 32) as u32 };
        match word >> 28 & 0xf {
            FRESH if word == 0 => Activity::Fresh,
            STARTING => Activity::Starting,
            RUNNING => Activity::Running(place, word as u16),
            ENDED => Activity::Ended(place, word as u16),
            _ => Activity::Torn,
        }
    }
}

#[cfg(all(test, not(executor_loom)))]
mod tests {
    use super::*;

    #[test]
    fn words_come_back_as_they_were_packed() {
        let place = Place { slot: 495, sequence: u32::MAX };
        for item in [0, 1, 255, 256, u16::MAX] {
            for activity in
                [Activity::Fresh, Activity::Starting, Activity::Running(place, item), Activity::Ended(place, item)]
            {
                assert_eq!(Activity::unpack(activity.pack()), activity);
            }
            let word = SlotWord { sequence: 0xdead_beef, begun: item, limit: !item };
            assert_eq!(SlotWord::unpack(word.pack()), word);
        }
    }

    #[test]
    fn a_word_of_foreign_bits_is_torn() {
        assert_eq!(Activity::unpack(u64::MAX), Activity::Torn);
        assert_eq!(Activity::unpack(1), Activity::Torn);
    }
}
