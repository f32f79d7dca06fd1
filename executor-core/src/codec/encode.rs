//! From a value to its bytes.

use serde::Serialize;
use serde::ser::{
    SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple, SerializeTupleStruct,
    SerializeTupleVariant, Serializer,
};

use super::aside;
use super::byte_probe::{byte, is_byte};
use super::error::{Cause, CodecError};

/// Encodes `value`.
///
/// # Errors
///
/// If its `Serialize` fails, leaves out a field (`skip_serializing_if`), or does not know the length of a sequence or
/// map before its first element (`flatten`).
///
/// # Examples
///
/// ```
/// // The length, then the bytes as they are.
/// assert_eq!(executor_core::codec::encode(&vec![7_u8, 8])?, [2, 7, 8]);
/// # Ok::<(), executor_core::codec::CodecError>(())
/// ```
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CodecError> {
    let mut buffer = Vec::new();
    value.serialize(Encoder(&mut buffer))?;
    Ok(buffer)
}

/// Encodes `value` behind what `buffer` holds already. After an error the buffer is as it was.
///
/// # Errors
///
/// As for [`encode`].
///
/// # Examples
///
/// ```
/// let mut buffer = vec![1];
/// executor_core::codec::encode_into("ab", &mut buffer)?;
/// assert_eq!(buffer, [1, 2, b'a', b'b']);
/// # Ok::<(), executor_core::codec::CodecError>(())
/// ```
pub fn encode_into<T: Serialize + ?Sized>(value: &T, buffer: &mut Vec<u8>) -> Result<(), CodecError> {
    let before = buffer.len();
    value.serialize(Encoder(buffer)).inspect_err(|_| buffer.truncate(before))
}

/// Where postcard puts its bytes.
struct Output<'a>(&'a mut Vec<u8>);

/// The longest number.
const SMALL_BYTES: usize = 10;

impl postcard::ser_flavors::Flavor for Output<'_> {
    type Output = ();

    #[inline]
    fn try_extend(&mut self, data: &[u8]) -> postcard::Result<()> {
        if data.len() <= SMALL_BYTES {
            // A number has just been written byte by byte, and a read of several at once would wait for all of them.
            self.0.reserve(SMALL_BYTES);
            data.iter().for_each(|&byte| self.0.push(byte));
        } else {
            self.0.extend_from_slice(data);
        }
        Ok(())
    }

    #[inline]
    fn try_push(&mut self, data: u8) -> postcard::Result<()> {
        self.0.push(data);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

/// Writes single numbers and texts through postcard, and what is built of them itself.
struct Encoder<'a>(&'a mut Vec<u8>);

impl Encoder<'_> {
    /// Writes what postcard writes for `value`, which is a number or a text.
    #[inline]
    fn put<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CodecError> {
        value.serialize(&mut postcard::Serializer { output: Output(self.0) }).map_err(CodecError::postcard)
    }

    /// Writes a part of a larger value.
    #[inline]
    fn part<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CodecError> {
        value.serialize(Encoder(self.0))
    }

    #[inline]
    fn length(&mut self, elements: Option<usize>) -> Result<(), CodecError> {
        match elements {
            Some(count) => self.put(&count),
            None => Err(CodecError::new(Cause::LengthUnknown)),
        }
    }
}

macro_rules! plain {
    ($($method:ident($Type:ty))*) => {
        $(#[inline]
        fn $method(mut self, value: $Type) -> Result<(), CodecError> {
            self.put(&value)
        })*
    };
}

impl Serializer for Encoder<'_> {
    type Ok = ();
    type Error = CodecError;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    plain! {
        serialize_bool(bool)
        serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64) serialize_i128(i128)
        serialize_u8(u8) serialize_u16(u16) serialize_u32(u32) serialize_u64(u64) serialize_u128(u128)
        serialize_f32(f32) serialize_f64(f64)
        serialize_char(char)
    }

    #[inline]
    fn serialize_str(mut self, text: &str) -> Result<(), CodecError> {
        if aside::is_offered(text.len())
            && aside::put(self.0, text.len(), |contents| contents.copy_from_slice(text.as_bytes()))?
        {
            return Ok(());
        }
        self.put(text)
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        false
    }

    #[inline]
    fn serialize_bytes(mut self, bytes: &[u8]) -> Result<(), CodecError> {
        if aside::is_offered(bytes.len())
            && aside::put(self.0, bytes.len(), |contents| contents.copy_from_slice(bytes))?
        {
            return Ok(());
        }
        self.put(&bytes.len())?;
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    /// Writes a sequence, which is what slices and `Vec` come as; one of bytes in one piece.
    #[inline]
    fn collect_seq<I>(mut self, elements: I) -> Result<(), CodecError>
    where
        I: IntoIterator,
        I::Item: Serialize,
    {
        let mut elements = elements.into_iter();
        let (least, most) = elements.size_hint();
        let count = (most == Some(least)).then_some(least);
        if is_byte::<I::Item>() && count.is_some() && aside::is_offered(least) {
            let (mut offered, mut came) = (Some(elements), 0);
            let fill = |contents: &mut [u8]| came = offered.take().map_or(0, |elements| fill(contents, elements));
            if aside::put(self.0, least, fill)? {
                return counted(least, came);
            }
            elements = offered.ok_or_else(|| CodecError::new(Cause::Aside("they were read, and not taken".into())))?;
        }
        self.length(count)?;
        let before = self.0.len();
        let mut came = 0;
        if is_byte::<I::Item>() {
            self.0.extend(elements.map(byte));
            came = self.0.len() - before;
        } else {
            for element in elements {
                self.part(&element)?;
                came += 1;
            }
        }
        counted(least, came)
    }

    #[inline]
    fn serialize_none(mut self) -> Result<(), CodecError> {
        self.put(&0_u8)
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(mut self, value: &T) -> Result<(), CodecError> {
        self.put(&1_u8)?;
        self.part(value)
    }

    #[inline]
    fn serialize_unit(self) -> Result<(), CodecError> {
        Ok(())
    }

    #[inline]
    fn serialize_unit_struct(self, _: &'static str) -> Result<(), CodecError> {
        Ok(())
    }

    #[inline]
    fn serialize_unit_variant(mut self, _: &'static str, index: u32, _: &'static str) -> Result<(), CodecError> {
        self.put(&index)
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), CodecError> {
        value.serialize(self)
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        mut self,
        _: &'static str,
        index: u32,
        _: &'static str,
        value: &T,
    ) -> Result<(), CodecError> {
        self.put(&index)?;
        self.part(value)
    }

    #[inline]
    fn serialize_seq(mut self, count: Option<usize>) -> Result<Self, CodecError> {
        self.length(count)?;
        Ok(self)
    }

    #[inline]
    fn serialize_tuple(self, _: usize) -> Result<Self, CodecError> {
        Ok(self)
    }

    #[inline]
    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, CodecError> {
        Ok(self)
    }

    #[inline]
    fn serialize_tuple_variant(
        mut self,
        _: &'static str,
        index: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self, CodecError> {
        self.put(&index)?;
        Ok(self)
    }

    #[inline]
    fn serialize_map(mut self, count: Option<usize>) -> Result<Self, CodecError> {
        self.length(count)?;
        Ok(self)
    }

    #[inline]
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, CodecError> {
        Ok(self)
    }

    #[inline]
    fn serialize_struct_variant(
        mut self,
        _: &'static str,
        index: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self, CodecError> {
        self.put(&index)?;
        Ok(self)
    }
}

/// Writes bytes where there is room for as many as were announced; gives how many there are.
fn fill<I: Iterator<Item: Serialize>>(contents: &mut [u8], mut elements: I) -> usize {
    let mut came = 0;
    for place in contents {
        let Some(element) = elements.next() else { return came };
        *place = byte(element);
        came += 1;
    }
    came + elements.count()
}

/// As many elements came as were said before.
#[inline]
fn counted(said: usize, came: usize) -> Result<(), CodecError> {
    if came == said { Ok(()) } else { Err(CodecError::new(Cause::WrongCount { said, came })) }
}

macro_rules! compound {
    ($($Trait:ident: $($method:ident)+;)*) => {
        $(impl $Trait for Encoder<'_> {
            type Ok = ();
            type Error = CodecError;

            $(#[inline]
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CodecError> {
                self.part(value)
            })+

            #[inline]
            fn end(self) -> Result<(), CodecError> {
                Ok(())
            }
        })*
    };
}

compound! {
    SerializeSeq: serialize_element;
    SerializeTuple: serialize_element;
    SerializeTupleStruct: serialize_field;
    SerializeTupleVariant: serialize_field;
    SerializeMap: serialize_key serialize_value;
}

macro_rules! fields {
    ($($Trait:ident)*) => {
        $(impl $Trait for Encoder<'_> {
            type Ok = ();
            type Error = CodecError;

            #[inline]
            fn serialize_field<T: Serialize + ?Sized>(&mut self, _: &'static str, value: &T) -> Result<(), CodecError> {
                self.part(value)
            }

            /// The derive calls this where `skip_serializing_if` says so. The fields behind would be read in its place.
            #[cold]
            fn skip_field(&mut self, field: &'static str) -> Result<(), CodecError> {
                Err(CodecError::new(Cause::FieldLeftOut(field)))
            }

            #[inline]
            fn end(self) -> Result<(), CodecError> {
                Ok(())
            }
        })*
    };
}

fields! { SerializeStruct SerializeStructVariant }
