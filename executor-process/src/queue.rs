//! The loads that wait: three priorities, first in first out within each.

use std::collections::VecDeque;

use executor_core::Priority;
use executor_core::backend::Ageing;

use crate::load::Key;

/// Keys of loads in three lanes. A load that leaves the pool leaves its key behind, which is passed over.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    lanes: [VecDeque<Key>; 3],
    ageing: Ageing,
    /// At least so many keys are of loads that have left.
    stale: usize,
}

/// So many stale keys are not worth a walk through the lanes.
const STALE_KEPT: usize = 1024;

impl Queue {
    pub(crate) fn push_back(&mut self, key: Key, priority: Priority) {
        self.lanes[priority as usize].push_back(key);
    }

    /// For what was on its way already.
    pub(crate) fn push_front(&mut self, key: Key, priority: Priority) {
        self.lanes[priority as usize].push_front(key);
    }

    /// The load whose turn it is, of those that `waits` is true for.
    pub(crate) fn peek(&mut self, waits: impl Fn(Key) -> bool) -> Option<Key> {
        for lane in &mut self.lanes {
            while lane.front().is_some_and(|&key| !waits(key)) {
                lane.pop_front();
                self.stale = self.stale.saturating_sub(1);
            }
        }
        let lane = self.ageing.choose([0, 1, 2].map(|lane| !self.lanes[lane].is_empty()))?;
        self.lanes[lane].front().copied()
    }

    /// The highest priority in which something waits, as far as keys tell.
    pub(crate) fn highest(&self) -> Option<usize> {
        (0..3).rev().find(|&lane| !self.lanes[lane].is_empty())
    }

    /// Takes out the load that was peeked at, and counts its turn. Gives how often its priority was passed over before.
    pub(crate) fn pop(&mut self, priority: Priority) -> u32 {
        let lane = priority as usize;
        let passed_over = self.ageing.passed(lane, [0, 1, 2].map(|lane| !self.lanes[lane].is_empty()));
        self.lanes[lane].pop_front();
        passed_over
    }

    /// A load that was popped came back, or was cancelled, before it began; before that its priority was passed over so often.
    pub(crate) fn came_back(&mut self, priority: Priority, passed_over: u32) {
        self.ageing.came_back(priority as usize, passed_over);
    }

    /// A load has left of which the key may be here.
    pub(crate) fn left(&mut self, waits: impl Fn(Key) -> bool) {
        self.stale += 1;
        let keys: usize = self.lanes.iter().map(VecDeque::len).sum();
        if self.stale > STALE_KEPT && self.stale > keys / 2 {
            self.stale = 0;
            self.lanes.iter_mut().for_each(|lane| lane.retain(|&key| waits(key)));
        }
    }
}
