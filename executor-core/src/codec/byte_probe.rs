//! Reading a byte out of a value that is known to be a `u8`, without a cast.

use std::any::TypeId;
use std::fmt;

use serde::Serialize;
use serde::ser::{Impossible, Serializer};

/// True where `T` is `u8` or a reference to one.
pub(super) fn is_byte<T>() -> bool {
    let id = typeid::of::<T>();
    id == TypeId::of::<u8>() || id == TypeId::of::<&'static u8>()
}

/// The byte that `item` is. It compiles to a load, so that a loop of it is as good as a copy.
///
/// # Panics
///
/// If [`is_byte`] does not hold for `T`, and `T` serializes as something else than a `u8`.
#[inline]
pub(super) fn byte<T: Serialize>(item: T) -> u8 {
    match item.serialize(ByteProbe) {
        Ok(byte) => byte,
        Err(NotAByte) => unreachable!("a value whose type is `u8` serializes as a `u8`"),
    }
}

/// A serializer that takes one `u8` and nothing else.
struct ByteProbe;

#[derive(Debug)]
struct NotAByte;

impl fmt::Display for NotAByte {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a byte")
    }
}

impl std::error::Error for NotAByte {}

impl serde::ser::Error for NotAByte {
    fn custom<T: fmt::Display>(_: T) -> Self {
        NotAByte
    }
}

type Refused = Impossible<u8, NotAByte>;

macro_rules! refuse {
    ($($method:ident($($argument:ty),*) -> $Ok:ty;)*) => {
        $(fn $method(self, $(_: $argument),*) -> Result<$Ok, NotAByte> {
            Err(NotAByte)
        })*
    };
}

impl Serializer for ByteProbe {
    type Ok = u8;
    type Error = NotAByte;
    type SerializeSeq = Refused;
    type SerializeTuple = Refused;
    type SerializeTupleStruct = Refused;
    type SerializeTupleVariant = Refused;
    type SerializeMap = Refused;
    type SerializeStruct = Refused;
    type SerializeStructVariant = Refused;

    #[inline]
    fn serialize_u8(self, byte: u8) -> Result<u8, NotAByte> {
        Ok(byte)
    }

    refuse! {
        serialize_bool(bool) -> u8;
        serialize_i8(i8) -> u8;
        serialize_i16(i16) -> u8;
        serialize_i32(i32) -> u8;
        serialize_i64(i64) -> u8;
        serialize_u16(u16) -> u8;
        serialize_u32(u32) -> u8;
        serialize_u64(u64) -> u8;
        serialize_f32(f32) -> u8;
        serialize_f64(f64) -> u8;
        serialize_char(char) -> u8;
        serialize_str(&str) -> u8;
        serialize_bytes(&[u8]) -> u8;
        serialize_none() -> u8;
        serialize_unit() -> u8;
        serialize_unit_struct(&'static str) -> u8;
        serialize_unit_variant(&'static str, u32, &'static str) -> u8;
        serialize_seq(Option<usize>) -> Refused;
        serialize_tuple(usize) -> Refused;
        serialize_tuple_struct(&'static str, usize) -> Refused;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Refused;
        serialize_map(Option<usize>) -> Refused;
        serialize_struct(&'static str, usize) -> Refused;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Refused;
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<u8, NotAByte> {
        Err(NotAByte)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, _: &T) -> Result<u8, NotAByte> {
        Err(NotAByte)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<u8, NotAByte> {
        Err(NotAByte)
    }
}
