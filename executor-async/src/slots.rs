//! The async jobs that have not ended at their first poll, so that each of them can be stopped.

use std::sync::Arc;

use executor_core::backend::JobRef;

use crate::agenda::Key;
use crate::parked::Parked;

/// The async jobs that wait for something, or have a task of the runtime.
#[derive(Default)]
pub(crate) struct Slots {
    slots: Vec<Slot>,
    free: Vec<u32>,
}

#[derive(Default)]
struct Slot {
    /// Tells those who had the slot one after the other apart.
    turn: u32,
    held: Option<Held>,
}

struct Held {
    job: JobRef,
    parked: Arc<Parked>,
    /// Boxed, because few jobs have one.
    limit: Option<Box<Key>>,
}

/// The slot of one job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SlotKey {
    pub(crate) index: u32,
    pub(crate) turn: u32,
}

/// What was in a slot, to be dropped after the lock.
#[must_use]
pub(crate) struct Left {
    _job: JobRef,
    _parked: Arc<Parked>,
    /// Where the limit of the job is noted.
    pub(crate) limit: Option<Box<Key>>,
}

impl Slots {
    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// A slot for a job, which can be stopped through `parked`.
    pub(crate) fn take(&mut self, job: JobRef, parked: Arc<Parked>) -> SlotKey {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            // 2^32 jobs that wait would take some TiB.
            (self.slots.len() - 1) as u32
        });
        let slot = &mut self.slots[index as usize];
        slot.held = Some(Held { job, parked, limit: None });
        SlotKey { index, turn: slot.turn }
    }

    fn held(&mut self, key: SlotKey) -> Option<&mut Held> {
        let slot = self.slots.get_mut(key.index as usize)?;
        if slot.turn == key.turn { slot.held.as_mut() } else { None }
    }

    /// The way to stop `job`, if it is at `key`.
    pub(crate) fn parked_of(&mut self, key: SlotKey, job: &JobRef) -> Option<Arc<Parked>> {
        let held = self.held(key)?;
        (held.job.id() == job.id()).then(|| Arc::clone(&held.parked))
    }

    /// The way to stop the job at `key`.
    pub(crate) fn parked(&mut self, key: SlotKey) -> Option<Arc<Parked>> {
        self.held(key).map(|held| Arc::clone(&held.parked))
    }

    /// Keeps where the limit of a job is noted, unless it has one.
    pub(crate) fn set_limit(&mut self, key: SlotKey, limit: impl FnOnce() -> Key) {
        if let Some(held) = self.held(key) {
            held.limit.get_or_insert_with(|| Box::new(limit()));
        }
    }

    /// Empties the slot.
    pub(crate) fn leave(&mut self, key: SlotKey) -> Option<Left> {
        let slot = self.slots.get_mut(key.index as usize).filter(|slot| slot.turn == key.turn)?;
        let Held { job, parked, limit } = slot.held.take()?;
        slot.turn = (slot.turn + 1) % SlotKey::TURNS;
        self.free.push(key.index);
        Some(Left { _job: job, _parked: parked, limit })
    }

    /// All jobs, and the ways to stop them.
    pub(crate) fn all(&self) -> Vec<(JobRef, Arc<Parked>)> {
        let held = self.slots.iter().filter_map(|slot| slot.held.as_ref());
        held.map(|held| (held.job.clone(), Arc::clone(&held.parked))).collect()
    }
}
