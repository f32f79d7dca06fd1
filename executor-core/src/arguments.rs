//! [`Arguments`]: what the jobs of a parcel were encoded to.

use std::ops::Range;
use std::sync::Arc;

use crate::backend::pieces::first_piece;
use crate::sync::per_thread;

/// The encoded arguments of one job or of several.
pub(crate) enum Arguments {
    /// Those of one job, so few that no allocation of their own is worth while.
    Short(u8, [u8; SHORT_BYTES]),
    /// Those of one job.
    One(Vec<u8>),
    /// Those of one job, so many that nobody should copy them.
    Large(Arc<Vec<u8>>),
    /// Those of several jobs as pieces, and where each of them ends.
    Many(Vec<u8>, Box<[usize]>),
}

/// As much as fits beside the length where there is room for those of several jobs.
const SHORT_BYTES: usize = 30;

/// From this length on the arguments of a job are shared rather than copied: a copy takes a µs or more.
const LARGE_BYTES: usize = 16 << 10;

per_thread! {
    static SCRATCH: std::cell::Cell<Vec<u8>> = const { std::cell::Cell::new(Vec::new()) };
}

impl Arguments {
    /// Those of one job, which `encode` appends to the buffer that it is given.
    pub(crate) fn encoded<E>(encode: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<Self, E> {
        // A thread that is being torn down has no buffer any more.
        let mut bytes = SCRATCH.try_with(std::cell::Cell::take).unwrap_or_default();
        bytes.clear();
        encode(&mut bytes)?;
        let arguments = match bytes.len() {
            short @ 0..=SHORT_BYTES => {
                let mut arguments = [0; SHORT_BYTES];
                // Byte by byte: most of them have just been written so, and a read of several at once would wait for all.
                arguments.iter_mut().zip(&bytes).for_each(|(to, &from)| *to = from);
                let _ = SCRATCH.try_with(|scratch| scratch.set(bytes));
                Arguments::Short(short as u8, arguments)
            }
            ..LARGE_BYTES => Arguments::One(bytes),
            _ => Arguments::Large(Arc::new(bytes)),
        };
        Ok(arguments)
    }

    /// How many jobs there are.
    #[inline]
    pub(crate) fn items(&self) -> u32 {
        match self {
            Arguments::Short(..) | Arguments::One(_) | Arguments::Large(_) => 1,
            Arguments::Many(_, ends) => ends.len() as u32,
        }
    }

    /// Those of one job.
    #[inline]
    pub(crate) fn of(&self, item: u32) -> &[u8] {
        match self {
            Arguments::Short(length, bytes) => &bytes[..usize::from(*length)],
            Arguments::One(bytes) => bytes,
            Arguments::Large(bytes) => bytes,
            Arguments::Many(pieces, ends) => first_piece(&pieces[places(ends, item..item + 1)]),
        }
    }

    /// The pieces of jobs in a row.
    pub(crate) fn pieces(&self, items: Range<u32>) -> Option<&[u8]> {
        match self {
            Arguments::Many(pieces, ends) => Some(&pieces[places(ends, items)]),
            Arguments::Short(..) | Arguments::One(_) | Arguments::Large(_) => None,
        }
    }
}

/// Where the pieces of these items are, if each ends where `ends` says.
fn places(ends: &[usize], items: Range<u32>) -> Range<usize> {
    let end = |items: u32| if items == 0 { 0 } else { ends[items as usize - 1] };
    end(items.start)..end(items.end)
}

#[cfg(all(test, not(executor_loom)))]
mod tests {
    use super::*;

    fn arguments(length: usize) -> Arguments {
        Arguments::encoded(|buffer| {
            assert!(buffer.is_empty());
            buffer.extend((0..length).map(|byte| byte as u8));
            Ok::<_, ()>(())
        })
        .expect("it was encoded")
    }

    #[test]
    fn they_are_what_was_encoded_however_many() {
        for length in [0, 1, SHORT_BYTES, SHORT_BYTES + 1, LARGE_BYTES - 1, LARGE_BYTES, 100_000, 2] {
            let arguments = arguments(length);
            let expected: Vec<u8> = (0..length).map(|byte| byte as u8).collect();
            assert!(arguments.of(0) == expected && arguments.items() == 1 && arguments.pieces(0..1).is_none());
            assert_eq!(matches!(arguments, Arguments::Large(_)), length >= LARGE_BYTES);
        }
    }

    #[test]
    fn what_failed_leaves_nothing_behind() {
        let failed = Arguments::encoded(|buffer| {
            buffer.push(1);
            // The user's code may submit another job here.
            assert_eq!(arguments(3).of(0), [0, 1, 2]);
            Err(())
        });
        assert!(failed.is_err());
        assert_eq!(arguments(1).of(0), [0]);
    }
}
