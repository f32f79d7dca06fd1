//! How long the items of a map take, and what follows from it.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// How much work one chunk should be. The reader is woken about once for each, and 2 ms is some hundred times what
/// that costs, and too short for a person to notice.
const CHUNK: Duration = Duration::from_millis(2);
/// How much work a worker takes from a chunk at a time: some hundred times what the taking costs.
const TURN: Duration = Duration::from_micros(20);
/// No chunk is longer, however short the items: its cells take some hundreds of KiB.
const CHUNK_ITEMS_MAX: u32 = 4096;
/// No turn is longer.
const TURN_ITEMS_MAX: u32 = 256;

/// The measured time per item, shared by the chunks of one map.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// A moving average in ns, at least 1; 0 until something was measured. A lost update costs nothing.
    item_ns: AtomicU32,
}

impl Pace {
    /// Takes in that `items` items took `took`.
    pub(crate) fn learn(&self, items: u32, took: Duration) {
        let Some(mean) = took.as_nanos().checked_div(u128::from(items)) else { return };
        let mean = u32::try_from(mean).unwrap_or(u32::MAX).max(1);
        let known = self.item_ns.load(Ordering::Relaxed);
        let next = if known == 0 { mean } else { known - known / 4 + mean / 4 };
        self.item_ns.store(next.max(1), Ordering::Relaxed);
    }

    /// How many items fit in `budget`: 1 as long as nothing is known.
    fn items_in(&self, budget: Duration, most: u32) -> u32 {
        match self.item_ns.load(Ordering::Relaxed) {
            0 => 1,
            item_ns => u32::try_from(budget.as_nanos()).map_or(most, |budget| budget / item_ns).clamp(1, most),
        }
    }

    /// How many items a chunk should have.
    pub(crate) fn chunk_items(&self) -> u32 {
        self.items_in(CHUNK, CHUNK_ITEMS_MAX)
    }

    /// How many items a worker should take at a time.
    pub(crate) fn turn_items(&self) -> u32 {
        self.items_in(TURN, TURN_ITEMS_MAX)
    }
}
