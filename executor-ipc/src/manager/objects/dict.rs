//! Keys and values. A namespace is one whose keys are names.

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use serde::{Deserialize, Serialize};
use serde_bytes::Bytes;

use crate::manager::server::{Object, Value, Visit};
use crate::manager::wire::{Fault, WireValue};

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum DictCall<'a> {
    #[serde(borrow)]
    Get(&'a Bytes),
    Contains(&'a Bytes),
    /// The value before is the answer.
    Insert(&'a Bytes, WireValue<'a>),
    /// The value that is there is the answer, and none if it is the new one.
    InsertIfAbsent(&'a Bytes, WireValue<'a>),
    /// The value before is the answer.
    Remove(&'a Bytes),
    /// True, or false and the value that is there.
    CompareExchange {
        key: &'a Bytes,
        current: Option<&'a Bytes>,
        new: Option<WireValue<'a>>,
    },
    /// The number before is the answer.
    FetchAdd(&'a Bytes, i64),
    Len,
    Clear,
    Keys,
    Values,
    Entries,
}

#[derive(Debug)]
pub(crate) struct DictObject {
    kind: &'static str,
    entries: DashMap<Box<[u8]>, Value>,
}

impl DictObject {
    pub(crate) fn new(kind: &'static str) -> Self {
        DictObject { kind, entries: DashMap::new() }
    }

    fn compare_exchange(
        &self,
        key: &[u8],
        current: Option<&Bytes>,
        new: Option<Value>,
        visit: &mut Visit<'_>,
    ) -> Result<(), Fault> {
        // What was there is dropped when the place is free again.
        let before = match self.entries.entry(key.into()) {
            Entry::Occupied(mut entry) => {
                if current.is_none_or(|current| entry.get().bytes[..] != current[..]) {
                    visit.answer(&false)?;
                    return visit.answer_value(Some(entry.get()));
                }
                match new {
                    Some(new) => entry.insert(new),
                    None => entry.remove(),
                }
            }
            Entry::Vacant(entry) => {
                if current.is_some() {
                    visit.answer(&false)?;
                    return visit.answer_value(None);
                }
                if let Some(new) = new {
                    entry.insert(new);
                }
                Value::default()
            }
        };
        drop(before);
        visit.answer(&true)
    }

    fn fetch_add(&self, key: &[u8], more: i64) -> Result<i64, Fault> {
        let mut value = self.entries.entry(key.into()).or_insert_with(|| number_value(0));
        let number = match postcard::take_from_bytes::<i64>(&value.bytes) {
            Ok((number, [])) => number,
            Ok(_) | Err(_) => return Err(Fault::NotANumber),
        };
        let sum = number_value(number.checked_add(more).ok_or(Fault::NotANumber)?);
        let before = std::mem::replace(&mut *value, sum);
        // What was there is dropped when the place is free again.
        drop(value);
        drop(before);
        Ok(number)
    }

    /// Copies of all keys and values that are there; one that is changed meanwhile is there as before or as after.
    fn answer_all(&self, with_keys: bool, with_values: bool, visit: &mut Visit<'_>) -> Result<(), Fault> {
        let (mut keys, mut values): (Vec<Vec<u8>>, Vec<Vec<u8>>) = Default::default();
        for entry in &self.entries {
            if with_keys {
                keys.push(entry.key().to_vec());
            }
            if with_values {
                visit.grant(&entry)?;
                values.push(entry.bytes.to_vec());
            }
        }
        let as_bytes =
            |many: &[Vec<u8>]| many.iter().map(|one| serde_bytes::ByteBuf::from(&one[..])).collect::<Vec<_>>();
        if with_keys {
            visit.answer(&as_bytes(&keys))?;
        }
        if with_values {
            visit.answer(&as_bytes(&values))?;
        }
        Ok(())
    }

    /// Takes the values out first, and drops them when no place of the table is locked.
    fn clear(&self) {
        let mut removed = Vec::new();
        self.entries.retain(|_, value| {
            removed.push(std::mem::take(value));
            false
        });
    }
}

fn number_value(number: i64) -> Value {
    let mut bytes = [0; 16];
    let bytes = postcard::to_slice(&number, &mut bytes).map(|bytes| &*bytes).unwrap_or_default();
    Value::plain(bytes)
}

impl Object for DictObject {
    fn kind(&self) -> &str {
        self.kind
    }

    fn call(&self, arguments: &[u8], visit: &mut Visit<'_>) -> Result<(), Fault> {
        match Visit::read(arguments)? {
            DictCall::Get(key) => visit.answer_value(self.entries.get(&key[..]).as_deref()),
            DictCall::Contains(key) => visit.answer(&self.entries.contains_key(&key[..])),
            DictCall::Insert(key, value) => {
                let before = self.entries.insert(key[..].into(), visit.keep(&value)?);
                visit.answer_value(before.as_ref())
            }
            DictCall::InsertIfAbsent(key, value) => {
                let value = visit.keep(&value)?;
                match self.entries.entry(key[..].into()) {
                    Entry::Occupied(entry) => visit.answer_value(Some(entry.get())),
                    Entry::Vacant(entry) => {
                        entry.insert(value);
                        visit.answer_value(None)
                    }
                }
            }
            DictCall::Remove(key) => {
                let before = self.entries.remove(&key[..]);
                visit.answer_value(before.as_ref().map(|(_, value)| value))
            }
            DictCall::CompareExchange { key, current, new } => {
                let new = new.map(|new| visit.keep(&new)).transpose()?;
                self.compare_exchange(key, current, new, visit)
            }
            DictCall::FetchAdd(key, more) => {
                let number = self.fetch_add(key, more)?;
                visit.answer(&number)
            }
            DictCall::Len => visit.answer(&(self.entries.len() as u64)),
            DictCall::Clear => {
                self.clear();
                visit.answer(&())
            }
            DictCall::Keys => self.answer_all(true, false, visit),
            DictCall::Values => self.answer_all(false, true, visit),
            DictCall::Entries => self.answer_all(true, true, visit),
        }
    }
}
