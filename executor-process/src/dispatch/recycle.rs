//! Replacing workers that have done their share.
//!
//! Where workers are recycled, each has two places: one *serves*, and in the other its replacement starts before it leaves. So
//! a pool has as many workers at work as it should, never more, and never fewer unless jobs end faster than processes
//! start.
//!
//! 1. *Due*: the worker is too old or too large, or has as many jobs as it may run. A replacement is ordered.
//! 2. One that is too old or too large serves until the replacement is ready. Then it gets nothing more, and what it has not begun
//!    goes back.
//! 3. When its last job has ended, it is told to leave, and the other place serves. It drops its state, runs its exit
//!    hooks and exits; if that takes too long, it is killed. Its jobs have all ended by then.

use std::time::{Duration, Instant};

use super::Dispatcher;
use super::member::Member;
use crate::board::{Board, Desk};
use crate::recycling::{Recycling, Resident};
use crate::start::Worker;

/// How often the memory of a worker is looked at, at most: a look takes 2 µs, which is nothing then.
const LOOK: Duration = Duration::from_millis(10);

/// What is known of a worker that may be recycled.
#[derive(Debug)]
pub(super) struct Wear {
    /// When it becomes too old.
    old: Option<Instant>,
    resident: Option<Resident>,
    /// How many jobs had ended when its memory was looked at.
    looked_behind: u64,
    look: Instant,
    /// It is too old or too large.
    is_worn: bool,
}

impl Wear {
    pub(super) fn of(process: &Worker, recycling: &Recycling) -> Wear {
        let now = Instant::now();
        let old = recycling.age.and_then(|age| now.checked_add(age));
        // It has ended if the system does not show it.
        let resident = recycling.memory_bytes.and_then(|_| Resident::of(process).ok());
        Wear { old, resident, looked_behind: 0, look: now, is_worn: false }
    }

    /// Looks whether it is worn. One that has been given nothing is not.
    fn examine(&mut self, desk: &Desk, recycling: &Recycling, now: Instant) {
        let ended = desk.ended;
        if self.is_worn || !is_used(desk) {
            return;
        }
        self.is_worn = self.old.is_some_and(|old| now >= old);
        if let (Some(resident), Some(limit)) = (&self.resident, recycling.memory_bytes)
            && ended != self.looked_behind
            && now >= self.look
        {
            self.looked_behind = ended;
            self.look = now + LOOK;
            self.is_worn |= resident.bytes().is_some_and(|bytes| bytes > limit);
        }
    }

    /// When to examine it again, if nothing happens.
    fn next_look(&self, desk: &Desk) -> Option<Instant> {
        if self.is_worn || !is_used(desk) {
            return None;
        }
        let look = (self.resident.is_some() && desk.ended != self.looked_behind).then_some(self.look);
        [look, self.old].into_iter().flatten().min()
    }
}

/// A worker has jobs, or has had some.
fn is_used(desk: &Desk) -> bool {
    desk.ended > 0 || desk.ahead > 0
}

/// A worker may be given no more jobs.
fn is_spent(desk: &Desk, recycling: &Recycling) -> bool {
    recycling.jobs.is_some_and(|jobs| desk.ended + u64::from(desk.ahead) >= jobs)
}

impl Dispatcher {
    /// The other place of the worker that has this one, if there is one.
    pub(super) fn twin(&self, place: usize) -> Option<usize> {
        let workers = self.pool.workers;
        (self.members.len() > workers).then_some(if place < workers { place + workers } else { place - workers })
    }

    /// Sends off those who have done their share. To be called under the lock, before jobs are handed out.
    pub(super) fn recycle(&mut self, board: &mut Board) {
        let recycling = self.recipe.recycling;
        if !recycling.is_on() {
            return;
        }
        for worker in 0..self.serving.len() {
            let place = self.serving[worker];
            let Some(other) = self.twin(place) else { return };
            self.members[other].stands_by = true;
            if !self.members[place].is_here() {
                if self.members[other].is_here() {
                    self.serve(worker, other);
                }
                continue;
            }
            self.members[place].stands_by = false;
            if !self.members[place].is_ready() {
                continue;
            }
            if self.members[place].is_worn() && self.members[other].is_ready() {
                self.members[place].stands_by = true;
                board.take_unbegun(place);
            }
            let desk = &board.desks[place];
            let has_run_all = recycling.jobs.is_some_and(|jobs| desk.ended >= jobs);
            if (has_run_all || self.members[place].stands_by) && desk.ahead == 0 && !board.is_over() {
                board.restarts.recycled += 1;
                self.members[place].dismiss(false);
                self.serve(worker, other);
            }
        }
    }

    fn serve(&mut self, worker: usize, place: usize) {
        let before = std::mem::replace(&mut self.serving[worker], place);
        self.members[before].stands_by = true;
        self.members[place].stands_by = false;
        let (window, item_ns) = self.members[before].measured();
        self.members[place].take_over(window, item_ns);
    }

    /// The places in which a replacement should start. To be called when jobs have been handed out.
    pub(super) fn spares_wanted(&mut self, board: &Board) -> Vec<usize> {
        let recycling = self.recipe.recycling;
        self.next_wear = None;
        if !recycling.is_on() || board.is_over() {
            return Vec::new();
        }
        let now = Instant::now();
        let mut wanted = Vec::new();
        for worker in 0..self.serving.len() {
            let place = self.serving[worker];
            let desk = &board.desks[place];
            if !self.members[place].is_ready() {
                continue;
            }
            if let Some(wear) = self.members[place].present().and_then(|present| present.wear.as_mut()) {
                wear.examine(desk, &recycling, now);
                self.next_wear = [self.next_wear, wear.next_look(desk)].into_iter().flatten().min();
            }
            let is_due = is_spent(desk, &recycling) || self.members[place].is_worn();
            let other = self.twin(place).filter(|&other| self.members[other].is_vacant());
            wanted.extend(other.filter(|_| is_due));
        }
        wanted
    }
}

impl Member {
    /// There is a process, or one on its way, that is not about to leave.
    pub(super) fn is_here(&self) -> bool {
        !self.is_vacant() && !self.is_leaving()
    }

    fn is_worn(&self) -> bool {
        self.here().and_then(|present| present.wear.as_ref()).is_some_and(|wear| wear.is_worn)
    }
}
