//! Encoding into a buffer that is there already.

use postcard::ser_flavors::Flavor;
use serde::Serialize;

/// Writes a value behind what is in the buffer, with postcard.
///
/// # Errors
///
/// Those of the encoding; what was written of it stays.
#[inline]
pub(crate) fn encode_behind(buffer: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) -> Result<(), postcard::Error> {
    postcard::serialize_with_flavor(value, Behind(buffer))
}

/// Writes to the end of a buffer.
struct Behind<'a>(&'a mut Vec<u8>);

impl Flavor for Behind<'_> {
    type Output = ();

    #[inline]
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    #[inline]
    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}
