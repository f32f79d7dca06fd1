//! [`Visit`]: one call, as an object sees it.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_bytes::Bytes;

use super::hall::{Hall, Ref};
use super::line::{Bell, Line, Turns, Woken};
use super::session::Session;
use super::value::Value;
use crate::encode::encode_behind;
use crate::manager::stream::Stream;
use crate::manager::sync::lock;
use crate::manager::wire::{Fault, WireValue};

/// Who calls, and where the answer goes.
#[derive(Debug)]
pub(crate) struct Visit<'a> {
    pub(crate) session: &'a Arc<Session>,
    pub(super) stream: &'a Stream,
    pub(super) bell: &'a mut Option<Arc<Bell>>,
    /// Answers that were not sent yet, and behind them the head of this one.
    pub(super) outgoing: &'a mut Vec<u8>,
    /// Where this one begins.
    pub(super) begin: usize,
    /// The objects that go to the client with the answer.
    pub(super) granted: BTreeSet<u64>,
    /// What is taken back if the client dies before it has the answer.
    pub(super) loan: &'a mut Option<Box<dyn Loan>>,
}

/// What a client was sent and has not got for certain.
pub(crate) trait Loan: Send + std::fmt::Debug {
    /// It has not.
    fn take_back(self: Box<Self>);
}

impl Visit<'_> {
    pub(crate) fn hall(&self) -> &Arc<Hall> {
        &self.session.hall
    }

    /// Reads what is asked for.
    pub(crate) fn read<'b, T: serde::Deserialize<'b>>(arguments: &'b [u8]) -> Result<T, Fault> {
        match postcard::take_from_bytes(arguments) {
            Ok((call, [])) => Ok(call),
            Ok(_) | Err(_) => Err(Fault::BadCall),
        }
    }

    /// Writes the answer.
    pub(crate) fn answer(&mut self, answer: &(impl Serialize + ?Sized)) -> Result<(), Fault> {
        encode_behind(self.outgoing, answer).map_err(|error| Fault::Answer { cause: error.to_string() })
    }

    /// Writes what is encoded already, and has the objects that it names go along.
    pub(crate) fn answer_encoded(&mut self, answer: &Value) -> Result<(), Fault> {
        self.outgoing.extend_from_slice(&answer.bytes);
        self.grant(answer)
    }

    /// Writes a value as the answer.
    pub(crate) fn answer_value(&mut self, value: Option<&Value>) -> Result<(), Fault> {
        value.map_or(Ok(()), |value| self.grant(value))?;
        self.answer(&value.map(|value| Bytes::new(&value.bytes)))
    }

    /// Writes many values as the answer.
    pub(crate) fn answer_values<'v>(&mut self, values: impl Iterator<Item = &'v Value> + Clone) -> Result<(), Fault> {
        values.clone().try_for_each(|value| self.grant(value))?;
        self.answer(&values.map(|value| Bytes::new(&value.bytes)).collect::<Vec<_>>())
    }

    /// Has the objects that a value names go with the answer.
    pub(crate) fn grant(&mut self, value: &Value) -> Result<(), Fault> {
        value.references.iter().try_for_each(|reference| self.grant_object(reference.id()))
    }

    pub(crate) fn grant_object(&mut self, object: u64) -> Result<(), Fault> {
        // One reference is enough for all places at which an answer names it.
        if !self.granted.contains(&object) {
            self.session.grant(object)?;
            self.granted.insert(object);
        }
        Ok(())
    }

    /// Takes a value in.
    pub(crate) fn keep(&self, value: &WireValue<'_>) -> Result<Value, Fault> {
        let references = value.references.iter().map(|&object| self.hall().refer(object)).collect::<Result<_, _>>()?;
        Ok(Value { bytes: (**value.bytes).into(), references })
    }

    /// A reference of its own to an object.
    pub(crate) fn refer(&self, object: u64) -> Result<Ref, Fault> {
        self.hall().refer(object)
    }

    /// What `give_back` is to be asked of if the client dies before the answer has arrived.
    pub(crate) fn lend(&mut self, loan: Box<dyn Loan>) {
        *self.loan = Some(loan);
    }

    /// Does `attempt` as soon as it gives something, in the order in which callers came.
    ///
    /// Whoever waits stands in a line of the state, and attempts when it is its turn. So nothing is handed to anybody who is not there to
    /// take it, and one who gives up or dies takes nothing along.
    ///
    /// # Errors
    ///
    /// [`Fault::Timeout`] if `limit` passes first; with a limit of zero, it attempts once and stands in no line. [`Fault::Gone`] if
    /// the client dies.
    pub(crate) fn wait<S, R>(
        &mut self,
        state: &Mutex<S>,
        (turns, line): (Turns, fn(&mut S) -> &mut Line),
        limit: Option<Duration>,
        mut attempt: impl FnMut(&mut S) -> Option<R>,
    ) -> Result<R, Fault> {
        let is_patient = limit != Some(Duration::ZERO);
        {
            let mut locked = lock(state);
            let may_look = !is_patient || turns == Turns::Together || line(&mut locked).is_empty();
            if may_look && let Some(done) = attempt(&mut locked) {
                return Ok(done);
            }
        }
        if !is_patient {
            return Err(Fault::Timeout);
        }
        self.wait_in_line(state, (turns, line), limit, || {}, attempt)
    }

    /// The same, from inside the line only. `joined` is called once when the caller stands in it, under the lock of the state.
    pub(crate) fn wait_in_line<S, R>(
        &mut self,
        state: &Mutex<S>,
        (turns, line): (Turns, fn(&mut S) -> &mut Line),
        limit: Option<Duration>,
        joined: impl FnOnce(),
        mut attempt: impl FnMut(&mut S) -> Option<R>,
    ) -> Result<R, Fault> {
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        // What was answered before need not wait too.
        self.flush().map_err(|_| Fault::Gone)?;
        let bell = self.bell()?;
        let mut locked = lock(state);
        line(&mut locked).join(&bell);
        joined();
        let mut woken = Woken::Rung;
        loop {
            let is_turn = turns == Turns::Together || line(&mut locked).is_first(&bell);
            let is_due = is_turn && woken != Woken::Gone;
            let done = if is_due { attempt(&mut locked) } else { None };
            let fault = match (&done, woken) {
                (None, Woken::Rung) => {
                    drop(locked);
                    woken = bell.wait(self.stream, deadline);
                    locked = lock(state);
                    continue;
                }
                (_, Woken::Gone) => Fault::Gone,
                _ => Fault::Timeout,
            };
            line(&mut locked).leave(&bell);
            return done.ok_or(fault);
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.send_all(&self.outgoing[..self.begin])?;
        self.outgoing.drain(..std::mem::take(&mut self.begin));
        Ok(())
    }

    fn bell(&mut self) -> Result<Arc<Bell>, Fault> {
        if let Some(bell) = &*self.bell {
            return Ok(Arc::clone(bell));
        }
        let made = Bell::new().map_err(|error| Fault::Invalid { what: format!("the server cannot wait: {error}") })?;
        Ok(Arc::clone(self.bell.insert(Arc::new(made))))
    }
}
