//! What can go wrong between a value and its bytes.

use std::fmt;

use thiserror::Error;

/// A value could not be encoded, or bytes could not be decoded.
///
/// It can only be reported: its text says what happened and, where the cause is known, what to do about it.
pub struct CodecError(Box<Cause>);

// Boxed as a whole, so that the `Result` which every small step returns is one pointer wide.
#[derive(Debug, Error)]
pub(super) enum Cause {
    #[error("{0}")]
    Custom(String),
    #[error(
        "the type asks what kind of value comes next, which postcard does not store; this is what \
         `#[serde(untagged)]`, `#[serde(tag = \"…\")]`, `#[serde(flatten)]` and `serde_json::Value` do, so use a plain \
         enum or struct, or send the value as a `String`"
    )]
    NotSelfDescribing,
    #[error(
        "the number of elements was not known before the first one; take `#[serde(flatten)]` away, or collect the \
         elements into a `Vec` first"
    )]
    LengthUnknown,
    #[error("{came} elements came where {said} were announced; correct the hand-written `Serialize` or `size_hint`")]
    WrongCount { said: usize, came: usize },
    #[error(
        "the field `{0}` was left out, and postcard cannot tell that it is missing; take `skip_serializing_if` away \
         from it"
    )]
    FieldLeftOut(&'static str),
    #[error("the bytes end too early; they were cut off, or they are of another type")]
    EndOfBytes,
    #[error("{0} bytes are left over; they are of another type, or `Serialize` writes more than `Deserialize` reads")]
    BytesLeft(usize),
    #[error(
        "{0} elements are left over in a sequence or map; the hand-written `Deserialize` must read on until it is told \
         that there are no more"
    )]
    ElementsLeft(usize),
    #[error("{0} elements are announced, and too few bytes follow for them; the bytes are of another type, or damaged")]
    LengthTooLarge(usize),
    #[error("the value is nested more than {0} levels deep; send such a value as a flat list")]
    TooDeep(u16),
    #[error("bytes that were sent beside the message are not there: {0}")]
    Aside(String),
    #[error("{0}; the bytes are of another type, or damaged")]
    Malformed(&'static str),
    #[error("postcard: {0}")]
    Postcard(postcard::Error),
}

/// Of a text.
pub(super) const NOT_UTF8: &str = "a text is not UTF-8";

impl CodecError {
    pub(super) fn new(cause: Cause) -> Self {
        CodecError(Box::new(cause))
    }

    /// Says in our words what postcard said of a single number or text.
    #[cold]
    pub(super) fn postcard(error: postcard::Error) -> Self {
        use postcard::Error as E;
        CodecError::new(match error {
            E::WontImplement => Cause::NotSelfDescribing,
            E::SerializeSeqLengthUnknown => Cause::LengthUnknown,
            E::DeserializeUnexpectedEnd => Cause::EndOfBytes,
            E::DeserializeBadVarint | E::SerdeDeCustom => Cause::Malformed("a number is too large for its type"),
            E::DeserializeBadBool => Cause::Malformed("a `bool` is neither 0 nor 1"),
            E::DeserializeBadChar => Cause::Malformed("a `char` is no character"),
            E::DeserializeBadUtf8 => Cause::Malformed(NOT_UTF8),
            other => Cause::Postcard(other),
        })
    }
}

impl fmt::Debug for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CodecError").field(&self.0).finish()
    }
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for CodecError {}

impl serde::ser::Error for CodecError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        CodecError::new(Cause::Custom(message.to_string()))
    }
}

impl serde::de::Error for CodecError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        CodecError::new(Cause::Custom(message.to_string()))
    }
}
