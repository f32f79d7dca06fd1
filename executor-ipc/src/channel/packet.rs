//! [`Packet`]: a message as it crosses a socket. The page of this folder draws it.

use std::cell::Cell;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use postcard::ser_flavors::Flavor;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::{RecvError, SendError};
use crate::attach::{self, Attachments};
use crate::filled::Filled;
use crate::received::Received;

/// The longest packet, in bytes: 64 KiB. A round trip of 65 000 bytes in packets took 30 µs, and one of 70 000 in arenas
/// 42 (2 vCPU, Linux 6.18); and several packets fit into the buffer of a socket.
pub(super) const PACKET_BYTES_MAX: usize = 64 << 10;

/// Kind and number of descriptors.
const HEAD_BYTES: usize = 2;

/// The same and a length.
const LONG_HEAD_BYTES: usize = HEAD_BYTES + size_of::<u64>();

/// The message is in the packet.
const WHOLE: u8 = 0;

/// The message is in an arena.
const IN_ARENA: u8 = 1;

/// How many descriptors an arena takes: its memory and its hold.
const ARENA_FDS: usize = 2;

/// How many times longer than its ballast a message in an arena is. With 16, such messages shorter than 1 MiB have no
/// more than 3.3 MiB on their way, and of longer ones there are up to four.
const BALLAST_SHARE: usize = 16;

/// A message that is ready to be sent.
#[derive(Debug)]
pub(super) struct Packet {
    pub(super) bytes: Vec<u8>,
    pub(super) attachments: Attachments,
}

impl Packet {
    /// Encodes a message.
    ///
    /// # Errors
    ///
    /// If it cannot be encoded, or takes more than `bytes_max` bytes, or the system has no memory for it.
    pub(super) fn of<T: Serialize>(message: &T, bytes_max: u64) -> Result<Packet, SendError> {
        let encoder = Encoder::new(bytes_max);
        let ((encoded, has_room), mut attachments) = attach::collect(|| {
            let encoded = postcard::serialize_with_flavor(message, encoder);
            (encoded, attach::can_attach(1))
        });
        let mut bytes = match encoded {
            Ok(bytes) => bytes,
            Err(postcard::Error::SerializeBufferFull) => return Err(SendError::TooLarge { bytes_max }),
            Err(_) if !has_room => return Err(no_encoding::<T>("it has more descriptors than go with one message")),
            Err(error) => return Err(no_encoding::<T>(error)),
        };
        if bytes.len() > PACKET_BYTES_MAX {
            bytes = to_arena(&bytes[HEAD_BYTES..], &mut attachments).map_err(SendError::System)?;
        }
        let count = u8::try_from(attachments.len()).map_err(no_encoding::<T>)?;
        bytes[1] = count;
        Ok(Packet { bytes, attachments })
    }
}

fn no_encoding<T>(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> SendError {
    SendError::Encode { what: std::any::type_name::<T>(), cause: cause.into() }
}

/// Moves a message to an arena, and gives the packet that stands for it.
fn to_arena(message: &[u8], attachments: &mut Attachments) -> std::io::Result<Vec<u8>> {
    let mut filled = Filled::required(message.len())?;
    filled.bytes_mut()[..message.len()].copy_from_slice(message);
    for descriptor in filled.descriptors()? {
        attachments.push(Arc::clone(descriptor));
    }
    let mut bytes = vec![IN_ARENA, 0];
    bytes.extend_from_slice(&(message.len() as u64).to_le_bytes());
    bytes.resize(PACKET_BYTES_MAX.min(LONG_HEAD_BYTES + message.len() / BALLAST_SHARE), 0);
    Ok(bytes)
}

/// Where postcard writes a message to: behind the head of a packet.
struct Encoder {
    bytes: Vec<u8>,
    /// How long it may become, with the head.
    bytes_max: usize,
}

impl Encoder {
    fn new(message_bytes_max: u64) -> Encoder {
        let mut bytes = Vec::with_capacity(256);
        bytes.extend_from_slice(&[WHOLE, 0]);
        let bytes_max = usize::try_from(message_bytes_max).unwrap_or(usize::MAX).saturating_add(HEAD_BYTES);
        Encoder { bytes, bytes_max }
    }
}

impl Flavor for Encoder {
    type Output = Vec<u8>;

    #[inline]
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        if self.bytes.len() >= self.bytes_max {
            return Err(postcard::Error::SerializeBufferFull);
        }
        self.bytes.push(byte);
        Ok(())
    }

    #[inline]
    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        if bytes.len() > self.bytes_max - self.bytes.len() {
            return Err(postcard::Error::SerializeBufferFull);
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<Vec<u8>> {
        Ok(self.bytes)
    }
}

/// Decodes the message of a packet that came with these descriptors.
///
/// # Errors
///
/// If it is no packet of ours, or some of its descriptors are missing, or its message is longer than `bytes_max` or none
/// of this type.
pub(super) fn decode<T: DeserializeOwned>(
    packet: &[u8],
    mut descriptors: Vec<OwnedFd>,
    bytes_max: u64,
) -> Result<T, RecvError> {
    let [kind, count, ref body @ ..] = *packet else {
        return Err(RecvError::decode::<T>("it is no packet of a channel: it has no head"));
    };
    let (came, count) = (descriptors.len(), usize::from(count));
    if came < count {
        return Err(RecvError::decode::<T>(format!(
            "{came} of its {count} descriptors came; this process may have no room for more of them (ulimit -n)"
        )));
    }
    if came > count {
        return Err(RecvError::decode::<T>(
            "it is no packet of a channel: it came with descriptors that it does not tell of",
        ));
    }
    match kind {
        WHOLE => {
            check_length(body.len() as u64, bytes_max)?;
            decode_message(body, descriptors)
        }
        IN_ARENA => {
            let length = body.first_chunk().map(|&length| u64::from_le_bytes(length));
            let (Some(length), Some(others)) = (length, came.checked_sub(ARENA_FDS)) else {
                return Err(RecvError::decode::<T>("it is no packet of a channel: it tells of no memory"));
            };
            check_length(length, bytes_max)?;
            let mut arena = descriptors.drain(others..).map(Arc::new);
            let (Some(memory), Some(hold)) = (arena.next(), arena.next()) else {
                return Err(RecvError::decode::<T>("it is no packet of a channel: it came without its memory"));
            };
            drop(arena);
            let received = Received::new(memory, hold, 0, length);
            let (received, range) = received.map_err(RecvError::decode::<T>)?;
            decode_message(&received.bytes[range], descriptors)
        }
        _ => Err(RecvError::decode::<T>(format!("it is no packet of a channel: it is of kind {kind}"))),
    }
}

fn check_length(bytes: u64, bytes_max: u64) -> Result<(), RecvError> {
    if bytes > bytes_max { Err(RecvError::TooLarge { bytes, bytes_max }) } else { Ok(()) }
}

fn decode_message<T: DeserializeOwned>(message: &[u8], descriptors: Vec<OwnedFd>) -> Result<T, RecvError> {
    let attachments: Attachments = descriptors.into_iter().collect();
    let (decoded, rest) =
        attach::supply(attachments, || postcard::take_from_bytes(message)).map_err(RecvError::decode::<T>)?;
    if rest.is_empty() {
        Ok(decoded)
    } else {
        Err(RecvError::decode::<T>(format!("{} bytes are left over behind it", rest.len())))
    }
}

thread_local! {
    /// Where this thread receives packets. It is empty until the first one, and while one is looked at.
    static ROOM: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Calls `receive` with room for any packet. What it calls may receive other packets meanwhile.
pub(super) fn with_room<R>(receive: impl FnOnce(&mut [u8]) -> R) -> R {
    // Where the thread is ending there is no room that is kept.
    let mut room = ROOM.try_with(Cell::take).unwrap_or_default();
    room.resize(PACKET_BYTES_MAX, 0);
    let received = receive(&mut room);
    // If not, it is only made anew.
    let _ = ROOM.try_with(|kept| kept.set(room));
    received
}
