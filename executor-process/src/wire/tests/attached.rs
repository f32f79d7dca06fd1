//! Outcomes that have descriptors beside them.

use std::io::{PipeReader, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::thread;

use executor_ipc::attach::{ATTACHMENTS_MAX, Attachments};
use nix::sys::stat::fstat;

use super::lanes::{drain_to_the_end, item, pair, recovered, turn};
use super::{Dice, owned_reports};
use crate::wire::outgoing::Outgoing;
use crate::wire::piece::put_prefix;
use crate::wire::report::done_head;
use crate::wire::{Drained, FRAME_BYTES_MAX, Lane, LaneError, Outcome, Report};

/// Some descriptors.
fn files(count: usize) -> Attachments {
    (0..count).map(|_| OwnedFd::from(std::io::pipe().unwrap().0)).collect()
}

/// Which files descriptors are of: copies of a descriptor are of the same.
fn inodes(attachments: &Attachments) -> Vec<u64> {
    attachments.iter().map(|descriptor| fstat(descriptor).unwrap().st_ino).collect()
}

/// A descriptor, and what reads the end of the file once it is closed.
fn watched() -> (PipeReader, Attachments) {
    let (reader, writer) = std::io::pipe().unwrap();
    (reader, [OwnedFd::from(writer)].into_iter().collect())
}

fn output(bytes: Vec<u8>, attachments: Option<Attachments>) -> Outcome<'static> {
    Outcome::Output { failed: false, bytes: bytes.into(), attachments }
}

#[test]
fn every_outcome_has_its_own_descriptors() {
    for small in [false, true] {
        let (mut lane, mut reader, mut writer, page) = pair(FRAME_BYTES_MAX, small);
        let mut dice = Dice::new(21);
        let lengths = [0, 9, 200, 15_000, 20_000, 70_000, 300_000];
        let made: Vec<(usize, Option<Attachments>)> = (0..200)
            .map(|_| {
                let count = [0, 0, 1, 2, 5, ATTACHMENTS_MAX][dice.below(6)];
                (lengths[dice.below(lengths.len())], (count > 0).then(|| files(count)))
            })
            .collect();
        let items: Vec<_> = made.iter().map(|_| item(b"x")).collect();
        let place = lane.push_run(0, &items).unwrap();
        let mut got = 0;
        thread::scope(|scope| {
            scope.spawn(|| {
                assert!(reader.fill().unwrap());
                for (item, (length, attachments)) in (0..).zip(&made) {
                    assert!(page.begin(place, item, 0));
                    page.leave(place, item);
                    writer.outcome(place, item, output(vec![item as u8; *length], attachments.clone()), 0);
                    assert!(writer.is_full() || attachments.is_none());
                    if writer.is_full() {
                        writer.flush().unwrap();
                    }
                }
                writer.passed(place);
                writer.flush().unwrap();
            });
            let mut passed = false;
            while !passed {
                let mut told = Vec::new();
                let _ = turn(&mut lane, &mut |report| told.extend(owned_reports(report)));
                told.into_iter().for_each(|report| match report {
                    Report::Outcome { item, outcome: Outcome::Output { bytes, attachments, .. }, .. } => {
                        let (length, expected) = &made[usize::from(item)];
                        assert_eq!((bytes.len(), usize::from(item)), (*length, got));
                        assert!(bytes.iter().all(|&byte| byte == item as u8));
                        assert_eq!(attachments.as_ref().map(inodes), expected.as_ref().map(inodes));
                        got += 1;
                    }
                    Report::Done { passed: true, .. } => passed = true,
                    report => assert!(matches!(report, Report::Done { .. }), "{report:?}"),
                });
            }
        });
        assert_eq!(got, made.len());
    }
}

#[test]
fn an_outcome_with_descriptors_is_sent_at_once_because_it_is_not_kept() {
    let (mut lane, reader, mut writer, page) = pair(FRAME_BYTES_MAX, false);
    let place = lane.push_run(0, &[item(b"a"), item(b"b"), item(b"c"), item(b"d")]).unwrap();
    let (mut end, attachments) = watched();
    for number in 0..3 {
        assert!(page.begin(place, number, 0));
        page.leave(place, number);
        let attachments = (number == 2).then(|| attachments.clone());
        assert!(!writer.is_full());
        writer.outcome(place, number, output(vec![1; 9], attachments), 0);
    }
    assert!(writer.is_full());
    drop(attachments);
    // It dies before it can.
    drop((reader, writer));
    assert_eq!(drain_to_the_end(&mut lane), []);
    assert_eq!(recovered(&mut lane), [(place, 0), (place, 1)]);
    let (_, verdict) = &lane.verdicts()[0];
    assert_eq!((verdict.lost.clone(), verdict.blamed, verdict.unbegun.clone()), (2..3, None, 3..4));
    assert_eq!(end.read(&mut [0]).unwrap(), 0, "its descriptor is closed");
}

#[test]
fn one_drain_reads_all_that_was_sent() {
    // Who reads what a dead worker has told relies on it.
    let (mut lane, _reader, mut writer, page) = pair(FRAME_BYTES_MAX, false);
    let place = lane.push_run(0, &[item(b"a"), item(b"b"), item(b"c"), item(b"d")]).unwrap();
    for number in 0..4 {
        assert!(page.begin(place, number, 0));
        page.leave(place, number);
        writer.outcome(place, number, output(vec![1; 9], (number != 2).then(|| files(2))), 0);
        writer.flush().unwrap();
    }
    let mut counts = Vec::new();
    let drained = lane.drain(&mut |report| {
        for report in owned_reports(report) {
            if let Report::Outcome { outcome: Outcome::Output { attachments, .. }, .. } = report {
                counts.push(attachments.map_or(0, |attachments| attachments.len()));
            }
        }
    });
    assert_eq!((drained.unwrap(), counts), (Drained::Dry, vec![2, 2, 0, 2]));
}

#[test]
fn descriptors_that_nobody_takes_are_closed() {
    // With what is dropped: the report, the lane that has read it, or the socket.
    for read in [true, false] {
        let (mut lane, _reader, mut writer, page) = pair(FRAME_BYTES_MAX, false);
        let place = lane.push_run(0, &[item(b"a"), item(b"b")]).unwrap();
        let mut ends = Vec::new();
        for number in 0..2 {
            let (end, attachments) = watched();
            ends.push(end);
            assert!(page.begin(place, number, 0));
            page.leave(place, number);
            writer.outcome(place, number, output(vec![1; 9], Some(attachments)), 0);
            writer.flush().unwrap();
        }
        if read {
            let _ = lane.drain(&mut |_| ()).unwrap();
        } else {
            drop(lane);
        }
        for mut end in ends {
            assert_eq!(end.read(&mut [0]).unwrap(), 0);
        }
    }
}

/// What the lane says of a frame with these pieces, and with descriptors before the first of them, if any are given.
fn refusal(pieces: &[(u8, &[u8])], attachments: Option<&Attachments>) -> String {
    let (mut lane, _reader, writer, page) = pair(FRAME_BYTES_MAX, false);
    let place = lane.push_run(0, &[item(b"a")]).unwrap();
    assert!(page.begin(place, 0, 0));
    page.leave(place, 0);
    let mut body = Vec::new();
    for (kind, bytes) in pieces {
        put_prefix(&mut body, *kind, bytes.len() as u64);
        body.extend_from_slice(bytes);
    }
    let mut outgoing = Outgoing::default();
    outgoing.buffer().extend_from_slice(&done_head(place, 0, 1, body.len() as u64, 0, false).to_bytes());
    if let Some(attachments) = attachments {
        outgoing.attach(attachments);
    }
    outgoing.buffer().extend_from_slice(&body);
    let _ = outgoing.write_to(writer.socket().as_fd()).unwrap();
    match lane.drain(&mut |_| ()) {
        Err(LaneError::Frame(error)) => error.to_string(),
        other => unreachable!("{other:?}"),
    }
}

#[test]
fn descriptors_out_of_place_are_refused() {
    let some = files(1);
    let said = refusal(&[(7, &[1]), (0, b"x")], None);
    assert!(said.contains("without its descriptors"), "{said}");
    for pieces in [&[(7, &b""[..]), (0, b"x")][..], &[(7, &[0]), (0, b"x")], &[(7, &[1, 0]), (0, b"x")]] {
        let said = refusal(pieces, Some(&some));
        assert!(said.contains("not one byte"), "{said}");
    }
    for pieces in [&[(7, &[1][..])][..], &[(7, &[1]), (7, &[1]), (0, b"x")]] {
        let said = refusal(pieces, Some(&some));
        assert!(said.contains("out of place"), "{said}");
    }
    let said = refusal(&[(7, &[1]), (5, b"")], Some(&some));
    assert!(said.contains("only an output"), "{said}");
}
