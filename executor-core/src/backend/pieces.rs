//! Pieces: encoded values one behind the other, each behind a prefix that says how long it is.
//!
//! The arguments of a [`Parcel`](crate::backend::Parcel) of many jobs are kept as pieces of kind 0, so that a backend whose frames
//! are made of pieces too hands a whole row of them on as they are.
//!
//! A prefix is one number in LEB128, seven bits a byte: three bits of it say what the piece is, which is for the backend to
//! tell, and the rest how long. So a piece of up to fifteen bytes has a prefix of one byte, and the length of a larger one has 61
//! bits.

/// The longest prefix: ten times seven bits hold 64.
pub const PREFIX_BYTES_MAX: usize = 10;

/// The longest piece that a prefix can tell.
pub const PIECE_BYTES_MAX: u64 = u64::MAX >> 3;

/// The prefix of a piece, as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// What the piece is, below 8.
    pub kind: u8,
    /// How long it is, without the prefix.
    pub bytes: u64,
    /// How long the prefix itself is.
    pub own_bytes: usize,
}

/// The bytes are no prefix: their number has more than 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a number has more than 64 bits")]
pub struct TooLong;

/// How many bytes a number takes in LEB128.
#[must_use]
#[inline]
pub fn number_bytes(number: u64) -> usize {
    match number {
        0..0x80 => 1,
        0x80..0x4000 => 2,
        _ => (64 - number.leading_zeros() as usize).div_ceil(7),
    }
}

/// How many bytes the prefix of a piece of `bytes` takes.
#[must_use]
#[inline]
pub fn prefix_bytes(bytes: u64) -> usize {
    number_bytes(bytes << 3)
}

/// Appends the prefix of a piece of at most [`PIECE_BYTES_MAX`].
#[inline]
pub fn put_prefix(buffer: &mut Vec<u8>, kind: u8, bytes: u64) {
    debug_assert!(kind < 8 && bytes <= PIECE_BYTES_MAX);
    if bytes < 16 {
        buffer.push((bytes << 3) as u8 | kind);
    } else {
        put_number(buffer, bytes << 3 | u64::from(kind));
    }
}

/// Appends a number in LEB128.
pub fn put_number(buffer: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        buffer.push(number as u8 | 0x80);
        number >>= 7;
    }
    buffer.push(number as u8);
}

/// The number that `bytes` begins with, and how many of them it is; `None` if they end before it does.
///
/// # Errors
///
/// If it has more than 64 bits.
pub fn number(bytes: &[u8]) -> Result<Option<(u64, usize)>, TooLong> {
    let mut number = 0;
    for (place, &byte) in bytes.iter().take(PREFIX_BYTES_MAX).enumerate() {
        if place == PREFIX_BYTES_MAX - 1 && byte > 1 {
            return Err(TooLong);
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
pub fn prefix(bytes: &[u8]) -> Result<Option<Prefix>, TooLong> {
    // Most pieces are short.
    if let Some(&byte) = bytes.first()
        && byte < 0x80
    {
        return Ok(Some(Prefix { kind: byte & 7, bytes: u64::from(byte >> 3), own_bytes: 1 }));
    }
    let found = number(bytes)?;
    Ok(found.map(|(number, own_bytes)| Prefix { kind: (number & 7) as u8, bytes: number >> 3, own_bytes }))
}

/// Appends a piece of kind 0 with what `put` appends to the buffer. If that fails nothing is appended.
pub(crate) fn put_piece<E>(buffer: &mut Vec<u8>, put: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<(), E> {
    let begin = buffer.len();
    // A short prefix, until it is known that it must be longer.
    buffer.push(0);
    if let Err(error) = put(buffer) {
        buffer.truncate(begin);
        return Err(error);
    }
    let bytes = buffer.len() - begin - 1;
    if bytes < 16 {
        buffer[begin] = (bytes << 3) as u8;
    } else {
        let mut prefix = Vec::with_capacity(PREFIX_BYTES_MAX);
        put_prefix(&mut prefix, 0, bytes as u64);
        buffer.splice(begin..=begin, prefix);
    }
    Ok(())
}

/// The bytes of the piece that `pieces` begins with. Empty if it does not begin with a whole piece.
pub(crate) fn first_piece(pieces: &[u8]) -> &[u8] {
    let Ok(Some(Prefix { bytes, own_bytes, .. })) = prefix(pieces) else { return &[] };
    usize::try_from(bytes).ok().and_then(|bytes| pieces[own_bytes..].get(..bytes)).unwrap_or_default()
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
    fn pieces_come_back_as_they_were_put() {
        let mut buffer = vec![7];
        let lengths = [0, 1, 15, 16, 127, 2047, 2048, 70_000];
        for length in lengths {
            put_piece(&mut buffer, |buffer| {
                buffer.extend(std::iter::repeat_n(length as u8, length));
                Ok::<_, ()>(())
            })
            .unwrap();
            let before = buffer.clone();
            let failed = put_piece(&mut buffer, |buffer| {
                buffer.extend_from_slice(b"half");
                Err(())
            });
            assert!(failed.is_err() && buffer == before);
        }
        let mut rest = &buffer[1..];
        for length in lengths {
            assert_eq!(first_piece(rest), vec![length as u8; length]);
            rest = &rest[prefix_bytes(length as u64) + length..];
        }
        assert!(rest.is_empty() && first_piece(rest).is_empty() && first_piece(&[8]).is_empty());
    }
}
