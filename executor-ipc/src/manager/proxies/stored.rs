//! [`Stored`]: what a manager can keep; and how it is encoded for one.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::manager::error::ManagerError;
use crate::manager::nested;

/// What a manager can keep as a value, an item or a key: every type that is serde both ways. The server keeps it encoded, by postcard, and
/// does not know the type.
///
/// A proxy can be part of a value, of the same manager; then its object lives as long as the value. A key is equal to another if both have
/// the same encoding.
pub trait Stored: Serialize + DeserializeOwned {}

impl<T: Serialize + DeserializeOwned> Stored for T {}

/// A key, encoded.
pub(super) fn key(key: &(impl Serialize + ?Sized)) -> Result<Vec<u8>, ManagerError> {
    nested::encode_plain("a key", key)
}
