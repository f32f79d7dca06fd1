//! [`Limits`]: what a server allows.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Bytes of a message. Values are kept encoded, and this is the most that one can have.
pub(crate) const MESSAGE_BYTES_MAX: u64 = 256 << 20;

/// Connections, each of which is a thread of the server: more than the 1024 descriptors that a process has by default would hold.
pub(crate) const CONNECTIONS_MAX: usize = 1000;

/// How long a remote peer may take to prove that it has the key: some round trips around the world, and a busy machine.
pub(crate) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How many peers may be at it at once, so that those that say nothing do not take the place of clients.
pub(crate) const HANDSHAKES_MAX: usize = 64;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Limits {
    pub(crate) message_bytes_max: u64,
    pub(crate) connections_max: usize,
    pub(crate) handshake_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            message_bytes_max: MESSAGE_BYTES_MAX,
            connections_max: CONNECTIONS_MAX,
            handshake_timeout: HANDSHAKE_TIMEOUT,
        }
    }
}
