//! [`Shape`]: what kind of object a segment holds, as its trailer says.

use std::any::type_name;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::sync::robust::RobustLock;

/// How many bytes of a segment tell its shape: one cache line of most machines.
pub(crate) const TRAILER_BYTES: usize = 64;

/// The trailer, as words.
pub(super) type Words = [u64; TRAILER_BYTES / 8];

/// The first word of a trailer: `executor` in ASCII.
const MAGIC: u64 = u64::from_be_bytes(*b"executor");

/// How long the name of a kind can be.
const KIND_BYTES: usize = 24;

/// What an object is: its kind, and what its elements are, so that none is taken for another.
///
/// The elements are told by size, alignment and name of their type. Programs from the same sources give a type the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    kind: &'static str,
    element: Option<&'static str>,
    element_bytes: usize,
    element_alignment: usize,
    /// How many locks it begins with whose guards users have.
    pub(super) locks: usize,
}

impl Shape {
    /// The shape of an object without values of the user's, such as a `Semaphore`. The name of the kind is a type of this
    /// crate, in at most 24 bytes of ASCII.
    pub(crate) const fn new(kind: &'static str) -> Shape {
        assert!(kind.len() <= KIND_BYTES && kind.is_ascii(), "the name of a kind has at most 24 bytes of ASCII");
        Shape { kind, element: None, element_bytes: 0, element_alignment: 1, locks: 0 }
    }

    /// The shape of an object that holds values of this type, such as a `Mutex<T>`.
    pub(crate) fn of<T>(kind: &'static str) -> Shape {
        let element = Some(type_name::<T>());
        Shape { element, element_bytes: size_of::<T>(), element_alignment: align_of::<T>(), ..Shape::new(kind) }
    }

    /// The same, for an object that begins with so many locks whose guards users have.
    pub(crate) const fn behind_locks(self, locks: usize) -> Shape {
        Shape { locks, ..self }
    }

    /// How many bytes the locks are.
    pub(super) fn locks_bytes(&self) -> usize {
        self.locks * size_of::<RobustLock>()
    }

    /// The name of its kind, without the type of its elements.
    pub(crate) fn kind(&self) -> &'static str {
        self.kind
    }

    /// What is written at the end of a segment that has `bytes` bytes for the object.
    pub(super) fn trailer(&self, bytes: usize) -> Words {
        let mut kind = [0; KIND_BYTES];
        kind[..self.kind.len()].copy_from_slice(self.kind.as_bytes());
        let part = |place: usize| u64::from_le_bytes(std::array::from_fn(|byte| kind[8 * place + byte]));
        let sizes = [self.element_bytes as u64, self.element_alignment as u64];
        [MAGIC, part(0), part(1), part(2), bytes as u64, sizes[0], sizes[1], self.element_hash()]
    }

    /// How many bytes there are for the object, if this is what is written in its trailer.
    ///
    /// # Errors
    ///
    /// What is there instead.
    pub(super) fn check(&self, trailer: &Words) -> Result<u64, String> {
        let [magic, kind @ .., bytes, element_bytes, element_alignment, element_hash] = trailer;
        if *magic != MAGIC {
            return Err("the memory that came is not of this crate".into());
        }
        let expected = self.trailer(0);
        let mut name: Vec<u8> = kind.iter().flat_map(|part| part.to_le_bytes()).collect();
        name.retain(u8::is_ascii_alphanumeric);
        let name = String::from_utf8_lossy(&name);
        if *kind != expected[1..4] {
            return Err(format!("it was sent as {name}"));
        }
        if [*element_bytes, *element_alignment] != expected[5..7] {
            return Err(format!(
                "it was sent as {name}, with values of {element_bytes} bytes aligned to {element_alignment}"
            ));
        }
        if *element_hash != expected[7] {
            return Err(format!("it was sent as {name}, with values of another type"));
        }
        Ok(*bytes)
    }

    /// The hash of a name is the same in each process, since the hasher has no seed.
    fn element_hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.element.hash(&mut hasher);
        hasher.finish()
    }
}

/// As users write the type: `Semaphore`, `Mutex<u32>`.
impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind)?;
        self.element.map_or(Ok(()), |element| write!(f, "<{element}>"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(expected: Shape, came: Shape) -> String {
        expected.check(&came.trailer(8)).unwrap_err()
    }

    #[test]
    fn a_shape_knows_its_own_trailer() {
        for shape in [Shape::new("Semaphore"), Shape::of::<u32>("Mutex"), Shape::of::<[u64; 4]>("Mutex")] {
            assert_eq!(shape.check(&shape.trailer(12345)), Ok(12345));
        }
    }

    #[test]
    fn another_object_is_named() {
        let mutex = Shape::of::<u32>("Mutex");
        assert_eq!(refusal(mutex, Shape::new("Semaphore")), "it was sent as Semaphore");
        let longer = refusal(mutex, Shape::of::<[u64; 4]>("Mutex"));
        assert_eq!(longer, "it was sent as Mutex, with values of 32 bytes aligned to 8");
        assert_eq!(refusal(mutex, Shape::of::<f32>("Mutex")), "it was sent as Mutex, with values of another type");
        assert!(mutex.check(&[0; 8]).unwrap_err().contains("not of this crate"));
    }

    #[test]
    fn a_shape_is_written_as_its_type() {
        assert_eq!(Shape::of::<u32>("Mutex").to_string(), "Mutex<u32>");
        assert_eq!(Shape::new("Barrier").to_string(), "Barrier");
    }
}
