//! Byte strings and texts that go beside a message rather than in it.
//!
//! In place of the contents stand their length with the highest bit set, which no length has, and what the
//! [`Carrier`](crate::backend::Carrier) calls them.

use crate::carrier::{self, Carrier};

use super::encode_into;
use super::error::{Cause, CodecError};

/// What is added to the length of contents that are not here.
const MARK: u64 = 1 << 63;

/// True for contents that are worth it.
#[inline]
pub(super) fn is_offered(len: usize) -> bool {
    len >= carrier::ASIDE_FROM_BYTES
}

/// Sets contents of `len` bytes aside, and writes in `message` where they are; false, and `fill` is not called, if they cannot be.
pub(super) fn put(message: &mut Vec<u8>, len: usize, fill: impl FnMut(&mut [u8])) -> Result<bool, CodecError> {
    let Some(name) = carrier::set_aside(len, fill) else { return Ok(false) };
    encode_into(&(len as u64 | MARK, name), message)?;
    Ok(true)
}

/// Contents that were set aside.
#[derive(Clone, Copy)]
pub(super) struct Aside<'de> {
    supplier: &'static dyn Carrier,
    len: u64,
    name: &'de [u8],
}

impl<'de> Aside<'de> {
    /// What is at the start of `bytes`, and the bytes behind it; `None` if there are contents, or anything else.
    #[inline]
    pub(super) fn at_start(supplier: &'static dyn Carrier, bytes: &'de [u8]) -> Option<(Self, &'de [u8])> {
        let (marked, behind) = postcard::take_from_bytes::<u64>(bytes).ok()?;
        let len = marked.checked_sub(MARK)?;
        let (name, behind) = postcard::take_from_bytes(behind).ok()?;
        Some((Aside { supplier, len, name }, behind))
    }

    /// Calls `read` with the contents.
    pub(super) fn read<R>(&self, read: impl FnOnce(&[u8]) -> R) -> Result<R, CodecError> {
        let (mut read, mut came, mut done) = (Some(read), 0, None);
        let fetched = self.supplier.fetch(self.name, &mut |contents| {
            came = contents.len() as u64;
            if came == self.len {
                done = read.take().map(|read| read(contents));
            }
        });
        match (fetched, done) {
            (Ok(()), Some(done)) => Ok(done),
            (Ok(()), None) => Err(CodecError::new(Cause::Aside(format!("{came} bytes came of {}", self.len)))),
            (Err(why), _) => Err(CodecError::new(Cause::Aside(why))),
        }
    }
}
