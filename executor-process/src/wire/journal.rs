//! [`Journal`]: outcomes that a worker has and has not sent, where the owner finds them if it dies.
//!
//! A worker keeps outcomes of short jobs back, for others to go with them. What it keeps would be lost with it; so it
//! writes each into the shared region too, as a frame of its own, and forgets them all when they are sent. Once the worker
//! has died and all that it sent was read, the owner reads on here. What it finds here and has read before, it drops: the worker
//! died between the sending and the forgetting.
//!
//! ```text
//!   length of all │ length, frame … │ length, frame … │ …
//! ```
//!
//! Everything is in words of eight bytes; a frame is filled up with zeros. The length of all is written after the frame
//! that it takes in, so a worker that dies while it writes leaves what was there before. An outcome with descriptors is not in
//! the journal, since they cannot be, and is sent before anything else runs.

use std::sync::Arc;

use crate::sync::atomic::{AtomicU64, Ordering};
use crate::wire::Page;
use crate::wire::head::HEAD_BYTES;

const WORD_BYTES: usize = size_of::<u64>();

/// How many words a frame of `bytes` takes.
fn words_of(bytes: usize) -> usize {
    1 + bytes.div_ceil(WORD_BYTES)
}

/// The worker's hand on its journal.
#[derive(Debug)]
pub(crate) struct Journal {
    page: Arc<Page>,
    /// How many words of frames there are.
    used: usize,
}

impl Journal {
    /// A journal in the region that this page is in, which nobody else writes to.
    pub(crate) fn new(page: Arc<Page>) -> Self {
        Journal { page, used: 0 }
    }

    /// Adds a frame. False if there is no room for it.
    #[inline]
    pub(crate) fn add(&mut self, head: [u8; HEAD_BYTES], body: &[u8]) -> bool {
        let Some((length, frames)) = self.page.journal().split_first() else { return false };
        let bytes = HEAD_BYTES + body.len();
        let end = self.used.saturating_add(words_of(bytes));
        let Some(room) = frames.get(self.used..end) else { return false };
        let (whole, rest) = body.as_chunks::<WORD_BYTES>();
        let mut last = [0; WORD_BYTES];
        last[..rest.len()].copy_from_slice(rest);
        let (head, _) = head.as_chunks::<WORD_BYTES>();
        let parts = head.iter().chain(whole).chain((!rest.is_empty()).then_some(&last));
        let values = std::iter::once(bytes as u64).chain(parts.map(|&part| u64::from_le_bytes(part)));
        for (word, value) in room.iter().zip(values) {
            word.store(value, Ordering::Relaxed);
        }
        self.used = end;
        // Release: whoever sees the length sees the frame. The owner reads it when the worker is dead, so that this keeps
        // no more than the order of the stores in the dying process.
        length.store(end as u64, Ordering::Release);
        true
    }

    /// Forgets all frames: they were sent.
    #[inline]
    pub(crate) fn clear(&mut self) {
        if self.used > 0
            && let Some(length) = self.page.journal().first()
        {
            self.used = 0;
            // Release: the sending comes before it.
            length.store(0, Ordering::Release);
        }
    }
}

const _: () = assert!(HEAD_BYTES.is_multiple_of(WORD_BYTES));

/// The frames in the journal of a worker that has died, one behind the other. No length in it is believed.
pub(crate) fn frames(journal: &[AtomicU64]) -> Vec<u8> {
    let Some((length, frames)) = journal.split_first() else { return Vec::new() };
    let used = usize::try_from(length.load(Ordering::Acquire)).unwrap_or(usize::MAX).min(frames.len());
    let mut rest = &frames[..used];
    let mut bytes = Vec::new();
    while let Some((length, behind)) = rest.split_first() {
        let length = usize::try_from(length.load(Ordering::Relaxed)).unwrap_or(usize::MAX);
        let Some(words) = behind.get(..length.div_ceil(WORD_BYTES)) else { break };
        let begin = bytes.len();
        bytes.extend(words.iter().flat_map(|word| word.load(Ordering::Relaxed).to_le_bytes()));
        bytes.truncate(begin + length);
        rest = &behind[words.len()..];
    }
    bytes
}

#[cfg(all(test, not(executor_loom)))]
mod tests {
    use super::*;
    use crate::wire::Region;

    fn journal() -> (Arc<Page>, Journal) {
        let page = Arc::new(Page::new(Region::create().expect("there is memory").0));
        (Arc::clone(&page), Journal::new(page))
    }

    #[test]
    fn frames_come_back_as_they_were_until_they_are_forgotten() {
        let (page, mut journal) = journal();
        for round in 0..3 {
            let mut expected = Vec::new();
            for length in 0..40 {
                let body: Vec<u8> = (0..length).map(|byte| byte ^ round).collect();
                assert!(journal.add([length; HEAD_BYTES], &body));
                expected.extend_from_slice(&[length; HEAD_BYTES]);
                expected.extend_from_slice(&body);
                assert_eq!(frames(page.journal()), expected);
            }
            journal.clear();
            assert!(frames(page.journal()).is_empty());
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_and_the_rest_stays() {
        let (page, mut journal) = journal();
        let room = (page.journal().len() - 1) * WORD_BYTES;
        assert!(!journal.add([0; HEAD_BYTES], &vec![1; room - HEAD_BYTES - WORD_BYTES + 1]));
        assert!(journal.add([2; HEAD_BYTES], &vec![3; room - HEAD_BYTES - WORD_BYTES]));
        assert!(!journal.add([4; HEAD_BYTES], &[]));
        let got = frames(page.journal());
        assert_eq!(got.len(), room - WORD_BYTES);
        assert!(got[HEAD_BYTES..].iter().all(|&byte| byte == 3));
    }

    #[test]
    fn lengths_of_nonsense_are_not_believed() {
        let (page, mut journal) = journal();
        assert!(journal.add([1; HEAD_BYTES], b"whole"));
        let whole = frames(page.journal());
        for lie in [u64::MAX, u64::MAX - 7, 1 << 40, page.journal().len() as u64] {
            page.journal()[0].store(lie, Ordering::Relaxed);
            assert!(frames(page.journal()).starts_with(&whole), "the rest is zeros, and no frame");
            page.journal()[1].store(lie, Ordering::Relaxed);
            let _ = frames(page.journal());
            page.journal()[1].store(whole.len() as u64, Ordering::Relaxed);
        }
    }
}
