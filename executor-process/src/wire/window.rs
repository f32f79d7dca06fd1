//! [`Window`]: the frames of jobs that a worker has and has not passed.
//!
//! A worker takes frames in the order in which they were pushed, tells the outcomes of each in the order of its items,
//! and passes it before it begins the next. So only one frame can have outcomes at any time, the oldest, and slots
//! become free in the order in which they were taken. What does not fit this is no report of a worker of ours.

use std::collections::VecDeque;

use crate::wire::page::{Reach, SLOTS};
use crate::wire::{FrameError, Page, Place, Report, Verdict};

/// A frame that the worker has not passed.
#[derive(Clone, Copy, Debug)]
struct Open {
    place: Place,
    items: u16,
    /// How many outcomes have come, of the first items.
    received: u16,
}

/// The open frames of a lane, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Window {
    open: VecDeque<Open>,
    /// How many frames were ever opened, wrapping.
    sequence: u32,
    /// The slot of the next frame.
    slot: u16,
}

impl Window {
    /// How many more frames can be opened now.
    pub(crate) fn credits(&self) -> usize {
        usize::from(SLOTS) - self.open.len()
    }

    #[cfg(test)]
    /// How many frames are open.
    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }

    /// Takes the next slot, for a frame of `items`; `None` if all are taken.
    #[inline]
    pub(crate) fn open(&mut self, items: u16) -> Option<Place> {
        if self.credits() == 0 {
            return None;
        }
        self.sequence = self.sequence.wrapping_add(1);
        let place = Place { slot: self.slot, sequence: self.sequence };
        self.slot = (self.slot + 1) % SLOTS;
        self.open.push_back(Open { place, items, received: 0 });
        Some(place)
    }

    /// Notes what a report says about the open frames. False if it is to be dropped: it comes from a job that goes on
    /// telling its progress after its end.
    ///
    /// # Errors
    ///
    /// If it says what cannot be.
    #[inline]
    pub(crate) fn note(&mut self, report: &Report<'_>, page: &Page) -> Result<bool, FrameError> {
        let untrue = |what| Err(FrameError::Untrue { what });
        let oldest = self.open.front_mut();
        match *report {
            Report::Ready { .. } => Ok(true),
            Report::Outcome { place, item, .. } => match oldest {
                Some(open) if open.place == place && open.received == item && item < open.items => {
                    open.received += 1;
                    Ok(true)
                }
                _ => untrue("an outcome is not of the item that comes next"),
            },
            Report::Done { place, passed, .. } => {
                let Some(open) = oldest.filter(|open| open.place == place) else {
                    return untrue("a frame was passed out of its order");
                };
                if passed {
                    // Nothing of it may begin later, and of what began there is an outcome.
                    let all = Reach { begun: open.received, limit: open.received };
                    if page.reach(place) != Some(all) {
                        return untrue("a frame was passed before all of it had ended");
                    }
                    self.open.pop_front();
                }
                Ok(true)
            }
            Report::Progress { place, item, .. } => {
                Ok(oldest.is_some_and(|open| open.place == place && (open.received..open.items).contains(&item)))
            }
        }
    }

    /// True if a report out of the journal was read from the socket before.
    pub(crate) fn is_known(&self, report: &Report<'_>) -> bool {
        let (Report::Outcome { place, .. } | Report::Done { place, .. } | Report::Progress { place, .. }) = *report
        else {
            return true;
        };
        match (self.open.front(), report) {
            (Some(open), &Report::Outcome { item, .. }) if open.place == place => item < open.received,
            (Some(open), _) => place.is_before(open.place),
            (None, _) => true,
        }
    }

    /// What the death of the worker did to each open frame, the oldest first. Each is closed.
    pub(crate) fn close(&mut self, page: &Page) -> Vec<(Place, Verdict)> {
        let verdict = |open: Open| (open.place, page.verdict(open.place, open.items, open.received));
        self.open.drain(..).map(verdict).collect()
    }
}
