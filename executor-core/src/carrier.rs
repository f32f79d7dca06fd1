//! [`Carrier`]: what travels beside encoded bytes and cannot be written into them, such as descriptors.

use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::sync::Arc;

use crate::sync::per_thread;

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

    /// Attaches contents of `len` bytes, which `fill` writes into zeros or anything else, to the message that this thread encodes, and
    /// gives what names them there; `None`, and `fill` is not called, if they are to be bytes of the message. Core offers
    /// byte strings and texts of [`ASIDE_FROM_BYTES`] and more, so that they need not be copied on their way.
    fn set_aside(&self, len: usize, fill: &mut dyn FnMut(&mut [u8])) -> Option<Vec<u8>> {
        let _ = (len, fill);
        None
    }

    /// Calls `read`, once, with contents that were set aside in the message that this thread decodes, and were named so there.
    ///
    /// # Errors
    ///
    /// Why there are none. The name comes from whoever sent the message.
    fn fetch(&self, name: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<(), String> {
        let _ = (name, read);
        Err("nothing is set aside where it was received".to_owned())
    }
}

/// From this length on bytes are set aside where they can be: 256 KiB, about as much as a socket holds at once. A round trip of 256 KiB
/// through a socket took 540 µs, and 81 µs through memory that both sides map (2 vCPU, Linux 6.18, busy).
pub const ASIDE_FROM_BYTES: usize = 256 << 10;

per_thread! {
    /// Who sets bytes of the message aside that this thread encodes.
    static ENCODES_FOR: Cell<Option<&'static dyn Carrier>> = const { Cell::new(None) };
    /// Who has what was set aside in the message that this thread decodes.
    static DECODES_FOR: Cell<Option<&'static dyn Carrier>> = const { Cell::new(None) };
}

/// Sets contents aside, if they can be.
#[cold]
pub(crate) fn set_aside(len: usize, mut fill: impl FnMut(&mut [u8])) -> Option<Vec<u8>> {
    ENCODES_FOR.try_with(Cell::get).ok().flatten()?.set_aside(len, &mut fill)
}

/// Who has what was set aside in the message that this thread decodes.
#[inline]
pub(crate) fn supplier() -> Option<&'static dyn Carrier> {
    DECODES_FOR.try_with(Cell::get).ok().flatten()
}

/// Tells this program of the [`Carrier`] of a backend, so that whoever only passes jobs through the codec, as
/// [`InlineExecutor`](crate::InlineExecutor) does for tests, has it too. It goes into a module, once for each backend that has one.
#[macro_export]
macro_rules! link_carrier {
    ($carrier:expr) => {
        $crate::__private::inventory::submit! { $crate::__private::LinkedCarrier($carrier) }
    };
}

/// An element of the link-time collection.
#[doc(hidden)]
pub struct LinkedCarrier(pub &'static dyn Carrier);

impl fmt::Debug for LinkedCarrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinkedCarrier").finish_non_exhaustive()
    }
}

inventory::collect!(LinkedCarrier);

/// The carrier that a backend of this program has [linked](crate::link_carrier), if any has. Where several have, it is one of them.
#[must_use]
pub fn linked_carrier() -> Option<&'static dyn Carrier> {
    inventory::iter::<LinkedCarrier>().next().map(|linked| linked.0)
}

/// Encodes where things can be attached, if they can be anywhere.
#[inline]
pub(crate) fn collected<R>(
    carrier: Option<&'static dyn Carrier>,
    encode: impl FnOnce() -> R,
) -> (R, Option<Attachments>) {
    let Some(carrier) = carrier else { return (encode(), None) };
    carrier.open();
    let message = Message { carrier, outer: ENCODES_FOR.with(|current| current.replace(Some(carrier))) };
    let encoded = encode();
    (encoded, message.close())
}

/// A message that was begun.
struct Message {
    carrier: &'static dyn Carrier,
    /// Who carries the message around this one.
    outer: Option<&'static dyn Carrier>,
}

impl Message {
    #[inline]
    fn close(self) -> Option<Attachments> {
        std::mem::ManuallyDrop::new(self).end()
    }

    #[inline]
    fn end(&mut self) -> Option<Attachments> {
        ENCODES_FOR.with(|current| current.set(self.outer));
        self.carrier.close()
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        drop(self.end());
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
            let _here = Here { outer: DECODES_FOR.with(|current| current.replace(Some(carrier))) };
            let (mut decode, mut decoded) = (Some(decode), None);
            carrier
                .supply(attachments, &mut || decoded = decoded.take().or_else(|| decode.take().map(|decode| decode())));
            // A carrier that does not call it supplies nothing.
            decoded.or_else(|| decode.map(|decode| decode())).expect("it was called once, by the carrier or here")
        }
    }
}

/// A message is decoded until this is dropped.
struct Here {
    /// Who supplies the message around this one.
    outer: Option<&'static dyn Carrier>,
}

impl Drop for Here {
    fn drop(&mut self) {
        DECODES_FOR.with(|current| current.set(self.outer));
    }
}

// Miri would take minutes for so many bytes, and nothing here is unsafe.
#[cfg(all(test, not(executor_loom), not(miri)))]
mod tests {
    use std::cell::RefCell;
    use std::collections::VecDeque;
    use std::fmt::Debug;

    use serde::de::DeserializeOwned;
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::codec;

    /// Keeps what is set aside on the thread, and calls it by its number.
    struct Shelf;

    thread_local! {
        static SHELF: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
        /// How many may be set aside.
        static ROOM: Cell<usize> = const { Cell::new(usize::MAX) };
    }

    impl Carrier for Shelf {
        fn open(&self) {
            SHELF.take();
        }

        fn close(&self) -> Option<Attachments> {
            let contents = SHELF.take();
            (!contents.is_empty()).then(|| Arc::new(contents) as Attachments)
        }

        fn supply(&self, attachments: &Attachments, decode: &mut dyn FnMut()) {
            SHELF.set(attachments.downcast_ref::<Vec<Vec<u8>>>().expect("they are this carrier's").clone());
            decode();
        }

        fn set_aside(&self, len: usize, fill: &mut dyn FnMut(&mut [u8])) -> Option<Vec<u8>> {
            if SHELF.with_borrow(Vec::len) >= ROOM.get() {
                return None;
            }
            let mut contents = vec![0xaa; len];
            fill(&mut contents);
            SHELF.with_borrow_mut(|shelf| {
                shelf.push(contents);
                Some(vec![shelf.len() as u8 - 1])
            })
        }

        fn fetch(&self, name: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<(), String> {
            let contents = SHELF.with_borrow(|shelf| shelf.get(usize::from(name[0])).cloned());
            read(&contents.ok_or("there is no such number")?);
            Ok(())
        }
    }

    const BYTES: usize = ASIDE_FROM_BYTES;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Parcel {
        number: u32,
        bytes: Vec<u8>,
        few: Vec<u8>,
        text: String,
        boxed: Option<Box<[u8]>>,
        deque: VecDeque<u8>,
        #[serde(with = "serde_bytes")]
        plain: Vec<u8>,
        last: u8,
    }

    fn parcel() -> Parcel {
        let bytes = |len: usize| (0..len).map(|byte| byte as u8);
        Parcel {
            number: 7,
            bytes: bytes(BYTES).collect(),
            few: bytes(BYTES - 1).collect(),
            text: "ä".repeat(BYTES / 2),
            boxed: Some(bytes(BYTES + 1).collect()),
            deque: bytes(BYTES + 2).collect(),
            plain: bytes(BYTES + 3).collect(),
            last: 9,
        }
    }

    fn encode(value: &impl Serialize) -> (Vec<u8>, Option<Attachments>) {
        let (bytes, attachments) = collected(Some(&Shelf), || codec::encode(value));
        (bytes.expect("it can be encoded"), attachments)
    }

    fn decode<T: DeserializeOwned + Debug>(bytes: &[u8], attachments: Option<&Attachments>) -> Result<T, String> {
        let supply = attachments.map(|attachments| Supply { carrier: &Shelf, attachments });
        supplied(supply, || codec::decode(bytes)).map_err(|error| error.to_string())
    }

    #[test]
    fn long_bytes_and_texts_go_beside_the_message() {
        let (bytes, attachments) = encode(&parcel());
        assert_eq!(bytes.len(), parcel().few.len() + 3 + 5 * 12 + 3);
        assert_eq!(decode(&bytes, attachments.as_ref()), Ok(parcel()));
    }

    #[test]
    fn what_finds_no_room_beside_the_message_is_in_it() {
        for room in 0..5 {
            ROOM.set(room);
            let (bytes, attachments) = encode(&parcel());
            assert!(
                bytes.len() > (6 - room) * BYTES - 1 && bytes.len() < (7 - room) * BYTES,
                "{room}: {}",
                bytes.len()
            );
            assert_eq!(attachments.is_some(), room > 0);
            assert_eq!(decode(&bytes, attachments.as_ref()), Ok(parcel()));
        }
        ROOM.set(0);
        assert_eq!(codec::encode(&parcel()).ok(), Some(encode(&parcel()).0));
    }

    #[test]
    fn a_message_inside_another_is_its_own() {
        struct Outer;
        impl Serialize for Outer {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let (inner, nothing) = collected(None, || codec::encode(&7_u8));
                assert!(nothing.is_none());
                (inner.expect("a number can be encoded"), vec![1_u8; BYTES]).serialize(serializer)
            }
        }
        let (bytes, attachments) = encode(&Outer);
        assert_eq!(decode(&bytes, attachments.as_ref()), Ok((vec![7_u8], vec![1_u8; BYTES])));
        assert!(ENCODES_FOR.get().is_none() && DECODES_FOR.get().is_none());
    }

    #[test]
    fn what_does_not_come_is_an_error_that_says_so() {
        let (bytes, attachments) = encode(&vec![3_u8; BYTES]);
        let alone = decode::<Vec<u8>>(&bytes, None);
        assert!(alone.as_ref().is_err_and(|text| text.contains("too early")), "{alone:?}");

        let mut other_name = bytes.clone();
        *other_name.last_mut().expect("there is a name") = 5;
        let missing = decode::<Vec<u8>>(&other_name, attachments.as_ref());
        assert!(missing.as_ref().is_err_and(|text| text.contains("no such number")), "{missing:?}");

        let mut other_length = bytes.clone();
        other_length[0] ^= 1;
        let wrong = decode::<Vec<u8>>(&other_length, attachments.as_ref());
        assert!(wrong.as_ref().is_err_and(|text| text.contains("262144 bytes came of 262145")), "{wrong:?}");

        for cut in 0..bytes.len() {
            assert!(decode::<Vec<u8>>(&bytes[..cut], attachments.as_ref()).is_err());
        }
        let (latin, attachments) = encode(&vec![0xe4_u8; BYTES]);
        let text = decode::<String>(&latin, attachments.as_ref());
        assert!(text.as_ref().is_err_and(|text| text.contains("UTF-8")), "{text:?}");
    }
}
