//! Items as bytes. User code runs here, and so under no lock.

use std::cell::Cell;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::{GetError, PutError};
use crate::encode::encode_behind;

/// Longer buffers are not kept by a thread: 1 MiB.
const KEPT_BYTES_MAX: usize = 1 << 20;

thread_local! {
    /// Where this thread has the bytes of items. It is empty until the first one, and while one is looked at.
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Calls `use_it` with an empty buffer. What it calls may do so too.
#[inline]
pub(super) fn with_buffer<R>(use_it: impl FnOnce(&mut Vec<u8>) -> R) -> R {
    // Where the thread is ending there is no buffer that is kept.
    let mut buffer = BUFFER.try_with(Cell::take).unwrap_or_default();
    buffer.clear();
    let result = use_it(&mut buffer);
    if buffer.capacity() <= KEPT_BYTES_MAX {
        // If not, it is only made anew.
        let _ = BUFFER.try_with(|kept| kept.set(buffer));
    }
    result
}

/// Writes an item into an empty buffer.
///
/// # Errors
///
/// If it cannot be encoded.
#[inline]
pub(super) fn encode<T: Serialize>(item: &T, buffer: &mut Vec<u8>) -> Result<(), PutError> {
    encode_behind(buffer, item).map_err(|error| match error {
        // The encoder does not keep what a value says of itself.
        postcard::Error::SerdeSerCustom => PutError::encode::<T>(
            "a part of it cannot be written into bytes; what goes by descriptors, such as a lock, a queue or an end of a channel, is no item of a queue: send it over a channel of this crate",
        ),
        error => PutError::encode::<T>(error),
    })
}

/// Reads an item.
///
/// # Errors
///
/// If the bytes are none, or more than one.
#[inline]
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, GetError> {
    match postcard::take_from_bytes(bytes) {
        Ok((item, [])) => Ok(item),
        Ok((_, rest)) => Err(GetError::decode::<T>(format!("{} bytes are left over behind it", rest.len()))),
        Err(error) => Err(GetError::decode::<T>(error)),
    }
}
