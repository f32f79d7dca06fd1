//! Both ends of a lane, with a socket and a page between them. The worker is a thread.

use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{Dice, narrow, owned_orders, owned_reports};
use crate::wire::outgoing::Bytes;
use crate::wire::page::SLOTS;
use crate::wire::{
    Activity, Assigned, Drained, FRAME_BYTES_MAX, Flushed, FrameError, Item, ItemOptions, Journal, Lane, LaneError,
    Order, Outcome, Page, Place, PortReader, PortWriter, PushError, Region, Report, SocketLane, open_port,
};

/// The two ends of a lane.
pub(super) fn pair(limit: u64, small: bool) -> (SocketLane, PortReader, PortWriter, Arc<Page>) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let (region, file) = Region::create().unwrap();
    let page = Arc::new(Page::new(Region::map(file).unwrap()));
    let lane = SocketLane::new(ours, Arc::new(Page::new(region)), limit).unwrap();
    let (reader, writer) = open_port(theirs, Journal::new(Arc::clone(&page)), limit).unwrap();
    if small {
        narrow(&lane.pollable_fd());
        narrow(writer.socket());
    }
    (lane, reader, writer, page)
}

/// Answers each item with its bytes turned round, as a worker does, until it is told to end.
fn work(mut reader: PortReader, mut writer: PortWriter, page: &Page) {
    let mut passed = None;
    loop {
        while let Some(order) = reader.next().unwrap() {
            for order in owned_orders(order) {
                match order {
                    Order::Setup(setup) => {
                        page.enter_start();
                        page.leave_start();
                        writer.ready(setup.digest, None);
                    }
                    Order::Item(Assigned { place, item, items, argument, .. }) => {
                        if passed == Some(place) {
                            continue;
                        }
                        let may = page.begin(place, item, 1);
                        if may {
                            let mut bytes = argument.into_owned();
                            bytes.reverse();
                            page.leave(place, item);
                            writer.outcome(
                                place,
                                item,
                                Outcome::Output { failed: false, bytes: bytes.into(), attachments: None },
                                10,
                            );
                        }
                        if !may || item + 1 == items {
                            writer.passed(place);
                            passed = Some(place);
                        }
                        if writer.is_full() {
                            writer.flush().unwrap();
                        }
                    }
                    Order::Exit => {
                        writer.flush().unwrap();
                        return;
                    }
                    Order::Row(_) | Order::Stop(..) | Order::StopAll => {}
                }
            }
        }
        writer.flush().unwrap();
        if !reader.fill().unwrap() {
            return;
        }
    }
}

/// Sleeps as a dispatcher does, then flushes and drains.
pub(super) fn turn(lane: &mut SocketLane, sink: &mut dyn FnMut(Report<'_>)) -> Drained {
    let wanted = if lane.wants_write() { PollFlags::POLLIN | PollFlags::POLLOUT } else { PollFlags::POLLIN };
    let mut fds = [PollFd::new(lane.pollable_fd(), wanted)];
    assert!(poll(&mut fds, PollTimeout::from(60_000_u16)).unwrap() > 0, "the worker tells nothing any more");
    let _ = lane.flush().unwrap();
    lane.drain(sink).unwrap()
}

/// All that a worker which is gone has told.
pub(super) fn drain_to_the_end(lane: &mut SocketLane) -> Vec<Report<'static>> {
    let mut told = Vec::new();
    while lane.drain(&mut |report| told.extend(owned_reports(report))).unwrap() != Drained::Ended {}
    told
}

pub(super) fn item(bytes: &[u8]) -> Item<'_> {
    Item { argument: bytes.into(), options: None, attachments: None }
}

#[test]
fn every_job_has_its_own_answer() {
    for small in [false, true] {
        let (mut lane, reader, writer, page) = pair(FRAME_BYTES_MAX, small);
        thread::scope(|scope| {
            scope.spawn(|| work(reader, writer, &page));
            let mut dice = Dice::new(5);
            let (mut sent, mut got, mut passed) = (Vec::new(), 0, 0);
            while passed < 600 {
                while sent.len() < 600 && lane.credits() > 0 {
                    let batch: Vec<Vec<u8>> = (0..1 + dice.below(6))
                        .map(|_| (0..dice.below(2500)).map(|_| dice.next() as u8).collect())
                        .collect();
                    let items: Vec<_> = batch.iter().map(|bytes| item(bytes)).collect();
                    let place = lane.push_run(3, &items).unwrap();
                    sent.push((place, batch));
                }
                let mut told = Vec::new();
                let _ = turn(&mut lane, &mut |report| told.extend(owned_reports(report)));
                told.into_iter().for_each(|report| match report {
                    Report::Outcome { place, item, outcome } => {
                        let (expected_place, batch) = &sent[passed];
                        let mut expected = batch[usize::from(item)].clone();
                        expected.reverse();
                        assert_eq!(place, *expected_place);
                        assert!(
                            outcome == Outcome::Output { failed: false, bytes: expected.into(), attachments: None }
                        );
                        got += 1;
                    }
                    Report::Done { passed: true, .. } => passed += 1,
                    Report::Done { .. } => {}
                    other => panic!("nobody asked for {other:?}"),
                });
            }
            assert_eq!(got, sent.iter().map(|(_, batch)| batch.len()).sum::<usize>());
            assert_eq!((lane.open_frames(), lane.credits()), (0, usize::from(SLOTS)));
            lane.push(Order::Exit).unwrap();
            assert_eq!(lane.flush().unwrap(), Flushed::All);
        });
        assert_eq!(drain_to_the_end(&mut lane), []);
    }
}

#[test]
fn both_ends_write_a_hundred_megabytes_at_once() {
    let (mut lane, reader, writer, page) = pair(FRAME_BYTES_MAX, false);
    let bodies: Vec<Arc<Vec<u8>>> = (0..4_u8).map(|number| Arc::new(vec![number; 25_000_000])).collect();
    thread::scope(|scope| {
        scope.spawn(|| work(reader, writer, &page));
        for body in &bodies {
            lane.push_run(0, &[Item { argument: Bytes::from(body), options: None, attachments: None }]).unwrap();
        }
        lane.push(Order::Exit).unwrap();
        let mut got = 0_u8;
        let mut ended = Drained::More;
        while ended != Drained::Ended {
            ended = turn(&mut lane, &mut |report| {
                if let Report::Outcome { outcome: Outcome::Output { bytes, .. }, .. } = report {
                    assert!(matches!(bytes, std::borrow::Cow::Owned(_)), "it is not copied again");
                    assert!(*bytes == bodies[usize::from(got)][..]);
                    got += 1;
                }
            });
        }
        assert_eq!(got, 4);
    });
    assert!(bodies.iter().all(|body| Arc::strong_count(body) == 1));
}

#[test]
fn the_owner_never_blocks_on_a_worker_that_reads_nothing() {
    let (mut lane, _reader, _writer, _page) = pair(FRAME_BYTES_MAX, true);
    let large = Arc::new(vec![0; 1 << 20]);
    lane.push_run(0, &[Item { argument: Bytes::from(&large), options: None, attachments: None }]).unwrap();
    assert!(lane.wants_write());
    assert_eq!(lane.flush().unwrap(), Flushed::Waiting);
    assert_eq!(lane.flush().unwrap(), Flushed::Waiting);
    assert_eq!(lane.drain(&mut |_| ()).unwrap(), Drained::Dry);
    assert!(lane.wants_write());
}

#[test]
fn credits_run_out_and_nothing_is_posted_without() {
    let (mut lane, ..) = pair(FRAME_BYTES_MAX, false);
    for left in (0..usize::from(SLOTS)).rev() {
        lane.push_run(0, &[item(b"x")]).unwrap();
        assert_eq!(lane.credits(), left);
    }
    assert_eq!(lane.push_run(0, &[item(b"x")]), Err(PushError::NoCredit));
    assert_eq!(lane.push_run(0, &[]), Err(PushError::Items { items: 0 }));
}

#[test]
fn what_was_sent_is_withdrawn_while_the_worker_is_busy() {
    let (mut lane, mut reader, mut writer, page) = pair(FRAME_BYTES_MAX, false);
    let first = lane.push_run(0, &[item(b"a"), item(b"b"), item(b"c"), item(b"d")]).unwrap();
    let second = lane.push_run(0, &[item(b"e")]).unwrap();
    assert_eq!(lane.flush().unwrap(), Flushed::All);
    assert!(reader.fill().unwrap());
    assert!(matches!(reader.next().unwrap(), Some(Order::Row(row)) if row.parts.len() == 4));
    assert!(page.begin(first, 0, 5));

    let owner = Arc::clone(lane.page());
    assert_eq!(owner.activity_since(), Some((Activity::Running(first, 0), 5)));
    assert_eq!(owner.withdraw_tail(first, 0..4), 1..4, "the running one stays");
    assert_eq!(owner.withdraw_tail(first, 2..4), 4..4, "and the rest is taken once");
    assert_eq!(owner.withdraw_tail(second, 0..1), 0..1);
    owner.ask_stop(first, 0);
    assert!(page.stop_asked(first, 0) && !page.stop_asked(first, 1) && !page.stop_asked(second, 0));

    page.leave(first, 0);
    writer.outcome(first, 0, Outcome::RunLimit, 0);
    assert!(!page.begin(first, 1, 0));
    writer.passed(first);
    assert!(!page.begin(second, 0, 0));
    writer.passed(second);
    writer.flush().unwrap();
    let mut told = Vec::new();
    assert_eq!(lane.drain(&mut |report| told.extend(owned_reports(report))).unwrap(), Drained::Dry);
    assert_eq!(
        told,
        [
            Report::Outcome { place: first, item: 0, outcome: Outcome::RunLimit },
            Report::Done { place: first, outcomes: 1, busy_ns: 0, passed: true },
            Report::Done { place: second, outcomes: 0, busy_ns: 0, passed: true },
        ]
    );
    assert_eq!(lane.open_frames(), 0);
    assert_eq!(owner.withdraw_tail(first, 0..4), 4..4, "what is over stays over");
}

#[test]
fn the_death_of_a_worker_is_told_in_classes() {
    let (mut lane, reader, mut writer, page) = pair(FRAME_BYTES_MAX, false);
    let items = [item(b"a"), item(b"b"), item(b"c"), item(b"d"), item(b"e")];
    let first = lane.push_run(0, &items).unwrap();
    let second = lane.push_run(0, &items).unwrap();
    assert_eq!(lane.flush().unwrap(), Flushed::All);
    // Of the first frame two are told, one ends untold, one is running, and one has not begun.
    for number in 0..4 {
        assert!(page.begin(first, number, 0));
        if number < 3 {
            page.leave(first, number);
        }
        if number < 2 {
            writer.outcome(first, number, Outcome::RunLimit, 0);
            writer.flush().unwrap();
        }
    }
    // It dies with orders unread, which the socket tells as an error behind its last words.
    drop((reader, writer));
    assert_eq!(drain_to_the_end(&mut lane).len(), 4);
    lane.push(Order::StopAll).unwrap();
    assert_eq!(lane.flush().unwrap(), Flushed::Closed);
    assert!(!lane.wants_write());

    let verdicts = lane.verdicts();
    assert_eq!(verdicts.len(), 2);
    let (place, verdict) = &verdicts[0];
    assert_eq!((*place, verdict.blamed), (first, Some(3)));
    assert_eq!((verdict.lost.clone(), verdict.claimed.clone(), verdict.unbegun.clone()), (2..3, 4..4, 4..5));
    let (place, verdict) = &verdicts[1];
    assert_eq!((*place, verdict.blamed), (second, None));
    assert_eq!((verdict.lost.clone(), verdict.claimed.clone(), verdict.unbegun.clone()), (0..0, 0..0, 0..5));
}

#[test]
fn a_worker_that_is_cut_off_inside_a_frame_has_ended() {
    let (mut lane, _, mut writer, page) = pair(FRAME_BYTES_MAX, false);
    let place = lane.push_run(0, &[item(b"a")]).unwrap();
    assert!(page.begin(place, 0, 0));
    page.leave(place, 0);
    writer.outcome(place, 0, Outcome::Output { failed: false, bytes: vec![1; 1000].into(), attachments: None }, 0);
    let bytes = writer.take_bytes();
    std::io::Write::write_all(&mut writer.socket(), &bytes[..700]).unwrap();
    drop(writer);
    assert_eq!(drain_to_the_end(&mut lane), []);
    // But its outcome is not lost.
    assert_eq!(recovered(&mut lane), [(place, 0)]);
    assert_eq!(lane.verdicts()[0].1.lost, 1..1);
}

/// The outcomes of a worker that is dead, which it had not sent.
pub(super) fn recovered(lane: &mut SocketLane) -> Vec<(Place, u16)> {
    let mut told = Vec::new();
    lane.recover(&mut |report| {
        for report in owned_reports(report) {
            if let Report::Outcome { place, item, .. } = report {
                told.push((place, item));
            }
        }
    });
    told
}

#[test]
fn what_a_worker_kept_back_is_found_when_it_is_dead() {
    // However many of its outcomes it had sent.
    for sent in 0..5 {
        let (mut lane, reader, mut writer, page) = pair(FRAME_BYTES_MAX, false);
        let first = lane.push_run(0, &[item(b"a"), item(b"b"), item(b"c")]).unwrap();
        let second = lane.push_run(0, &[item(b"d"), item(b"e"), item(b"f")]).unwrap();
        let items = [(first, 0), (first, 1), (first, 2), (second, 0), (second, 1)];
        for (number, &(place, item)) in items.iter().enumerate() {
            if number == sent {
                writer.flush().unwrap();
            }
            assert!(page.begin(place, item, 0));
            page.leave(place, item);
            writer.outcome(
                place,
                item,
                Outcome::Output { failed: false, bytes: vec![item as u8; 9].into(), attachments: None },
                0,
            );
            if item == 2 {
                writer.passed(place);
            }
        }
        assert!(page.begin(second, 2, 0), "it dies in the sixth");
        drop((reader, writer));
        let told = drain_to_the_end(&mut lane).iter().filter(|report| matches!(report, Report::Outcome { .. })).count();
        assert_eq!(told, sent);
        assert_eq!(recovered(&mut lane), items[sent..]);
        let verdicts = lane.verdicts();
        assert_eq!(verdicts.len(), 1, "the first frame is passed");
        assert_eq!((verdicts[0].1.lost.len(), verdicts[0].1.blamed), (0, Some(2)));
    }
}

#[test]
fn what_was_sent_and_not_yet_forgotten_counts_once() {
    let (mut lane, _reader, mut writer, page) = pair(FRAME_BYTES_MAX, false);
    let first = lane.push_run(0, &[item(b"a")]).unwrap();
    let second = lane.push_run(0, &[item(b"b"), item(b"c")]).unwrap();
    for (place, item) in [(first, 0), (second, 0)] {
        assert!(page.begin(place, item, 0));
        page.leave(place, item);
        writer.outcome(place, item, Outcome::RunLimit, 0);
        if place == first {
            writer.passed(place);
        }
    }
    // All of it reaches the owner, and the worker dies before it clears its journal.
    let bytes = writer.take_bytes();
    std::io::Write::write_all(&mut writer.socket(), &bytes).unwrap();
    drop(writer);
    let _ = lane.drain(&mut |_| ()).unwrap();
    assert_eq!(recovered(&mut lane), []);
    let verdicts = lane.verdicts();
    assert!(verdicts.iter().all(|(_, verdict)| verdict.lost.is_empty() && verdict.blamed.is_none()));
}

#[test]
fn a_journal_of_nonsense_costs_no_more_than_what_was_not_sent() {
    let mut dice = Dice::new(11);
    for _ in 0..200 {
        let (mut lane, reader, mut writer, page) = pair(FRAME_BYTES_MAX, false);
        let place = lane.push_run(0, &[item(b"a"), item(b"b"), item(b"c")]).unwrap();
        for item in 0..3 {
            assert!(page.begin(place, item, 0));
            page.leave(place, item);
            writer.outcome(place, item, Outcome::RunLimit, 0);
            if item == 0 {
                writer.flush().unwrap();
            }
        }
        for _ in 0..1 + dice.below(3) {
            let word = dice.below(20);
            page.journal()[word].store(dice.next() >> dice.below(64), std::sync::atomic::Ordering::Relaxed);
        }
        drop((reader, writer));
        let _ = drain_to_the_end(&mut lane);
        let found = recovered(&mut lane).len();
        assert_eq!(lane.verdicts()[0].1.lost.len(), 2 - found);
    }
}

/// What the lane says of reports that no worker makes, with one frame of two items open, the first of them begun.
fn lie(tell: impl FnOnce(&mut PortWriter, Place)) -> LaneError {
    let (mut lane, _reader, mut writer, page) = pair(FRAME_BYTES_MAX, false);
    let place = lane.push_run(0, &[item(b"a"), item(b"b")]).unwrap();
    assert!(page.begin(place, 0, 0));
    tell(&mut writer, place);
    writer.flush().unwrap();
    let error = lane.drain(&mut |_| ()).unwrap_err();
    assert!(lane.drain(&mut |_| ()).is_err(), "nothing is believed behind it");
    error
}

#[test]
fn reports_that_cannot_be_are_refused() {
    let output = || Outcome::Output { failed: false, bytes: vec![1].into(), attachments: None };
    let other = |place: Place| Place { sequence: place.sequence + 1, ..place };
    let lies: [LaneError; 6] = [
        lie(|writer, place| writer.outcome(place, 1, output(), 0)),
        lie(|writer, place| writer.outcome(other(place), 0, output(), 0)),
        lie(|writer, place| writer.passed(other(place))),
        lie(|writer, place| writer.passed(place)),
        lie(|writer, place| {
            writer.outcome(place, 0, output(), 0);
            writer.passed(place);
        }),
        lie(|writer, place| (0..3).for_each(|item| writer.outcome(place, item, output(), 0))),
    ];
    for error in lies {
        assert!(matches!(error, LaneError::Frame(FrameError::Untrue { .. })), "{error:?}");
    }
}

#[test]
fn progress_behind_the_end_of_a_job_is_dropped() {
    let (mut lane, _reader, mut writer, page) = pair(FRAME_BYTES_MAX, false);
    let place = lane.push_run(0, &[item(b"a")]).unwrap();
    assert!(page.begin(place, 0, 0));
    writer.progress(place, 0, 1, 2);
    page.leave(place, 0);
    writer.outcome(place, 0, Outcome::RunLimit, 0);
    writer.progress(place, 0, 2, 2);
    writer.passed(place);
    writer.progress(place, 0, 2, 2);
    writer.flush().unwrap();
    let mut progress = 0;
    let _ = lane.drain(&mut |report| progress += u32::from(matches!(report, Report::Progress { .. }))).unwrap();
    assert_eq!(progress, 1);
}

#[test]
fn options_and_the_setup_reach_the_worker() {
    let (mut lane, mut reader, mut writer, _page) = pair(FRAME_BYTES_MAX, false);
    let setup = crate::wire::Setup { version: 1, digest: 5, frame_bytes_max: 5000, initializer: None };
    lane.push(Order::Setup(setup.clone())).unwrap();
    let options = ItemOptions { run_limit_ns: Some(7), ..ItemOptions::default() };
    lane.push_run(1, &[Item { argument: (&b"x"[..]).into(), options: Some(&options), attachments: None }]).unwrap();
    let _ = lane.flush().unwrap();
    assert!(reader.fill().unwrap());
    assert_eq!(reader.next().unwrap(), Some(Order::Setup(setup)));
    reader.set_frame_bytes_max(5000);
    writer.set_frame_bytes_max(5000);
    let Some(Order::Row(assigned)) = reader.next().unwrap() else { panic!("it was pushed") };
    assert_eq!((assigned.job, assigned.options), (1, options));
    writer.ready(6, Some("no database"));
    writer.flush().unwrap();
    let mut told = Vec::new();
    let _ = lane.drain(&mut |report| told.extend(owned_reports(report))).unwrap();
    let Report::Ready { digest: 6, failure: Some(failure), .. } = &told[0] else { panic!("{told:?}") };
    assert_eq!(failure, "no database");
    drop(lane);
    assert!(!reader.fill().unwrap(), "the owner is gone");
    writer.ready(6, None);
    writer.flush().unwrap_err();
    let _ = writer.socket().as_fd();
}
