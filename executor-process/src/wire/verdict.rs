//! [`Verdict`]: what the death of a worker did to the items of one frame.

use std::ops::Range;

use crate::wire::{Activity, Place};

/// The items of a frame from the first whose outcome did not arrive, in the four classes that a death leaves. They follow
/// one another without a gap, in the order of the fields. What was withdrawn before is in none.
///
/// Over all open frames of a worker at most one item is blamed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// They ran to their end, and their outcomes were lost. They are never run again, unless their retries allow it.
    pub(crate) lost: Range<u16>,
    /// It was running.
    pub(crate) blamed: Option<u16>,
    /// The worker had taken them, and none of their code had run. They may run elsewhere.
    pub(crate) claimed: Range<u16>,
    /// They had not begun. They may run elsewhere, and nobody else has them.
    pub(crate) unbegun: Range<u16>,
}

impl Verdict {
    /// From the last activity of the worker and the counts of the frame, with `received <= begun`.
    pub(crate) fn new(activity: Activity, place: Place, received: u16, begun: u16, unbegun: Range<u16>) -> Self {
        // Which items the worker has left behind, and which it was in.
        let (left, running) = match activity {
            // It never came to run an item.
            Activity::Fresh | Activity::Starting => (received, None),
            Activity::Running(at, item) if at == place => (item, Some(item)),
            Activity::Ended(at, item) if at == place => (item.saturating_add(1), None),
            // Frames are walked in order: it was in an earlier one still, or in a later one already.
            Activity::Running(at, _) | Activity::Ended(at, _) if at.is_before(place) => (received, None),
            Activity::Running(..) | Activity::Ended(..) | Activity::Torn => (begun, None),
        };
        // A worker that writes foreign counts makes wrong numbers here, and never ones outside the frame.
        let left = left.clamp(received, begun);
        let blamed = running.filter(|item| (left..begun).contains(item));
        let entered = left + u16::from(blamed.is_some());
        Verdict { lost: received..left, blamed, claimed: entered..begun, unbegun }
    }

    /// When the page says nothing that can be true: all of it may have run.
    pub(crate) fn torn(received: u16, items: u16) -> Self {
        Verdict { lost: received..items, blamed: None, claimed: items..items, unbegun: items..items }
    }
}

#[cfg(all(test, not(executor_loom)))]
mod tests {
    use super::*;

    const HERE: Place = Place { slot: 3, sequence: 10 };
    const BEFORE: Place = Place { slot: 2, sequence: 9 };
    const AFTER: Place = Place { slot: 4, sequence: 11 };

    /// Of a frame of eight, of which two outcomes had arrived, five items had begun, and one had been withdrawn.
    fn verdict(activity: Activity) -> (Range<u16>, Option<u16>, Range<u16>) {
        let verdict = Verdict::new(activity, HERE, 2, 5, 5..7);
        assert_eq!(verdict.unbegun, 5..7);
        (verdict.lost, verdict.blamed, verdict.claimed)
    }

    #[test]
    fn the_running_item_is_blamed_and_those_before_it_are_lost() {
        assert_eq!(verdict(Activity::Running(HERE, 4)), (2..4, Some(4), 5..5));
        assert_eq!(verdict(Activity::Running(HERE, 2)), (2..2, Some(2), 3..5));
    }

    #[test]
    fn an_item_that_ended_is_lost_and_a_claimed_one_is_not() {
        assert_eq!(verdict(Activity::Ended(HERE, 4)), (2..5, None, 5..5));
        assert_eq!(verdict(Activity::Ended(HERE, 3)), (2..4, None, 4..5));
    }

    #[test]
    fn frames_before_and_after_the_one_at_which_it_was() {
        assert_eq!(verdict(Activity::Ended(AFTER, 0)), (2..5, None, 5..5));
        assert_eq!(verdict(Activity::Running(AFTER, 0)), (2..5, None, 5..5));
        assert_eq!(verdict(Activity::Ended(BEFORE, 63)), (2..2, None, 2..5));
        assert_eq!(verdict(Activity::Fresh), (2..2, None, 2..5));
    }

    #[test]
    fn an_outcome_that_arrived_is_never_blamed() {
        assert_eq!(verdict(Activity::Running(HERE, 0)), (2..2, None, 2..5));
        assert_eq!(verdict(Activity::Ended(HERE, u16::MAX)), (2..5, None, 5..5));
    }

    #[test]
    fn what_the_page_cannot_say_may_have_run() {
        assert_eq!(verdict(Activity::Torn), (2..5, None, 5..5));
        assert_eq!(Verdict::torn(2, 8).lost, 2..8);
    }

    #[test]
    fn the_order_of_frames_holds_across_the_wrap() {
        let last = Place { slot: 0, sequence: u32::MAX };
        let first = Place { slot: 1, sequence: 0 };
        assert!(last.is_before(first) && !first.is_before(last) && !first.is_before(first));
    }
}
