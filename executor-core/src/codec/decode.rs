//! From bytes to the value.

use std::any::type_name;
use std::mem;

use postcard::de_flavors::Slice;
use serde::Deserialize;
use serde::de::value::SeqDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess,
    Visitor,
};

use super::aside::Aside;
use super::bytes::whole_vec;
use super::error::{Cause, CodecError, NOT_UTF8};
use crate::carrier::{self, Carrier};

/// How deep values may nest. A level takes up to about 1.5 kB of stack in a debug build, of the 2 MiB of a thread.
pub(super) const LEVELS_MAX: u16 = 256;

/// How many levels one counts for whose type was erased, as in a `Box<dyn AnyJob>`. Each erased value inside another is
/// read through one more layer, so that their stack grows with the square of their depth. Ten of them, which is what
/// this limit comes to, take some 250 kB in a debug build.
const LEVELS_OF_ERASED: u16 = 8;

/// How many elements that take no bytes, such as `()`, one message may hold. Without a limit, ten bytes could
/// announce more of them than a processor counts in a year.
pub(super) const EMPTY_ELEMENTS_MAX: usize = 1 << 20;

/// Decodes a value from exactly these bytes, which may come from anywhere: what is no encoding of a `T` is an error.
///
/// # Errors
///
/// If the bytes end too early, are left over, or do not make a `T`; if `T` asks for names and kinds of values, which
/// the encoding does not store (`untagged`, `flatten`, `serde_json::Value`); or if `T`'s own `Deserialize` fails.
///
/// # Examples
///
/// ```
/// use executor_core::codec::decode;
///
/// assert_eq!(decode::<Vec<u8>>(&[2, 7, 8])?, [7, 8]);
/// assert!(decode::<Vec<u8>>(&[3, 7, 8]).is_err());
/// # Ok::<(), executor_core::codec::CodecError>(())
/// ```
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    let reader = postcard::Deserializer::from_bytes(bytes);
    let supplier = carrier::supplier();
    let mut input = Input { reader, levels_left: LEVELS_MAX, empty_elements_left: EMPTY_ELEMENTS_MAX, supplier };
    let value = T::deserialize(Decoder(&mut input))?;
    match input.bytes_left() {
        0 => Ok(value),
        left => Err(CodecError::new(Cause::BytesLeft(left))),
    }
}

/// What is left of the message, and of the limits.
struct Input<'de> {
    reader: postcard::Deserializer<'de, Slice<'de>>,
    levels_left: u16,
    empty_elements_left: usize,
    /// Who has what was set aside of this message, if anybody has.
    supplier: Option<&'static dyn Carrier>,
}

impl<'de> Input<'de> {
    /// Reads a number or a text with postcard.
    #[inline]
    fn take<T: Deserialize<'de>>(&mut self) -> Result<T, CodecError> {
        T::deserialize(&mut self.reader).map_err(CodecError::postcard)
    }

    /// Reads a byte string or a text that was set aside, if that is what comes next.
    #[inline]
    fn take_aside(&mut self) -> Option<Aside<'de>> {
        let supplier = self.supplier?;
        let (aside, behind) = Aside::at_start(supplier, self.rest())?;
        self.reader = postcard::Deserializer::from_bytes(behind);
        Some(aside)
    }

    /// How many bytes are left.
    #[inline]
    fn bytes_left(&mut self) -> usize {
        self.rest().len()
    }

    /// The bytes that are left. The reader tells only at its end, so it ends here and a new one begins.
    #[inline]
    fn rest(&mut self) -> &'de [u8] {
        let reader = mem::replace(&mut self.reader, postcard::Deserializer::from_bytes(&[]));
        let bytes = reader.finalize().unwrap_or(&[]);
        self.reader = postcard::Deserializer::from_bytes(bytes);
        bytes
    }
}

/// Reads single numbers and texts through postcard, and what is built of them itself.
struct Decoder<'a, 'de>(&'a mut Input<'de>);

impl<'de> Decoder<'_, 'de> {
    /// Reads for the visitor `V` something that holds other values, one level further down.
    #[inline]
    fn nested<V, R>(self, read: impl FnOnce(&mut Input<'de>) -> Result<R, CodecError>) -> Result<R, CodecError> {
        let erased = type_name::<V>().starts_with("&mut dyn erased_serde::");
        let levels = if erased { LEVELS_OF_ERASED } else { 1 };
        let Some(left) = self.0.levels_left.checked_sub(levels) else {
            return Err(CodecError::new(Cause::TooDeep(LEVELS_MAX)));
        };
        self.0.levels_left = left;
        let value = read(self.0)?;
        // After an error the whole message is given up, and nobody looks at the limit again.
        self.0.levels_left = left + levels;
        Ok(value)
    }

    /// Reads a fixed number of elements, which the type says and the bytes do not.
    #[inline]
    fn fixed<V: Visitor<'de>>(self, count: usize, visitor: V) -> Result<V::Value, CodecError> {
        self.nested::<V, _>(|input| visitor.visit_seq(Elements { input, left: count, makes_room: true }))
    }

    /// Reads as many elements as the bytes announce.
    #[inline]
    fn counted<V, R>(
        self,
        read: impl FnOnce(&mut Elements<'_, 'de>) -> Result<R, CodecError>,
    ) -> Result<R, CodecError> {
        let count: usize = self.0.take()?;
        // More elements than bytes can be true only where elements take no bytes.
        let empty = count.saturating_sub(self.0.bytes_left());
        match self.0.empty_elements_left.checked_sub(empty) {
            Some(left) => self.0.empty_elements_left = left,
            None => return Err(CodecError::new(Cause::LengthTooLarge(count))),
        }
        self.nested::<V, _>(|input| {
            let mut elements = Elements { input, left: count, makes_room: empty == 0 };
            let value = read(&mut elements)?;
            match elements.left {
                0 => Ok(value),
                // What the visitor left would be taken for the value that comes next.
                left => Err(CodecError::new(Cause::ElementsLeft(left))),
            }
        })
    }
}

macro_rules! plain {
    ($($method:ident $visit:ident $Type:ty;)*) => {
        $(#[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
            visitor.$visit(self.0.take::<$Type>()?)
        })*
    };
}

macro_rules! not_stored {
    ($($method:ident)*) => {
        $(#[cold]
        fn $method<V: Visitor<'de>>(self, _: V) -> Result<V::Value, CodecError> {
            Err(CodecError::new(Cause::NotSelfDescribing))
        })*
    };
}

impl<'de> Deserializer<'de> for Decoder<'_, 'de> {
    type Error = CodecError;

    plain! {
        deserialize_bool visit_bool bool;
        deserialize_i8 visit_i8 i8;
        deserialize_i16 visit_i16 i16;
        deserialize_i32 visit_i32 i32;
        deserialize_i64 visit_i64 i64;
        deserialize_i128 visit_i128 i128;
        deserialize_u8 visit_u8 u8;
        deserialize_u16 visit_u16 u16;
        deserialize_u32 visit_u32 u32;
        deserialize_u64 visit_u64 u64;
        deserialize_u128 visit_u128 u128;
        deserialize_f32 visit_f32 f32;
        deserialize_f64 visit_f64 f64;
        deserialize_char visit_char char;
    }

    #[inline]
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        match self.0.take_aside() {
            None => visitor.visit_borrowed_str(self.0.take()?),
            Some(aside) => aside.read(|contents| match str::from_utf8(contents) {
                Ok(text) => visitor.visit_str(text),
                Err(_) => Err(CodecError::new(Cause::Malformed(NOT_UTF8))),
            })?,
        }
    }

    #[inline]
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        self.deserialize_str(visitor)
    }

    #[inline]
    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        match self.0.take_aside() {
            None => visitor.visit_borrowed_bytes(self.0.take()?),
            Some(aside) => aside.read(|contents| visitor.visit_bytes(contents))?,
        }
    }

    #[inline]
    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        self.deserialize_bytes(visitor)
    }

    not_stored! { deserialize_any deserialize_identifier deserialize_ignored_any }

    #[inline]
    fn is_human_readable(&self) -> bool {
        false
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        match self.0.take::<u8>()? {
            0 => visitor.visit_none(),
            1 => self.nested::<V, _>(|input| visitor.visit_some(Decoder(input))),
            _ => Err(CodecError::new(Cause::Malformed("an `Option` is neither 0 nor 1"))),
        }
    }

    #[inline]
    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        visitor.visit_unit()
    }

    #[inline]
    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, CodecError> {
        visitor.visit_unit()
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, CodecError> {
        self.nested::<V, _>(|input| visitor.visit_newtype_struct(Decoder(input)))
    }

    /// Reads a sequence; one that becomes a `Vec<u8>` in one piece.
    #[inline]
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        let read = |input: &mut Input<'de>| match input.take_aside() {
            None => input.take::<&[u8]>().map(<[u8]>::to_vec),
            Some(aside) => aside.read(<[u8]>::to_vec),
        };
        if let Some(bytes) = whole_vec::<V>(|| read(self.0)) {
            return bytes;
        }
        if let Some(aside) = self.0.take_aside() {
            let mut bytes = SeqDeserializer::new(aside.read(<[u8]>::to_vec)?.into_iter());
            let value = self.nested::<V, _>(|_| visitor.visit_seq(&mut bytes))?;
            return match bytes.size_hint() {
                Some(0) | None => Ok(value),
                Some(left) => Err(CodecError::new(Cause::ElementsLeft(left))),
            };
        }
        self.counted::<V, _>(|elements| visitor.visit_seq(elements))
    }

    #[inline]
    fn deserialize_tuple<V: Visitor<'de>>(self, count: usize, visitor: V) -> Result<V::Value, CodecError> {
        self.fixed(count, visitor)
    }

    #[inline]
    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        count: usize,
        visitor: V,
    ) -> Result<V::Value, CodecError> {
        self.fixed(count, visitor)
    }

    #[inline]
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        self.counted::<V, _>(|entries| visitor.visit_map(entries))
    }

    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, CodecError> {
        self.fixed(fields.len(), visitor)
    }

    #[inline]
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, CodecError> {
        self.nested::<V, _>(|input| visitor.visit_enum(Decoder(input)))
    }
}

impl<'de> EnumAccess<'de> for Decoder<'_, 'de> {
    type Error = CodecError;
    type Variant = Self;

    #[inline]
    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), CodecError> {
        let index: u32 = self.0.take()?;
        let variant = seed.deserialize(IntoDeserializer::<CodecError>::into_deserializer(index))?;
        Ok((variant, self))
    }
}

impl<'de> VariantAccess<'de> for Decoder<'_, 'de> {
    type Error = CodecError;

    #[inline]
    fn unit_variant(self) -> Result<(), CodecError> {
        Ok(())
    }

    #[inline]
    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, CodecError> {
        seed.deserialize(self)
    }

    #[inline]
    fn tuple_variant<V: Visitor<'de>>(self, count: usize, visitor: V) -> Result<V::Value, CodecError> {
        self.fixed(count, visitor)
    }

    #[inline]
    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, CodecError> {
        self.fixed(fields.len(), visitor)
    }
}

/// The elements of a sequence, or the entries of a map.
struct Elements<'a, 'de> {
    input: &'a mut Input<'de>,
    left: usize,
    /// Whether the visitor may trust the number and make room for it.
    makes_room: bool,
}

impl<'de> Elements<'_, 'de> {
    #[inline]
    fn next<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, CodecError> {
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                seed.deserialize(Decoder(self.input)).map(Some)
            }
            None => Ok(None),
        }
    }

    #[inline]
    fn hint(&self) -> Option<usize> {
        self.makes_room.then_some(self.left)
    }
}

impl<'de> SeqAccess<'de> for Elements<'_, 'de> {
    type Error = CodecError;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, CodecError> {
        self.next(seed)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.hint()
    }
}

impl<'de> MapAccess<'de> for Elements<'_, 'de> {
    type Error = CodecError;

    #[inline]
    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, CodecError> {
        self.next(seed)
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, CodecError> {
        seed.deserialize(Decoder(self.input))
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.hint()
    }
}
