//! Proxies inside values.
//!
//! A value that goes to its own server names the objects of the proxies in it by number, and the server refers to them as long as it has
//! the value. What is encoded or decoded for a server, or by it, is so inside one of these scopes, which are of the calling thread.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use serde::Serialize;
use serde_bytes::Bytes;

use super::client::{Handle, Link};
use super::desk::DESK;
use super::error::ManagerError;
use super::wire::WireValue;

/// What this thread encodes.
struct Scope {
    /// What it is, for the error.
    what: &'static str,
    /// The server to which it goes with the objects that it names; `None` if the server does not look for objects in it: a key.
    to: Option<Arc<Link>>,
    /// The objects that it names.
    references: Vec<u64>,
    /// Why it cannot be encoded. The encoder has no place for it.
    refused: Option<ManagerError>,
}

/// What came along with what this thread decodes.
#[derive(Debug)]
pub(crate) struct Arrived {
    /// To the server from which it came, or that decodes it.
    pub(crate) link: Arc<Link>,
    /// The objects that it names.
    pub(crate) handles: BTreeMap<u64, Handle>,
}

thread_local! {
    static SCOPE: RefCell<Option<Scope>> = const { RefCell::new(None) };
    static ARRIVED: RefCell<Option<Rc<Arrived>>> = const { RefCell::new(None) };
}

/// Something encoded for a server, and the objects that it names.
pub(crate) struct Leaving {
    bytes: Vec<u8>,
    references: Vec<u64>,
}

impl Leaving {
    /// Encodes what goes to the server of `link`, or from it.
    ///
    /// # Errors
    ///
    /// [`ManagerError::Encode`], and what is wrong with a proxy in it.
    pub(crate) fn new(
        link: &Arc<Link>,
        what: &'static str,
        value: &(impl Serialize + ?Sized),
    ) -> Result<Leaving, ManagerError> {
        encode(Some(Arc::clone(link)), what, value)
    }

    /// Encodes what the server is to keep.
    ///
    /// # Errors
    ///
    /// Those of [`new`](Leaving::new).
    pub(crate) fn value(link: &Arc<Link>, value: &impl Serialize) -> Result<Leaving, ManagerError> {
        Leaving::new(link, "a value", value)
    }

    pub(crate) fn wire(&self) -> WireValue<'_> {
        WireValue { references: self.references.clone(), bytes: Bytes::new(&self.bytes) }
    }

    pub(crate) fn bytes(&self) -> &Bytes {
        Bytes::new(&self.bytes)
    }

    pub(crate) fn into_parts(self) -> (Vec<u8>, Vec<u64>) {
        (self.bytes, self.references)
    }
}

/// Encodes what can name no object.
///
/// # Errors
///
/// [`ManagerError::Encode`].
pub(crate) fn encode_plain(what: &'static str, value: &(impl Serialize + ?Sized)) -> Result<Vec<u8>, ManagerError> {
    encode(None, what, value).map(|leaving| leaving.bytes)
}

fn encode(
    to: Option<Arc<Link>>,
    what: &'static str,
    value: &(impl Serialize + ?Sized),
) -> Result<Leaving, ManagerError> {
    let scope = Scope { what, to, references: Vec::new(), refused: None };
    let before = Before(SCOPE.replace(Some(scope)));
    let encoded = postcard::to_stdvec(value);
    let scope = SCOPE.replace(None);
    drop(before);
    let (references, refused) = scope.map(|scope| (scope.references, scope.refused)).unwrap_or_default();
    match (encoded, refused) {
        (Ok(bytes), None) => Ok(Leaving { bytes, references }),
        // Also where a `Serialize` of the user's has hidden it: what was named is not all that it has.
        (_, Some(refused)) => Err(refused),
        (Err(error), None) => Err(ManagerError::encode(what)(error)),
    }
}

/// Calls `decode`, which finds these objects.
pub(crate) fn decode<R>(arrived: &Rc<Arrived>, decode: impl FnOnce() -> R) -> R {
    struct Before(Option<Rc<Arrived>>);
    impl Drop for Before {
        fn drop(&mut self) {
            let inside = ARRIVED.replace(self.0.take());
            drop(inside);
        }
    }
    let _before = Before(ARRIVED.replace(Some(Rc::clone(arrived))));
    decode()
}

/// Puts back what was there before, also after a panic.
struct Before(Option<Scope>);

impl Drop for Before {
    fn drop(&mut self) {
        let inside = SCOPE.replace(self.0.take());
        drop(inside);
    }
}

/// True if this thread encodes something for a server.
pub(super) fn is_leaving() -> bool {
    SCOPE.with_borrow(Option::is_some)
}

/// Notes that what this thread encodes names an object; or why it cannot, which is false.
pub(super) fn name(link: Result<&Arc<Link>, ManagerError>, object: u64) -> bool {
    SCOPE.with_borrow_mut(|scope| {
        let Some(scope) = scope else { return false };
        let refused = match (link, &scope.to) {
            (Err(error), _) => error,
            (Ok(_), None) => ManagerError::Encode {
                what: scope.what,
                cause: "a manager's proxy can be part of a value or of an argument, but not of a key".into(),
            },
            (Ok(link), Some(to)) if to.is_of_same_server(link) => {
                // The desk is there without a reference.
                if object != DESK {
                    scope.references.push(object);
                }
                return true;
            }
            (Ok(_), Some(_)) => ManagerError::OtherManager,
        };
        scope.refused.get_or_insert(refused);
        false
    })
}

/// The object of this number, of what this thread decodes.
pub(super) fn named(object: u64) -> Option<Handle> {
    ARRIVED.with_borrow(|arrived| {
        let Arrived { link, handles } = &**arrived.as_ref()?;
        if object == DESK {
            return Some(Handle::always(Arc::clone(link), DESK));
        }
        handles.get(&object).cloned()
    })
}
