//! What is in a frame.

use serde::{Deserialize, Serialize};
use serde_bytes::Bytes;

use super::fault::Fault;

/// The version of the protocol. Both sides have the same one, or do not speak.
pub(crate) const VERSION: u32 = 1;

/// A call of an object, which is answered.
pub(crate) const CALL: u8 = 1;
/// The client needs an object no more.
pub(crate) const RELEASE: u8 = 2;
/// What the last answer brought has arrived.
pub(crate) const NOD: u8 = 3;
/// The client gives back what it holds: a lock, a permit.
pub(crate) const UNHOLD: u8 = 4;

/// An answer.
pub(crate) const DONE: u8 = 16;
/// An answer, and behind it the objects that it names.
pub(crate) const DONE_WITH: u8 = 17;
/// Why there is none.
pub(crate) const FAULT: u8 = 18;

/// The first frame of a connection.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Hello {
    pub(crate) version: u32,
    /// The session to which the connection belongs, and its token; `None` for the first one of a client.
    pub(crate) session: Option<(u64, u128)>,
}

/// The answer to it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Welcome {
    Joined {
        session: (u64, u128),
        /// Which server this is.
        server: u128,
        /// The most that a frame to it may have.
        message_bytes_max: u64,
    },
    Refused(Refusal),
}

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("it has {max} connections, which is its limit; drop some, or allow more with `connections_max`")]
    Connections { max: usize },
    #[error("it speaks version {theirs} of the protocol, and this program another; build both from the same release")]
    Version { theirs: u32 },
    #[error("it has given up the session of this client, because a connection of it broke")]
    SessionOver,
    #[error("it has no thread or descriptor left for one more connection")]
    Exhausted,
}

/// A frame from a client.
#[derive(Debug, PartialEq)]
pub(crate) enum Request<'a> {
    Call { object: u64, arguments: &'a [u8] },
    Release { object: u64 },
    Nod,
    Unhold { hold: u64 },
}

/// Reads a frame from a client; `None` if it is none.
pub(crate) fn read_request(frame: &[u8]) -> Option<Request<'_>> {
    let (&tag, rest) = frame.split_first()?;
    match tag {
        CALL => {
            let (object, arguments) = rest.split_first_chunk()?;
            Some(Request::Call { object: u64::from_le_bytes(*object), arguments })
        }
        RELEASE => Some(Request::Release { object: u64::from_le_bytes(rest.try_into().ok()?) }),
        NOD if rest.is_empty() => Some(Request::Nod),
        UNHOLD => Some(Request::Unhold { hold: u64::from_le_bytes(rest.try_into().ok()?) }),
        _ => None,
    }
}

/// A frame from a server.
#[derive(Debug, PartialEq)]
pub(crate) enum Answered<'a> {
    Done { answer: &'a [u8], references: Vec<u64> },
    Fault(Fault),
}

/// Reads a frame from a server; `None` if it is none.
pub(crate) fn read_answer(frame: &[u8]) -> Option<Answered<'_>> {
    let (&tag, rest) = frame.split_first()?;
    match tag {
        DONE => Some(Answered::Done { answer: rest, references: Vec::new() }),
        DONE_WITH => {
            let (rest, count) = rest.split_last_chunk()?;
            let bytes = usize::try_from(u64::from_le_bytes(*count)).ok()?.checked_mul(8)?;
            let (answer, references) = rest.split_at_checked(rest.len().checked_sub(bytes)?)?;
            let (references, _) = references.as_chunks();
            Some(Answered::Done { answer, references: references.iter().map(|id| u64::from_le_bytes(*id)).collect() })
        }
        FAULT => postcard::from_bytes(rest).ok().map(Answered::Fault),
        _ => None,
    }
}

/// An encoded value of the user's, and the objects that it names.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct WireValue<'a> {
    pub(crate) references: Vec<u64>,
    #[serde(borrow)]
    pub(crate) bytes: &'a Bytes,
}

#[cfg(test)]
mod tests {
    use super::super::{begin_frame, end_frame, put_references};
    use super::*;

    #[test]
    fn requests_are_read_back() {
        let mut frame = vec![CALL];
        frame.extend(7_u64.to_le_bytes());
        frame.extend(b"abc");
        assert_eq!(read_request(&frame), Some(Request::Call { object: 7, arguments: b"abc" }));
        frame[0] = RELEASE;
        assert_eq!(read_request(&frame), None);
        assert_eq!(read_request(&frame[..9]), Some(Request::Release { object: 7 }));
        frame[0] = UNHOLD;
        assert_eq!((read_request(&frame), read_request(&frame[..9])), (None, Some(Request::Unhold { hold: 7 })));
        assert_eq!((read_request(&[NOD]), read_request(&[NOD, 0])), (Some(Request::Nod), None));
        assert_eq!((read_request(&[]), read_request(&[CALL, 1]), read_request(&[99])), (None, None, None));
    }

    #[test]
    fn answers_are_read_back() {
        let mut buffer = b"before".to_vec();
        let begin = begin_frame(&mut buffer, DONE_WITH);
        buffer.extend(b"xyz");
        put_references(&mut buffer, &[3, u64::MAX].into());
        assert_eq!(end_frame(&mut buffer, begin), 1 + 3 + 24);
        let frame = &buffer[begin + 8..];
        let done = Answered::Done { answer: b"xyz", references: vec![3, u64::MAX] };
        assert_eq!(read_answer(frame), Some(done));
        for cut in 1..frame.len() {
            assert_ne!(read_answer(&frame[..cut]), Some(Answered::Fault(Fault::NoSuchObject)));
        }
        // Counts that nobody can have.
        assert_eq!(read_answer(&[&[DONE_WITH][..], &u64::MAX.to_le_bytes()].concat()), None);
        assert_eq!(read_answer(&[&[DONE_WITH][..], &1_u64.to_le_bytes()].concat()), None);
    }
}
