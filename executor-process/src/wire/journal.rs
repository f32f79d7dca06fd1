//! [`Journal`]: outcomes that a worker has and has not sent, where the owner finds them if it dies.
//!
//! A worker keeps outcomes of short jobs back, for others to go with them. What it keeps would be lost with it; so it
//! writes each into the shared region too, and forgets them all when they are sent. Once the worker has died and all that it
//! sent was read, the owner reads on here. What it finds here and has read before, it drops: the worker died between the sending
//! and the forgetting.
//!
//! ```text
//!   bytes of all │ the open frame │ frame … │ frame … │ …
//! ```
//!
//! The frames are those that will be sent, each filled up with zeros to a whole number of words of eight bytes. The last may be
//! open: its head does not say yet how much there is of it, which the bytes of all do. These are written after the bytes
//! that they take in, so a worker that dies while it writes leaves what was there before. An outcome with descriptors is not in
//! the journal, since they cannot be, and is sent before anything else runs.

use std::sync::Arc;

use crate::sync::atomic::{AtomicU64, Ordering};
use crate::wire::Page;
use crate::wire::head::{HEAD_BYTES, Head};
use crate::wire::piece::prefix;

const WORD_BYTES: usize = size_of::<u64>();

/// Before the frames: how many bytes of them there are, and where the head of the open one is.
const USED: usize = 0;
const OPEN: usize = 1;
const FIRST: usize = 2;

/// In place of the open frame, if there is none.
const NONE: u64 = u64::MAX;

const HEAD_WORDS: usize = HEAD_BYTES / WORD_BYTES;
const _: () = assert!(HEAD_BYTES.is_multiple_of(WORD_BYTES));

/// The worker's hand on its journal.
#[derive(Debug)]
pub(crate) struct Journal {
    page: Arc<Page>,
    /// How many bytes of frames there are.
    used: usize,
    /// What is written of the word in which they end.
    last: u64,
    /// The word in which the head of the open frame begins.
    open: Option<usize>,
}

impl Journal {
    /// A journal in the region that this page is in, which nobody else writes to.
    pub(crate) fn new(page: Arc<Page>) -> Self {
        Journal { page, used: 0, last: 0, open: None }
    }

    /// Begins a frame. False if there is no room for it.
    pub(crate) fn begin(&mut self, head: Head) -> bool {
        let Some((fixed, frames)) = self.page.journal().split_at_checked(FIRST) else { return false };
        // What the frame before is filled up with is there: words are written whole.
        let at = self.used.div_ceil(WORD_BYTES);
        let Some(room) = frames.get(at..at + HEAD_WORDS) else { return false };
        for (word, value) in room.iter().zip(words_of(head)) {
            word.store(value, Ordering::Relaxed);
        }
        // Release: whoever sees it sees the head. The owner reads all this when the worker is dead, so that the order of the
        // stores in the dying process is all that has to be kept.
        fixed[OPEN].store(at as u64, Ordering::Release);
        self.open = Some(at);
        (self.used, self.last) = ((at + HEAD_WORDS) * WORD_BYTES, 0);
        fixed[USED].store(self.used as u64, Ordering::Release);
        true
    }

    /// Adds a piece to the open frame. False if there is no room for it.
    #[inline]
    pub(crate) fn add(&mut self, prefix: &[u8], bytes: &[u8]) -> bool {
        let Some((fixed, frames)) = self.page.journal().split_at_checked(FIRST) else { return false };
        let end = self.used.saturating_add(prefix.len() + bytes.len());
        if self.open.is_none() || end > frames.len() * WORD_BYTES {
            return false;
        }
        let mut pen = Pen { frames, at: self.used, word: self.last };
        prefix.iter().for_each(|&byte| pen.put(byte.into(), 1));
        let (whole, rest) = bytes.as_chunks::<WORD_BYTES>();
        whole.iter().for_each(|&word| pen.put(u64::from_le_bytes(word), WORD_BYTES));
        // Byte by byte: a job has just written most of these so, and a read of several at once would wait for all of them.
        rest.iter().for_each(|&byte| pen.put(byte.into(), 1));
        pen.rest();
        (self.used, self.last) = (pen.at, pen.word);
        // Release: whoever sees it sees the piece.
        fixed[USED].store(self.used as u64, Ordering::Release);
        true
    }

    /// Ends the open frame, whose head is now known.
    pub(crate) fn close(&mut self, head: Head) {
        let Some((fixed, frames)) = self.page.journal().split_at_checked(FIRST) else { return };
        let Some(at) = self.open.take() else { return };
        for (word, value) in frames[at..].iter().zip(words_of(head)) {
            word.store(value, Ordering::Relaxed);
        }
        // Release: whoever sees that it is closed sees the whole head. One that is open says in both heads whose it is.
        fixed[OPEN].store(NONE, Ordering::Release);
    }

    /// Forgets all frames: they were sent.
    #[inline]
    pub(crate) fn clear(&mut self) {
        if self.used > 0
            && let Some(used) = self.page.journal().get(USED)
        {
            (self.used, self.last, self.open) = (0, 0, None);
            // Release: the sending comes before it.
            used.store(0, Ordering::Release);
        }
    }
}

/// Writes bytes into words.
struct Pen<'a> {
    frames: &'a [AtomicU64],
    /// How many bytes there are.
    at: usize,
    /// What there is of the word in which they end.
    word: u64,
}

impl Pen<'_> {
    /// Writes the lowest bytes of `value`, of which the others are 0.
    #[inline]
    fn put(&mut self, value: u64, bytes: usize) {
        let inside = self.at % WORD_BYTES;
        self.word |= value << (8 * inside);
        if inside + bytes >= WORD_BYTES {
            self.rest();
            self.word = if inside == 0 { 0 } else { value >> (8 * (WORD_BYTES - inside)) };
        }
        self.at += bytes;
    }

    /// Writes what there is of the last word.
    #[inline]
    fn rest(&self) {
        if let Some(word) = self.frames.get(self.at / WORD_BYTES) {
            word.store(self.word, Ordering::Relaxed);
        }
    }
}

fn words_of(head: Head) -> impl Iterator<Item = u64> {
    let bytes = head.to_bytes();
    let (words, _) = bytes.as_chunks::<WORD_BYTES>();
    let words: [u64; HEAD_WORDS] = std::array::from_fn(|word| u64::from_le_bytes(words[word]));
    words.into_iter()
}

/// The frames in the journal of a worker that has died, one behind the other. No length in it is believed.
pub(crate) fn frames(journal: &[AtomicU64]) -> Vec<u8> {
    let Some((fixed, frames)) = journal.split_at_checked(FIRST) else { return Vec::new() };
    let length = |word: &AtomicU64| usize::try_from(word.load(Ordering::Acquire)).unwrap_or(usize::MAX);
    let used = length(&fixed[USED]).min(frames.len() * WORD_BYTES);
    let open = length(&fixed[OPEN]).saturating_mul(WORD_BYTES);
    let words = frames[..used.div_ceil(WORD_BYTES)].iter();
    let mut all: Vec<u8> = words.flat_map(|word| word.load(Ordering::Relaxed).to_le_bytes()).collect();
    all.truncate(used);
    let mut at = 0;
    let mut told = Vec::new();
    while let Some(head) = all.get(at..).and_then(<[u8]>::first_chunk::<HEAD_BYTES>)
        && let Ok(mut head) = Head::from_bytes(head)
    {
        let behind = &all[at + HEAD_BYTES..];
        if at == open {
            head.body_bytes = behind.len() as u64;
            let Some(outcomes) = pieces_in(behind) else { break };
            head = head.with_outcomes(outcomes);
        }
        let Some(body) = usize::try_from(head.body_bytes).ok().and_then(|bytes| behind.get(..bytes)) else { break };
        told.extend_from_slice(&head.to_bytes());
        told.extend_from_slice(body);
        at = (at + HEAD_BYTES + body.len()).next_multiple_of(WORD_BYTES);
    }
    told
}

/// How many pieces there are; `None` if they are none.
fn pieces_in(mut bytes: &[u8]) -> Option<u16> {
    let mut pieces = 0_u16;
    while !bytes.is_empty() {
        let found = prefix(bytes).ok()??;
        bytes = bytes.get(found.own_bytes..)?.get(usize::try_from(found.bytes).ok()?..)?;
        pieces = pieces.checked_add(1)?;
    }
    Some(pieces)
}

#[cfg(all(test, not(executor_loom)))]
mod tests {
    use super::*;
    use crate::wire::head::Kind;
    use crate::wire::piece::put_prefix;
    use crate::wire::report::done_head;
    use crate::wire::{Place, Region};

    const PLACE: Place = Place { slot: 9, sequence: 77 };

    fn journal() -> (Arc<Page>, Journal) {
        let page = Arc::new(Page::new(Region::create().expect("there is memory").0));
        (Arc::clone(&page), Journal::new(page))
    }

    fn piece(bytes: &[u8]) -> Vec<u8> {
        let mut prefix = Vec::new();
        put_prefix(&mut prefix, 0, bytes.len() as u64);
        prefix
    }

    fn head(first: u16, outcomes: u16, body: &[u8], passed: bool) -> Head {
        done_head(PLACE, first, outcomes, body.len() as u64, 5, passed)
    }

    #[test]
    fn frames_come_back_open_or_closed_until_they_are_forgotten() {
        let (page, mut journal) = journal();
        for round in 0..3_u8 {
            let mut expected = Vec::new();
            for outcomes in 0..20_u16 {
                assert!(journal.begin(head(outcomes, 0, &[], false)));
                let mut body = Vec::new();
                for outcome in 0..outcomes {
                    let bytes = vec![outcome as u8 ^ round; usize::from(outcome) * 3];
                    assert!(journal.add(&piece(&bytes), &bytes));
                    body.extend([piece(&bytes), bytes].concat());
                    let open = head(outcomes, outcome + 1, &body, false).to_bytes();
                    let told = [&expected[..], &open, &body].concat();
                    assert_eq!(frames(page.journal()), told, "{outcome} of {outcomes}");
                }
                let closed = head(outcomes, outcomes, &body, outcomes % 2 == 0);
                journal.close(closed);
                expected.extend([&closed.to_bytes(), &body[..]].concat());
                assert_eq!(frames(page.journal()), expected);
            }
            journal.clear();
            assert!(frames(page.journal()).is_empty());
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_and_the_rest_stays() {
        let (page, mut journal) = journal();
        let room = (page.journal().len() - FIRST) * WORD_BYTES - HEAD_BYTES;
        assert!(!journal.add(&[8], &[1]), "there is no frame");
        assert!(journal.begin(head(0, 0, &[], false)));
        // A prefix of three bytes.
        let bytes = vec![3; room - 3];
        assert!(!journal.add(&piece(&bytes), &vec![1; room - 2]));
        assert!(journal.add(&piece(&bytes), &bytes));
        assert!(!journal.add(&[8], &[1]) && !journal.begin(head(0, 0, &[], false)));
        let got = frames(page.journal());
        assert_eq!(got.len(), HEAD_BYTES + room);
        assert!(got[HEAD_BYTES + 3..].iter().all(|&byte| byte == 3));
    }

    #[test]
    fn lengths_of_nonsense_are_not_believed() {
        let (page, mut journal) = journal();
        assert!(journal.begin(head(0, 0, &[], false)) && journal.add(&[5 << 3], b"whole"));
        journal.close(head(0, 1, &[0; 6], false));
        let whole = frames(page.journal());
        assert_eq!(whole.len(), HEAD_BYTES + 6);
        for lie in [u64::MAX, u64::MAX - 7, 1 << 40, 8 * page.journal().len() as u64, 3] {
            for word in [USED, OPEN, FIRST, FIRST + 1, FIRST + 2] {
                let truth = page.journal()[word].swap(lie, Ordering::Relaxed);
                let told = frames(page.journal());
                assert!(told.len() <= 8 * page.journal().len());
                page.journal()[word].store(truth, Ordering::Relaxed);
            }
        }
        assert_eq!(frames(page.journal()), whole);
        assert_eq!(Head::of(Kind::Done).with_outcomes(3).first >> 16, 3);
    }
}
