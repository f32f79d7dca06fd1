//! [`BlobMut`]: a Blob that is being filled.

use std::fmt;
use std::ops::{Deref, DerefMut};

use crate::blob::{Blob, SHARED_FROM_BYTES};
use crate::filled::Filled;

/// Memory for a [`Blob`], to be filled where it stays: to read a file into it, or to fill it in steps that can fail.
///
/// What it holds at first is not said: zeros, or bytes of an earlier Blob of this process.
#[must_use = "`freeze` makes a Blob of it; dropping it gives the memory back"]
pub struct BlobMut {
    memory: Memory,
}

enum Memory {
    Heap(Vec<u8>),
    Arena { filled: Filled, len: usize },
}

impl BlobMut {
    /// Memory for contents of `len` bytes: such as other processes can map, if they are [many](SHARED_FROM_BYTES).
    pub fn with_len(len: usize) -> Self {
        let filled = if len < SHARED_FROM_BYTES { None } else { Filled::new(len) };
        let memory = match filled {
            Some(filled) => Memory::Arena { filled, len },
            None => Memory::Heap(vec![0; len]),
        };
        BlobMut { memory }
    }

    /// The contents, which do not change any more.
    #[must_use]
    pub fn freeze(self) -> Blob {
        match self.memory {
            Memory::Heap(bytes) => Blob::of_heap(bytes),
            Memory::Arena { filled, len } => Blob::of_filled(filled, len),
        }
    }
}

impl Deref for BlobMut {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.memory {
            Memory::Heap(bytes) => bytes,
            Memory::Arena { filled, len } => &filled.bytes()[..*len],
        }
    }
}

impl DerefMut for BlobMut {
    fn deref_mut(&mut self) -> &mut [u8] {
        match &mut self.memory {
            Memory::Heap(bytes) => bytes,
            Memory::Arena { filled, len } => &mut filled.bytes_mut()[..*len],
        }
    }
}

impl fmt::Debug for BlobMut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlobMut").field("bytes", &self.len()).finish_non_exhaustive()
    }
}
