//! A flag for which clients wait.

use std::sync::Mutex;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::kind;
use crate::manager::server::{Line, Object, Turns, Visit};
use crate::manager::sync::lock;
use crate::manager::wire::Fault;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum EventCall {
    /// What it was before is the answer.
    Set,
    /// What it was before is the answer.
    Clear,
    IsSet,
    Wait(Option<Duration>),
}

#[derive(Debug, Default)]
pub(crate) struct EventObject(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    is_set: bool,
    /// How often it was set, so that whoever waited then is woken also if it is cleared at once.
    times: u64,
    line: Line,
}

impl Object for EventObject {
    fn kind(&self) -> &str {
        kind::EVENT
    }

    fn call(&self, arguments: &[u8], visit: &mut Visit<'_>) -> Result<(), Fault> {
        match Visit::read(arguments)? {
            EventCall::Set => {
                let mut state = lock(&self.0);
                let was_set = std::mem::replace(&mut state.is_set, true);
                state.times += u64::from(!was_set);
                state.line.call_all();
                visit.answer(&was_set)
            }
            EventCall::Clear => visit.answer(&std::mem::take(&mut lock(&self.0).is_set)),
            EventCall::IsSet => visit.answer(&lock(&self.0).is_set),
            EventCall::Wait(limit) => {
                let before = lock(&self.0).times;
                let is_set = |state: &mut State| (state.is_set || state.times != before).then_some(());
                visit.wait(&self.0, (Turns::Together, |state| &mut state.line), limit, is_set)?;
                visit.answer(&())
            }
        }
    }
}
