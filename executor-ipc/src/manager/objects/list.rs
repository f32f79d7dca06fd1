//! Values in a row.

use std::collections::VecDeque;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};
use serde_bytes::Bytes;

use super::kind;
use crate::manager::server::{Object, Value, Visit};
use crate::manager::sync::lock;
use crate::manager::wire::{Fault, WireValue};

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ListCall<'a> {
    /// How many there are then is the answer.
    #[serde(borrow)]
    Push(WireValue<'a>),
    PushFront(WireValue<'a>),
    Extend(Vec<WireValue<'a>>),
    Pop,
    PopFront,
    Get(u64),
    /// The value before is the answer.
    Set(u64, WireValue<'a>),
    Insert(u64, WireValue<'a>),
    Remove(u64),
    /// True, or false and the value that is there.
    CompareExchange {
        index: u64,
        current: &'a Bytes,
        new: WireValue<'a>,
    },
    Len,
    Clear,
    All,
}

#[derive(Debug, Default)]
pub(crate) struct ListObject(Mutex<VecDeque<Value>>);

impl ListObject {
    /// Adds values, and gives how many there are then.
    fn add(&self, add: impl FnOnce(&mut VecDeque<Value>)) -> u64 {
        let mut elements = lock(&self.0);
        add(&mut elements);
        elements.len() as u64
    }

    /// Takes a value out; it is dropped when the list is free again.
    fn take(
        &self,
        visit: &mut Visit<'_>,
        take: impl FnOnce(&mut VecDeque<Value>) -> Option<Value>,
    ) -> Result<(), Fault> {
        let taken = take(&mut lock(&self.0));
        visit.answer_value(taken.as_ref())
    }
}

/// The place, if something is there.
fn place(elements: &VecDeque<Value>, index: u64) -> Result<usize, Fault> {
    let len = elements.len() as u64;
    if index < len { Ok(index as usize) } else { Err(Fault::OutOfRange { index, len }) }
}

impl Object for ListObject {
    fn kind(&self) -> &str {
        kind::LIST
    }

    fn call(&self, arguments: &[u8], visit: &mut Visit<'_>) -> Result<(), Fault> {
        match Visit::read(arguments)? {
            ListCall::Push(value) => {
                let value = visit.keep(&value)?;
                visit.answer(&self.add(|elements| elements.push_back(value)))
            }
            ListCall::PushFront(value) => {
                let value = visit.keep(&value)?;
                visit.answer(&self.add(|elements| elements.push_front(value)))
            }
            ListCall::Extend(values) => {
                let values = values.iter().map(|value| visit.keep(value)).collect::<Result<Vec<_>, _>>()?;
                visit.answer(&self.add(|elements| elements.extend(values)))
            }
            ListCall::Pop => self.take(visit, VecDeque::pop_back),
            ListCall::PopFront => self.take(visit, VecDeque::pop_front),
            ListCall::Get(index) => {
                let elements = lock(&self.0);
                let value = usize::try_from(index).ok().and_then(|index| elements.get(index));
                visit.answer_value(value)
            }
            ListCall::Set(index, value) => {
                let value = visit.keep(&value)?;
                let before = {
                    let mut elements = lock(&self.0);
                    let place = place(&elements, index)?;
                    std::mem::replace(&mut elements[place], value)
                };
                visit.answer_value(Some(&before))
            }
            ListCall::Insert(index, value) => {
                let value = visit.keep(&value)?;
                let mut elements = lock(&self.0);
                let len = elements.len() as u64;
                if index > len {
                    return Err(Fault::OutOfRange { index, len });
                }
                elements.insert(index as usize, value);
                visit.answer(&(elements.len() as u64))
            }
            ListCall::Remove(index) => {
                let removed = {
                    let mut elements = lock(&self.0);
                    let place = place(&elements, index)?;
                    elements.remove(place)
                };
                visit.answer_value(removed.as_ref())
            }
            ListCall::CompareExchange { index, current, new } => {
                let mut new = visit.keep(&new)?;
                let mut elements = lock(&self.0);
                let place = place(&elements, index)?;
                if elements[place].bytes[..] != current[..] {
                    visit.answer(&false)?;
                    return visit.answer_value(Some(&elements[place]));
                }
                std::mem::swap(&mut elements[place], &mut new);
                drop(elements);
                visit.answer(&true)
            }
            ListCall::Len => visit.answer(&(lock(&self.0).len() as u64)),
            ListCall::Clear => {
                let cleared = std::mem::take(&mut *lock(&self.0));
                drop(cleared);
                visit.answer(&())
            }
            ListCall::All => {
                let elements = lock(&self.0);
                visit.answer_values(elements.iter())
            }
        }
    }
}
