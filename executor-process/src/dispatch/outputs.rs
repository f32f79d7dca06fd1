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
    /// Where in its buffer each output is that came in a row with others.
    parts: Vec<Range<u32>>,
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
    fn put(&mut self, bytes: &[u8]) -> (usize, Range<usize>) {
        let (number, buffer) = self.buffer();
        let begin = buffer.len();
        buffer.extend_from_slice(bytes);
        (number, begin..buffer.len())
    }

    /// Puts in small outputs, which are at `parts` of `pieces`. Gives the buffer in which the first of them are, and the numbers of
    /// their parts; the others are to be put into the next one.
    pub(super) fn put_row(&mut self, pieces: &[u8], parts: &[Range<u32>]) -> (usize, Range<usize>) {
        let before = self.parts.len();
        let (number, buffer) = self.buffer();
        let Some(begin) = parts.first().map(|part| part.start) else { return (number, before..before) };
        let room = SHARED_BYTES - buffer.len();
        let fits = |part: &Range<u32>| (part.end - begin) as usize <= room;
        let parts = &parts[..parts.partition_point(fits).max(1)];
        let Some(end) = parts.last().map(|part| part.end) else { return (number, before..before) };
        // A buffer is never longer than the limit and one small output.
        let at = buffer.len() as u32;
        buffer.extend_from_slice(&pieces[begin as usize..end as usize]);
        self.parts.extend(parts.iter().map(|part| part.start - begin + at..part.end - begin + at));
        (number, before..self.parts.len())
    }

    /// The buffer that has room.
    fn buffer(&mut self) -> (usize, &mut Vec<u8>) {
        if self.buffers.last().is_none_or(|buffer| buffer.len() >= SHARED_BYTES) {
            self.buffers.push(Vec::new());
        }
        let number = self.buffers.len() - 1;
        (number, &mut self.buffers[number])
    }

    /// The buffers, which can be handed out, and where in them the outputs are that came in a row.
    pub(crate) fn into_parts(self) -> (Vec<Arc<Vec<u8>>>, Vec<Range<u32>>) {
        (self.buffers.into_iter().map(Arc::new).collect(), self.parts)
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
