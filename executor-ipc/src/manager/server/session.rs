//! [`Session`]: what a server knows of one client.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::hall::{Hall, Ref, Role};
use crate::manager::sync::lock;
use crate::manager::wire::Fault;

/// One client, which has several connections. It ends with the last of them, however the client does; then its references go, and
/// what it holds is taken from it.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: u64,
    /// Whoever knows it may add connections.
    pub(crate) token: u128,
    pub(crate) hall: Arc<Hall>,
    references: Mutex<HashMap<u64, Counted>>,
    holds: Mutex<HashMap<u64, Box<dyn Hold>>>,
}

/// References to one object that the client has.
#[derive(Debug)]
struct Counted {
    count: u64,
    /// One for all of them.
    _reference: Ref,
}

/// Something that a client has and others wait for: a lock, a permit.
pub(crate) trait Hold: Send + std::fmt::Debug {
    /// The client gives it back.
    fn give_back(self: Box<Self>);

    /// The client is gone.
    fn abandon(self: Box<Self>) {
        self.give_back();
    }
}

impl Session {
    pub(crate) fn begin(hall: &Arc<Hall>, role: Role) -> Arc<Session> {
        let (references, holds) = Default::default();
        let session = Session {
            id: hall.next_number(),
            token: crate::manager::random::number(),
            hall: Arc::clone(hall),
            references,
            holds,
        };
        let session = Arc::new(session);
        hall.enter(&session, role);
        session
    }

    /// The client gets one more proxy of an object.
    pub(crate) fn grant(&self, object: u64) -> Result<(), Fault> {
        let mut references = lock(&self.references);
        if let Some(counted) = references.get_mut(&object) {
            counted.count += 1;
            return Ok(());
        }
        let reference = self.hall.refer(object)?;
        references.insert(object, Counted { count: 1, _reference: reference });
        Ok(())
    }

    /// The client drops a proxy.
    pub(crate) fn release(&self, object: u64) {
        let mut references = lock(&self.references);
        let Some(counted) = references.get_mut(&object) else { return };
        counted.count -= 1;
        if counted.count == 0 {
            let last = references.remove(&object);
            drop(references);
            drop(last);
        }
    }

    /// The client holds something, under this number.
    pub(crate) fn hold(&self, hold: Box<dyn Hold>) -> u64 {
        let number = self.hall.next_number();
        lock(&self.holds).insert(number, hold);
        number
    }

    pub(crate) fn unhold(&self, number: u64) -> Result<Box<dyn Hold>, Fault> {
        lock(&self.holds).remove(&number).ok_or(Fault::NotHeld)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let holds = std::mem::take(&mut *lock(&self.holds));
        holds.into_values().for_each(|hold| hold.abandon());
        let references = std::mem::take(&mut *lock(&self.references));
        drop(references);
        // Whoever sees one client less sees nothing of it any more.
        self.hall.leave(self.id);
    }
}
