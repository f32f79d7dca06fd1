//! [`Station`]: what the threads of a worker share, and what a job reaches its owner through.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use executor_core::backend::{Carrier, Control, Guests, JobRef};

use crate::bell::Bell;
use crate::carrier;
use crate::wire::{Activity, Page, Place, PortWriter};

/// What the threads of a worker share.
pub(super) struct Station {
    pub(super) page: Arc<Page>,
    writer: Mutex<PortWriter>,
    /// Rung by the owner, and by the worker itself.
    pub(super) ear: Bell,
    /// The frame that it is of.
    guests: Mutex<Option<Guests>>,
}

impl Station {
    pub(super) fn new(page: Arc<Page>, writer: PortWriter, ear: Bell) -> Self {
        Station { page, writer: Mutex::new(writer), ear, guests: Mutex::new(None) }
    }

    /// What the worker tells goes through here, a piece at a time.
    pub(super) fn writer(&self) -> MutexGuard<'_, PortWriter> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes the frame whose items run from now on.
    pub(super) fn enter_frame(&self, guests: Guests) {
        *self.guests.lock().unwrap_or_else(PoisonError::into_inner) = Some(guests);
    }

    pub(super) fn guests(&self) -> Option<Guests> {
        self.guests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The item that runs.
    pub(super) fn running(&self) -> Option<(Place, u16)> {
        match self.page.activity() {
            Activity::Running(place, item) => Some((place, item)),
            _ => None,
        }
    }
}

impl Control for Station {
    /// What waits in a job for a job of another pool waits as any thread does.
    fn is_own_worker(&self) -> bool {
        false
    }

    fn help(&self, _: &JobRef) -> bool {
        false
    }

    fn withdrawn(&self, _: &JobRef) {}

    fn kill(&self, _: &JobRef) -> bool {
        false
    }

    fn stop_requested(&self, _: &JobRef) {}

    fn carrier(&self) -> Option<&'static dyn Carrier> {
        Some(if self.page.spares_descriptors() { carrier::ARGUMENTS } else { carrier::DESCRIPTORS })
    }

    fn progressed(&self, job: &JobRef, done: u64, total: u64) {
        let Some((place, _)) = self.running() else { return };
        // A job tells of itself; its number in the frame is the item.
        let Ok(item) = u16::try_from(job.item()) else { return };
        let mut writer = self.writer();
        writer.progress(place, item, done, total);
        // If the owner is gone, the worker learns it when it reads.
        let _ = writer.flush();
    }

    fn is_stopping(&self) -> bool {
        self.running().is_some_and(|(place, item)| self.page.stop_asked(place, item))
    }
}
