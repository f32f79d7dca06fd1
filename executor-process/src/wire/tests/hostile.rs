//! Bytes that nobody of ours would write: every answer is right or an error, and none a panic.

use super::Dice;
use super::frames::{Drops, read_orders, read_reports, some_orders, some_reports};
use crate::wire::head::{Head, Kind};
use crate::wire::incoming::{Incoming, LARGE_BYTES, STEP_BYTES, Then};
use crate::wire::piece::put_prefix;
use crate::wire::{FRAME_BYTES_MAX, FrameError, Place};

const LIMIT: u64 = 1 << 22;

#[test]
fn every_cut_gives_what_was_whole() {
    let (bytes, expected) = some_orders(600);
    for end in 0..bytes.len() {
        let (orders, left) = read_orders(&bytes[..end], 300, LIMIT);
        assert!(left.is_ok() && orders[..] == expected[..orders.len()], "cut at {end}");
    }
    let (bytes, expected) = some_reports(600);
    for end in 0..bytes.len() {
        let (reports, left) = read_reports(&bytes[..end], 300, LIMIT);
        assert!(left.is_ok() && reports[..] == expected[..reports.len()], "cut at {end}");
    }
}

#[test]
fn every_byte_changed_is_survived() {
    let (orders, _) = some_orders(40);
    let (reports, _) = some_reports(40);
    for change in [1, 0x80, 0xff, 8] {
        for at in 0..orders.len().max(reports.len()) {
            for (bytes, is_orders) in [(&orders, true), (&reports, false)] {
                let mut bytes = bytes.clone();
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= change;
                    let _ = if is_orders {
                        read_orders(&bytes, 1 << 16, LIMIT).1
                    } else {
                        read_reports(&bytes, 1 << 16, LIMIT).1
                    };
                }
            }
        }
    }
}

#[test]
fn random_bytes_are_survived() {
    let mut dice = Dice::new(3);
    for round in 0..20_000 {
        let mut bytes: Vec<u8> = (0..dice.below(200)).map(|_| dice.next() as u8).collect();
        if round % 2 == 0 && bytes.len() > 24 {
            // A head that passes, so that what is behind it is looked at.
            let body_bytes = dice.below(200) as u64;
            let kind = [Kind::Run, Kind::Setup, Kind::Done, Kind::Ready, Kind::Progress][dice.below(5)];
            let first = (dice.below(4) as u32) << 16;
            let head = Head { body_bytes, first, second: dice.below(4) as u32, ..Head::of(kind) };
            bytes[..24].copy_from_slice(&head.to_bytes());
        }
        let _ = read_orders(&bytes, 1 + dice.below(64), LIMIT);
        let _ = read_reports(&bytes, 1 + dice.below(64), LIMIT);
    }
}

#[test]
fn a_length_that_is_only_claimed_allocates_one_step() {
    let mut bytes = Head { body_bytes: FRAME_BYTES_MAX, second: 1, ..Head::of(Kind::Run) }.to_bytes().to_vec();
    put_prefix(&mut bytes, 0, FRAME_BYTES_MAX - 5);
    bytes.extend([1; 100]);
    let mut incoming = Incoming::new(FRAME_BYTES_MAX);
    let mut source = Drops(&bytes, usize::MAX);
    incoming.fill(&mut source, usize::MAX).unwrap();
    assert!(incoming.next().unwrap().is_some());
    assert_eq!(incoming.next(), Ok(None));
    assert_eq!(incoming.reserved_bytes(), STEP_BYTES);
    // Each further step follows what has come.
    let more = vec![1; STEP_BYTES + 1];
    let mut source = Drops(&more, usize::MAX);
    while incoming.fill(&mut source, usize::MAX).unwrap().then != Then::End {}
    assert!(incoming.reserved_bytes() <= 2 * STEP_BYTES, "{}", incoming.reserved_bytes());
    assert_eq!(incoming.next(), Ok(None));
}

#[test]
fn lengths_near_the_end_of_all_numbers_are_refused() {
    for bytes in [u64::MAX, u64::MAX / 2, FRAME_BYTES_MAX + 1] {
        let head = Head { body_bytes: bytes, second: 1, ..Head::of(Kind::Run) }.to_bytes();
        let (_, end) = read_orders(&head, 24, FRAME_BYTES_MAX);
        assert_eq!(end, Err(FrameError::TooLong { bytes, limit: FRAME_BYTES_MAX }));
        // Where the limit lets such a frame begin, its pieces must still fit it, and memory must be there.
        let mut bytes = Head { body_bytes: bytes, second: 1, ..Head::of(Kind::Run) }.to_bytes().to_vec();
        put_prefix(&mut bytes, 0, u64::MAX >> 3);
        let (orders, end) = read_orders(&bytes, 24, u64::MAX);
        assert!(orders.is_empty() && end != Ok(false));
    }
}

#[test]
fn pieces_that_do_not_fit_their_frame_are_refused() {
    let run = |body_bytes, items| Head { body_bytes, second: items, ..Head::of(Kind::Run) }.to_bytes().to_vec();
    let frames: [Vec<u8>; 8] = [
        // No items, too many, none in the body.
        run(2, 0),
        run(2, 65536),
        run(0, 1),
        // A piece that is longer than the frame, a prefix that is cut by its end, more items than said, fewer.
        [run(2, 1), vec![5 << 3, 0]].concat(),
        [run(1, 1), vec![0x80]].concat(),
        [run(2, 1), vec![0, 0]].concat(),
        [run(1, 2), vec![0]].concat(),
        // Options behind which nothing comes.
        [run(2, 1), vec![1 << 3 | 1, 8]].concat(),
    ];
    for frame in frames {
        for step in [1, usize::MAX] {
            let (orders, end) = read_orders(&frame, step, LIMIT);
            assert!(matches!(end, Err(FrameError::Malformed { .. })), "{frame:?}: {orders:?}, {end:?}");
        }
    }
}

#[test]
fn frames_of_the_other_direction_are_refused() {
    let (orders, _) = some_orders(9);
    assert!(read_reports(&orders, 99, LIMIT).1.is_err());
    let (reports, _) = some_reports(9);
    assert!(read_orders(&reports, 99, LIMIT).1.is_err());
    let place = Place { slot: 1, sequence: 1 };
    let done = |first| Head { place, first, ..Head::of(Kind::Done) }.to_bytes();
    assert!(read_reports(&done(1 << 16), 99, LIMIT).1.is_err(), "outcomes without a body");
    let last = Head { body_bytes: 2, first: 2 << 16 | 0xffff, ..Head::of(Kind::Done) }.to_bytes();
    assert!(read_reports(&last, 99, LIMIT).1.is_err(), "items behind the last there can be");
}

#[test]
fn a_large_piece_arrives_whole_in_memory_of_its_own() {
    let length = LARGE_BYTES + 1;
    let mut bytes = Vec::new();
    put_prefix(&mut bytes, 0, length as u64);
    bytes.extend((0..length).map(|at| at as u8));
    let head = Head { body_bytes: bytes.len() as u64, second: 1, ..Head::of(Kind::Run) };
    let bytes = [&head.to_bytes()[..], &bytes].concat();
    let mut incoming = Incoming::new(LIMIT);
    let mut source = Drops(&bytes, 1000);
    let mut seen = 0;
    while incoming.fill(&mut source, 700).unwrap().then != Then::End {
        while let Some(part) = incoming.next().unwrap() {
            seen += 1;
            if seen == 2 {
                assert_eq!(part, crate::wire::incoming::Part::Piece { kind: 0, last: true });
                let std::borrow::Cow::Owned(body) = incoming.piece() else { panic!("it is lent") };
                assert!(body.iter().enumerate().all(|(at, &byte)| byte == at as u8) && body.len() == length);
            }
        }
    }
    assert_eq!(seen, 2);
}
