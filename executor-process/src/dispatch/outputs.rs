//! [`Outputs`]: the outputs that one reading brought.

use std::ops::Range;
use std::sync::Arc;

use executor_core::backend::Slice;

use crate::wire::Payload;

/// How many bytes share one buffer, at most, so that a value that nobody takes does not keep many others in memory.
const SHARED_BYTES: usize = 16 << 10;

/// Gathers small outputs in buffers that they share, because an allocation for each would cost more than all else that is done for
/// a short job here. A large one keeps its own.
#[derive(Debug, Default)]
pub(crate) struct Outputs {
    buffers: Vec<Vec<u8>>,
    ends: Vec<usize>,
}

/// Where an output is.
#[derive(Debug)]
pub(crate) enum Output {
    Own(Vec<u8>),
    Shared { buffer: usize, range: Range<usize> },
}

impl Outputs {
    pub(crate) fn add(&mut self, bytes: Payload<'_>) -> Output {
        match bytes {
            Payload::Owned(bytes) => Output::Own(bytes),
            Payload::Borrowed(bytes) => {
                let (buffer, range) = self.put(bytes);
                Output::Shared { buffer, range }
            }
        }
    }

    /// Puts a small output in, and says where it is.
    pub(super) fn put(&mut self, bytes: &[u8]) -> (usize, Range<usize>) {
        if self.buffers.last().is_none_or(|buffer| buffer.len() >= SHARED_BYTES) {
            self.buffers.push(Vec::new());
        }
        let number = self.buffers.len() - 1;
        let buffer = &mut self.buffers[number];
        let begin = buffer.len();
        buffer.extend_from_slice(bytes);
        (number, begin..buffer.len())
    }

    /// Notes where an output ends that is in a row with others, and gives the number of the note.
    pub(super) fn put_end(&mut self, end: usize) -> usize {
        self.ends.push(end);
        self.ends.len() - 1
    }

    /// The buffers, which can be handed out, and the notes.
    pub(crate) fn into_parts(self) -> (Vec<Arc<Vec<u8>>>, Vec<usize>) {
        (self.buffers.into_iter().map(Arc::new).collect(), self.ends)
    }
}

impl Output {
    pub(super) fn into_slice(self, shared: &[Arc<Vec<u8>>]) -> Slice {
        match self {
            Output::Own(bytes) => bytes.into(),
            Output::Shared { buffer, range } => Slice::new(Arc::clone(&shared[buffer]), range),
        }
    }
}
