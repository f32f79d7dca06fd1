//! [`Ring`]: records in words of memory, around and around.
//!
//! ```text
//! │ head: length in bytes, and its complement │ 8 bytes │ 8 bytes │ … the last word filled up with zeros │
//! ```
//!
//! The words are atomics, so that whatever another process writes to them at the wrong time is a wrong number at worst. They
//! order nothing: the cursors and the locks do.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Overwritten;

/// The words in front of the bytes of a record.
const HEAD_WORDS: u32 = 1;

const WORD_BYTES: usize = size_of::<u64>();

/// Memory for records, as many words as a power of two. Places in it are counted on, and wrap around.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ring<'a> {
    words: &'a [AtomicU64],
}

impl<'a> Ring<'a> {
    pub(super) fn new(words: &'a [AtomicU64]) -> Ring<'a> {
        debug_assert!(words.len().is_power_of_two());
        Ring { words }
    }

    /// How many words a record of so many bytes takes; `None` if no ring has so many.
    #[inline]
    pub(super) fn words_for(bytes: usize) -> Option<u32> {
        // The length has half of the head.
        let length = u32::try_from(bytes).ok()?;
        HEAD_WORDS.checked_add(length.div_ceil(WORD_BYTES as u32))
    }

    /// So many words from a place on: those up to the end of the memory, and those from its start.
    #[inline]
    fn span(&self, place: u32, count: usize) -> [&'a [AtomicU64]; 2] {
        let place = place as usize & (self.words.len() - 1);
        let (before, behind) = self.words.split_at(place);
        let count_behind = count.min(behind.len());
        [&behind[..count_behind], &before[..(count - count_behind).min(place)]]
    }

    /// The word at a place.
    #[inline]
    fn word(&self, place: u32) -> &'a AtomicU64 {
        &self.words[place as usize & (self.words.len() - 1)]
    }

    /// Writes a record to a place where there is room for it.
    #[inline]
    pub(super) fn write(&self, place: u32, bytes: &[u8]) {
        let length = bytes.len() as u64;
        self.word(place).store(length | !length << 32, Ordering::Relaxed);
        let place = place.wrapping_add(HEAD_WORDS);
        let (chunks, rest) = bytes.as_chunks::<WORD_BYTES>();
        let [behind, before] = self.span(place, chunks.len());
        let (first, second) = chunks.split_at(behind.len());
        for (words, chunks) in [(behind, first), (before, second)] {
            for (word, &chunk) in words.iter().zip(chunks) {
                word.store(u64::from_le_bytes(chunk), Ordering::Relaxed);
            }
        }
        if !rest.is_empty() {
            let mut last = [0; WORD_BYTES];
            last[..rest.len()].copy_from_slice(rest);
            self.word(place.wrapping_add(chunks.len() as u32)).store(u64::from_le_bytes(last), Ordering::Relaxed);
        }
    }

    /// Reads the record at a place into `bytes`, and tells how many words it takes.
    ///
    /// # Errors
    ///
    /// If what is there is no record, or is longer than `words_max`. What is in `bytes` then means nothing.
    #[inline]
    pub(super) fn read(&self, place: u32, words_max: u32, bytes: &mut Vec<u8>) -> Result<u32, Overwritten> {
        let head = self.word(place).load(Ordering::Relaxed);
        let (length, check) = (head as u32, (head >> 32) as u32);
        let words = Ring::words_for(length as usize).ok_or(Overwritten)?;
        if check != !length || words > words_max || words as usize > self.words.len() {
            return Err(Overwritten);
        }
        let body_words = (words - HEAD_WORDS) as usize;
        bytes.clear();
        bytes.resize(body_words * WORD_BYTES, 0);
        let [behind, before] = self.span(place.wrapping_add(HEAD_WORDS), body_words);
        let (chunks, _) = bytes.as_chunks_mut::<WORD_BYTES>();
        let (first, second) = chunks.split_at_mut(behind.len());
        for (words, chunks) in [(behind, first), (before, second)] {
            for (word, chunk) in words.iter().zip(chunks) {
                *chunk = word.load(Ordering::Relaxed).to_le_bytes();
            }
        }
        bytes.truncate(length as usize);
        Ok(words)
    }

    /// Copies so many words, from a place on, to the same places of another ring.
    pub(super) fn copy_to(&self, other: Ring<'_>, place: u32, count: u32) {
        let [from, to] = [self.span(place, count as usize), other.span(place, count as usize)];
        for (from, to) in from.into_iter().flatten().zip(to.into_iter().flatten()) {
            to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }
}

#[cfg(any(test, feature = "fuzzing"))]
impl Ring<'_> {
    /// Writes any bytes, as far as there is room for them.
    pub(super) fn overwrite(&self, place: u32, bytes: &[u8]) {
        for (word, chunk) in self.span(place, self.words.len()).into_iter().flatten().zip(bytes.chunks(WORD_BYTES)) {
            let mut value = [0; WORD_BYTES];
            value[..chunk.len()].copy_from_slice(chunk);
            word.store(u64::from_le_bytes(value), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(words: usize) -> Vec<AtomicU64> {
        (0..words).map(|_| AtomicU64::new(u64::MAX)).collect()
    }

    #[test]
    fn what_was_written_is_read_wherever_it_lies() {
        let memory = memory(8);
        let ring = Ring::new(&memory);
        let mut read = Vec::new();
        for place in [0, 3, 6, 7, 8, u32::MAX - 2, u32::MAX] {
            for length in 0..=56 {
                let bytes: Vec<u8> = (1..=length).collect();
                ring.write(place, &bytes);
                let words = Ring::words_for(bytes.len()).unwrap();
                assert_eq!(ring.read(place, 8, &mut read), Ok(words));
                assert_eq!(read, bytes);
                assert_eq!(words, 1 + u32::from(length).div_ceil(8));
            }
        }
    }

    #[test]
    fn a_record_longer_than_what_is_there_is_none() {
        let memory = memory(8);
        let ring = Ring::new(&memory);
        ring.write(2, &[7; 17]);
        let mut read = Vec::new();
        assert_eq!(ring.read(2, 4, &mut read), Ok(4));
        assert_eq!(ring.read(2, 3, &mut read), Err(Overwritten));
        assert_eq!(ring.read(1, 8, &mut read), Err(Overwritten), "{memory:?}");
    }

    #[test]
    fn a_head_whose_halves_disagree_is_none() {
        let memory = memory(8);
        let ring = Ring::new(&memory);
        let mut read = Vec::new();
        for head in [0, 1, u64::MAX, 5 | (!4_u64) << 32] {
            memory[0].store(head, Ordering::Relaxed);
            assert_eq!(ring.read(0, 8, &mut read), Err(Overwritten), "{head:x}");
        }
        // One that says that it has the most bytes takes no memory.
        memory[0].store(u64::from(u32::MAX), Ordering::Relaxed);
        assert_eq!(ring.read(0, u32::MAX, &mut read), Err(Overwritten));
        assert!(read.capacity() < 1024);
    }

    #[test]
    fn records_move_to_a_longer_ring() {
        let (short, long) = (memory(8), memory(32));
        let (from, to) = (Ring::new(&short), Ring::new(&long));
        let mut read = Vec::new();
        for place in [0, 5, 7, 30, u32::MAX - 1] {
            from.write(place, b"one and a half");
            from.write(place.wrapping_add(3), b"another");
            from.copy_to(to, place, 5);
            assert_eq!(to.read(place, 5, &mut read), Ok(3));
            assert_eq!(read, b"one and a half");
            assert_eq!(to.read(place.wrapping_add(3), 2, &mut read), Ok(2));
            assert_eq!(read, b"another");
        }
    }

    #[test]
    fn no_record_is_too_long_to_be_counted() {
        assert_eq!(Ring::words_for(0), Some(1));
        assert_eq!(Ring::words_for(u32::MAX as usize), Some(1 + (1 << 29)));
        assert_eq!(Ring::words_for(u32::MAX as usize + 1), None);
    }
}
