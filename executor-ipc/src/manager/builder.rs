//! [`ManagerBuilder`].

use std::thread::Builder;
use std::time::Duration;

use super::access::Manager;
use super::door;
use super::error::ManagerError;
use super::limits::Limits;
use super::random;
use super::server::Server;

/// Starts a [`Manager`], with other limits than the default ones.
///
/// # Examples
///
/// ```
/// use executor_ipc::manager::{Manager, ManagerError};
///
/// let manager = Manager::builder().message_bytes_max(1 << 16).start()?;
/// let list = manager.list::<Vec<u8>>()?;
/// assert!(matches!(list.push(&vec![0; 1 << 17]), Err(ManagerError::TooLarge { .. })));
/// # Ok::<(), ManagerError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `start` or `pair`"]
pub struct ManagerBuilder {
    limits: Limits,
}

/// What the limits must leave room for: the messages by which clients and server speak of anything else than values.
const MESSAGE_BYTES_MIN: u64 = 1 << 10;

impl ManagerBuilder {
    pub(crate) fn new() -> Self {
        ManagerBuilder { limits: Limits::default() }
    }

    /// The most bytes that a call or an answer may have, and so a value. Default: 256 MiB.
    pub fn message_bytes_max(mut self, bytes: u64) -> Self {
        self.limits.message_bytes_max = bytes;
        self
    }

    /// The most connections at the same time: each thread of a client that calls has one, each is a thread of the server, and those of its
    /// services that call objects of the manager have them too. Default: 1000.
    pub fn connections_max(mut self, connections: usize) -> Self {
        self.limits.connections_max = connections;
        self
    }

    /// How long a remote peer may take to prove that it has the key. Default: 10 s.
    pub fn handshake_timeout(mut self, limit: Duration) -> Self {
        self.limits.handshake_timeout = limit;
        self
    }

    /// As [`Manager::new`].
    ///
    /// # Errors
    ///
    /// As [`Manager::new`] and [`pair`](ManagerBuilder::pair).
    pub fn start(self) -> Result<Manager, ManagerError> {
        let (server, manager) = self.pair()?;
        let started = Builder::new().name("manager".into()).spawn(move || server.run());
        started.map_err(|cause| ManagerError::Connect { address: None, cause })?;
        Ok(manager)
    }

    /// As [`Manager::pair`].
    ///
    /// # Errors
    ///
    /// As [`Manager::pair`], and [`ManagerError::Invalid`] for limits that let nothing through: less than 1 KiB, no connection, no time.
    pub fn pair(self) -> Result<(Server, Manager), ManagerError> {
        let Limits { message_bytes_max, connections_max, handshake_timeout } = &self.limits;
        if *message_bytes_max < MESSAGE_BYTES_MIN || *connections_max == 0 || handshake_timeout.is_zero() {
            let what =
                "a manager needs messages of 1 KiB, one connection, and time for a handshake at least".to_owned();
            return Err(ManagerError::Invalid { what });
        }
        let refused = |cause| ManagerError::Connect { address: None, cause };
        let (server, clients) = door::pair().map_err(refused)?;
        let services = door::pair().map_err(refused)?;
        let identity = random::number();
        Ok((Server::new(server, services, identity, self.limits), Manager::of_door(identity, clients)))
    }
}
