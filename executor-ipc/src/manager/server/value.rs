//! [`Value`]: what a client has stored, as it came.

use super::hall::Ref;

/// An encoded value, and the objects that it names, which it keeps alive.
#[derive(Debug, Default)]
pub(crate) struct Value {
    pub(crate) bytes: Box<[u8]>,
    pub(crate) references: Box<[Ref]>,
}

impl Value {
    /// A value that names no object.
    pub(crate) fn plain(bytes: &[u8]) -> Value {
        Value { bytes: bytes.into(), references: Box::default() }
    }
}
