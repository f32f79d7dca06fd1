//! A number.

use std::sync::atomic::{AtomicI64, Ordering::SeqCst};

use serde::{Deserialize, Serialize};

use super::kind;
use crate::manager::server::{Object, Visit};
use crate::manager::wire::Fault;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum CounterCall {
    Get,
    Swap(i64),
    FetchAdd(i64),
    FetchMin(i64),
    FetchMax(i64),
    CompareExchange { current: i64, new: i64 },
}

#[derive(Debug)]
pub(crate) struct CounterObject(AtomicI64);

impl CounterObject {
    pub(crate) fn new(value: i64) -> Self {
        CounterObject(AtomicI64::new(value))
    }
}

impl Object for CounterObject {
    fn kind(&self) -> &str {
        kind::COUNTER
    }

    fn call(&self, arguments: &[u8], visit: &mut Visit<'_>) -> Result<(), Fault> {
        let CounterObject(value) = self;
        match Visit::read(arguments)? {
            CounterCall::Get => visit.answer(&value.load(SeqCst)),
            CounterCall::Swap(new) => visit.answer(&value.swap(new, SeqCst)),
            CounterCall::FetchAdd(more) => visit.answer(&value.fetch_add(more, SeqCst)),
            CounterCall::FetchMin(other) => visit.answer(&value.fetch_min(other, SeqCst)),
            CounterCall::FetchMax(other) => visit.answer(&value.fetch_max(other, SeqCst)),
            CounterCall::CompareExchange { current, new } => {
                visit.answer(&value.compare_exchange(current, new, SeqCst, SeqCst))
            }
        }
    }
}
