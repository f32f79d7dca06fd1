//! What owner, fork server and new workers say to one another.

use std::io;

use serde::{Deserialize, Serialize};

use super::launch::{Environment, Settings};

/// The number of an order, and of the worker that came of it. A pool uses none twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Ticket(pub(crate) u64);

/// A worker is wanted. Its descriptors are those of a [`Kit`](super::order::Kit).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    /// The number of this order.
    pub(crate) ticket: Ticket,
    /// The place of the worker in its pool, from 0.
    pub(crate) index: usize,
    /// How many pools are around the worker.
    pub(crate) depth: u32,
    /// The number of the process that orders it.
    pub(crate) owner: i32,
    /// Changes of the environment that the worker makes itself.
    pub(crate) environment: Environment,
    /// What it does to itself.
    pub(crate) settings: Settings,
}

/// What became of an order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Report {
    /// There is a process. One descriptor comes with it, that of the process.
    Started {
        /// The order.
        ticket: Ticket,
        /// The number of the process.
        pid: i32,
    },
    /// There is no worker.
    Failed {
        /// The order.
        ticket: Ticket,
        /// Why.
        failure: Failure,
    },
    /// The process ended.
    Ended {
        /// The order.
        ticket: Ticket,
        /// The status as `wait` has it.
        status: i32,
    },
}

/// An error of the system in a form that travels.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Failure {
    text: String,
    error_number: Option<i32>,
}

impl Failure {
    /// What was tried, and what the system said.
    pub(crate) fn new(what: &str, error: &io::Error) -> Failure {
        Failure { text: format!("{what}: {error}"), error_number: error.raw_os_error() }
    }

    /// A failure of which the system said nothing.
    pub(crate) fn text(text: String) -> Failure {
        Failure { text, error_number: None }
    }

    /// The error again, with its kind.
    pub(crate) fn into_error(self) -> io::Error {
        let kind = self.error_number.map_or(io::ErrorKind::Other, |number| io::Error::from_raw_os_error(number).kind());
        io::Error::new(kind, self.text)
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::Failure;

    #[test]
    fn a_failure_keeps_text_and_kind() {
        let error = Failure::new("a worker cannot do it", &io::Error::from_raw_os_error(2)).into_error();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(error.to_string().starts_with("a worker cannot do it: "), "{error}");
    }
}
