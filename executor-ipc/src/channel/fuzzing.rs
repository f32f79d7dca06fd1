//! What the fuzz target calls: the decoder of packets, fed with any bytes and any descriptors.
//!
//! The low half of the first byte says what descriptors come with the rest, the high half how long a message may be. The
//! decoder must answer without a panic, and must close what it does not give.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};

use serde::{Deserialize, Serialize};

use super::packet::{Packet, decode};
use super::{Receiver, Sender, pipe};
use crate::Blob;

/// A message with something of each kind.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Message {
    text: String,
    numbers: Vec<(i64, f32)>,
    names: BTreeMap<String, Option<char>>,
    blobs: Vec<Blob>,
    ends: Option<(Sender<u64>, Receiver<String>)>,
}

/// Takes the bytes in as the packet of another process.
///
/// # Panics
///
/// If the decoder gives what it must not.
pub fn packets(bytes: &[u8]) {
    let Some((&choice, packet)) = bytes.split_first() else { return };
    let Some(descriptors) = descriptors(choice & 0xf) else { return };
    let bytes_max = 1 << (2 * (choice >> 4));
    if let Ok(message) = decode::<Message>(packet, descriptors, bytes_max) {
        assert!(message.text.len() as u64 <= bytes_max);
        for blob in &message.blobs {
            // No byte of it is out of reach.
            std::hint::black_box(blob.iter().step_by(4096).fold(0, |sum: u8, byte| sum.wrapping_add(*byte)));
        }
        // What was taken in can be sent on.
        std::hint::black_box(Packet::of(&message, u64::MAX).is_ok());
    }
}

/// Each bit adds some: a file, two sockets, an arena with a message in it, an arena with a Blob in it.
fn descriptors(choice: u8) -> Option<Vec<OwnedFd>> {
    let mut descriptors = Vec::new();
    if choice & 1 != 0 {
        descriptors.push(std::fs::File::open("/dev/null").ok()?.into());
    }
    if choice & 2 != 0 {
        let (tx, rx) = pipe::<u64>().ok()?;
        descriptors.extend([tx.as_fd().try_clone_to_owned().ok()?, rx.as_fd().try_clone_to_owned().ok()?]);
    }
    if choice & 4 != 0 {
        let message = Message { text: "long".repeat(20_000), ..Message::default() };
        descriptors.extend(sent_with(&message)?);
    }
    if choice & 8 != 0 {
        descriptors.extend(sent_with(&Blob::with_len(300_000, |bytes| bytes.fill(0)))?);
    }
    Some(descriptors)
}

fn sent_with(message: &impl Serialize) -> Option<Vec<OwnedFd>> {
    let packet = Packet::of(message, u64::MAX).ok()?;
    packet.attachments.iter().map(|descriptor| descriptor.try_clone_to_owned().ok()).collect()
}
