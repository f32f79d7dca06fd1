//! Which priority goes next.

use crate::options::Priority;

/// Chooses between the lanes of three priorities, for a backend's queue: the highest goes first, but after
/// [`Priority::AGEING`] jobs of a higher one, one of a lower goes.
#[derive(Clone, Debug, Default)]
pub struct Ageing {
    /// How often a higher lane went before one that waited in this lane.
    passed_over: [u32; 3],
}

impl Ageing {
    /// The lane whose turn it is, of those in which something waits; the index is that of the priority.
    #[must_use]
    #[inline]
    pub fn choose(&self, waits: [bool; 3]) -> Option<usize> {
        let highest = (0..3).rev().find(|&lane| waits[lane])?;
        let aged = |lane: &usize| waits[*lane] && self.passed_over[*lane] >= Priority::AGEING;
        Some((0..highest).rev().find(aged).unwrap_or(highest))
    }

    /// One of lane `chosen` that was counted came back, or was cancelled, before it began. `passed_over` is what
    /// [`passed`](Ageing::passed) gave for it: so often its lane was passed over before, and that counts again.
    pub fn came_back(&mut self, chosen: usize, passed_over: u32) {
        self.passed_over[chosen] += passed_over;
        for passed_over in &mut self.passed_over[..chosen] {
            *passed_over = passed_over.saturating_sub(1);
        }
    }

    /// Counts that one of lane `chosen` goes before what waits in the lower ones. Gives how often that lane was passed over before.
    #[inline]
    pub fn passed(&mut self, chosen: usize, waits: [bool; 3]) -> u32 {
        let before = std::mem::take(&mut self.passed_over[chosen]);
        for (passed_over, waits) in self.passed_over.iter_mut().zip(waits).take(chosen) {
            *passed_over += u32::from(waits);
        }
        before
    }
}
