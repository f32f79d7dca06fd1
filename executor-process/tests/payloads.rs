//! Arguments and results of every length, both ways.

mod common;

use common::{LARGE_LIMIT, THREADED_METHODS, named, runs_long_tests, watched, watched_for};
use executor_core::{Executor, JobError, job};
use executor_testkit::{Gate, Log, Pass, jobs};
use serde::{Deserialize, Serialize};

/// Lengths at which something changes on the way: buffers, sharing, windows of sockets; and those beside them.
const LENGTHS: [usize; 18] = [
    0,
    1,
    127,
    128,
    4095,
    (16 << 10) - 1,
    16 << 10,
    (64 << 10) - 1,
    64 << 10,
    (64 << 10) + 1,
    (208 << 10) + 1,
    (256 << 10) - 1,
    256 << 10,
    1 << 20,
    (4 << 20) + 3,
    16 << 20,
    64 << 20,
    100_000_000,
];

/// Bytes that tell their place, so that none can be exchanged or lost.
fn pattern(length: usize, salt: usize) -> Vec<u8> {
    // No power of two is a multiple of the length of the block, so that a part that came twice or not at all is seen.
    let block: Vec<u8> = (0..4093).map(|place| ((place * 31) ^ (place >> 8) ^ salt) as u8).collect();
    let mut bytes = block.repeat(length / block.len() + 1);
    bytes.truncate(length);
    bytes
}

/// The same in parts, each so short that it is written into the message. As a whole they are as long a message.
fn parts(length: usize, salt: usize) -> Vec<Vec<u8>> {
    pattern(length, salt).chunks(200_000).map(<[u8]>::to_vec).collect()
}

/// True if the bytes are those of the pattern.
#[job]
fn is_pattern(bytes: &[u8], length: usize, salt: usize) -> bool {
    bytes == pattern(length, salt)
}

#[job]
fn back(bytes: Vec<u8>) -> Vec<u8> {
    bytes
}

#[job]
fn parts_back(parts: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    parts
}

#[job]
fn text_back(text: String) -> String {
    text
}

#[job]
fn count(parts: &[Vec<u8>]) -> usize {
    parts.iter().map(Vec::len).sum()
}

#[job]
fn make_parts(length: usize, salt: usize) -> Vec<Vec<u8>> {
    parts(length, salt)
}

#[job]
fn make(length: usize, salt: usize) -> Vec<u8> {
    pattern(length, salt)
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Nested {
    name: String,
    parts: Vec<Vec<u8>>,
    more: Option<Box<Nested>>,
}

#[job]
fn nested_back(value: Nested) -> Nested {
    value
}

#[job]
fn wait_with(gate: Pass, bytes: Vec<u8>) -> usize {
    gate.go();
    bytes.len()
}

#[test]
fn every_length_comes_through() {
    let _watched = watched_for(LARGE_LIMIT);
    for method in THREADED_METHODS {
        let pool = named("lengths", 2).start_method(method).build().unwrap();
        for length in LENGTHS {
            assert!(pool.submit(is_pattern::job(pattern(length, 1), length, 1)).result().unwrap(), "{length}");
            assert!(pool.submit(make::job(length, 2)).result().unwrap() == pattern(length, 2), "{length}");
            assert!(pool.submit(back::job(pattern(length, 3))).result().unwrap() == pattern(length, 3), "{length}");
            if length > 16 << 20 {
                continue;
            }
            assert!(pool.submit(parts_back::job(parts(length, 4))).result().unwrap() == parts(length, 4), "{length}");
            let text = "ä".repeat(length / 2);
            assert!(pool.submit(text_back::job(text.clone())).result().unwrap() == text, "{length}");
        }
    }
}

/// In a debug build it takes minutes, and 10 GB of memory.
#[test]
fn lengths_beyond_a_signed_number_of_32_bits_come_through() {
    const LENGTH: usize = 2_500_000_000;
    if !runs_long_tests() {
        return;
    }
    let _watched = watched_for(10 * LARGE_LIMIT);
    for method in THREADED_METHODS {
        let pool = named("beyond", 1).start_method(method).build().unwrap();
        assert!(pool.submit(is_pattern::job(pattern(LENGTH, 1), LENGTH, 1)).result().unwrap(), "{method:?}");
        assert!(pool.submit(make::job(LENGTH, 2)).result().unwrap() == pattern(LENGTH, 2), "{method:?}");
        assert_eq!(pool.stats().worker_restarts, 0, "{method:?}");
    }
}

/// As long, and with 13 GB.
#[test]
fn what_is_too_long_is_refused_and_the_worker_kept() {
    const LENGTH: usize = 4 << 30;
    if !runs_long_tests() {
        return;
    }
    let _watched = watched_for(10 * LARGE_LIMIT);
    let pool = named("too-long", 1).build().unwrap();
    let worker = pool.submit(jobs::process_id::job()).result().unwrap();
    for (error, begin, end) in [
        (pool.submit(count::job(parts(LENGTH, 0))).result().map(drop).unwrap_err(), "job `", "::count` cannot"),
        (
            pool.submit(make_parts::job(LENGTH, 0)).result().map(drop).unwrap_err(),
            "the output of job `",
            "::make_parts` cannot",
        ),
    ] {
        let text = error.to_string();
        assert!(text.starts_with(begin) && text.contains(end), "{text}");
        let JobError::Encode { cause, .. } = error else { panic!("{text}") };
        assert!(cause.to_string().contains("4294967296 go between a pool and a worker"), "{cause}");
    }
    assert_eq!(pool.submit(jobs::process_id::job()).result().unwrap(), worker);
}

#[test]
fn many_at_once_do_not_block_one_another() {
    let _watched = watched();
    let pool = named("many", 2).build().unwrap();
    let rounds: Vec<_> = (0..48).map(|n| (n, LENGTHS[n % 14])).collect();
    let futures: Vec<_> = rounds
        .iter()
        .map(|&(n, length)| {
            let small = pool.submit(jobs::echo::job(n as u64));
            (pool.submit(back::job(pattern(length, n))), pool.submit(make::job(length, n)), small)
        })
        .collect();
    for ((n, length), (back, made, small)) in rounds.into_iter().zip(futures) {
        let expected = pattern(length, n);
        assert!(back.result().unwrap() == expected, "{n}");
        assert!(made.result().unwrap() == expected, "{n}");
        assert_eq!(small.result().unwrap(), n as u64);
    }
    let stats = pool.stats();
    assert_eq!((stats.finished, stats.failed, stats.worker_restarts), (144, 0, 0));
}

#[test]
fn a_map_goes_over_large_items() {
    let _watched = watched();
    let pool = named("map", 2).build().unwrap();
    let items = (0..24).map(|n| pattern(1 << 20, n));
    for (n, item) in (0..).zip(pool.map(back::job, items)) {
        assert!(item.unwrap() == pattern(1 << 20, n), "{n}");
    }
    let mixed = (0..200).map(|n| (LENGTHS[n % 12], n));
    let lengths: Vec<usize> = mixed.clone().map(|(length, _)| length).collect();
    let made = pool.map(|(length, salt)| make::job(length, salt), mixed);
    assert_eq!(made.map(|item| item.unwrap().len()).collect::<Vec<_>>(), lengths);
}

#[test]
fn nested_values_of_many_parts_come_back() {
    let _watched = watched();
    let pool = named("nested", 2).build().unwrap();
    let inner = Nested { name: "ä".repeat(100_000), parts: vec![Vec::new(); 50_000], more: None };
    let parts = (0..200).map(|n| pattern(n * 300, n)).collect();
    let outer = Nested { name: String::new(), parts, more: Some(Box::new(inner)) };
    assert!(pool.submit(nested_back::job(outer.clone())).result().unwrap() == outer);
}

#[test]
fn large_jobs_wait_in_a_bounded_queue() {
    const BYTES: usize = 4 << 20;
    let _watched = watched();
    let pool = named("bounded", 2).queue_capacity(2).build().unwrap();
    let (gate, log) = (Gate::new(), Log::new());
    let mut futures: Vec<_> = (0..2).map(|_| pool.submit(wait_with::job(gate.pass(), pattern(BYTES, 1)))).collect();
    gate.wait_for(2);
    futures.extend((0..2).map(|_| pool.submit(wait_with::job(gate.pass(), pattern(BYTES, 2)))));
    // The queue is full; the job comes back whole.
    let refused = pool.try_submit(wait_with::job(gate.pass(), pattern(BYTES, 3))).unwrap_err();
    assert!(refused.is_full());
    let again = refused.into_job();
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| pool.submit(again));
        gate.open();
        futures.push(waits.join().unwrap());
    });
    futures.extend((0..20).map(|_| pool.submit(wait_with::job(gate.pass(), pattern(BYTES, 4)))));
    for future in futures {
        assert_eq!(future.result().unwrap(), BYTES);
    }
    assert!(log.is_empty());
}
