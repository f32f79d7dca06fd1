//! [`Board`]: everything of the pool that is under its lock. No code of the user's runs here.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::mem;
use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use executor_core::backend::{Claim, JobRef, Parcel, RoomTicket, Shutdown};
use executor_core::{JobId, Priority, Stats};

use crate::pipe::{Lane, Pipe};
use crate::wire::{Options, Order, frame};

/// One job of one parcel: the place of the parcel, and the number of the item.
pub(crate) type Spot = (u64, u32);

#[derive(Default)]
pub(crate) struct Board {
    pub(crate) mode: Option<Shutdown>,
    pub(crate) broken: Option<String>,
    pub(crate) ended: bool,
    /// A shutdown ran out of time, and the drop of the last handle does not wait again.
    pub(crate) gave_up: bool,
    pub(crate) workers: Vec<Worker>,
    parcels: BTreeMap<u64, Entry>,
    last_place: u64,
    last_run: u64,
    queues: [VecDeque<Spot>; 3],
    passed_over: [u32; 3],
    /// How many jobs wait for their first attempt and were not sent: what the bound counts.
    pub(crate) waiting: usize,
    /// How many jobs are between two attempts.
    pub(crate) between: u64,
    timers: BTreeSet<(Instant, Spot)>,
    pub(crate) accepted: u64,
    pub(crate) finished: u64,
    pub(crate) failed: u64,
    pub(crate) cancelled: u64,
    pub(crate) room_wakers: BTreeMap<RoomTicket, Waker>,
}

/// A worker as the pool sees it.
pub(crate) struct Worker {
    pub(crate) orders: Arc<Pipe>,
    pub(crate) lane: Arc<Lane>,
    pub(crate) ready: bool,
    pub(crate) run: Option<Sent>,
}

/// A run that was sent and has not come to its end.
pub(crate) struct Sent {
    pub(crate) number: u64,
    pub(crate) spot: Spot,
    /// The claim on a job that has begun in its cell, as one has that is tried again.
    pub(crate) claim: Option<Claim>,
    pub(crate) progress: Option<(u64, u64)>,
}

struct Entry {
    parcel: Arc<Parcel>,
    job: u32,
    items: Vec<Item>,
    /// How many items have not ended.
    open: usize,
}

pub(crate) enum Item {
    Waiting,
    Sent,
    Between(Claim),
    Withdrawn,
    Ended,
}

impl Board {
    pub(crate) fn put_in(&mut self, parcel: Arc<Parcel>, job: u32, jobs: usize) {
        self.last_place += 1;
        let place = self.last_place;
        parcel.set_place(place);
        let mut items = Vec::new();
        for item in 0..parcel.items() {
            let pending = parcel.is_pending(item);
            items.push(if pending { Item::Waiting } else { Item::Ended });
            if pending {
                self.queues[parcel.priority() as usize].push_back((place, item));
            }
        }
        self.accepted += jobs as u64;
        self.waiting += jobs;
        self.parcels.insert(place, Entry { parcel, job, items, open: jobs });
    }

    pub(crate) fn item(&mut self, spot: Spot) -> Option<&mut Item> {
        self.parcels.get_mut(&spot.0)?.items.get_mut(spot.1 as usize)
    }

    /// Which item of its parcel a job is.
    pub(crate) fn item_of(&self, job: JobId, place: u64) -> Option<u32> {
        let first = self.parcels.get(&place)?.parcel.job(0).id();
        u32::try_from(job.as_u64().checked_sub(first.as_u64())?).ok()
    }

    pub(crate) fn job(&self, spot: Spot) -> Option<JobRef> {
        Some(self.parcels.get(&spot.0)?.parcel.job(spot.1))
    }

    pub(crate) fn worker_of(&mut self, spot: Spot) -> Option<&mut Worker> {
        self.workers.iter_mut().find(|worker| worker.run.as_ref().is_some_and(|run| run.spot == spot))
    }

    /// True if the job of `spot` was sent, and a worker has begun it.
    pub(crate) fn is_begun(&mut self, spot: Spot) -> bool {
        self.worker_of(spot).is_some_and(|worker| worker.has_begun())
    }

    /// Counts an item as ended; gives the parcel of which it was the last, to be dropped after the lock.
    #[must_use]
    pub(crate) fn end_item(&mut self, spot: Spot) -> Option<Arc<Parcel>> {
        let entry = self.parcels.get_mut(&spot.0)?;
        entry.open -= 1;
        if entry.open > 0 {
            return None;
        }
        self.parcels.remove(&spot.0).map(|entry| entry.parcel)
    }

    /// Takes the claim of a job between two attempts; it stays counted as between until it ends.
    pub(crate) fn take_between(&mut self, spot: Spot) -> Option<Claim> {
        let item = self.item(spot)?;
        match mem::replace(item, Item::Ended) {
            Item::Between(claim) => Some(claim),
            other => {
                *item = other;
                None
            }
        }
    }

    /// Puts a job aside for its next attempt.
    pub(crate) fn put_between(&mut self, spot: Spot, claim: Claim, due: Instant) {
        if let Some(item) = self.item(spot) {
            *item = Item::Between(claim);
        }
        self.timers.insert((due, spot));
    }

    /// All spots whose items are as `condition` says.
    pub(crate) fn spots(&self, condition: impl Fn(&Item) -> bool) -> Vec<Spot> {
        let items = |(place, entry): (&u64, &Entry)| {
            let wanted = (0..).zip(&entry.items).filter(|(_, item)| condition(item));
            wanted.map(|(item, _)| (*place, item)).collect::<Vec<Spot>>()
        };
        self.parcels.iter().flat_map(items).collect()
    }

    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.timers.first().map(|(due, _)| *due)
    }

    /// Queues the retries that have come due.
    pub(crate) fn wake_due(&mut self) {
        while self.next_due().is_some_and(|due| due <= Instant::now()) {
            let Some((_, spot)) = self.timers.pop_first() else { return };
            if let Some(entry) = self.parcels.get(&spot.0) {
                self.queues[entry.parcel.priority() as usize].push_back(spot);
            }
        }
    }

    /// The job whose turn it is.
    fn pop(&mut self) -> Option<Spot> {
        let parcels = &self.parcels;
        let waits = |spot: &Spot| {
            let item = parcels.get(&spot.0).and_then(|entry| entry.items.get(spot.1 as usize));
            matches!(item, Some(Item::Waiting | Item::Between(_)))
        };
        for queue in &mut self.queues {
            // What was cancelled is no turn of its priority.
            while queue.front().is_some_and(|spot| !waits(spot)) {
                queue.pop_front();
            }
        }
        let highest = (0..3).rev().find(|&lane| !self.queues[lane].is_empty())?;
        let aged = |lane: &usize| !self.queues[*lane].is_empty() && self.passed_over[*lane] >= Priority::AGEING;
        let chosen = (0..highest).rev().find(aged).unwrap_or(highest);
        self.passed_over[chosen] = 0;
        for lane in 0..chosen {
            self.passed_over[lane] += u32::from(!self.queues[lane].is_empty());
        }
        self.queues[chosen].pop_front()
    }

    /// Sends a job to each worker that has none; true if that made room.
    pub(crate) fn assign(&mut self) -> bool {
        let waited = self.waiting;
        for worker in 0..self.workers.len() {
            if !self.workers[worker].ready || self.workers[worker].run.is_some() {
                continue;
            }
            let Some(spot) = self.pop() else { break };
            self.send(worker, spot);
        }
        self.waiting < waited
    }

    fn send(&mut self, worker: usize, spot: Spot) {
        let Some(entry) = self.parcels.get_mut(&spot.0) else { return };
        let parcel = &entry.parcel;
        let job = parcel.job(spot.1);
        self.last_run += 1;
        let number = self.last_run;
        let order = Order::Run {
            number,
            job: entry.job,
            id: job.id().as_u64(),
            stop: job.stop_requested(),
            options: parcel.options().map(Options::of),
        };
        let mut frame = frame(&order);
        frame.extend_from_slice(parcel.arguments(spot.1));
        let claim = match mem::replace(&mut entry.items[spot.1 as usize], Item::Sent) {
            Item::Between(claim) => {
                self.between -= 1;
                Some(claim)
            }
            _ => {
                self.waiting -= 1;
                None
            }
        };
        let worker = &mut self.workers[worker];
        worker.run = Some(Sent { number, spot, claim, progress: None });
        worker.lane.send(number);
        worker.orders.send(frame);
    }

    /// How many jobs have not ended.
    pub(crate) fn open(&self) -> u64 {
        self.accepted - self.finished - self.failed - self.cancelled
    }

    pub(crate) fn stats(&self) -> Stats {
        let runs = self.workers.iter().filter(|worker| worker.has_begun()).count() as u64;
        let mut stats = Stats::default();
        stats.workers = self.workers.len();
        stats.running = runs + self.between;
        stats.queued = self.open() - stats.running;
        stats.finished = self.finished;
        stats.failed = self.failed;
        stats.cancelled = self.cancelled;
        stats
    }
}

impl Worker {
    /// True if a job runs here, as its future sees it.
    pub(crate) fn has_begun(&self) -> bool {
        self.run.as_ref().is_some_and(|run| run.claim.is_some() || self.lane.is_begun(run.number))
    }
}
