//! What is under the one lock of a pool: the jobs that wait or were sent, and what each worker has.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use executor_core::backend::{JobRef, Parcel, RoomTicket};
use executor_core::{JobError, JobId, Priority, Rejection, Restarts, Shutdown};

use crate::bell::Bell;
use crate::frame::Frame;
use crate::load::{Fate, Key, Load, Loads};
use crate::queue::Queue;
use crate::wire::{ITEMS_MAX, Page, Place};

/// What of one worker everybody may reach.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    /// The oldest first. Empty while there is no process.
    pub(crate) frames: VecDeque<Frame>,
    pub(crate) page: Option<Arc<Page>>,
    pub(crate) ear: Option<Arc<Bell>>,
    /// How many items it has that have not come back and were not taken back.
    pub(crate) ahead: u32,
    /// How many items of it have come back with an outcome.
    pub(crate) ended: u64,
}

impl Desk {
    /// How many items have begun and have not come back.
    pub(crate) fn running(&self) -> u64 {
        let Some(page) = &self.page else { return 0 };
        let begun =
            |frame: &Frame| page.reach(frame.place).map_or(0, |reach| reach.begun.saturating_sub(frame.received));
        self.frames.iter().map(|frame| u64::from(begun(frame))).sum()
    }
}

/// Where a job is that was sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    pub(crate) worker: usize,
    pub(crate) place: Place,
    pub(crate) item: u16,
    /// How many jobs were sent with it.
    pub(crate) items: u16,
}

/// A running job that is to be ended by force.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Doom {
    pub(crate) worker: usize,
    pub(crate) place: Place,
    pub(crate) item: u16,
    pub(crate) fate: Fate,
}

/// Why a load was not admitted.
pub(crate) enum Denied {
    Full,
    ShutDown,
    Broken(String),
}

impl Denied {
    pub(crate) fn into_error(self) -> JobError {
        match self {
            Denied::Full => JobError::Rejected(Rejection::QueueFull),
            Denied::ShutDown => JobError::Rejected(Rejection::ShutDown),
            Denied::Broken(cause) => JobError::Broken { cause },
        }
    }
}

/// The state of a pool.
#[derive(Debug, Default)]
pub(crate) struct Board {
    pub(crate) loads: Loads,
    pub(crate) queue: Queue,
    pub(crate) desks: Vec<Desk>,
    /// Jobs that wait for their next attempt.
    pub(crate) delayed: BTreeMap<(Instant, u64), Key>,
    delayed_ever: u64,
    /// How many items wait to be sent.
    pub(crate) waiting: u64,
    /// There was a load of another priority than the normal one.
    pub(crate) has_priorities: bool,
    pub(crate) dooms: Vec<Doom>,
    pub(crate) shutdown: Option<Shutdown>,
    pub(crate) broken: Option<String>,
    pub(crate) waiting_for_room: usize,
    pub(crate) room_wakers: BTreeMap<RoomTicket, Waker>,
    pub(crate) accepted: u64,
    pub(crate) finished: u64,
    pub(crate) failed: u64,
    pub(crate) cancelled: u64,
    /// Jobs whose outcome has come and that have not ended yet.
    pub(crate) arriving: u64,
    /// Jobs whose outcome has come, which are counted and whose futures are about to learn it.
    pub(crate) landing: u64,
    pub(crate) restarts: Restarts,
    /// How many threads took out what waited, and are not done with ending it.
    pub(crate) clearing: usize,
    /// The dispatcher has ended, and all workers before it.
    pub(crate) ended: bool,
}

impl Board {
    /// A board for so many places of workers.
    pub(crate) fn new(places: usize) -> Self {
        Board { desks: (0..places).map(|_| Desk::default()).collect(), ..Board::default() }
    }

    /// Takes the load in. What has a lower priority and has not begun begins after it from here on, however late the
    /// dispatcher wakes.
    pub(crate) fn admit(&mut self, load: Load) {
        self.accepted += u64::from(load.open);
        self.enqueue(load);
        self.make_way();
    }

    pub(crate) fn enqueue(&mut self, mut load: Load) {
        if load.open == 0 {
            return;
        }
        self.waiting += u64::from(load.open);
        load.is_queued = true;
        let priority = load.priority;
        self.has_priorities |= priority != Priority::Normal;
        let key = self.loads.insert(load);
        self.queue.push_back(key, priority);
    }

    /// Whether a load of `jobs` may come in.
    pub(crate) fn admits(&self, jobs: u64, capacity: Option<usize>, above_bound: bool) -> Result<(), Denied> {
        if let Some(cause) = &self.broken {
            return Err(Denied::Broken(cause.clone()));
        }
        if self.shutdown.is_some() {
            return Err(Denied::ShutDown);
        }
        match capacity {
            Some(capacity) if !above_bound && self.waiting + jobs > capacity as u64 => Err(Denied::Full),
            _ => Ok(()),
        }
    }

    /// The load whose turn it is.
    pub(crate) fn next_load(&mut self) -> Option<(Key, &Load)> {
        let Board { queue, loads, .. } = self;
        let key = queue.peek(|key| loads.get(key).is_some_and(|load| load.is_queued))?;
        Some((key, loads.get(key)?))
    }

    /// Takes up to `most` items that follow one another of the load whose turn it is, to be sent.
    pub(crate) fn take_items(&mut self, key: Key, most: u32) -> Range<u32> {
        let Board { queue, loads, waiting, .. } = self;
        let Some(load) = loads.get_mut(key) else { return 0..0 };
        let items = load.take(most);
        if !load.waits() {
            load.is_queued = false;
            load.is_due = queue.highest().is_some_and(|highest| highest > load.priority as usize);
            load.passed_over = queue.pop(load.priority);
        }
        *waiting -= items.len() as u64;
        items
    }

    /// Takes the job whose turn it is, and those whose turn comes next as long as each [follows](Load::follows) the one before, up to `most` in
    /// all, to be sent together.
    pub(crate) fn take_alike(&mut self, key: Key, most: u32) -> Vec<Key> {
        let mut taken = Vec::new();
        let mut next = Some(key);
        while let Some(key) = next.take() {
            if !self.take_items(key, 1).is_empty() {
                taken.push(key);
            }
            let Some(&last) = taken.last() else { break };
            let has_room = taken.len() < most.min(u32::from(ITEMS_MAX)) as usize;
            let after = self.next_load().map(|(key, _)| key).filter(|_| has_room);
            let loads = &self.loads;
            next = after.filter(|&after| {
                loads.get(after).zip(loads.get(last)).is_some_and(|(after, last)| after.follows(last))
            });
        }
        taken
    }

    /// Items that were sent have not begun: they wait again, before the others.
    pub(crate) fn give_back(&mut self, key: Key, items: Range<u32>) {
        if items.is_empty() {
            return;
        }
        let Some(load) = self.loads.get_mut(key) else { return };
        self.waiting += items.len() as u64;
        load.give_back(items);
        if !std::mem::replace(&mut load.is_queued, true) {
            self.queue.push_front(key, load.priority);
        }
    }

    /// Finds a job that was sent. One that was taken back and sent again may be in several frames, of which one has it.
    pub(crate) fn sent(&self, key: Key, item: u32) -> Option<Sent> {
        (0..).zip(&self.desks).find_map(|(worker, desk)| {
            let page = desk.page.as_ref()?;
            desk.frames.iter().find_map(|frame| {
                let number = frame.number_of(key, item)?;
                let has_it = page.reach(frame.place).is_some_and(|reach| number < reach.limit);
                has_it.then_some(Sent { worker, place: frame.place, item: number, items: frame.items })
            })
        })
    }

    /// The load that a job is of.
    pub(crate) fn load_of(&self, job: &JobRef) -> Option<Key> {
        self.find(job.id(), job.place()).map(|(key, _)| key)
    }

    /// The load that a job is of, and which item of it.
    pub(crate) fn find(&self, job: JobId, place: u64) -> Option<(Key, u32)> {
        let key = Key::unpack(place);
        let parcel = &self.loads.get(key)?.parcel;
        let item = job.as_u64().checked_sub(parcel.job(0).id().as_u64())?;
        let item = u32::try_from(item).ok().filter(|&item| item < parcel.items())?;
        Some((key, item))
    }

    /// True if the sent item has begun.
    pub(crate) fn has_begun(&self, sent: Sent) -> bool {
        let page = self.desks[sent.worker].page.as_ref();
        page.and_then(|page| page.reach(sent.place)).is_some_and(|reach| reach.begun > sent.item)
    }

    /// Takes a job back that has not begun, wherever it is. It never will then; its parcel must be kept until its cell knows.
    pub(crate) fn withdraw(&mut self, key: Key, item: u32) -> Option<Arc<Parcel>> {
        let load = self.loads.get_mut(key).filter(|load| !load.is_retry)?;
        let parcel = Arc::clone(&load.parcel);
        if load.withdraw(item) {
            self.waiting -= 1;
            self.end_item(key);
            return Some(parcel);
        }
        let sent = self.sent(key, item)?;
        let taken = self.take_tail(sent.worker, sent.place, sent.item..sent.items);
        if taken.contains(&sent.item) {
            // It is this one, and those behind it go elsewhere.
            self.give_back_sent(sent.worker, sent.place, taken.start + 1..taken.end);
            self.end_item(key);
            return Some(parcel);
        }
        self.give_back_sent(sent.worker, sent.place, taken);
        None
    }

    /// Takes items of a frame back from their worker that have not begun; whoever calls gives them back or ends them.
    #[must_use = "what was taken back never begins unless it is given back"]
    pub(crate) fn take_tail(&mut self, worker: usize, place: Place, tail: Range<u16>) -> Range<u16> {
        let desk = &mut self.desks[worker];
        let Some(page) = &desk.page else { return 0..0 };
        let taken = page.withdraw_tail(place, tail);
        desk.ahead -= taken.len() as u32;
        let frame = desk.frames.iter().find(|frame| frame.place == place).filter(|_| !taken.is_empty());
        if let Some(frame) = frame {
            for (key, _) in frame.cargo.spans(taken.clone()) {
                if let Some(load) = self.loads.get_mut(key) {
                    self.queue.came_back(load.priority, std::mem::take(&mut load.passed_over));
                }
            }
        }
        taken
    }

    /// What was taken back of a frame waits again, in its order, before the others.
    pub(crate) fn give_back_sent(&mut self, worker: usize, place: Place, taken: Range<u16>) {
        let frame = self.desks[worker].frames.iter().find(|frame| frame.place == place);
        let Some(cargo) = frame.map(|frame| frame.cargo.clone()) else { return };
        for (key, items) in cargo.spans(taken).rev() {
            self.give_back(key, items);
        }
    }

    /// Takes back what a worker has and has not begun; it waits again, in its order.
    pub(crate) fn take_unbegun(&mut self, worker: usize) {
        self.take_back(worker, |_| true);
    }

    /// Takes back what a worker has and has not begun, of the loads that `gives_way` is true for.
    fn take_back(&mut self, worker: usize, gives_way: impl Fn(&Load) -> bool) {
        let loads = &self.loads;
        let first_left = |frame: &Frame| frame.cargo.at(frame.received).and_then(|(key, _)| loads.get(key));
        let frames: Vec<_> = self.desks[worker]
            .frames
            .iter()
            .filter(|frame| first_left(frame).is_some_and(&gives_way))
            .map(|frame| (frame.place, frame.received..frame.items))
            .collect();
        for (place, tail) in frames.into_iter().rev() {
            let taken = self.take_tail(worker, place, tail);
            self.give_back_sent(worker, place, taken);
        }
    }

    /// One item of the load has ended.
    pub(crate) fn end_item(&mut self, key: Key) {
        self.end_items(key, 1);
    }

    /// Items of the load have ended.
    pub(crate) fn end_items(&mut self, key: Key, items: u32) {
        let Some(load) = self.loads.get_mut(key) else { return };
        load.open -= items;
        if load.open == 0 {
            let was_queued = load.is_queued;
            // A parcel of which nothing is pending runs no code of the user's when it is dropped.
            let load = self.loads.remove(key);
            drop(load);
            if was_queued {
                let Board { queue, loads, .. } = self;
                queue.left(|key| loads.get(key).is_some());
            }
        }
    }

    /// Keeps a load until its next attempt is due.
    pub(crate) fn delay(&mut self, load: Load, until: Instant) {
        let key = self.loads.insert(load);
        self.delayed_ever += 1;
        self.delayed.insert((until, self.delayed_ever), key);
    }

    /// Moves loads whose wait is over to the queue.
    pub(crate) fn readmit_due(&mut self, now: Instant) {
        while let Some(entry) = self.delayed.first_entry() {
            if entry.key().0 > now {
                return;
            }
            let key = entry.remove();
            if let Some(load) = self.loads.remove(key) {
                self.enqueue(load);
            }
        }
    }

    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.delayed.first_key_value().map(|((until, _), _)| *until)
    }

    /// Takes out a job that waits between two attempts.
    pub(crate) fn take_retry(&mut self, key: Key) -> Option<Load> {
        let load = self.loads.get(key)?;
        if !load.is_between() {
            return None;
        }
        self.delayed.retain(|_, delayed| *delayed != key);
        let was_queued = load.is_queued;
        let load = self.loads.remove(key)?;
        if was_queued {
            self.waiting -= 1;
            let Board { queue, loads, .. } = self;
            queue.left(|key| loads.get(key).is_some());
        }
        Some(load)
    }

    /// Takes back what was sent and has not begun, where something of a higher priority waits.
    pub(crate) fn make_way(&mut self) {
        let Some(highest) = self.queue.highest().filter(|_| self.has_priorities && self.waiting > 0) else { return };
        // A load whose turn it was by its age keeps it.
        let gives_way = |load: &Load| (load.priority as usize) < highest && !load.is_due;
        for worker in 0..self.desks.len() {
            if self.desks[worker].ahead > 0 {
                self.take_back(worker, gives_way);
            }
        }
    }

    /// True if nothing is left to be done.
    pub(crate) fn is_empty(&self) -> bool {
        self.loads.is_empty() && self.arriving == 0 && self.landing == 0 && self.clearing == 0
    }

    /// True if no worker is needed any more.
    pub(crate) fn is_over(&self) -> bool {
        self.broken.is_some() || (self.shutdown.is_some() && self.is_empty())
    }

    /// True if what waits does not run any more.
    pub(crate) fn gives_up(&self) -> bool {
        self.broken.is_some() || self.shutdown.is_some_and(|mode| mode != Shutdown::Drain)
    }
}
