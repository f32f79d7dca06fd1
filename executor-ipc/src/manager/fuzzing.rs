//! What the fuzz targets call: the decoders of both sides, fed with any bytes. None may panic, or take more memory than what came needs.

use std::hint::black_box;
use std::sync::Arc;

use serde_bytes::Bytes;

use super::desk::Make;
use super::door::{self, Knock};
use super::limits::Limits;
use super::server::{Hall, serve_bytes};
use super::wire::{Answered, Hello, Welcome, read_answer};

/// The bytes as what a client sends to a server that has one object of each kind: its numbers are 1 to 10. The first byte says in what
/// portions they come.
pub fn calls(bytes: &[u8]) {
    let Some((&portion, bytes)) = bytes.split_first() else { return };
    let Ok((_, inside)) = door::pair() else { return };
    let limits = Limits { message_bytes_max: 1 << 20, ..Limits::default() };
    let hall = Hall::new(0, limits, Arc::new(inside));
    let kinds = [
        Make::Barrier { parties: 2 },
        Make::Condition,
        Make::Counter { value: 0 },
        Make::Dict,
        Make::Event,
        Make::List,
        Make::Lock,
        Make::Namespace,
        Make::Queue { capacity: Some(4) },
        Make::Semaphore { permits: 1 },
    ];
    let objects: Vec<_> =
        kinds.iter().flat_map(|kind| super::desk::make(&hall, kind)).map(|object| hall.add(object)).collect();
    assert_eq!(objects.last().map(|object| object.id()), Some(10));
    serve_bytes(&hall, bytes, usize::from(portion) + 1);
}

/// The bytes as whatever else a peer sends: an answer, a greeting, a knock at the door.
pub fn answers(bytes: &[u8]) {
    if let Some(Answered::Done { answer, references }) = read_answer(bytes) {
        assert!(answer.len() + 8 * references.len() <= bytes.len());
        black_box(postcard::from_bytes::<Option<&Bytes>>(answer).is_ok());
        black_box(postcard::from_bytes::<Vec<&Bytes>>(answer).is_ok());
        black_box(postcard::from_bytes::<(bool, Vec<&Bytes>)>(answer).is_ok());
    }
    black_box(postcard::from_bytes::<Hello>(bytes).is_ok());
    black_box(postcard::from_bytes::<Welcome>(bytes).is_ok());
    black_box(postcard::from_bytes::<Knock>(bytes).is_ok());
}
