//! Shared values between processes: who sees what, and what is left when somebody dies.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "these are tests")]

mod peer;

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use bytemuck::{Pod, Zeroable};
use executor_ipc::{SharedArray, SharedBytes, SharedValue, attach};
use peer::{Asker, Peer, Random, counts, is_long, run, serve};
use serde::{Deserialize, Serialize};

fn main() {
    let mut kept = Vec::new();
    if serve(|asker, request| answer(&mut kept, asker, request)) {
        return;
    }
    run(&[
        ("both_sides_see_writes", both_sides_see_writes),
        ("points_are_changed_by_a_child", points_are_changed_by_a_child),
        ("atomics_count_between_processes", atomics_count_between_processes),
        ("who_ends_takes_nothing_along", who_ends_takes_nothing_along),
        ("what_nobody_holds_is_gone", what_nobody_holds_is_gone),
        ("what_comes_again_is_mapped_once", what_comes_again_is_mapped_once),
        ("a_lock_that_comes_while_it_is_held_leaves_nothing", a_lock_that_comes_while_it_is_held_leaves_nothing),
        ("an_array_survives_storms_of_kills", an_array_survives_storms_of_kills),
    ]);
}

#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
struct Point {
    x: f64,
    y: f64,
}

/// What a process is asked.
#[derive(Debug, Serialize, Deserialize)]
enum Request {
    /// To add one to each of them.
    AddOne(SharedValue<u16>, SharedValue<f64>, SharedArray<i64>, SharedBytes),
    /// To square both coordinates.
    Square(SharedArray<Point>),
    /// To count so far.
    Count(SharedValue<AtomicU64>, SharedArray<AtomicU64>, u64),
    /// To keep it, or to keep nothing any more.
    Keep(SharedBytes),
    Forget,
    /// To send back the byte at this place of each that is kept.
    Byte(usize),
    /// How many descriptors and mappings it has.
    Counts,
    /// To fill the elements with one number after another, until it is killed.
    Storm(SharedArray<u64>),
}

fn answer(kept: &mut Vec<SharedBytes>, asker: &Asker, request: Request) {
    match request {
        Request::AddOne(small, float, row, bytes) => {
            small.set(small.get().unwrap() + 1);
            *float.lock().unwrap() += 1.0;
            row.lock().unwrap().iter_mut().for_each(|element| *element += 1);
            bytes.lock().unwrap().iter_mut().for_each(|byte| *byte += 1);
            asker.tell(&true);
        }
        Request::Square(points) => {
            for point in points.lock().unwrap().iter_mut() {
                *point = Point { x: point.x.powi(2), y: point.y.powi(2) };
            }
            asker.tell(&true);
        }
        Request::Count(sum, row, end) => {
            for turn in 0..end {
                sum.fetch_add(1, Ordering::Relaxed);
                row[turn as usize % row.len()].fetch_add(1, Ordering::Relaxed);
            }
            asker.tell(&true);
        }
        Request::Keep(bytes) => {
            kept.push(bytes);
            asker.tell(&true);
        }
        Request::Forget => {
            kept.clear();
            asker.tell(&true);
        }
        Request::Byte(place) => asker.tell(&kept.iter().map(|bytes| bytes.lock().unwrap()[place]).collect::<Vec<u8>>()),
        Request::Counts => asker.tell(&counts()),
        Request::Storm(row) => {
            asker.tell(&true);
            for number in 1.. {
                let mut elements = row.lock().unwrap_or_else(|died| died.repair(|elements| repair(elements)));
                let next = number.max(elements[0] + 1);
                for element in elements.iter_mut() {
                    *black_box(element) = next;
                }
            }
        }
    }
}

/// What was not written yet gets what was.
fn repair(elements: &mut [u64]) {
    let highest = elements.iter().copied().max().unwrap();
    elements.fill(highest);
}

type Process = Peer<Request>;

/// Law 255, 278.
fn both_sides_see_writes() {
    let peer = Process::start();
    let (small, float) = (SharedValue::new(u16::MAX - 1).unwrap(), SharedValue::new(-0.5).unwrap());
    let row = SharedArray::from_slice(&[i64::MIN, -1, 5]).unwrap();
    let bytes = SharedBytes::new(100_000).unwrap();
    let part = bytes.slice(10..99_990);
    assert!(peer.ask::<bool>(&Request::AddOne(small.clone(), float.clone(), row.clone(), part)));
    assert_eq!((small.get().unwrap(), float.get().unwrap()), (u16::MAX, 0.5));
    assert_eq!(*row.lock().unwrap(), [i64::MIN + 1, 0, 6]);
    let bytes = bytes.lock().unwrap();
    assert!(bytes[..10] == [0; 10] && bytes[99_990..] == [0; 10] && bytes[10..99_990].iter().all(|&byte| byte == 1));
    peer.end();
}

/// Law 257.
fn points_are_changed_by_a_child() {
    let peer = Process::start();
    let points =
        SharedArray::from_slice(&[(1.875, -6.25), (-5.75, 2.0), (2.375, 9.5)].map(|(x, y)| Point { x, y })).unwrap();
    let copy = points.lock().unwrap().to_vec();
    assert!(peer.ask::<bool>(&Request::Square(points.clone())));
    let expected: Vec<Point> = copy.iter().map(|point| Point { x: point.x * point.x, y: point.y * point.y }).collect();
    assert_eq!(*points.lock().unwrap(), *expected);
    assert_eq!(copy[0], Point { x: 1.875, y: -6.25 });
    peer.end();
}

/// Law 255.
fn atomics_count_between_processes() {
    let peers = [Process::start(), Process::start()];
    let (sum, row) = (SharedValue::new(AtomicU64::new(0)).unwrap(), SharedArray::<AtomicU64>::new(7).unwrap());
    let each = 70_000;
    for peer in &peers {
        peer.tell(&Request::Count(sum.clone(), row.clone(), each));
    }
    for peer in peers {
        assert!(peer.hear::<bool>());
        peer.end();
    }
    assert_eq!(sum.load(Ordering::Relaxed), 2 * each);
    assert!(row.iter().all(|element| element.load(Ordering::Relaxed) == 2 * each / 7));
}

/// Law 280, 285.
fn who_ends_takes_nothing_along() {
    let (first, second) = (Process::start(), Process::start());
    let bytes = SharedBytes::new(1 << 20).unwrap();
    for peer in [&first, &second] {
        assert!(peer.ask::<bool>(&Request::Keep(bytes.clone())));
    }
    bytes.lock().unwrap()[77] = 7;
    first.kill();
    assert_eq!(second.ask::<Vec<u8>>(&Request::Byte(77)), [7]);
    // Whoever made it may go first, too.
    drop(bytes);
    assert_eq!(second.ask::<Vec<u8>>(&Request::Byte(77)), [7]);
    second.end();
}

/// A handle that this process sent to itself, as it comes back from another one.
fn sent<T: Serialize + serde::de::DeserializeOwned>(handle: &T) -> T {
    let (bytes, attachments) = attach::collect(|| postcard::to_stdvec(handle).unwrap());
    let copies: attach::Attachments = attachments.iter().map(|fd| fd.try_clone_to_owned().unwrap()).collect();
    attach::supply(copies, || postcard::from_bytes(&bytes).unwrap())
}

/// Here, and where they come from another process.
fn what_comes_again_is_mapped_once() {
    let (peer, bytes) = (Peer::start(), SharedBytes::new(4096).unwrap());
    let before: (usize, usize) = peer.ask(&Request::Counts);
    for _ in 0..100 {
        assert!(peer.ask::<bool>(&Request::Keep(bytes.clone())));
    }
    assert_eq!(peer.ask::<(usize, usize)>(&Request::Counts), (before.0 + 1, before.1 + 1));
    let before = counts();
    let again: Vec<SharedBytes> = (0..10_000).map(|_| sent(&bytes)).collect();
    again[9_999].lock().unwrap()[1] = 7;
    assert_eq!((counts(), bytes.lock().unwrap()[1]), (before, 7));
    // It is gone with the last of them, and found no more.
    drop(bytes);
    assert_eq!(counts(), before);
    let (descriptors, mappings) = before;
    drop(again);
    assert_eq!(counts(), (descriptors - 1, mappings - 1));
    peer.end();
}

/// What is dropped while somebody has the lock must not be unmapped, if it is the last; and these are not.
fn a_lock_that_comes_while_it_is_held_leaves_nothing() {
    let value = SharedValue::new(0_u64).unwrap();
    let before = counts();
    let guard = value.lock().unwrap();
    for _ in 0..1000 {
        drop(sent(&value));
    }
    drop(guard);
    assert_eq!(counts(), before);
}

/// Law 281, 284.
fn what_nobody_holds_is_gone() {
    let peer = Process::start();
    let round = || {
        let all: Vec<SharedBytes> = (1..20).map(|pages| SharedBytes::new(pages * 4096).unwrap()).collect();
        for bytes in &all {
            assert!(peer.ask::<bool>(&Request::Keep(bytes.slice(1..))));
        }
        let (descriptors, mappings) = counts();
        assert!(descriptors >= 19 && mappings == 19);
        assert_eq!(peer.ask::<(usize, usize)>(&Request::Counts).1, 19);
        assert!(peer.ask::<bool>(&Request::Forget));
    };
    round();
    let before: [(usize, usize); 2] = [counts(), peer.ask(&Request::Counts)];
    (0..10).for_each(|_| round());
    let after: [(usize, usize); 2] = [counts(), peer.ask(&Request::Counts)];
    assert_eq!(after, before);
    assert_eq!((before[0].1, before[1].1), (0, 0));
    peer.end();
}

/// Two processes fill the elements, and one after the other is killed at some instant: what nobody is told of is whole.
fn an_array_survives_storms_of_kills() {
    let kills = if is_long() { 10_000 } else { 100 };
    let mut random = Random::new("SharedArray");
    let row = SharedArray::<u64>::new(400).unwrap();
    let start = || {
        let peer = Process::start();
        assert!(peer.ask::<bool>(&Request::Storm(row.clone())));
        peer
    };
    let mut peers = [(); 2].map(|()| start());
    let (mut told, mut torn, mut last) = (0, 0, 0);
    for kill in 0..kills {
        thread::sleep(Duration::from_micros(random.below(300)));
        std::mem::replace(&mut peers[kill % 2], start()).kill();
        let elements = row.lock().unwrap_or_else(|died| {
            told += 1;
            died.repair(|elements| {
                torn += u64::from(elements.iter().any(|&element| element != elements[0]));
                repair(elements);
            })
        });
        assert!(elements.iter().all(|&element| element == elements[0]) && elements[0] >= last);
        last = elements[0];
    }
    peers.into_iter().for_each(Process::kill);
    println!("  {kills} kills, {told} told here, {torn} of them in the middle, {last} rounds");
    assert!(last > kills as u64);
}
