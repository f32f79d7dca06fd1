//! Frames that are written into a buffer, one behind the other.

use std::collections::BTreeSet;

use serde::Serialize;

use super::LENGTH_BYTES;
use crate::encode::encode_behind;

/// Begins a frame, and gives where.
pub(crate) fn begin_frame(buffer: &mut Vec<u8>, tag: u8) -> usize {
    let begin = buffer.len();
    buffer.extend_from_slice(&[0; LENGTH_BYTES]);
    buffer.push(tag);
    begin
}

/// Ends the frame that began there, and gives how many bytes it has.
pub(crate) fn end_frame(buffer: &mut [u8], begin: usize) -> u64 {
    let length = (buffer.len() - begin - LENGTH_BYTES) as u64;
    buffer[begin..begin + LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
    length
}

/// Writes a frame without a tag.
///
/// # Errors
///
/// Those of the encoding; the buffer is as before then.
pub(crate) fn put_frame(buffer: &mut Vec<u8>, message: &impl Serialize) -> Result<(), postcard::Error> {
    let begin = buffer.len();
    buffer.extend_from_slice(&[0; LENGTH_BYTES]);
    encode_behind(buffer, message).inspect_err(|_| buffer.truncate(begin))?;
    end_frame(buffer, begin);
    Ok(())
}

/// Writes the references that go with an answer behind it.
pub(crate) fn put_references(buffer: &mut Vec<u8>, references: &BTreeSet<u64>) {
    for reference in references {
        buffer.extend_from_slice(&reference.to_le_bytes());
    }
    buffer.extend_from_slice(&(references.len() as u64).to_le_bytes());
}
