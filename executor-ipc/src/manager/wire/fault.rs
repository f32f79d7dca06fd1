//! [`Fault`]: why a server did not do what it was asked.

use serde::{Deserialize, Serialize};

/// What travels; the caller gets it as a [`ManagerError`](crate::manager::ManagerError).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Fault {
    NoSuchObject,
    WrongKind {
        expected: String,
        found: String,
    },
    NotFound,
    NameTaken,
    ClientsLeft {
        clients: u64,
    },
    OutOfRange {
        index: u64,
        len: u64,
    },
    Full,
    Empty,
    Closed,
    Timeout,
    TooManyDone,
    TasksLost {
        tasks: u64,
    },
    Broken,
    NotANumber,
    NotHeld,
    Invalid {
        what: String,
    },
    TooLarge {
        bytes: u64,
        bytes_max: u64,
    },
    UnknownService {
        service: String,
    },
    UnknownMethod {
        service: String,
        method: String,
    },
    Arguments {
        cause: String,
    },
    Answer {
        cause: String,
    },
    Panicked {
        message: String,
    },
    BadCall,
    /// The client is gone: nobody reads this.
    Gone,
}
