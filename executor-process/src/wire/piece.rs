//! Pieces: what the body of a frame is made of, as [`pieces`] has them.
//!
//! Two texts go into one piece as the length of the first in the code of a prefix, the first, and the second.

use std::borrow::Cow;

use executor_core::backend::pieces::{self, TooLong, number, number_bytes, put_number};

use crate::wire::FrameError;

pub(crate) use pieces::{PIECE_BYTES_MAX, Prefix, prefix, prefix_bytes, put_prefix};

impl From<TooLong> for FrameError {
    fn from(_: TooLong) -> Self {
        FrameError::Malformed { what: "a number has more than 64 bits" }
    }
}

/// How many bytes two texts take in one piece.
pub(crate) fn texts_bytes(first: &str, second: &str) -> usize {
    number_bytes(first.len() as u64) + first.len() + second.len()
}

/// Appends two texts.
pub(crate) fn put_texts(buffer: &mut Vec<u8>, first: &str, second: &str) {
    put_number(buffer, first.len() as u64);
    buffer.extend_from_slice(first.as_bytes());
    buffer.extend_from_slice(second.as_bytes());
}

/// Takes two texts apart. What is not UTF-8 is replaced.
///
/// # Errors
///
/// If the first is longer than the whole.
pub(crate) fn texts(bytes: Cow<'_, [u8]>) -> Result<(Cow<'_, str>, Cow<'_, str>), FrameError> {
    let malformed = FrameError::Malformed { what: "a text is longer than its piece" };
    let (first, own) = number(&bytes)?.ok_or(malformed)?;
    let first = usize::try_from(first).map_err(|_| malformed)?;
    if first > bytes.len() - own {
        return Err(malformed);
    }
    Ok(match bytes {
        Cow::Borrowed(bytes) => {
            let (first, second) = bytes[own..].split_at(first);
            (String::from_utf8_lossy(first), String::from_utf8_lossy(second))
        }
        Cow::Owned(bytes) => {
            let (first, second) = bytes[own..].split_at(first);
            let owned = |text| Cow::Owned(String::from_utf8_lossy(text).into_owned());
            (owned(first), owned(second))
        }
    })
}

#[cfg(all(test, not(executor_loom)))]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back_as_they_were() {
        for (first, second) in [("", ""), ("a", ""), ("", "b"), ("grün", "src/lib.rs:3:7")] {
            let mut buffer = Vec::new();
            put_texts(&mut buffer, first, second);
            assert_eq!(buffer.len(), texts_bytes(first, second));
            assert_eq!(texts(Cow::Borrowed(&buffer)), Ok((first.into(), second.into())));
            assert_eq!(texts(Cow::Owned(buffer)), Ok((first.into(), second.into())));
        }
    }

    #[test]
    fn texts_that_cannot_be_are_refused() {
        for bytes in [&[][..], &[1], &[0x80], &[5, b'a'], &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]] {
            assert!(texts(Cow::Borrowed(bytes)).is_err(), "{bytes:?}");
        }
    }
}
