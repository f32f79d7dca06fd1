//! Proxies inside values.
//!
//! A value that goes to its own server names the objects of the proxies in it by number, and the server refers to them as long as it has
//! the value. What is encoded or decoded for a server is so inside one of these scopes, which are of the calling thread.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use serde::Serialize;

use super::client::{Handle, Link};
use super::error::ManagerError;

/// Where what this thread encodes goes to.
enum Leaving {
    /// To this server, which gets these objects along.
    Value(Arc<Link>, Vec<u64>),
    /// To a server, which does not look for objects in it: keys, arguments.
    Plain,
}

thread_local! {
    static LEAVING: RefCell<Option<Leaving>> = const { RefCell::new(None) };
    static ARRIVED: RefCell<Option<Rc<BTreeMap<u64, Handle>>>> = const { RefCell::new(None) };
}

/// Encodes a value for the server of `link`, and gives the objects that it names.
pub(crate) fn encode(link: &Arc<Link>, value: &(impl Serialize + ?Sized)) -> Result<(Vec<u8>, Vec<u64>), ManagerError> {
    let before = Before(LEAVING.replace(Some(Leaving::Value(Arc::clone(link), Vec::new()))));
    let encoded = postcard::to_stdvec(value);
    let references = match LEAVING.replace(None) {
        Some(Leaving::Value(_, references)) => references,
        Some(Leaving::Plain) | None => Vec::new(),
    };
    drop(before);
    encoded.map(|bytes| (bytes, references)).map_err(ManagerError::encode("a value"))
}

/// Encodes what can name no object.
pub(crate) fn encode_plain(what: &'static str, value: &(impl Serialize + ?Sized)) -> Result<Vec<u8>, ManagerError> {
    let _before = Before(LEAVING.replace(Some(Leaving::Plain)));
    postcard::to_stdvec(value).map_err(ManagerError::encode(what))
}

/// Calls `decode`, which finds these objects.
pub(crate) fn decode<R>(handles: &Rc<BTreeMap<u64, Handle>>, decode: impl FnOnce() -> R) -> R {
    struct Before(Option<Rc<BTreeMap<u64, Handle>>>);
    impl Drop for Before {
        fn drop(&mut self) {
            let inside = ARRIVED.replace(self.0.take());
            drop(inside);
        }
    }
    let _before = Before(ARRIVED.replace(Some(Rc::clone(handles))));
    decode()
}

/// Puts back what was there before, also after a panic.
struct Before(Option<Leaving>);

impl Drop for Before {
    fn drop(&mut self) {
        let inside = LEAVING.replace(self.0.take());
        drop(inside);
    }
}

/// Notes that the value that this thread encodes names an object; `None` if it encodes none for a server.
///
/// # Errors
///
/// What is wrong with it.
pub(super) fn name(link: &Arc<Link>, object: u64) -> Option<Result<(), &'static str>> {
    LEAVING.with_borrow_mut(|leaving| match leaving {
        None => None,
        Some(Leaving::Plain) => {
            Some(Err("a manager's proxy can be part of a value, but not of a key or of an argument of a method"))
        }
        Some(Leaving::Value(to, references)) if to.is_of_same_server(link) => {
            references.push(object);
            Some(Ok(()))
        }
        Some(Leaving::Value(..)) => {
            Some(Err("a manager keeps proxies of its own objects only, and this one is another's"))
        }
    })
}

/// The object of this number, of the value that this thread decodes.
pub(super) fn named(object: u64) -> Option<Handle> {
    ARRIVED.with_borrow(|arrived| arrived.as_ref()?.get(&object).cloned())
}
