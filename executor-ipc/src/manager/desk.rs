//! The desk: the object with number 0, at which clients ask for others.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::objects::barrier::BarrierObject;
use super::objects::condition::ConditionObject;
use super::objects::counter::CounterObject;
use super::objects::dict::DictObject;
use super::objects::event::EventObject;
use super::objects::kind;
use super::objects::list::ListObject;
use super::objects::lock::LockObject;
use super::objects::queue::QueueObject;
use super::objects::semaphore::SemaphoreObject;
use super::server::{Hall, Object, Visit};
use super::service::{self, Call};
use super::sync::lock;
use super::wire::{Fault, WireValue};

/// Its number.
pub(crate) const DESK: u64 = 0;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum DeskCall<'a> {
    /// The object is the answer.
    #[serde(borrow)]
    Make(Make<'a>),
    Publish {
        name: &'a str,
        object: u64,
    },
    /// Whether there was one is the answer.
    Withdraw {
        name: &'a str,
    },
    /// The object is the answer.
    Find {
        name: &'a str,
        kind: &'a str,
    },
    /// One more proxy of an object; it is the answer.
    Retain {
        object: u64,
    },
    Counts,
    /// Waits until the caller is the only client.
    Alone {
        limit: Option<Duration>,
    },
}

/// What is to be made.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Make<'a> {
    Barrier {
        parties: u64,
    },
    Condition,
    Counter {
        value: i64,
    },
    Dict,
    Event,
    List,
    Lock,
    Namespace,
    Queue {
        capacity: Option<u64>,
    },
    Semaphore {
        permits: u64,
    },
    Service {
        service: &'a str,
        constructor: &'a str,
        #[serde(borrow)]
        arguments: WireValue<'a>,
    },
}

#[derive(Debug)]
pub(crate) struct Desk;

/// Makes an object of a server.
pub(crate) fn make(hall: &Arc<Hall>, make: &Make<'_>) -> Result<Box<dyn Object>, Fault> {
    let invalid = |what: &str| Err(Fault::Invalid { what: what.to_owned() });
    Ok(match make {
        Make::Barrier { parties: 0 } => return invalid("a barrier needs one party at least"),
        Make::Barrier { parties } => Box::new(BarrierObject::new(*parties)),
        Make::Condition => Box::new(ConditionObject::default()),
        Make::Counter { value } => Box::new(CounterObject::new(*value)),
        Make::Dict => Box::new(DictObject::new(kind::DICT)),
        Make::Event => Box::new(EventObject::default()),
        Make::List => Box::new(ListObject::default()),
        Make::Lock => Box::new(LockObject::default()),
        Make::Namespace => Box::new(DictObject::new(kind::NAMESPACE)),
        Make::Queue { capacity: Some(0) } => return invalid("a queue needs room for one item at least"),
        Make::Queue { capacity } => Box::new(QueueObject::new(*capacity)),
        Make::Semaphore { permits } => Box::new(SemaphoreObject::new(*permits)),
        Make::Service { service, constructor, arguments } => {
            service::make(service, constructor, Call::new(hall, arguments))?
        }
    })
}

impl Object for Desk {
    fn kind(&self) -> &str {
        "desk"
    }

    fn call(&self, arguments: &[u8], visit: &mut Visit<'_>) -> Result<(), Fault> {
        match Visit::read(arguments)? {
            DeskCall::Make(what) => {
                let reference = visit.hall().add(make(visit.hall(), &what)?);
                visit.grant_object(reference.id())
            }
            DeskCall::Publish { name, object } => {
                let reference = visit.refer(object)?;
                let mut names = lock(&visit.hall().names);
                if let Some(other) = names.get(name) {
                    let is_same = other.id() == object;
                    drop(names);
                    return if is_same { Ok(()) } else { Err(Fault::NameTaken) };
                }
                names.insert(name.to_owned(), reference);
                Ok(())
            }
            DeskCall::Withdraw { name } => {
                let withdrawn = lock(&visit.hall().names).remove(name);
                visit.answer(&withdrawn.is_some())
            }
            DeskCall::Find { name, kind } => {
                let reference = {
                    let names = lock(&visit.hall().names);
                    visit.refer(names.get(name).ok_or(Fault::NotFound)?.id())?
                };
                let hall = visit.hall();
                hall.with(reference.id(), |object| match object.kind() {
                    found if found == kind => Ok(()),
                    found => Err(Fault::WrongKind { expected: kind.to_owned(), found: found.to_owned() }),
                })?;
                visit.grant_object(reference.id())
            }
            DeskCall::Retain { object } => visit.grant_object(object),
            DeskCall::Counts => {
                let counts = visit.hall().counts();
                visit.answer(&counts)
            }
            DeskCall::Alone { limit } => {
                Arc::clone(visit.hall()).wait_alone(limit, visit)?;
                visit.answer(&())
            }
        }
    }
}
