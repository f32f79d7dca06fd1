//! [`Place`]: which frame of a lane.

use std::fmt;

/// Where a frame of jobs is in the page, and which of all frames that were ever there.
///
/// Sequences count the frames of a lane and wrap after 2³². Both ends name them in every swap, so that a late hand never
/// touches the frame that came after. A place that somebody kept for exactly 2³² frames would be taken for a new one: at
/// ten million frames a second that is seven minutes between a load and the swap after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) slot: u16,
    pub(crate) sequence: u32,
}

impl Place {
    /// True if this frame was posted before `other`. Both must be of one window, which is far below 2³¹ frames.
    pub(crate) fn is_before(self, other: Place) -> bool {
        self.sequence.wrapping_sub(other.sequence) > u32::MAX / 2
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "frame {} in slot {}", self.sequence, self.slot)
    }
}
