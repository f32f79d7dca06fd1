//! How a segment travels: as a descriptor beside the message, and its number there in the bytes.

use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serializer};

use crate::attach::{self, ATTACHMENTS_MAX};
use crate::segment::{Segment, Shape};

impl Segment {
    /// Attaches the segment to the message that this thread encodes.
    ///
    /// # Errors
    ///
    /// Where no descriptors travel, or the message has as many as it can have.
    pub(crate) fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let kind = self.shape().kind();
        if !attach::can_attach(0) {
            return Err(S::Error::custom(format_args!(
                "this {kind} cannot be written into bytes: send it as a job argument, or over a channel of this crate"
            )));
        }
        let number = attach::can_attach(1).then(|| attach::attach(&self.inner.file)).flatten();
        let number = number.ok_or_else(|| {
            S::Error::custom(format_args!(
                "this {kind} finds no room in its message, which has {ATTACHMENTS_MAX} descriptors: send it in another"
            ))
        })?;
        serializer.serialize_u32(number)
    }

    /// Takes in the segment that came with the message that this thread decodes. It has at least `bytes_min` bytes.
    ///
    /// # Errors
    ///
    /// If none came, or an object of another shape.
    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
        shape: Shape,
        bytes_min: usize,
    ) -> Result<Segment, D::Error> {
        let number = u32::deserialize(deserializer)?;
        let received = attach::attached(number).and_then(|file| Segment::receive(file, shape, bytes_min));
        received.map_err(|why| D::Error::custom(format_args!("this {shape} cannot be taken in: {why}")))
    }
}
