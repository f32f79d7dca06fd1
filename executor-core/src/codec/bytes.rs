//! Reading a `Vec<u8>` in one piece, where serde would read it byte by byte.
//!
//! serde's own visitor of a `Vec<T>` takes a sequence and nothing else, and the type of what it returns is known here
//! only by its [`TypeId`]. So a whole buffer is read beside the visitor and moved into that type, which Rust without
//! specialization has no safe word for: pushing one element at a time, the safe way, is some ten times slower.
//!
//! The visitor is passed over only where its name says that it is serde's own, because a visitor that a user wrote may
//! return a `Vec<u8>` too and do more than collect. Names of types are not promised by the compiler. Should serde
//! or the compiler change this one, the way through the visitor is slower and just as right, and a unit test fails.

#![expect(unsafe_code, reason = "moves a buffer into a type that only its `TypeId` shows to be the same")]

use std::any::{TypeId, type_name};
use std::mem::{ManuallyDrop, transmute_copy};

use serde::de::Visitor;

use super::error::CodecError;

/// What the visitor `V` would make of a sequence of bytes, if it is serde's own for `Vec<u8>`; `read` gives the bytes.
///
/// Gives `None`, and does not call `read`, for any other visitor.
#[inline]
pub(super) fn whole_vec<'de, V: Visitor<'de>>(
    read: impl FnOnce() -> Result<Vec<u8>, CodecError>,
) -> Option<Result<V::Value, CodecError>> {
    if typeid::of::<V::Value>() != TypeId::of::<Vec<u8>>() || !is_visitor_of_vec(type_name::<V>()) {
        return None;
    }
    #[cfg(test)]
    tests_only::COUNT.set(tests_only::COUNT.get() + 1);
    Some(read().map(|bytes| {
        let bytes = ManuallyDrop::new(bytes);
        // SAFETY: `V::Value` is `Vec<u8>`. Its type id was compared above, `Vec<u8>` has no lifetime in it that
        // `typeid::of` could have erased, and so no other type has this id. The original is never dropped.
        unsafe { transmute_copy::<ManuallyDrop<Vec<u8>>, V::Value>(&bytes) }
    }))
}

/// True for the name of the visitor that serde declares inside `<Vec<u8> as Deserialize>::deserialize`.
fn is_visitor_of_vec(name: &str) -> bool {
    let ours = name.starts_with("serde_core::de::impls::") || name.starts_with("serde::de::impls::");
    ours && name.ends_with("::VecVisitor<u8>")
}

/// Counts how often the short way was taken.
#[cfg(test)]
pub(super) mod tests_only {
    use std::cell::Cell;

    thread_local! {
        pub(in crate::codec) static COUNT: Cell<usize> = const { Cell::new(0) };
    }
}
