//! [`Stored`]: what a manager can keep; and how it is encoded for one.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_bytes::Bytes;

use crate::manager::client::Link;
use crate::manager::error::ManagerError;
use crate::manager::nested;
use crate::manager::wire::WireValue;

/// What a manager can keep as a value, an item or a key: every type that is serde both ways. The server keeps it encoded, by postcard, and
/// does not know the type.
///
/// A proxy can be part of a value, of the same manager; then its object lives as long as the value. A key is equal to another if both have
/// the same encoding.
pub trait Stored: Serialize + DeserializeOwned {}

impl<T: Serialize + DeserializeOwned> Stored for T {}

/// A value, encoded for a server.
pub(super) struct Leaving {
    bytes: Vec<u8>,
    references: Vec<u64>,
}

impl Leaving {
    pub(super) fn new(link: &Arc<Link>, value: &impl Serialize) -> Result<Leaving, ManagerError> {
        nested::encode(link, value).map(|(bytes, references)| Leaving { bytes, references })
    }

    pub(super) fn wire(&self) -> WireValue<'_> {
        WireValue { references: self.references.clone(), bytes: Bytes::new(&self.bytes) }
    }

    pub(super) fn bytes(&self) -> &Bytes {
        Bytes::new(&self.bytes)
    }
}

/// A key, encoded.
pub(super) fn key(key: &(impl Serialize + ?Sized)) -> Result<Vec<u8>, ManagerError> {
    nested::encode_plain("a key", key)
}
