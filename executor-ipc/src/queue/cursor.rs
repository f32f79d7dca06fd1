//! [`Cursor`]: how far one side of the queue has come, in one word.

use super::Overwritten;

/// How many items have passed, and how many words of the ring they took. Both wrap around.
///
/// It is one word in memory, so that both change at once. A ring has at most 2³¹ words and an item takes at least one of them, so
/// that the difference of two cursors of one queue is never ambiguous.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cursor {
    pub(super) items: u32,
    pub(super) words: u32,
}

/// What lies between two cursors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) items: u32,
    pub(super) words: u32,
}

impl Cursor {
    #[inline]
    pub(super) fn of_word(word: u64) -> Cursor {
        Cursor { items: (word >> 32) as u32, words: word as u32 }
    }

    #[inline]
    pub(super) fn to_word(self) -> u64 {
        u64::from(self.items) << 32 | u64::from(self.words)
    }

    /// Behind one more item, of so many words.
    #[inline]
    pub(super) fn behind(self, words: u32) -> Cursor {
        Cursor { items: self.items.wrapping_add(1), words: self.words.wrapping_add(words) }
    }

    /// What lies between this one, which is the head, and the tail, in a ring of `ring_words`.
    ///
    /// # Errors
    ///
    /// If nothing that fits the ring can lie there.
    #[inline]
    pub(super) fn until(self, tail: Cursor, ring_words: usize) -> Result<Span, Overwritten> {
        let span = Span { items: tail.items.wrapping_sub(self.items), words: tail.words.wrapping_sub(self.words) };
        let fits =
            span.words as usize <= ring_words && span.items <= span.words && (span.items == 0) == (span.words == 0);
        if fits { Ok(span) } else { Err(Overwritten) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_one_word_and_wraps_around() {
        let cursor = Cursor { items: u32::MAX, words: u32::MAX - 1 };
        assert_eq!(Cursor::of_word(cursor.to_word()), cursor);
        let behind = cursor.behind(5);
        assert_eq!(behind, Cursor { items: 0, words: 3 });
        assert_eq!(cursor.until(behind, 8), Ok(Span { items: 1, words: 5 }));
        assert_eq!(cursor.until(cursor, 8), Ok(Span { items: 0, words: 0 }));
    }

    #[test]
    fn nonsense_between_two_cursors_is_told() {
        let at = |items, words| Cursor { items, words };
        assert_eq!(at(0, 0).until(at(1, 9), 8), Err(Overwritten), "more words than the ring has");
        assert_eq!(at(0, 0).until(at(3, 2), 8), Err(Overwritten), "more items than words");
        assert_eq!(at(0, 0).until(at(0, 2), 8), Err(Overwritten), "words without an item");
        assert_eq!(at(5, 5).until(at(4, 4), 8), Err(Overwritten), "a head behind the tail");
    }
}
