//! [`Head`]: the first 24 bytes of every frame.
//!
//! All frames have a head of one form, so that it is read in one step before anybody knows what it begins. The two
//! counts mean what the kind says:
//!
//! | bytes | part | Run | Done | Progress, Stop | Setup | Ready |
//! |---|---|---|---|---|---|---|
//! | 0..8 | length of the body | pieces | pieces | 16, 0 | pieces | pieces |
//! | 8 | kind | | | | | |
//! | 9 | flags | – | PASSED | – | – | FAILED |
//! | 10..12 | slot | slot | slot | slot | – | – |
//! | 12..16 | sequence | sequence | sequence | sequence | – | – |
//! | 16..20 | first count | index of the job | items · first item | item | index of the initializer | pid |
//! | 20..24 | second count | items | busy time, ns | – | version | version |
//!
//! Numbers are little-endian. A length has 64 bits.

use crate::wire::{FrameError, Place};

/// How long a head is.
pub(crate) const HEAD_BYTES: usize = 24;

/// On a [`Kind::Done`]: the worker has passed the frame.
pub(crate) const PASSED: u8 = 1;
/// On a [`Kind::Ready`]: the initializer failed.
pub(crate) const FAILED: u8 = 1;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Setup,
    Run,
    Stop,
    StopAll,
    Exit,
    Ready,
    Done,
    Progress,
}

const KINDS: [Kind; 8] =
    [Kind::Setup, Kind::Run, Kind::Stop, Kind::StopAll, Kind::Exit, Kind::Ready, Kind::Done, Kind::Progress];

/// The head of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) body_bytes: u64,
    pub(crate) kind: Kind,
    pub(crate) flags: u8,
    pub(crate) place: Place,
    pub(crate) first: u32,
    pub(crate) second: u32,
}

impl Head {
    /// A head of this kind without a body, a place or counts.
    pub(crate) fn of(kind: Kind) -> Self {
        Head { body_bytes: 0, kind, flags: 0, place: Place { slot: 0, sequence: 0 }, first: 0, second: 0 }
    }

    /// The head of the same outcomes, where so many have come.
    pub(crate) fn with_outcomes(self, outcomes: u16) -> Self {
        Head { first: u32::from(outcomes) << 16 | (self.first & 0xffff), ..self }
    }

    #[inline]
    pub(crate) fn to_bytes(self) -> [u8; HEAD_BYTES] {
        let mut bytes = [0; HEAD_BYTES];
        bytes[0..8].copy_from_slice(&self.body_bytes.to_le_bytes());
        // The table is in the order of the variants.
        bytes[8] = self.kind as u8;
        bytes[9] = self.flags;
        bytes[10..12].copy_from_slice(&self.place.slot.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.place.sequence.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.first.to_le_bytes());
        bytes[20..24].copy_from_slice(&self.second.to_le_bytes());
        bytes
    }

    /// # Errors
    ///
    /// If no frame is of this kind.
    #[inline]
    pub(crate) fn from_bytes(bytes: &[u8; HEAD_BYTES]) -> Result<Self, FrameError> {
        let four = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let Some(&kind) = KINDS.get(usize::from(bytes[8])) else {
            return Err(FrameError::Malformed { what: "there is no frame of its kind" });
        };
        Ok(Head {
            body_bytes: u64::from(four(4)) << 32 | u64::from(four(0)),
            kind,
            flags: bytes[9],
            place: Place { slot: u16::from_le_bytes([bytes[10], bytes[11]]), sequence: four(12) },
            first: four(16),
            second: four(20),
        })
    }
}

#[cfg(all(test, not(executor_loom)))]
mod tests {
    use super::*;

    #[test]
    fn heads_come_back_as_they_were() {
        for (number, kind) in KINDS.into_iter().enumerate() {
            assert_eq!(usize::from(kind as u8), number);
            let head = Head {
                body_bytes: u64::MAX - 7,
                flags: 0xa5,
                place: Place { slot: 0x1234, sequence: 0xdead_beef },
                first: 0x0102_0304,
                second: u32::MAX,
                ..Head::of(kind)
            };
            assert_eq!(Head::from_bytes(&head.to_bytes()), Ok(head));
        }
    }

    #[test]
    fn every_other_kind_is_refused() {
        for kind in 8..=u8::MAX {
            let mut bytes = Head::of(Kind::Run).to_bytes();
            bytes[8] = kind;
            assert!(Head::from_bytes(&bytes).is_err());
        }
    }
}
