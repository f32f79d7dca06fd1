//! [`Carrier`]: what travels beside encoded bytes and cannot be written into them, such as descriptors.

use std::any::Any;
use std::sync::Arc;

/// What one encoded message has beside its bytes. Only the [`Carrier`] knows what it is.
pub type Attachments = Arc<dyn Any + Send + Sync>;

/// How a backend lets values attach to their message what cannot be written into it.
///
/// A backend whose jobs travel names one in [`Control::carrier`](crate::backend::Control::carrier). Core then calls it
/// around each encoding and decoding of arguments and outputs, on the thread that does so, keeps what was attached with the
/// bytes as long as there may be another attempt, and hands it to the backend with them.
pub trait Carrier: Send + Sync {
    /// Begins a message: what this thread encodes from here on may be attached to it. One message may begin and end inside
    /// another.
    fn open(&self);

    /// Ends the message that this thread began last, and gives what was attached to it; `None` if nothing was. Core calls
    /// it for every message that it began, also where encoding panics.
    fn close(&self) -> Option<Attachments>;

    /// Calls `decode`, once, which finds on this thread what came with its message.
    fn supply(&self, attachments: &Attachments, decode: &mut dyn FnMut());
}

/// Encodes where things can be attached, if they can be anywhere.
#[inline]
pub(crate) fn collected<R>(
    carrier: Option<&'static dyn Carrier>,
    encode: impl FnOnce() -> R,
) -> (R, Option<Attachments>) {
    let Some(carrier) = carrier else { return (encode(), None) };
    carrier.open();
    let message = Message(carrier);
    let encoded = encode();
    (encoded, message.close())
}

/// A message that was begun.
struct Message(&'static dyn Carrier);

impl Message {
    #[inline]
    fn close(self) -> Option<Attachments> {
        std::mem::ManuallyDrop::new(self).0.close()
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        drop(self.0.close());
    }
}

/// What came with a message, and who knows what it is.
#[derive(Clone, Copy)]
pub(crate) struct Supply<'a> {
    pub(crate) carrier: &'static dyn Carrier,
    pub(crate) attachments: &'a Attachments,
}

/// Decodes where what came with the message is found, if anything came.
#[inline]
pub(crate) fn supplied<R>(supply: Option<Supply<'_>>, decode: impl FnOnce() -> R) -> R {
    match supply {
        None => decode(),
        Some(Supply { carrier, attachments }) => {
            let (mut decode, mut decoded) = (Some(decode), None);
            carrier
                .supply(attachments, &mut || decoded = decoded.take().or_else(|| decode.take().map(|decode| decode())));
            // A carrier that does not call it supplies nothing.
            decoded.or_else(|| decode.map(|decode| decode())).expect("it was called once, by the carrier or here")
        }
    }
}
