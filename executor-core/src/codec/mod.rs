//! The codec: how jobs and their outputs become bytes, and values again.
//!
//! The bytes are those of [postcard](https://postcard.jamesmunns.com/wire-format): whatever [`encode()`] writes,
//! `postcard::from_bytes` reads, and the other way round. Numbers, text and byte strings go through postcard itself;
//! what is built of them (options, sequences, structs, enums) is a few lines here, for four things that postcard
//! alone does not give:
//!
//! - **Bytes at the speed of memory.** serde hands a `Vec<u8>` over one element at a time. Wherever the element type
//!   is `u8`, however deep inside a job, it is written and read in one piece. It needs no attribute, and the bytes are
//!   the same.
//! - **Errors that say what to do.** The words of a user's own `Serialize` and `Deserialize` are kept, and the habits
//!   of serde that a format without names cannot carry are named in the error.
//! - **A field left out is an error.** `skip_serializing_if` would shift every field after it; [`encode()`] refuses it.
//! - **Hostile bytes.** A length that a message claims allocates at most about one MiB ahead of the bytes that are
//!   there, values nest at most 256 levels deep, and elements of no bytes are limited to about a million a message.
//!
//! A backend may take byte strings and texts of 256 KiB and more out of a message, and hand them on beside it: see
//! [`Carrier`](crate::backend::Carrier). Then the bytes are not those of postcard, and only that backend decodes them.
//!
//! # Examples
//!
//! ```
//! use executor_core::codec;
//!
//! let bytes = codec::encode(&("answer", 42_u32))?;
//! assert_eq!(codec::decode::<(String, u32)>(&bytes)?, ("answer".to_owned(), 42));
//! # Ok::<(), codec::CodecError>(())
//! ```

mod decode;
mod encode;
mod error;

mod aside;
mod byte_probe;
mod bytes;

#[cfg(test)]
mod tests;

pub use decode::decode;
pub use encode::{encode, encode_into};
pub use error::CodecError;
