//! [`Keeper`]: the thread that has the children of this program.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use executor_core::backend::PoolId;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};

use super::life::Life;
use super::ward::Ward;
use super::wards::{self, Wards};
use crate::bell::{Bell, Ring};
use crate::callbacks::CallbackThread;

/// The one keeper of this program, from the first child on.
static KEEPER: Mutex<Option<Arc<Keeper>>> = Mutex::new(None);

/// What the thread shares with those who spawn.
pub(super) struct Keeper {
    desk: Mutex<Desk>,
    /// Wakes the thread.
    pub(super) bell: Bell,
    pub(super) callbacks: CallbackThread,
}

#[derive(Default)]
struct Desk {
    arrived: Vec<Ward>,
    /// The children that have not ended, in the order of their spawns.
    children: Vec<Arc<Life>>,
    /// The thread has ended, by a fault of ours.
    ended: bool,
}

impl Keeper {
    /// The keeper of this program, which begins with the first call.
    ///
    /// # Errors
    ///
    /// If the system has no thread or no descriptors for it.
    pub(super) fn get() -> io::Result<Arc<Keeper>> {
        let mut slot = lock(&KEEPER);
        if let Some(keeper) = slot.as_ref().filter(|keeper| !lock(&keeper.desk).ended) {
            return Ok(Arc::clone(keeper));
        }
        let poll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let keeper = Arc::new(Keeper {
            desk: Mutex::default(),
            bell: Bell::new()?,
            callbacks: CallbackThread::new(PoolId::new(), "process"),
        });
        poll.add(&keeper.bell, EpollEvent::new(EpollFlags::EPOLLIN, wards::BELL))?;
        let theirs = Arc::clone(&keeper);
        thread::Builder::new().name("process-keeper".to_owned()).spawn(move || theirs.keep(&poll))?;
        *slot = Some(Arc::clone(&keeper));
        Ok(keeper)
    }

    /// Takes a child in. One that comes to a keeper which has ended is ended too.
    pub(super) fn take(&self, ward: Ward) {
        let mut desk = lock(&self.desk);
        if desk.ended {
            // Waits for the end of the process, and so not under the lock.
            drop(desk);
            return drop(ward);
        }
        desk.children.push(Arc::clone(ward.life()));
        desk.arrived.push(ward);
        drop(desk);
        self.bell.ring(Ring::Owner);
    }

    /// Runs the thread. Whatever becomes of it, nobody waits for ever.
    fn keep(&self, poll: &Epoll) {
        // An error and a panic are alike: the wards are gone, and with them the children.
        let _ = catch_unwind(AssertUnwindSafe(|| Wards::new(self, poll).run()));
        let mut desk = lock(&self.desk);
        desk.ended = true;
        desk.children.clear();
        let arrived = std::mem::take(&mut desk.arrived);
        drop(desk);
        drop(arrived);
    }

    /// Takes the children that have come since the last time.
    pub(super) fn arrived(&self) -> Vec<Ward> {
        std::mem::take(&mut lock(&self.desk).arrived)
    }

    /// Takes a child off the list of those that have not ended.
    pub(super) fn forget(&self, life: &Arc<Life>) {
        lock(&self.desk).children.retain(|other| !Arc::ptr_eq(other, life));
    }
}

/// The children that have not ended, in the order of their spawns.
pub(super) fn children() -> Vec<Arc<Life>> {
    let keeper = lock(&KEEPER).clone();
    keeper.map_or_else(Vec::new, |keeper| lock(&keeper.desk).children.clone())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing under these locks is left half done by a panic.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
