//! Permits.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::kind;
use crate::manager::server::{Hold, Line, Object, Turns, Visit};
use crate::manager::sync::lock;
use crate::manager::wire::Fault;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum SemaphoreCall {
    /// The number of the hold is the answer.
    Acquire {
        limit: Option<Duration>,
    },
    /// Gives back what is held under this number.
    Release {
        hold: u64,
    },
    /// Has the permit held under this number belong to nobody.
    Forget {
        hold: u64,
    },
    Add(u64),
    Available,
}

#[derive(Debug)]
pub(crate) struct SemaphoreObject(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    permits: u64,
    line: Line,
}

impl SemaphoreObject {
    pub(crate) fn new(permits: u64) -> Self {
        SemaphoreObject(Arc::new(Mutex::new(State { permits, line: Line::default() })))
    }
}

/// A permit of a client, which goes back with it.
#[derive(Debug)]
struct Permit(Arc<Mutex<State>>);

impl Hold for Permit {
    fn give_back(self: Box<Self>) {
        add(&self.0, 1);
    }
}

fn add(state: &Mutex<State>, permits: u64) {
    let mut state = lock(state);
    state.permits = state.permits.saturating_add(permits);
    state.line.call_first();
}

impl Object for SemaphoreObject {
    fn kind(&self) -> &str {
        kind::SEMAPHORE
    }

    fn call(&self, arguments: &[u8], visit: &mut Visit<'_>) -> Result<(), Fault> {
        match Visit::read(arguments)? {
            SemaphoreCall::Acquire { limit } => {
                let take = |state: &mut State| {
                    state.permits = state.permits.checked_sub(1)?;
                    Some(())
                };
                visit.wait(&self.0, (Turns::InOrder, |state| &mut state.line), limit, take)?;
                let hold = visit.session.hold(Box::new(Permit(Arc::clone(&self.0))));
                visit.answer(&hold)
            }
            SemaphoreCall::Release { hold } => {
                visit.session.unhold(hold)?.give_back();
                visit.answer(&())
            }
            SemaphoreCall::Forget { hold } => {
                drop(visit.session.unhold(hold)?);
                visit.answer(&())
            }
            SemaphoreCall::Add(permits) => {
                add(&self.0, permits);
                visit.answer(&())
            }
            SemaphoreCall::Available => visit.answer(&lock(&self.0).permits),
        }
    }
}
