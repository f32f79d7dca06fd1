//! Items, each for one consumer.

use std::collections::VecDeque;
use std::collections::hash_map::{Entry, HashMap};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::kind;
use crate::manager::server::{Hold, Line, Loan, Object, Turns, Value, Visit};
use crate::manager::sync::lock;
use crate::manager::wire::{Fault, WireValue};

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum QueueCall<'a> {
    Put {
        #[serde(borrow)]
        value: WireValue<'a>,
        limit: Option<Duration>,
    },
    /// How many were put before the queue was closed is the answer.
    PutMany(Vec<WireValue<'a>>),
    /// Waits for one, and takes up to `max`.
    Get {
        max: u64,
        limit: Option<Duration>,
    },
    Len,
    Close,
    TaskDone,
    Join {
        limit: Option<Duration>,
    },
}

#[derive(Debug)]
pub(crate) struct QueueObject(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    items: VecDeque<Value>,
    capacity: Option<u64>,
    is_closed: bool,
    /// Items that were put and not reported as done.
    open: u64,
    /// Of those, the ones that a client has, by its session.
    taken: HashMap<u64, u64>,
    /// Items that went with a client, and of which no `join` has told.
    lost: u64,
    takers: Line,
    putters: Line,
    joiners: Line,
}

impl State {
    /// Puts an item, if there is room.
    fn put(&mut self, item: &mut Option<Value>) -> Option<Result<(), Fault>> {
        if self.is_closed {
            return Some(Err(Fault::Closed));
        }
        if self.capacity.is_some_and(|capacity| self.items.len() as u64 >= capacity) {
            return None;
        }
        self.items.extend(item.take());
        self.open += 1;
        self.takers.call_first();
        Some(Ok(()))
    }

    /// Takes up to `max` items, if there is one.
    fn get(&mut self, max: u64, session: u64) -> Option<Result<Vec<Value>, Fault>> {
        if self.items.is_empty() {
            return self.is_closed.then_some(Err(Fault::Closed));
        }
        let count = max.min(self.items.len() as u64);
        let taken: Vec<Value> = self.items.drain(..count as usize).collect();
        *self.taken.entry(session).or_default() += count;
        self.putters.call_first();
        Some(Ok(taken))
    }

    /// Items come back from a client that did not get them.
    fn take_back(&mut self, items: Vec<Value>, session: u64) {
        if let Some(taken) = self.taken.get_mut(&session) {
            *taken = taken.saturating_sub(items.len() as u64);
        }
        items.into_iter().rev().for_each(|item| self.items.push_front(item));
        self.takers.call_first();
    }

    fn end_tasks(&mut self, count: u64) {
        self.open -= count;
        if self.open == 0 {
            self.joiners.call_first();
        }
    }
}

/// Items that are on their way to a client.
#[derive(Debug)]
struct Taken {
    state: Arc<Mutex<State>>,
    items: Vec<Value>,
    session: u64,
}

impl Loan for Taken {
    fn take_back(self: Box<Self>) {
        lock(&self.state).take_back(self.items, self.session);
    }
}

/// What a client has taken and not reported as done, which is lost with it.
#[derive(Debug)]
struct Taker {
    state: Weak<Mutex<State>>,
    session: u64,
}

impl Hold for Taker {
    fn give_back(self: Box<Self>) {
        let Some(state) = self.state.upgrade() else { return };
        let mut state = lock(&state);
        let lost = state.taken.remove(&self.session).unwrap_or(0).min(state.open);
        state.lost += lost;
        state.end_tasks(lost);
    }
}

impl QueueObject {
    pub(crate) fn new(capacity: Option<u64>) -> Self {
        QueueObject(Arc::new(Mutex::new(State { capacity, ..State::default() })))
    }

    fn put(&self, value: Value, limit: Option<Duration>, visit: &mut Visit<'_>) -> Result<(), Fault> {
        let mut item = Some(value);
        visit.wait(&self.0, (Turns::InOrder, |state| &mut state.putters), limit, |state| state.put(&mut item))?
    }

    fn get(&self, max: u64, limit: Option<Duration>, visit: &mut Visit<'_>) -> Result<(), Fault> {
        let session = visit.session.id;
        let is_new = match lock(&self.0).taken.entry(session) {
            Entry::Vacant(entry) => *entry.insert(0) == 0,
            Entry::Occupied(_) => false,
        };
        if is_new {
            // From now on its end is noted.
            visit.session.hold(Box::new(Taker { state: Arc::downgrade(&self.0), session }));
        }
        let take = |state: &mut State| state.get(max, session);
        let items = visit.wait(&self.0, (Turns::InOrder, |state| &mut state.takers), limit, take)??;
        let answered = visit.answer_values(items.iter());
        visit.lend(Box::new(Taken { state: Arc::clone(&self.0), items, session }));
        answered
    }

    fn task_done(&self, session: u64) -> Result<(), Fault> {
        let mut state = lock(&self.0);
        if state.open == 0 {
            return Err(Fault::TooManyDone);
        }
        // It may be an item that another client took, who then has one less to lose.
        let taker = match state.taken.get(&session) {
            Some(1..) => Some(session),
            _ => state.taken.iter().find(|(_, count)| **count > 0).map(|(session, _)| *session),
        };
        let Some(taken) = taker.and_then(|taker| state.taken.get_mut(&taker)) else { return Err(Fault::TooManyDone) };
        *taken -= 1;
        state.end_tasks(1);
        Ok(())
    }

    fn join(&self, limit: Option<Duration>, visit: &mut Visit<'_>) -> Result<(), Fault> {
        let done = |state: &mut State| (state.open == 0).then(|| std::mem::take(&mut state.lost));
        match visit.wait(&self.0, (Turns::InOrder, |state| &mut state.joiners), limit, done)? {
            0 => Ok(()),
            tasks => Err(Fault::TasksLost { tasks }),
        }
    }
}

impl Object for QueueObject {
    fn kind(&self) -> &str {
        kind::QUEUE
    }

    fn call(&self, arguments: &[u8], visit: &mut Visit<'_>) -> Result<(), Fault> {
        let instead_of_timeout = |limit, fault| {
            move |found| if found == Fault::Timeout && limit == Some(Duration::ZERO) { fault } else { found }
        };
        match Visit::read(arguments)? {
            QueueCall::Put { value, limit } => {
                let value = visit.keep(&value)?;
                self.put(value, limit, visit).map_err(instead_of_timeout(limit, Fault::Full))?;
                visit.answer(&())
            }
            QueueCall::PutMany(values) => {
                let values = values.iter().map(|value| visit.keep(value)).collect::<Result<Vec<_>, _>>()?;
                let mut put = 0_u64;
                for value in values {
                    match self.put(value, None, visit) {
                        Ok(()) => put += 1,
                        Err(Fault::Closed) => break,
                        Err(fault) => return Err(fault),
                    }
                }
                visit.answer(&put)
            }
            QueueCall::Get { max, limit } => {
                self.get(max.max(1), limit, visit).map_err(instead_of_timeout(limit, Fault::Empty))
            }
            QueueCall::Len => visit.answer(&(lock(&self.0).items.len() as u64)),
            QueueCall::Close => {
                let mut state = lock(&self.0);
                state.is_closed = true;
                state.takers.call_first();
                state.putters.call_first();
                visit.answer(&())
            }
            QueueCall::TaskDone => {
                self.task_done(visit.session.id)?;
                visit.answer(&())
            }
            QueueCall::Join { limit } => {
                self.join(limit, visit)?;
                visit.answer(&())
            }
        }
    }
}
