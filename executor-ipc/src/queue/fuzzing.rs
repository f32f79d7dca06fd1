//! A queue in whose memory another process has written: what the fuzz target calls, and some tests.

use std::hint::black_box;
use std::sync::atomic::Ordering;

use super::cursor::Cursor;
use super::error::{GetError, PutError};
use super::memory::Limits;
use super::store::Store;
use crate::segment::Shape;
use crate::sync::robust::Patience;

/// The memory of the queue: a page, which is 512 words.
const RING_BYTES: usize = 4096;

/// The first 16 bytes move the cursors; the others go to the ring.
///
/// # Panics
///
/// If the queue gives what it must not.
#[cfg(feature = "fuzzing")]
pub fn queue(bytes: &[u8]) {
    let Some((moves, words)) = bytes.split_at_checked(16) else { return };
    let number = |bytes: &[u8]| bytes.iter().fold(0, |number, &byte| number << 8 | u64::from(byte));
    read_nonsense([number(&moves[..8]), number(&moves[8..])], words);
}

/// Moves head and tail of a queue that has some items, writes the bytes over its ring from the head on, and gets what is there
/// then.
///
/// # Panics
///
/// If the queue gives what it must not.
pub(super) fn read_nonsense([head_by, tail_by]: [u64; 2], bytes: &[u8]) {
    let store = Limits::new(u64::MAX, RING_BYTES).and_then(|limits| Store::new(Shape::new("Queue"), limits));
    let Ok(store) = store else { return };
    for item in [&b"one"[..], b"", b"a longer one than a word"] {
        assert!(store.put(item, Patience::None).is_ok());
    }
    let memory = &store.memory;
    let head = memory.head().load(Ordering::Relaxed).wrapping_add(head_by);
    memory.head().store(head, Ordering::Relaxed);
    memory.tail().fetch_add(tail_by, Ordering::Relaxed);
    if let Ok((ring, _)) = memory.ring() {
        ring.overwrite(Cursor::of_word(head).words, bytes);
    }
    let mut item = Vec::new();
    // Each item takes a word at least.
    for _ in 0..=RING_BYTES / 8 {
        black_box(store.len());
        match store.get(&mut item, Patience::None) {
            Ok(()) => assert!(item.len() <= RING_BYTES && item.capacity() <= 2 * RING_BYTES),
            Err(GetError::Empty | GetError::Overwritten) => {
                let put = store.put(b"another", Patience::None);
                assert!(matches!(put, Ok(()) | Err(PutError::Overwritten | PutError::OutOfRoom { .. })), "{put:?}");
                return;
            }
            Err(error) => panic!("{error}"),
        }
    }
    panic!("the queue never ends");
}
