//! Byte strings and texts that go beside a message rather than in it.
//!
//! In place of the contents stand their length with the highest bit set, which no length has, and what the
//! [`Carrier`](crate::backend::Carrier) calls them.

use crate::carrier::{self, Carrier};

use super::error::{Cause, CodecError};

/// What is added to the length of contents that are not here.
const MARK: u64 = 1 << 63;

/// How long a number with the highest bit is: seven bits a byte.
const MARKED_BYTES: usize = 10;

/// What the last byte of such a number is: the highest bit, and nothing behind it.
const LAST_BYTE: u8 = 1;

/// True for contents that are worth it.
#[inline]
pub(super) fn is_offered(len: usize) -> bool {
    len >= carrier::ASIDE_FROM_BYTES
}

/// Sets contents of `len` bytes aside, and writes in `message` where they are; false, and `fill` is not called, if they cannot be.
pub(super) fn put(message: &mut Vec<u8>, len: usize, fill: impl FnMut(&mut [u8])) -> bool {
    let Some(name) = carrier::set_aside(len, fill) else { return false };
    let mut marked = len as u64 | MARK;
    while marked > 0x7f {
        message.push(marked as u8 | 0x80);
        marked >>= 7;
    }
    message.push(marked as u8);
    // A name is short, and so its length is one byte.
    message.push(name.len() as u8);
    message.extend_from_slice(&name);
    true
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
        let (number, behind) = bytes.split_at_checked(MARKED_BYTES)?;
        if number[MARKED_BYTES - 1] != LAST_BYTE || number[..MARKED_BYTES - 1].iter().any(|byte| byte & 0x80 == 0) {
            return None;
        }
        let len = number[..MARKED_BYTES - 1].iter().rev().fold(0, |len, byte| len << 7 | u64::from(byte & 0x7f));
        let (&name_bytes, behind) = behind.split_first()?;
        let (name, behind) = behind.split_at_checked(usize::from(name_bytes))?;
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
