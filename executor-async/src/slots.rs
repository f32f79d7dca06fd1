//! The async jobs that are with the runtime, so that each of them can be stopped.

use executor_core::backend::JobRef;
use tokio::task::AbortHandle;

use crate::agenda::Key;

/// After so many jobs in one slot the turns begin again, so that slot and turn fit in what a cell keeps of its place. A place is
/// used only while its job is there or shortly after.
const TURNS: u32 = 1 << 29;

/// The async jobs that are with the runtime.
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
    /// Missing until the runtime has the task.
    abort: Option<AbortHandle>,
    stop: Option<Stop>,
    limit: Option<Key>,
}

/// Why a job is stopped by force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// It was killed, or withdrawn before its first poll: its cell knows.
    Asked,
    /// It passed its run limit.
    Limit,
}

/// The slot of one job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SlotKey {
    pub(crate) index: u32,
    pub(crate) turn: u32,
}

impl Slots {
    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// A slot for a job that is about to be handed to the runtime.
    pub(crate) fn take(&mut self, job: JobRef) -> SlotKey {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            // 2^32 tasks of the runtime would take some TiB.
            (self.slots.len() - 1) as u32
        });
        let slot = &mut self.slots[index as usize];
        slot.held = Some(Held { job, abort: None, stop: None, limit: None });
        SlotKey { index, turn: slot.turn }
    }

    fn held(&mut self, key: SlotKey) -> Option<&mut Held> {
        let slot = self.slots.get_mut(key.index as usize)?;
        if slot.turn == key.turn { slot.held.as_mut() } else { None }
    }

    /// True if `job` is at `key`.
    pub(crate) fn is_of(&mut self, key: SlotKey, job: &JobRef) -> bool {
        self.held(key).is_some_and(|held| held.job.id() == job.id())
    }

    /// The job in the slot.
    #[cfg(feature = "tracing")]
    pub(crate) fn job(&mut self, key: SlotKey) -> Option<JobRef> {
        self.held(key).map(|held| held.job.clone())
    }

    /// The runtime has the task of the job; gives the way to abort it back if it is to be used at once.
    pub(crate) fn set_abort(&mut self, key: SlotKey, abort: AbortHandle) -> Option<AbortHandle> {
        let held = self.held(key)?;
        if held.stop.is_some() {
            return Some(abort);
        }
        held.abort = Some(abort);
        None
    }

    /// Says that the job is to be stopped; gives the way to abort it, if the runtime has it.
    pub(crate) fn stop(&mut self, key: SlotKey, why: Stop) -> Option<AbortHandle> {
        let held = self.held(key)?;
        held.stop.get_or_insert(why);
        held.abort.clone()
    }

    /// Why the job was stopped, if it was.
    pub(crate) fn why(&mut self, key: SlotKey) -> Option<Stop> {
        self.held(key)?.stop
    }

    pub(crate) fn set_limit(&mut self, key: SlotKey, limit: Key) {
        if let Some(held) = self.held(key) {
            held.limit = Some(limit);
        }
    }

    /// Empties the slot; gives what is to be dropped after the lock, and where the limit of the job is noted.
    pub(crate) fn leave(&mut self, key: SlotKey) -> Option<(JobRef, Option<Key>)> {
        let slot = self.slots.get_mut(key.index as usize).filter(|slot| slot.turn == key.turn)?;
        let Held { job, limit, .. } = slot.held.take()?;
        slot.turn = (slot.turn + 1) % TURNS;
        self.free.push(key.index);
        Some((job, limit))
    }

    /// All jobs that are with the runtime, and where.
    pub(crate) fn all(&self) -> Vec<(SlotKey, JobRef)> {
        let slots = (0..).zip(&self.slots);
        slots
            .filter_map(|(index, slot)| Some((SlotKey { index, turn: slot.turn }, slot.held.as_ref()?.job.clone())))
            .collect()
    }
}
