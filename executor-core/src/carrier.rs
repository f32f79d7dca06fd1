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
    /// Calls `encode`, once, and gives what was attached meanwhile on this thread; `None` if nothing was.
    fn collect(&self, encode: &mut dyn FnMut()) -> Option<Attachments>;

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
    let mut attachments = None;
    let encoded = inside(|encode| attachments = carrier.collect(encode), encode);
    (encoded, attachments)
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
        Some(Supply { carrier, attachments }) => inside(|decode| carrier.supply(attachments, decode), decode),
        None => decode(),
    }
}

/// Has `work` called by `call`.
fn inside<R>(call: impl FnOnce(&mut dyn FnMut()), work: impl FnOnce() -> R) -> R {
    let (mut work, mut done) = (Some(work), None);
    call(&mut || done = done.take().or_else(|| work.take().map(|work| work())));
    // A carrier that does not call it carries nothing.
    done.or_else(|| work.map(|work| work())).expect("it was called once, by the carrier or here")
}
