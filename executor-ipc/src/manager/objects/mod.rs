//! What a server keeps: one file for each kind of object, with the calls that it knows.

pub(crate) mod barrier;
pub(crate) mod condition;
pub(crate) mod counter;
pub(crate) mod dict;
pub(crate) mod event;
pub(crate) mod list;
pub(crate) mod lock;
pub(crate) mod queue;
pub(crate) mod semaphore;

/// What proxies of a kind are called, in errors and between client and server.
pub(crate) mod kind {
    pub(crate) const BARRIER: &str = "barrier";
    pub(crate) const CONDITION: &str = "condition";
    pub(crate) const COUNTER: &str = "counter";
    pub(crate) const DICT: &str = "dict";
    pub(crate) const EVENT: &str = "event";
    pub(crate) const LIST: &str = "list";
    pub(crate) const LOCK: &str = "lock";
    pub(crate) const NAMESPACE: &str = "namespace";
    pub(crate) const QUEUE: &str = "queue";
    pub(crate) const SEMAPHORE: &str = "semaphore";
}
