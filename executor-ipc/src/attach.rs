//! Descriptors that travel beside encoded bytes.
//!
//! Bytes cannot hold a descriptor. So whoever encodes a message that is to go to another process does so inside
//! [`collect`]: what is encoded there may attach descriptors, and writes their numbers into the bytes. Whoever decodes
//! does so inside [`supply`], with the same descriptors in the same order.
//!
//! ```
//! use std::sync::Arc;
//! use executor_ipc::{Blob, attach};
//!
//! let blob = Blob::with_len(4 << 20, |bytes| bytes.fill(7));
//! let (encoded, attachments) = attach::collect(|| postcard::to_stdvec(&blob));
//! assert!(encoded.as_ref().is_ok_and(|bytes| bytes.len() < 64) && attachments.len() == 2);
//!
//! // Bytes and descriptors go over a socket.
//! let arrived: Blob = attach::supply(attachments, || postcard::from_bytes(&encoded?))?;
//! assert_eq!(arrived, blob);
//!
//! // Where no descriptors travel, the same contents are plain bytes.
//! assert!(postcard::to_stdvec(&blob)?.len() > 4 << 20);
//! # Ok::<(), postcard::Error>(())
//! ```
//!
//! Both are of the calling thread alone. They can be nested; the innermost holds.

pub use crate::aside::{fetch, set_aside};

use std::cell::{Cell, RefCell};
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// How many descriptors can be attached to one message: two less than Linux sends with one write (`SCM_MAX_FD` is 253), since a
/// message of a channel that is long itself takes two. A [`Blob`](crate::Blob) that finds no room among them is plain bytes.
pub const ATTACHMENTS_MAX: usize = 251;

/// The descriptors of one message, in order. Clones share them; each is closed when the last one lets go of it.
#[derive(Clone, Default)]
pub struct Attachments {
    descriptors: Vec<Arc<OwnedFd>>,
}

impl Attachments {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.descriptors.len()
    }

    /// True for most messages.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.descriptors.is_empty()
    }

    /// Adds one behind the others.
    pub(crate) fn push(&mut self, descriptor: Arc<OwnedFd>) {
        self.descriptors.push(descriptor);
    }

    /// The descriptors, to be sent in this order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = BorrowedFd<'_>> {
        self.descriptors.iter().map(|descriptor| descriptor.as_fd())
    }
}

impl FromIterator<OwnedFd> for Attachments {
    /// Descriptors that came with a message.
    fn from_iter<I: IntoIterator<Item = OwnedFd>>(descriptors: I) -> Self {
        Attachments { descriptors: descriptors.into_iter().map(Arc::new).collect() }
    }
}

impl PartialEq for Attachments {
    /// True if they are the same descriptors; copies of a descriptor are others.
    fn eq(&self, other: &Self) -> bool {
        let same = |(ours, theirs)| Arc::ptr_eq(ours, theirs);
        self.len() == other.len() && self.descriptors.iter().zip(&other.descriptors).all(same)
    }
}

impl Eq for Attachments {}

impl fmt::Debug for Attachments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.descriptors).finish()
    }
}

/// Whether descriptors can be attached to what this thread encodes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leaving {
    Nowhere,
    /// They can, and none are.
    Without,
    /// Some are in [`LEAVING`].
    With,
}

thread_local! {
    /// Apart from the descriptors, because most messages have none, and this costs nearly nothing to look at.
    static IS_LEAVING: Cell<Leaving> = const { Cell::new(Leaving::Nowhere) };
    /// What is attached to the message that this thread encodes.
    static LEAVING: RefCell<Attachments> = const { RefCell::new(Attachments { descriptors: Vec::new() }) };
    /// The messages around that one, the innermost last.
    static OUTER: RefCell<Vec<(Leaving, Attachments)>> = const { RefCell::new(Vec::new()) };
    /// How many there are. Nearly always there is none, and to look here costs nearly nothing.
    static OUTER_MESSAGES: Cell<usize> = const { Cell::new(0) };
    /// What came with the message that this thread decodes.
    static ARRIVED: RefCell<Option<Attachments>> = const { RefCell::new(None) };
}

/// Calls `encode`, and gives what was attached meanwhile.
///
/// # Panics
///
/// As `encode`. What was attached is closed then.
pub fn collect<R>(encode: impl FnOnce() -> R) -> (R, Attachments) {
    /// Ends the message also after a panic.
    struct Message;
    impl Drop for Message {
        fn drop(&mut self) {
            drop(close());
        }
    }
    open();
    let message = Message;
    let encoded = encode();
    std::mem::forget(message);
    (encoded, close())
}

/// Begins a message, as [`collect`] does, for a caller who cannot put what it encodes into a function. To be followed by one
/// [`close`] on this thread, whatever happens in between.
#[inline]
pub fn open() {
    let before = IS_LEAVING.replace(Leaving::Without);
    if before != Leaving::Nowhere {
        let attached = if before == Leaving::With { LEAVING.take() } else { Attachments::default() };
        OUTER.with_borrow_mut(|outer| outer.push((before, attached)));
        OUTER_MESSAGES.set(OUTER_MESSAGES.get() + 1);
    }
}

/// Ends the message that this thread began last, and gives what was attached to it: nothing, if none was begun.
#[inline]
#[must_use = "descriptors that are dropped are closed"]
pub fn close() -> Attachments {
    let attached = if IS_LEAVING.get() == Leaving::With { LEAVING.take() } else { Attachments::default() };
    if OUTER_MESSAGES.get() == 0 {
        IS_LEAVING.set(Leaving::Nowhere);
    } else {
        go_on_outside();
    }
    attached
}

/// Goes on with the message around the one that has ended.
#[cold]
fn go_on_outside() {
    if let Some((before, attached)) = OUTER.with_borrow_mut(Vec::pop) {
        OUTER_MESSAGES.set(OUTER_MESSAGES.get() - 1);
        LEAVING.set(attached);
        IS_LEAVING.set(before);
    }
}

/// Calls `decode`, which finds the descriptors of its message.
///
/// # Panics
///
/// As `decode`.
pub fn supply<R>(attachments: Attachments, decode: impl FnOnce() -> R) -> R {
    let _scope = ArrivedScope { before: ARRIVED.replace(Some(attachments)) };
    decode()
}

/// Puts back what was there before, also after a panic.
struct ArrivedScope {
    before: Option<Attachments>,
}

impl Drop for ArrivedScope {
    fn drop(&mut self) {
        ARRIVED.replace(self.before.take());
    }
}

/// Attaches a descriptor to the message that this thread encodes, and gives its number there; a descriptor that is
/// attached already has one. `None` where none can be attached, or no more.
pub(crate) fn attach(descriptor: &Arc<OwnedFd>) -> Option<u32> {
    if IS_LEAVING.get() == Leaving::Nowhere {
        return None;
    }
    LEAVING.with_borrow_mut(|Attachments { descriptors }| {
        let known = descriptors.iter().position(|attached| Arc::ptr_eq(attached, descriptor));
        if known.is_none() && descriptors.len() >= ATTACHMENTS_MAX {
            return None;
        }
        let number = u32::try_from(known.unwrap_or(descriptors.len())).ok()?;
        if known.is_none() {
            descriptors.push(Arc::clone(descriptor));
            IS_LEAVING.set(Leaving::With);
        }
        Some(number)
    })
}

/// True where `count` more descriptors can be attached.
pub(crate) fn can_attach(count: usize) -> bool {
    IS_LEAVING.get() != Leaving::Nowhere && LEAVING.with_borrow(|leaving| leaving.len() + count <= ATTACHMENTS_MAX)
}

/// A descriptor of the message that this thread decodes.
///
/// # Errors
///
/// What is missing.
pub(crate) fn attached(number: u32) -> Result<Arc<OwnedFd>, String> {
    ARRIVED.with_borrow(|arrived| {
        let Some(Attachments { descriptors }) = arrived else {
            return Err(
                "it was sent with descriptors, and they are not here: only what received them can decode it".into()
            );
        };
        let descriptor = usize::try_from(number).ok().and_then(|number| descriptors.get(number));
        descriptor.cloned().ok_or_else(|| {
            let came = descriptors.len();
            format!(
                "it names descriptor {number} of its message, with which {came} came; there may be no room for more"
            )
        })
    })
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    fn descriptor() -> Arc<OwnedFd> {
        Arc::new(std::fs::File::open("/dev/null").unwrap().into())
    }

    #[test]
    fn outside_nothing_is_attached_and_nothing_found() {
        assert!(!can_attach(0));
        assert_eq!(attach(&descriptor()), None);
        assert!(attached(0).unwrap_err().contains("not here"));
    }

    #[test]
    fn one_descriptor_has_one_number() {
        let (one, other) = (descriptor(), descriptor());
        let (numbers, attachments) = collect(|| [&one, &other, &one].map(attach));
        assert_eq!(numbers, [Some(0), Some(1), Some(0)]);
        assert_eq!((attachments.len(), attachments.iter().len()), (2, 2));
        supply(attachments, || {
            assert!(Arc::ptr_eq(&attached(1).unwrap(), &other));
            assert!(attached(2).unwrap_err().contains("descriptor 2"));
        });
        assert_eq!((Arc::strong_count(&one), Arc::strong_count(&other)), (1, 1));
    }

    #[test]
    fn a_message_has_no_more_than_can_be_sent() {
        let (_, attachments) = collect(|| {
            while can_attach(2) {
                attach(&descriptor());
                attach(&descriptor());
            }
        });
        assert_eq!(attachments.len(), ATTACHMENTS_MAX - 1);
    }

    #[test]
    fn the_innermost_holds_and_the_outer_is_as_it_was() {
        let (outer, inner) = (descriptor(), descriptor());
        let (_, attachments) = collect(|| {
            attach(&outer);
            let (number, attachments) = collect(|| attach(&inner));
            assert_eq!((number, attachments.len()), (Some(0), 1));
        });
        assert_eq!(attachments.len(), 1);
        assert!(Arc::ptr_eq(&attachments.descriptors[0], &outer));
    }

    #[test]
    fn an_end_without_a_beginning_gives_nothing() {
        assert!(close().is_empty());
        assert_eq!(attach(&descriptor()), None);
    }

    #[test]
    fn a_panic_leaves_nothing_behind() {
        let lost = descriptor();
        let given = Arc::clone(&lost);
        catch_unwind(move || {
            collect(|| {
                attach(&given);
                std::panic::resume_unwind(Box::new(()));
            })
        })
        .unwrap_err();
        assert!(!can_attach(0));
        assert_eq!(Arc::strong_count(&lost), 1);
    }
}
