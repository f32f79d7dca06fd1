//! Pieces: what the body of a frame is made of.
//!
//! A piece is a prefix and its bytes. The prefix is one number in LEB128, seven bits a byte: three bits of it say what
//! the piece is, and the rest how long. So a piece of up to fifteen bytes has a prefix of one byte, and the length of
//! a larger one has 61 bits.
//!
//! Two texts go into one piece as the length of the first in the same code, the first, and the second.

use std::borrow::Cow;

use crate::wire::FrameError;

/// The longest prefix: ten times seven bits hold 64.
pub(crate) const PREFIX_BYTES_MAX: usize = 10;

/// The longest piece that a prefix can tell.
pub(crate) const PIECE_BYTES_MAX: u64 = u64::MAX >> 3;

/// The prefix of a piece, as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Prefix {
    pub(crate) kind: u8,
    pub(crate) bytes: u64,
    /// How long the prefix itself is.
    pub(crate) own_bytes: usize,
}

/// How many bytes a number takes.
#[inline]
fn number_bytes(number: u64) -> usize {
    match number {
        0..0x80 => 1,
        0x80..0x4000 => 2,
        _ => (64 - number.leading_zeros() as usize).div_ceil(7),
    }
}

/// How many bytes the prefix of a piece of `bytes` takes.
#[inline]
pub(crate) fn prefix_bytes(bytes: u64) -> usize {
    number_bytes(bytes << 3)
}

/// Appends the prefix of a piece of at most [`PIECE_BYTES_MAX`].
#[inline]
pub(crate) fn put_prefix(buffer: &mut Vec<u8>, kind: u8, bytes: u64) {
    debug_assert!(kind < 8 && bytes <= PIECE_BYTES_MAX);
    if bytes < 16 {
        buffer.push((bytes << 3) as u8 | kind);
    } else {
        put_number(buffer, bytes << 3 | u64::from(kind));
    }
}

fn put_number(buffer: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        buffer.push(number as u8 | 0x80);
        number >>= 7;
    }
    buffer.push(number as u8);
}

/// The number that `bytes` begins with, and how many of them it is; `None` if they end before it does.
fn number(bytes: &[u8]) -> Result<Option<(u64, usize)>, FrameError> {
    let mut number = 0;
    for (place, &byte) in bytes.iter().take(PREFIX_BYTES_MAX).enumerate() {
        if place == PREFIX_BYTES_MAX - 1 && byte > 1 {
            return Err(FrameError::Malformed { what: "a number has more than 64 bits" });
        }
        number |= u64::from(byte & 0x7f) << (7 * place);
        if byte < 0x80 {
            return Ok(Some((number, place + 1)));
        }
    }
    Ok(None)
}

/// The prefix that `bytes` begins with; `None` if they end before it does.
///
/// # Errors
///
/// If it is no number of 64 bits.
#[inline]
pub(crate) fn prefix(bytes: &[u8]) -> Result<Option<Prefix>, FrameError> {
    // Most pieces are short.
    if let Some(&byte) = bytes.first()
        && byte < 0x80
    {
        return Ok(Some(Prefix { kind: byte & 7, bytes: u64::from(byte >> 3), own_bytes: 1 }));
    }
    let found = number(bytes)?;
    Ok(found.map(|(number, own_bytes)| Prefix { kind: (number & 7) as u8, bytes: number >> 3, own_bytes }))
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
    fn prefixes_come_back_as_they_were() {
        let mut lengths: Vec<u64> = (0..61).flat_map(|bit| [(1 << bit) - 1, 1 << bit, (1 << bit) + 1]).collect();
        lengths.extend([PIECE_BYTES_MAX - 1, PIECE_BYTES_MAX]);
        for bytes in lengths {
            for kind in 0..8 {
                let mut buffer = Vec::new();
                put_prefix(&mut buffer, kind, bytes);
                assert_eq!(buffer.len(), prefix_bytes(bytes));
                let own_bytes = buffer.len();
                assert_eq!(prefix(&buffer), Ok(Some(Prefix { kind, bytes, own_bytes })));
                assert_eq!(prefix(&buffer[..own_bytes - 1]), Ok(None));
            }
        }
    }

    #[test]
    fn a_prefix_of_more_than_64_bits_is_refused() {
        assert!(prefix(&[0xff; 10]).is_err());
        assert!(prefix(&[0x80; 32]).is_err());
        let mut most = [0xff; 10];
        most[9] = 1;
        assert_eq!(prefix(&most).unwrap().unwrap().bytes, PIECE_BYTES_MAX);
    }

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
