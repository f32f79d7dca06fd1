//! A condition for which clients wait while they leave a lock.

use std::sync::Mutex;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::kind;
use super::lock::LockObject;
use crate::manager::server::{Line, Object, Turns, Visit};
use crate::manager::sync::lock;
use crate::manager::wire::Fault;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ConditionCall {
    /// Acquires the lock, as a call of a lock.
    Acquire {
        limit: Option<Duration>,
    },
    Release {
        hold: u64,
    },
    IsLocked,
    /// Leaves the lock that is held under this number, waits, and acquires it again: whether it was notified, the number of the new hold,
    /// and whether the holder before died with it.
    Wait {
        hold: u64,
        limit: Option<Duration>,
    },
    /// Wakes so many, and gives how many there were.
    Notify(u64),
}

#[derive(Debug, Default)]
pub(crate) struct ConditionObject {
    lock: LockObject,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// How many of those in the line are to go on. It is never more than there are.
    notified: u64,
    line: Line,
}

impl ConditionObject {
    fn wait(&self, hold: u64, limit: Option<Duration>, visit: &mut Visit<'_>) -> Result<(bool, u64, bool), Fault> {
        let mut hold = Some(visit.session.unhold(hold)?);
        // From inside the line, so that whoever has the lock next finds the caller there.
        let leave_lock = || hold.take().into_iter().for_each(|hold| hold.give_back());
        let go_on = |state: &mut State| {
            state.notified = state.notified.checked_sub(1)?;
            Some(())
        };
        let waited =
            visit.wait_in_line(&self.state, (Turns::InOrder, |state| &mut state.line), limit, leave_lock, go_on);
        if let Some(hold) = hold {
            hold.give_back();
        }
        {
            // Whoever left without it leaves no notification behind for those who come later.
            let mut state = lock(&self.state);
            state.notified = state.notified.min(state.line.len() as u64);
        }
        let is_notified = match waited {
            Ok(()) => true,
            Err(Fault::Timeout) => false,
            Err(fault) => return Err(fault),
        };
        let (hold, owner_died) = self.lock.acquire(None, visit)?;
        Ok((is_notified, hold, owner_died))
    }
}

impl Object for ConditionObject {
    fn kind(&self) -> &str {
        kind::CONDITION
    }

    fn call(&self, arguments: &[u8], visit: &mut Visit<'_>) -> Result<(), Fault> {
        match Visit::read(arguments)? {
            ConditionCall::Acquire { limit } => {
                let acquired = self.lock.acquire(limit, visit)?;
                visit.answer(&acquired)
            }
            ConditionCall::Release { hold } => {
                visit.session.unhold(hold)?.give_back();
                visit.answer(&())
            }
            ConditionCall::IsLocked => visit.answer(&self.lock.is_held()),
            ConditionCall::Wait { hold, limit } => {
                let waited = self.wait(hold, limit, visit)?;
                visit.answer(&waited)
            }
            ConditionCall::Notify(count) => {
                let mut state = lock(&self.state);
                let asleep = (state.line.len() as u64).saturating_sub(state.notified);
                let woken = count.min(asleep);
                state.notified += woken;
                state.line.call_first();
                visit.answer(&woken)
            }
        }
    }
}
