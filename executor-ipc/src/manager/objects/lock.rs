//! Mutual exclusion.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::kind;
use crate::manager::server::{Hold, Line, Object, Turns, Visit};
use crate::manager::sync::lock;
use crate::manager::wire::Fault;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum LockCall {
    /// The number of the hold is the answer, and whether the holder before died with it.
    Acquire {
        limit: Option<Duration>,
    },
    Release {
        hold: u64,
    },
    IsLocked,
}

/// It is shared with whoever holds it, and with conditions.
#[derive(Clone, Debug, Default)]
pub(crate) struct LockObject(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    is_held: bool,
    /// The last holder died with it, and nobody has been told.
    owner_died: bool,
    line: Line,
}

/// The lock, held by a client.
#[derive(Debug)]
struct Held(LockObject);

impl Held {
    fn leave(self, owner_died: bool) {
        let mut state = lock(&self.0.0);
        state.is_held = false;
        state.owner_died |= owner_died;
        state.line.call_first();
    }
}

impl Hold for Held {
    fn give_back(self: Box<Self>) {
        self.leave(false);
    }

    fn abandon(self: Box<Self>) {
        self.leave(true);
    }
}

impl LockObject {
    /// Waits for the lock, and gives the number of the hold, and whether the holder before died with it.
    pub(crate) fn acquire(&self, limit: Option<Duration>, visit: &mut Visit<'_>) -> Result<(u64, bool), Fault> {
        let take = |state: &mut State| {
            (!state.is_held).then(|| {
                state.is_held = true;
                std::mem::take(&mut state.owner_died)
            })
        };
        let owner_died = visit.wait(&self.0, (Turns::InOrder, |state| &mut state.line), limit, take)?;
        Ok((visit.session.hold(Box::new(Held(self.clone()))), owner_died))
    }

    pub(crate) fn is_held(&self) -> bool {
        lock(&self.0).is_held
    }
}

impl Object for LockObject {
    fn kind(&self) -> &str {
        kind::LOCK
    }

    fn call(&self, arguments: &[u8], visit: &mut Visit<'_>) -> Result<(), Fault> {
        match Visit::read(arguments)? {
            LockCall::Acquire { limit } => {
                let acquired = self.acquire(limit, visit)?;
                visit.answer(&acquired)
            }
            LockCall::Release { hold } => {
                visit.session.unhold(hold)?.give_back();
                visit.answer(&())
            }
            LockCall::IsLocked => visit.answer(&self.is_held()),
        }
    }
}
