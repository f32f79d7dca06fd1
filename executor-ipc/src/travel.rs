//! How a [`Blob`] is encoded.
//!
//! Formats for people get its bytes. Others get one of two variants: the bytes, or the numbers of two descriptors of the
//! message, and where the contents begin and how long they are.

use std::fmt;

use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::attach;
use crate::blob::Blob;
use crate::received::Received;

#[derive(Serialize)]
enum Leaving<'a> {
    Plain(PlainRef<'a>),
    Shared(Shared),
}

#[derive(Deserialize)]
enum Arriving {
    Plain(Plain),
    Shared(Shared),
}

/// Contents in an arena.
#[derive(Serialize, Deserialize)]
pub(crate) struct Shared {
    /// The number of the descriptor of the memory.
    pub(crate) memory: u32,
    /// The number of the descriptor of the hold.
    pub(crate) hold: u32,
    pub(crate) offset: u64,
    pub(crate) length: u64,
}

struct PlainRef<'a>(&'a [u8]);

impl Serialize for PlainRef<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

struct Plain(Vec<u8>);

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_byte_buf(Bytes).map(Plain)
    }
}

/// Reads bytes in whatever form the format gives them.
struct Bytes;

/// Elements for which memory is taken because somebody says that so many come; more get theirs as they come.
const CLAIMED_MAX: usize = 64 << 10;

impl<'de> Visitor<'de> for Bytes {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
        Ok(bytes.to_vec())
    }

    fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
        Ok(bytes)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Vec<u8>, A::Error> {
        let mut bytes = Vec::with_capacity(elements.size_hint().unwrap_or(0).min(CLAIMED_MAX));
        while let Some(byte) = elements.next_element()? {
            bytes.push(byte);
        }
        Ok(bytes)
    }
}

impl Blob {
    /// Attaches the contents to the message that this thread encodes; `None` if they are to be plain bytes.
    fn attach(&self) -> Option<Shared> {
        if !attach::can_attach(2) {
            return None;
        }
        // Without a descriptor for a hold the contents can still go as bytes.
        let [memory, hold] = self.descriptors()?.ok()?;
        Some(Shared {
            memory: attach::attach(memory)?,
            hold: attach::attach(hold)?,
            offset: self.offset() as u64,
            length: self.len() as u64,
        })
    }
}

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return serializer.serialize_bytes(self);
        }
        let leaving = self.attach().map_or(Leaving::Plain(PlainRef(self)), Leaving::Shared);
        leaving.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return Plain::deserialize(deserializer).map(|Plain(bytes)| Blob::of_heap(bytes));
        }
        match Arriving::deserialize(deserializer)? {
            Arriving::Plain(Plain(bytes)) => Ok(Blob::of_heap(bytes)),
            Arriving::Shared(Shared { memory, hold, offset, length }) => {
                let descriptor = |number| attach::attached(number).map_err(|why| refused::<D>(&why));
                let (memory, hold) = (descriptor(memory)?, descriptor(hold)?);
                let received = Received::new(memory, hold, offset, length);
                let (received, range) = received.map_err(|why| refused::<D>(&why))?;
                Ok(Blob::of_received(received, range))
            }
        }
    }
}

fn refused<'de, D: Deserializer<'de>>(why: &dyn fmt::Display) -> D::Error {
    D::Error::custom(format_args!("a Blob cannot be taken in: {why}"))
}
