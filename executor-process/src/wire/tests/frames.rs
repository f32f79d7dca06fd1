//! Every frame there and back, in reads of any length.

use std::io::Read;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use super::{Dice, owned_orders, owned_reports};
use crate::wire::head::HEAD_BYTES;
use crate::wire::incoming::{Incoming, LARGE_BYTES, Then};
use crate::wire::order::{Orders, put_order, put_run, run_bytes};
use crate::wire::outgoing::{Bytes, Outgoing, SHARE_BYTES};
use crate::wire::report::Reports;
use crate::wire::{
    Assigned, ErrorKind, FRAME_BYTES_MAX, FRAME_BYTES_MIN, FrameError, Item, ItemOptions, Journal, Order, Outcome,
    Page, Place, PushError, Region, Report, Setup, VERSION, open_port,
};

/// Gives its bytes in reads of at most so many.
pub(super) struct Drops<'a>(pub(super) &'a [u8], pub(super) usize);

impl Read for Drops<'_> {
    fn read(&mut self, room: &mut [u8]) -> std::io::Result<usize> {
        let bytes = self.1.min(room.len());
        self.0.read(&mut room[..bytes])
    }
}

/// Nobody looks at it.
fn journal() -> Journal {
    Journal::new(Arc::new(Page::new(Region::create().expect("there is memory").0)))
}

/// True once there is nothing more.
fn fill(incoming: &mut Incoming, source: &mut Drops<'_>) -> bool {
    incoming.fill(source, usize::MAX).expect("a slice can be read").then == Then::End
}

/// Every order that is in the bytes, and what ended it.
pub(super) fn read_orders(bytes: &[u8], step: usize, limit: u64) -> (Vec<Order<'static>>, Result<bool, FrameError>) {
    let (mut orders, mut source, mut all) = (Orders::new(limit), Drops(bytes, step), Vec::new());
    loop {
        loop {
            match orders.next() {
                Ok(Some(order)) => all.extend(owned_orders(order)),
                Ok(None) => break,
                Err(error) => return (all, Err(error)),
            }
        }
        if fill(&mut orders.incoming, &mut source) {
            return (all, Ok(orders.incoming.is_inside()));
        }
    }
}

/// Every report that is in the bytes, and what ended it.
pub(super) fn read_reports(bytes: &[u8], step: usize, limit: u64) -> (Vec<Report<'static>>, Result<bool, FrameError>) {
    let (mut reports, mut source, mut all) = (Reports::new(limit), Drops(bytes, step), Vec::new());
    loop {
        loop {
            match reports.next() {
                Ok(Some(report)) => all.extend(owned_reports(report)),
                Ok(None) => break,
                Err(error) => return (all, Err(error)),
            }
        }
        if fill(&mut reports.incoming, &mut source) {
            return (all, Ok(reports.incoming.is_inside()));
        }
    }
}

fn body(length: usize) -> Vec<u8> {
    let mut dice = Dice::new(length as u64);
    (0..length).map(|_| dice.next() as u8).collect()
}

/// Orders of every kind, as they are written and as they are to be read. Arguments are at most so long.
pub(super) fn some_orders(longest: usize) -> (Vec<u8>, Vec<Order<'static>>) {
    let mut outgoing = Outgoing::default();
    let (mut expected, mut sequence) = (Vec::new(), u32::MAX - 2);
    let mut control = |outgoing: &mut Outgoing, order: Order<'static>| {
        put_order(outgoing, order.clone(), FRAME_BYTES_MAX).unwrap();
        expected.push(order);
    };
    let setup = Setup { version: VERSION, digest: u128::MAX / 3, frame_bytes_max: 1 << 20, initializer: None };
    control(&mut outgoing, Order::Setup(setup.clone()));
    for length in [0, 9, longest] {
        let initializer = Some((u32::MAX, body(length).into()));
        control(&mut outgoing, Order::Setup(Setup { initializer, ..setup.clone() }));
    }
    control(&mut outgoing, Order::Stop(Place { slot: 495, sequence: 7 }, u16::MAX));
    control(&mut outgoing, Order::StopAll);

    let lengths = [0, 1, 9, 15, 16, 127, 128, 2047, 2048, 5000, longest];
    let named = ItemOptions { id: Some(77), name: Some("report of May".into()), ..ItemOptions::default() };
    let plain = ItemOptions::default();
    let batches: [&[usize]; 5] = [&[9], &[0], &lengths, &[longest, 3, longest], &[9; 64]];
    for batch in batches {
        let bodies: Vec<_> = batch.iter().map(|&length| Arc::new(body(length))).collect();
        let mut items = Vec::new();
        for (place, body) in bodies.iter().enumerate() {
            let argument = if place % 2 == 0 { Bytes::from(body) } else { Bytes::from(&body[..]) };
            items.push(Item { argument, options: [None, Some(&named), Some(&plain)][place % 3], attachments: None });
        }
        let (count, bytes) = run_bytes(&items, FRAME_BYTES_MAX).unwrap();
        sequence = sequence.wrapping_add(1);
        let place = Place { slot: 3, sequence };
        let before = outgoing.waiting_bytes();
        put_run(&mut outgoing, place, 12, &items, bytes);
        assert_eq!((outgoing.waiting_bytes() - before) as u64, HEAD_BYTES as u64 + bytes, "it is as long as it says");
        for (item, body) in (0..).zip(bodies) {
            let options = if item % 3 == 1 { named.clone() } else { ItemOptions::default() };
            let argument = body.to_vec().into();
            expected.push(Order::Item(Assigned {
                place,
                job: 12,
                item,
                items: count,
                argument,
                attachments: None,
                options,
            }));
        }
    }
    put_order(&mut outgoing, Order::Exit, FRAME_BYTES_MAX).unwrap();
    expected.push(Order::Exit);
    (outgoing.to_bytes(), expected)
}

/// Reports of every kind, likewise.
pub(super) fn some_reports(longest: usize) -> (Vec<u8>, Vec<Report<'static>>) {
    let (_, mut writer) = open_port(UnixStream::pair().unwrap().0, journal(), FRAME_BYTES_MAX).unwrap();
    let mut expected = Vec::new();
    for failure in [None, Some(""), Some("no database")] {
        writer.ready(u128::MAX / 7, failure);
        let failure = failure.map(Into::into);
        expected.push(Report::Ready { pid: std::process::id(), version: VERSION, digest: u128::MAX / 7, failure });
    }
    let outcomes = [
        Outcome::Output { failed: false, bytes: body(9).into(), attachments: None },
        Outcome::Output { failed: true, bytes: body(longest).into(), attachments: None },
        Outcome::Output { failed: false, bytes: body(0).into(), attachments: None },
        Outcome::Panicked { message: "out of cheese".into(), location: Some("src/lib.rs:3:7".into()) },
        Outcome::Panicked { message: "x".repeat(longest).into(), location: None },
        Outcome::Error { kind: ErrorKind::Encode, what: "the output of `a`".into(), cause: "no".into() },
        Outcome::Error { kind: ErrorKind::Decode, what: "job `ä`".into(), cause: "".into() },
        Outcome::Error { kind: ErrorKind::UnknownJob, what: "".into(), cause: "".into() },
        Outcome::RunLimit,
    ];
    let place = Place { slot: 9, sequence: u32::MAX };
    let count = outcomes.len() as u16;
    for (item, outcome) in (0..).zip(outcomes) {
        writer.outcome(place, item, outcome.clone(), 1_000_000_000);
        expected.push(Report::Outcome { place, item, outcome });
    }
    writer.passed(place);
    expected.push(Report::Done { place, outcomes: count, busy_ns: u32::MAX, passed: true });

    // Outcomes of one frame in two, with a word about the progress between them, and a frame of which nothing began.
    let place = Place { slot: 10, sequence: 0 };
    for item in [0, 1] {
        let outcome = Outcome::Output { failed: false, bytes: body(16).into(), attachments: None };
        writer.outcome(place, item, outcome.clone(), 0);
        expected.push(Report::Outcome { place, item, outcome });
        expected.push(Report::Done { place, outcomes: 1, busy_ns: 0, passed: false });
        writer.progress(place, item + 1, u64::MAX, 1);
        expected.push(Report::Progress { place, item: item + 1, done: u64::MAX, total: 1 });
    }
    for place in [place, Place { slot: 11, sequence: 1 }] {
        writer.passed(place);
        expected.push(Report::Done { place, outcomes: 0, busy_ns: 0, passed: true });
    }
    (writer.take_bytes(), expected)
}

const LONGEST: [usize; 5] = [SHARE_BYTES - 1, SHARE_BYTES, LARGE_BYTES - 1, LARGE_BYTES, 3 * LARGE_BYTES + 1];

#[test]
fn orders_come_back_as_they_were() {
    for longest in LONGEST {
        let (bytes, expected) = some_orders(longest);
        for step in [usize::MAX, 4096, 37, 1] {
            let (orders, end) = read_orders(&bytes, step, FRAME_BYTES_MAX);
            assert_eq!(end, Ok(false));
            assert!(orders == expected, "longest {longest}, step {step}");
        }
    }
}

#[test]
fn reports_come_back_as_they_were() {
    for longest in LONGEST {
        let (bytes, expected) = some_reports(longest);
        for step in [usize::MAX, 4096, 37, 1] {
            let (reports, end) = read_reports(&bytes, step, FRAME_BYTES_MAX);
            assert_eq!(end, Ok(false));
            assert!(reports == expected, "longest {longest}, step {step}");
        }
    }
}

#[test]
fn a_single_small_job_takes_34_bytes_and_its_outcome_too() {
    let mut outgoing = Outgoing::default();
    let items = [Item { argument: (&[7; 9][..]).into(), options: None, attachments: None }];
    let (_, bytes) = run_bytes(&items, FRAME_BYTES_MAX).unwrap();
    put_run(&mut outgoing, Place { slot: 0, sequence: 1 }, 0, &items, bytes);
    assert_eq!(outgoing.waiting_bytes(), 34);
}

#[test]
fn a_frame_that_is_too_long_is_not_written() {
    let long = vec![0; 1000];
    let item = Item { argument: Bytes::from(&long[..]), options: None, attachments: None };
    assert_eq!(run_bytes(std::slice::from_ref(&item), 1002).unwrap(), (1, 1002));
    let error = run_bytes(std::slice::from_ref(&item), 1001).unwrap_err();
    assert_eq!(error, PushError::TooLong { bytes: 1002, limit: 1001 });
    assert!(error.to_string().contains("1002") && error.to_string().contains("1001"));
    assert_eq!(run_bytes(&[], 1001), Err(PushError::Items { items: 0 }));
    let many = vec![Item { argument: Bytes::from(&[][..]), options: None, attachments: None }; 65536];
    assert_eq!(run_bytes(&many, 1 << 20), Err(PushError::Items { items: 65536 }));
    assert_eq!(run_bytes(&many[1..], 1 << 20), Ok((65535, 65535)));
}

#[test]
fn a_frame_that_is_too_long_is_not_read() {
    let (bytes, _) = some_orders(SHARE_BYTES);
    let (orders, end) = read_orders(&bytes, 999, 100);
    assert_eq!(orders.len(), 3, "the setups with few bytes come before it");
    let FrameError::TooLong { bytes, limit: 100 } = end.unwrap_err() else { panic!("it is too long") };
    assert!(bytes as usize > SHARE_BYTES);
}

#[test]
fn outcomes_go_to_the_next_frame_when_one_is_full() {
    let limit = FRAME_BYTES_MIN;
    let (_, mut writer) = open_port(UnixStream::pair().unwrap().0, journal(), limit).unwrap();
    let place = Place { slot: 0, sequence: 1 };
    let output = |bytes| Outcome::Output { failed: false, bytes: vec![1; bytes].into(), attachments: None };
    for item in 0..5 {
        writer.outcome(place, item, output(2000), 1);
    }
    writer.outcome(place, 5, output(4095), 1);
    let message = "ä".repeat(4000).into();
    writer.outcome(place, 6, Outcome::Panicked { message, location: Some("x".into()) }, 1);
    writer.passed(place);
    let (reports, end) = read_reports(&writer.take_bytes(), 50, limit);
    assert_eq!(end, Ok(false));
    let dones = reports.iter().filter_map(|report| match report {
        Report::Done { outcomes, passed, .. } => Some((*outcomes, *passed)),
        _ => None,
    });
    assert_eq!(dones.collect::<Vec<_>>(), [(2, false), (2, false), (3, true)]);
    let last: Vec<_> = reports.iter().rev().take(3).collect();
    let Report::Outcome { item: 5, outcome: Outcome::Error { kind, what, cause }, .. } = last[2] else {
        panic!("what no frame can hold is an error of its item: {reports:?}");
    };
    assert_eq!((*kind, &**what), (ErrorKind::Encode, ""));
    assert!(cause.contains("4098") && cause.contains("4096"), "{cause}");
    let Report::Outcome { item: 6, outcome: Outcome::Panicked { message, location }, .. } = last[1] else {
        panic!("a long message is cut: {reports:?}");
    };
    assert!(message.starts_with("ää") && message.ends_with(" …") && message.len() < 1100);
    assert_eq!(location.as_deref(), Some("x"));
}
