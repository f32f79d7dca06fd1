//! Parties that wait for one another.

use std::sync::Mutex;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::kind;
use crate::manager::server::{Line, Object, Turns, Visit};
use crate::manager::sync::lock;
use crate::manager::wire::Fault;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum BarrierCall {
    /// The place in which the caller came, from 0, is the answer.
    Wait {
        limit: Option<Duration>,
    },
    Abort,
    Reset,
    Waiting,
    Parties,
}

#[derive(Debug)]
pub(crate) struct BarrierObject {
    parties: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// How many have come in this round.
    came: u64,
    round: u64,
    /// Rounds up to this one ended without all parties.
    broken_rounds: u64,
    is_broken: bool,
    line: Line,
}

impl State {
    /// Ends the round for those who wait, without all parties.
    fn end_broken(&mut self) {
        if self.came > 0 {
            (self.came, self.round) = (0, self.round + 1);
            self.broken_rounds = self.round;
            self.line.call_all();
        }
    }
}

impl BarrierObject {
    pub(crate) fn new(parties: u64) -> Self {
        BarrierObject { parties, state: Mutex::default() }
    }

    fn wait(&self, limit: Option<Duration>, visit: &mut Visit<'_>) -> Result<u64, Fault> {
        let (round, place) = {
            let mut state = lock(&self.state);
            if state.is_broken {
                return Err(Fault::Broken);
            }
            let place = state.came;
            state.came += 1;
            let round = state.round;
            if state.came == self.parties {
                (state.came, state.round) = (0, round + 1);
                state.line.call_all();
            }
            (round, place)
        };
        let is_over = |state: &mut State| (state.round > round).then_some(state.broken_rounds > round);
        match visit.wait(&self.state, (Turns::Together, |state| &mut state.line), limit, is_over) {
            Ok(false) => Ok(place),
            Ok(true) => Err(Fault::Broken),
            Err(fault) => {
                let mut state = lock(&self.state);
                // The round may have ended just now.
                if state.round > round && state.broken_rounds <= round {
                    return if fault == Fault::Gone { Err(fault) } else { Ok(place) };
                }
                // One that gives up breaks the barrier for all.
                state.is_broken = true;
                state.end_broken();
                Err(fault)
            }
        }
    }
}

impl Object for BarrierObject {
    fn kind(&self) -> &str {
        kind::BARRIER
    }

    fn call(&self, arguments: &[u8], visit: &mut Visit<'_>) -> Result<(), Fault> {
        match Visit::read(arguments)? {
            BarrierCall::Wait { limit } => {
                let place = self.wait(limit, visit)?;
                visit.answer(&place)
            }
            BarrierCall::Abort => {
                let mut state = lock(&self.state);
                state.is_broken = true;
                state.end_broken();
                visit.answer(&())
            }
            BarrierCall::Reset => {
                let mut state = lock(&self.state);
                state.end_broken();
                state.is_broken = false;
                visit.answer(&())
            }
            BarrierCall::Waiting => visit.answer(&lock(&self.state).came),
            BarrierCall::Parties => visit.answer(&self.parties),
        }
    }
}
