//! How an end of a channel goes to another process: as a descriptor beside the bytes.

use std::fmt;
use std::sync::Arc;

use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::endpoint::Endpoint;
use crate::attach;

#[derive(Serialize, Deserialize)]
struct Wire {
    /// The number of the descriptor of the socket.
    socket: u32,
    message_bytes_max: u64,
}

impl Serialize for Endpoint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return Err(S::Error::custom(
                "an end of a channel is a descriptor of a process, and cannot be written as text",
            ));
        }
        let socket = attach::attach(self.socket()).ok_or_else(|| {
            S::Error::custom(
                "an end of a channel goes only where descriptors go, and no more go here: send it as an argument or an \
                 output of a job in a worker process, or in a message of another channel",
            )
        })?;
        Wire { socket, message_bytes_max: self.message_bytes_max }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Endpoint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return Err(D::Error::custom(
                "an end of a channel is a descriptor of a process, and cannot be read from text",
            ));
        }
        let refused = |why: &dyn fmt::Display| D::Error::custom(format_args!("a channel cannot be taken in: {why}"));
        let Wire { socket, message_bytes_max } = Wire::deserialize(deserializer)?;
        let socket = attach::attached(socket).map_err(|why| refused(&why))?;
        Endpoint::checked(Arc::clone(&socket), message_bytes_max).map_err(|why| refused(&why))
    }
}
