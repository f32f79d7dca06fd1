//! Decoding with a limit to how deep values nest.
//!
//! A type that contains itself, such as a tree, is decoded by recursion, and whoever encodes one deep enough would have the stack of the
//! decoder overflow. So what comes from a peer and is decoded into a user's type goes through a deserializer that counts.

use std::cell::Cell;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor};

/// How deep: each struct, tuple, sequence, map, enum and option counts one. Twice what serde_json allows, because it counts fewer of these; in
/// a debug build it takes a quarter of the stack that threads have by default.
pub(crate) const DEPTH_MAX: usize = 256;

/// Why nothing was decoded.
#[derive(Debug)]
pub(crate) enum DepthError {
    TooDeep,
    Postcard(postcard::Error),
}

/// Decodes a value, and gives the bytes behind it.
pub(crate) fn take_from_bytes<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<(T, &'de [u8]), DepthError> {
    let mut decoder = postcard::Deserializer::from_bytes(bytes);
    let is_exceeded = Cell::new(false);
    let decoded =
        T::deserialize(Limited { inner: &mut decoder, depth: Depth { left: DEPTH_MAX, is_exceeded: &is_exceeded } });
    // The error of the decoder has no place for a text.
    let error = |error| if is_exceeded.get() { DepthError::TooDeep } else { DepthError::Postcard(error) };
    let value = decoded.map_err(error)?;
    decoder.finalize().map(|rest| (value, rest)).map_err(DepthError::Postcard)
}

#[derive(Clone, Copy)]
struct Depth<'c> {
    left: usize,
    is_exceeded: &'c Cell<bool>,
}

impl Depth<'_> {
    /// One level further in.
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        match self.left.checked_sub(1) {
            Some(left) => Ok(Depth { left, ..self }),
            None => {
                self.is_exceeded.set(true);
                Err(E::custom("it nests too deep"))
            }
        }
    }
}

/// A deserializer, visitor, seed or access of something that nests so deep at most.
struct Limited<'c, T> {
    inner: T,
    depth: Depth<'c>,
}

impl<'c, T> Limited<'c, T> {
    fn with<U>(&self, inner: U) -> Limited<'c, U> {
        Limited { inner, depth: self.depth }
    }
}

/// Methods for what contains nothing.
macro_rules! flat {
    ($($method:ident)+) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.inner.$method(visitor)
        })+
    };
}

/// Methods for what contains something.
macro_rules! nested {
    ($($method:ident($($argument:ident: $Type:ty),*))+) => {
        $(fn $method<V: Visitor<'de>>(self, $($argument: $Type,)* visitor: V) -> Result<V::Value, D::Error> {
            let visitor = Limited { inner: visitor, depth: self.depth.deeper()? };
            self.inner.$method($($argument,)* visitor)
        })+
    };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Limited<'_, D> {
    type Error = D::Error;

    flat! {
        deserialize_any deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128 deserialize_f32 deserialize_f64
        deserialize_char deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf deserialize_unit
        deserialize_identifier deserialize_ignored_any
    }

    nested! {
        deserialize_option()
        deserialize_seq()
        deserialize_map()
        deserialize_newtype_struct(name: &'static str)
        deserialize_tuple(len: usize)
        deserialize_tuple_struct(name: &'static str, len: usize)
        deserialize_struct(name: &'static str, fields: &'static [&'static str])
        deserialize_enum(name: &'static str, variants: &'static [&'static str])
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_unit_struct(name, visitor)
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Limited<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        let deserializer = self.with(deserializer);
        self.inner.visit_some(deserializer)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        let deserializer = self.with(deserializer);
        self.inner.visit_newtype_struct(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        let access = self.with(access);
        self.inner.visit_seq(access)
    }

    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        let access = self.with(access);
        self.inner.visit_map(access)
    }

    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        let access = self.with(access);
        self.inner.visit_enum(access)
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Limited<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        let deserializer = self.with(deserializer);
        self.inner.deserialize(deserializer)
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Limited<'_, A> {
    type Error = A::Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, A::Error> {
        let seed = self.with(seed);
        self.inner.next_element_seed(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Limited<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        let seed = self.with(seed);
        self.inner.next_key_seed(seed)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        let seed = self.with(seed);
        self.inner.next_value_seed(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, 'c, A: EnumAccess<'de>> EnumAccess<'de> for Limited<'c, A> {
    type Error = A::Error;
    type Variant = Limited<'c, A::Variant>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self::Variant), A::Error> {
        let depth = self.depth;
        let (value, variant) = self.inner.variant_seed(seed)?;
        Ok((value, Limited { inner: variant, depth }))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Limited<'_, A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, A::Error> {
        let seed = self.with(seed);
        self.inner.newtype_variant_seed(seed)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        let visitor = self.with(visitor);
        self.inner.tuple_variant(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        let visitor = self.with(visitor);
        self.inner.struct_variant(fields, visitor)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Serialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Tree {
        Leaf,
        Node(Box<Tree>),
        Pair(u8, Vec<Tree>),
        Named { map: BTreeMap<String, Tree>, next: Option<Box<Tree>> },
    }

    fn deep(levels: usize, around: impl Fn(Tree) -> Tree) -> Tree {
        (0..levels).fold(Tree::Leaf, |tree, _| around(tree))
    }

    fn read(tree: &Tree) -> Result<Tree, DepthError> {
        let bytes = postcard::to_stdvec(tree).unwrap();
        take_from_bytes(&bytes).map(|(tree, rest)| {
            assert!(rest.is_empty());
            tree
        })
    }

    #[test]
    fn what_is_not_deep_is_read_as_it_was() {
        type Flat = (u8, i64, f64, char, String, Option<Vec<u16>>, (), [bool; 3], u128);
        let value: Flat = (1, -2, 3.5, 'x', "text".into(), Some(vec![1, 2]), (), [true, false, true], u128::MAX);
        let bytes = postcard::to_stdvec(&value).unwrap();
        assert_eq!(take_from_bytes::<Flat>(&bytes).unwrap(), (value, &[][..]));
        let named = |tree| Tree::Named { map: [("a".into(), Tree::Leaf)].into(), next: Some(Box::new(tree)) };
        for tree in
            [deep(100, |tree| Tree::Node(tree.into())), deep(50, |tree| Tree::Pair(1, vec![tree])), deep(50, named)]
        {
            assert_eq!(read(&tree).unwrap(), tree);
        }
        assert!(matches!(take_from_bytes::<Tree>(&[9]), Err(DepthError::Postcard(_))));
    }

    #[test]
    fn what_is_too_deep_is_refused() {
        let refused = |tree: Tree| assert!(matches!(read(&tree), Err(DepthError::TooDeep)));
        refused(deep(DEPTH_MAX, |tree| Tree::Node(tree.into())));
        refused(deep(DEPTH_MAX / 2 + 1, |tree| Tree::Pair(1, vec![tree])));
        refused(deep(DEPTH_MAX / 2 + 1, |tree| Tree::Named { map: BTreeMap::new(), next: Some(tree.into()) }));
        // Far more than a stack has room for.
        let bytes = vec![1; 10_000_000];
        assert!(matches!(take_from_bytes::<Tree>(&bytes), Err(DepthError::TooDeep)));
    }
}
