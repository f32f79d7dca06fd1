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

impl Open {
    /// Counts outcomes that were told; false if they are not those that come next.
    #[inline]
    fn comes_next(&mut self, place: Place, first: u16, outcomes: usize) -> bool {
        let is_next = self.place == place && self.received == first && outcomes <= usize::from(self.items - first);
        if is_next {
            self.received += outcomes as u16;
        }
        is_next
    }
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

    /// How many frames are open.
    #[cfg(all(test, not(executor_loom)))]
    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }

    /// Where the next frame will be; `None` if all slots are taken.
    #[inline]
    pub(crate) fn next_place(&self) -> Option<Place> {
        let sequence = self.sequence.wrapping_add(1);
        (self.credits() > 0).then_some(Place { slot: self.slot, sequence })
    }

    /// Takes the next slot, for a frame of `items`; `None` if all are taken.
    #[inline]
    pub(crate) fn open(&mut self, items: u16) -> Option<Place> {
        let place = self.next_place()?;
        self.sequence = place.sequence;
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
            Report::Outcome { place, item: first, .. } | Report::Outputs { place, first, .. } => {
                match oldest.is_some_and(|open| open.comes_next(place, first, report.outcomes())) {
                    true => Ok(true),
                    false => untrue("an outcome is not of the item that comes next"),
                }
            }
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

    /// How many of the outcomes of a report out of the journal were read from the socket before; of one that has none, whether
    /// it was: `None` if all of it is known.
    pub(crate) fn known(&self, report: &Report<'_>) -> Option<usize> {
        let (place, first) = match *report {
            Report::Outcome { place, item: first, .. } | Report::Outputs { place, first, .. } => (place, first),
            Report::Done { place, .. } | Report::Progress { place, .. } => (place, 0),
            Report::Ready { .. } => return None,
        };
        let outcomes = report.outcomes();
        let open = self.open.front()?;
        if open.place == place {
            let known = usize::from(open.received.saturating_sub(first));
            return (outcomes == 0 || known < outcomes).then_some(known);
        }
        (!place.is_before(open.place)).then_some(0)
    }

    /// What the death of the worker did to each open frame, the oldest first. Each is closed.
    pub(crate) fn close(&mut self, page: &Page) -> Vec<(Place, Verdict)> {
        let verdict = |open: Open| (open.place, page.verdict(open.place, open.items, open.received));
        self.open.drain(..).map(verdict).collect()
    }
}
