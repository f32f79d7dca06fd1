//! [`Load`]: the jobs of one parcel while they are in the pool.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use executor_core::Priority;
use executor_core::backend::{Claim, Parcel};

use crate::wire::ItemOptions;

/// Which load: its place in [`Loads`], and which of those that were ever there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    index: u32,
    generation: u32,
}

impl Key {
    pub(crate) fn pack(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.index)
    }

    pub(crate) fn unpack(word: u64) -> Self {
        Key { index: word as u32, generation: (word >> 32) as u32 }
    }
}

/// What was decided about a running job, whatever comes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Killed,
    RunLimit,
}

/// The jobs of one parcel.
#[derive(Debug)]
pub(crate) struct Load {
    pub(crate) parcel: Arc<Parcel>,
    /// The index of their type in the table of jobs.
    pub(crate) job: u32,
    pub(crate) priority: Priority,
    /// The first items that have never been sent.
    next: Range<u32>,
    /// How many items have not ended.
    pub(crate) open: u32,
    /// What goes with each item, if anything does.
    pub(crate) options: Option<Box<ItemOptions>>,
    /// What happens to few of the jobs.
    events: Option<Box<Events>>,
    /// It is one job, and not its first attempt.
    pub(crate) is_retry: bool,
    /// Its map wants to know how long the jobs take.
    pub(crate) is_of_map: bool,
    /// No item of it is ever tried again.
    is_single_attempt: bool,
    /// How often its priority was passed over before its turn came.
    pub(crate) passed_over: u32,
    /// It was sent before one of a higher priority, because it had waited for long.
    pub(crate) is_due: bool,
    /// It has a key in the queue.
    pub(crate) is_queued: bool,
}

/// What happened to items of a load that happens to few of all jobs, so that the others have no room for it.
#[derive(Debug, Default)]
struct Events {
    /// Items that were sent and came back, because their worker was busy or died.
    returned: Vec<Range<u32>>,
    /// Items that were withdrawn before they were sent, or after they came back.
    gone: BTreeSet<u32>,
    /// The right to end items that have begun before: a job that is tried again, or items whose end was decided.
    claims: Vec<(u32, Claim)>,
    fates: Vec<(u32, Fate)>,
}

impl Load {
    pub(crate) fn new(parcel: Arc<Parcel>, job: u32) -> Self {
        Load::of(parcel, job)
    }

    fn of(parcel: Arc<Parcel>, job: u32) -> Self {
        let items = parcel.items();
        // Those that could not be encoded have failed by themselves.
        let failed = |item: &u32| !parcel.is_pending(*item);
        let gone: BTreeSet<u32> = if items > 1 { (0..items).filter(failed).collect() } else { BTreeSet::new() };
        let open = items - gone.len() as u32;
        let events = (!gone.is_empty()).then(|| Box::new(Events { gone, ..Events::default() }));
        let parcel_is_of_map = parcel.is_of_map();
        let is_single_attempt = parcel_is_of_map || parcel.options().is_none();
        let priority = parcel.priority();
        let options = parcel.options().map(|options| {
            Box::new(ItemOptions {
                id: None,
                attempts_before: options.attempt - 1,
                run_limit_ns: options.run_limit.map(|limit| u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX)),
                submitter_span: None,
                stop: false,
                name: options.name.map(Into::into),
            })
        });
        Load {
            parcel,
            job,
            priority,
            next: 0..items,
            open,
            options: options.filter(|options| !options.is_plain()),
            events,
            is_retry: false,
            is_of_map: parcel_is_of_map,
            is_single_attempt,
            passed_over: 0,
            is_due: false,
            is_queued: false,
        }
    }

    /// The next attempt of a job, of which `claim` is the right to end it.
    pub(crate) fn again(parcel: Arc<Parcel>, job: u32, claim: Claim) -> Self {
        let mut load = Load::of(parcel, job);
        load.events().claims.push((0, claim));
        load.is_retry = true;
        load
    }

    fn events(&mut self) -> &mut Events {
        self.events.get_or_insert_default()
    }

    /// Decides about a running item; false if it has ended.
    pub(crate) fn decide(&mut self, item: u32, fate: Fate) -> bool {
        let job = self.parcel.job(item);
        let claims = &mut self.events().claims;
        if !claims.iter().any(|(claimed, _)| *claimed == item) {
            let Some(claim) = job.claim() else { return false };
            claims.push((item, claim));
        }
        if fate == Fate::Killed && !job.decide_kill() {
            return false;
        }
        if self.fate(item).is_none() {
            self.events().fates.push((item, fate));
        }
        true
    }

    /// What was decided about an item.
    pub(crate) fn fate(&self, item: u32) -> Option<Fate> {
        let fates = &self.events.as_ref()?.fates;
        fates.iter().find(|(decided, _)| *decided == item).map(|(_, fate)| *fate)
    }

    /// True if nothing was decided about any item, and an item that has ended is not tried again.
    pub(crate) fn is_plain(&self) -> bool {
        let is_decided = |events: &Events| !events.claims.is_empty() || !events.fates.is_empty();
        self.is_single_attempt && !self.events.as_deref().is_some_and(is_decided)
    }

    /// The right to end an item, which has begun.
    pub(crate) fn claim(&mut self, item: u32) -> Option<Claim> {
        if let Some(events) = &mut self.events
            && let Some(place) = events.claims.iter().position(|(claimed, _)| *claimed == item)
        {
            return Some(events.claims.swap_remove(place).1);
        }
        self.parcel.job(item).claim()
    }

    /// True for one job of which nothing special is to be told, and which may share a frame with others of its kind.
    pub(crate) fn is_alone(&self) -> bool {
        !self.is_of_map
            && self.options.is_none()
            && self.is_plain()
            && self.parcel.large_arguments().is_none()
            && self.parcel.attachments(0).is_none()
            && !self.parcel.stop_requested(0)
    }

    /// True if it may go in one frame behind another, which is alone too: their numbers follow one another, and all else that is told
    /// of them is the same.
    pub(crate) fn follows(&self, before: &Load) -> bool {
        self.job == before.job
            && self.priority == before.priority
            && self.parcel.first_id().as_u64() == before.parcel.first_id().as_u64() + 1
            && self.parcel.submitter_span() == before.parcel.submitter_span()
            && self.is_alone()
    }

    /// True for a job that waits between two attempts.
    pub(crate) fn is_between(&self) -> bool {
        self.is_retry && self.waits()
    }

    /// True if items of it wait to be sent.
    pub(crate) fn waits(&self) -> bool {
        !self.next.is_empty() || self.events.as_ref().is_some_and(|events| !events.returned.is_empty())
    }

    /// How many items that may be sent next have nothing beside their bytes, up to one that has. `None` if none waits.
    pub(crate) fn plain_next(&self) -> Option<u32> {
        let next = match self.events.as_deref() {
            None => (!self.next.is_empty()).then_some(self.next.start),
            Some(Events { returned, gone, .. }) => {
                let waiting = returned.iter().rev().chain([&self.next]).flat_map(Range::clone);
                waiting.into_iter().find(|item| !gone.contains(item))
            }
        };
        next.map(|item| self.parcel.plain_from(item))
    }

    /// Takes up to `most` items that follow one another and may be sent. Empty if none is left.
    pub(crate) fn take(&mut self, most: u32) -> Range<u32> {
        let Some(events) = &mut self.events else {
            let taken = self.next.start..self.next.start.saturating_add(most).min(self.next.end);
            self.next.start = taken.end;
            return taken;
        };
        let Events { returned, gone, .. } = &mut **events;
        loop {
            let source = returned.last_mut().unwrap_or(&mut self.next);
            if source.start >= source.end {
                if returned.pop().is_none() {
                    return 0..0;
                }
                continue;
            }
            while source.start < source.end && gone.contains(&source.start) {
                source.start += 1;
            }
            let most = source.start.saturating_add(most).min(source.end);
            let end = (source.start..most).find(|item| gone.contains(item)).unwrap_or(most);
            let taken = source.start..end;
            source.start = end;
            if !taken.is_empty() {
                if returned.last().is_some_and(Range::is_empty) {
                    // Nothing of it waits any more.
                    returned.pop();
                }
                return taken;
            }
        }
    }

    /// Items that were sent have not begun, and wait again.
    pub(crate) fn give_back(&mut self, items: Range<u32>) {
        if !items.is_empty() {
            self.events().returned.push(items);
        }
    }

    /// Takes out one item that waits; false if it does not wait.
    pub(crate) fn withdraw(&mut self, item: u32) -> bool {
        let returned = |events: &Events| events.returned.iter().any(|range| range.contains(&item));
        let waits = self.next.contains(&item) || self.events.as_deref().is_some_and(returned);
        waits && self.events().gone.insert(item)
    }
}

/// All loads of a pool.
#[derive(Debug, Default)]
pub(crate) struct Loads {
    slots: Vec<Slot>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Slot {
    generation: u32,
    load: Option<Load>,
}

impl Loads {
    pub(crate) fn insert(&mut self, load: Load) -> Key {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { generation: 0, load: None });
            self.slots.len() as u32 - 1
        });
        let slot = &mut self.slots[index as usize];
        let key = Key { index, generation: slot.generation };
        load.parcel.set_place(key.pack());
        slot.load = Some(load);
        key
    }

    pub(crate) fn get(&self, key: Key) -> Option<&Load> {
        let slot = self.slots.get(key.index as usize).filter(|slot| slot.generation == key.generation)?;
        slot.load.as_ref()
    }

    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut Load> {
        let slot = self.slots.get_mut(key.index as usize).filter(|slot| slot.generation == key.generation)?;
        slot.load.as_mut()
    }

    pub(crate) fn remove(&mut self, key: Key) -> Option<Load> {
        let slot = self.slots.get_mut(key.index as usize).filter(|slot| slot.generation == key.generation)?;
        let load = slot.load.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(key.index);
        if self.free.len() == self.slots.len() {
            // Nothing is left: a burst should not keep its memory. Generations go on, so that no key means another load.
            if self.slots.capacity() > KEPT {
                self.shrink();
            }
        }
        Some(load)
    }

    /// Gives memory back; keys of loads that have left could be taken for new ones only after 2³² others.
    fn shrink(&mut self) {
        let newest = self.slots.iter().map(|slot| slot.generation).max().unwrap_or(0);
        self.slots = Vec::new();
        self.free = Vec::new();
        self.slots.push(Slot { generation: newest, load: None });
        self.free.push(0);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.free.len() == self.slots.len()
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = Key> {
        (0..)
            .zip(&self.slots)
            .filter(|(_, slot)| slot.load.is_some())
            .map(|(index, slot)| Key { index, generation: slot.generation })
    }
}

/// As many slots are kept when all are free.
const KEPT: usize = 4096;
