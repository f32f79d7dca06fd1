//! Blobs as arguments of jobs: they cross without a copy, and nothing of them is left.
//!
//! Arenas and descriptors are those of the whole process, so that one test runs after another.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "these are tests")]

mod common;

use std::collections::BTreeSet;
use std::sync::Mutex;

use common::blobs::{LEN, is_filled, mappings};
use common::{THREADED_METHODS, descriptors, named, watched};
use executor_core::{Executor, JobError, JobOptions, Retries, current, job};
use executor_ipc::{ARENAS_MAX, Blob};
use executor_testkit::{Gate, Log, Pass, Pen, eventually};

const TESTS: [(&str, fn()); 12] = [
    ("a_large_blob_crosses_without_a_copy", a_large_blob_crosses_without_a_copy),
    ("one_blob_goes_to_many_jobs", one_blob_goes_to_many_jobs),
    ("items_of_a_map_have_blobs", items_of_a_map_have_blobs),
    ("blobs_find_their_jobs_among_others", blobs_find_their_jobs_among_others),
    ("a_worker_keeps_a_blob_beyond_its_job", a_worker_keeps_a_blob_beyond_its_job),
    ("a_job_that_is_killed_gives_its_blob_back", a_job_that_is_killed_gives_its_blob_back),
    ("a_crash_costs_no_blob", a_crash_costs_no_blob),
    ("each_attempt_has_the_same_blob", each_attempt_has_the_same_blob),
    ("a_cancelled_job_gives_its_blob_back", a_cancelled_job_gives_its_blob_back),
    ("more_blobs_than_arenas_are_right_too", more_blobs_than_arenas_are_right_too),
    ("long_bytes_and_texts_cross_as_blobs_do", long_bytes_and_texts_cross_as_blobs_do),
    ("nothing_is_left_behind", nothing_is_left_behind),
];

fn main() {
    executor_process::init();
    let filter = std::env::args().nth(1).filter(|filter| !filter.starts_with('-')).unwrap_or_default();
    for (name, test) in TESTS.into_iter().filter(|(name, _)| name.contains(&filter)) {
        let watched = watched();
        test();
        drop(watched);
        println!("test {name} ... ok");
    }
}

fn filled(len: usize, byte: u8) -> Blob {
    let blob = Blob::with_len(len, |bytes| bytes.fill(byte));
    assert!(blob.is_shared());
    blob
}

/// True if a next Blob of [`LEN`] can be in this memory again. All that is kept is looked at.
fn is_free(place: *const u8) -> bool {
    let all: Vec<Blob> = (0..ARENAS_MAX).map(|_| Blob::with_len(LEN, |_| {})).collect();
    all.iter().any(|blob| blob.as_ptr() == place)
}

/// What a worker sees of a Blob: its length, whether it is shared and filled with this byte, and how many arenas are mapped.
#[job]
fn look(blob: &Blob, byte: u8) -> (usize, bool, bool, usize) {
    (blob.len(), blob.is_shared(), is_filled(blob, byte), mappings())
}

/// Blobs and plain bytes, all filled with this byte.
#[job]
fn are_filled(blobs: Vec<Blob>, bytes: Vec<u8>, byte: u8) -> bool {
    blobs.iter().all(|blob| is_filled(blob, byte)) && bytes.iter().all(|&found| found == byte)
}

static KEPT: Mutex<Vec<Blob>> = Mutex::new(Vec::new());

#[job]
fn keep(blob: Blob) {
    KEPT.lock().unwrap().push(blob);
}

/// True if the Blobs that the worker keeps are filled with 0, 1, 2 and so on.
#[job]
fn kept_are_filled(count: usize) -> bool {
    let kept = KEPT.lock().unwrap();
    kept.len() == count && (0..).zip(&*kept).all(|(byte, blob)| is_filled(blob, byte))
}

#[job]
fn forget() {
    KEPT.lock().unwrap().clear();
}

#[job]
fn hold(blob: Blob, pass: Pass) -> usize {
    pass.go();
    blob.len()
}

#[job]
fn abort_with(blob: Blob) -> usize {
    assert!(is_filled(&blob, 5));
    std::process::abort()
}

/// Gives the bytes with one more, how long the text is, and how many arenas are mapped.
#[job]
fn lengthen(bytes: Vec<u8>, text: String) -> (Vec<u8>, usize, usize) {
    let mut longer = bytes;
    longer.push(1);
    (longer, text.len(), mappings())
}

/// Fails in every attempt before number `good`, also by its death.
#[job]
fn succeed_at(blob: Blob, good: u32, pen: Pen) -> Result<usize, String> {
    pen.write(u64::from(is_filled(&blob, 4)));
    match current().attempt() {
        attempt if attempt >= good => Ok(blob.len()),
        1 => std::process::abort(),
        _ => Err("not yet".to_owned()),
    }
}

/// How many descriptors the worker has, without those of the mappings that it keeps.
#[job]
fn descriptors_here() -> usize {
    descriptors() - mappings()
}

fn a_large_blob_crosses_without_a_copy() {
    for method in THREADED_METHODS {
        let pool = named("blob-large", 1).start_method(method).build().unwrap();
        let blob = filled(100_000_000, 3);
        for _ in 0..3 {
            let looked = pool.submit(look::job(blob.clone(), 3)).result().unwrap();
            assert_eq!(looked, (100_000_000, true, true, 1));
        }
        let slice = blob.slice(99_000_000..);
        assert_eq!(pool.submit(look::job(slice, 3)).result().unwrap(), (1_000_000, true, true, 1));
        assert_eq!(pool.submit(look::job(blob.slice(..9), 3)).result().unwrap(), (9, false, true, 1));
    }
}

fn one_blob_goes_to_many_jobs() {
    let pool = named("blob-many", 2).build().unwrap();
    let blob = filled(LEN, 9);
    let futures: Vec<_> = (0..500).map(|_| pool.submit(look::job(blob.clone(), 9))).collect();
    for future in futures {
        assert_eq!(future.result().unwrap(), (LEN, true, true, 1));
    }
}

fn items_of_a_map_have_blobs() {
    let pool = named("blob-map", 2).build().unwrap();
    let item = |number: usize| {
        let len = if number.is_multiple_of(3) { LEN + number } else { number };
        look::job(Blob::with_len(len, |bytes| bytes.fill(number as u8)), number as u8)
    };
    for (number, looked) in (0..400).zip(pool.map(item, 0..400)) {
        let (len, is_shared, is_filled, _) = looked.unwrap();
        let large = number % 3 == 0;
        assert_eq!((len, is_filled), (if large { LEN + number } else { number }, true));
        assert!(large || !is_shared);
    }
    let blob = filled(LEN, 1);
    let shared = pool.map_unordered(|_| look::job(blob.clone(), 1), 0..1000);
    assert_eq!(shared.filter(|looked| matches!(looked, Ok((LEN, true, true, _)))).count(), 1000);
}

fn blobs_find_their_jobs_among_others() {
    let pool = named("blob-mixed", 2).build().unwrap();
    let blobs: Vec<Blob> = (0..5).map(|byte| filled(LEN, byte)).collect();
    let job = |number: usize| {
        let byte = number % 5;
        // None to three arenas, and bytes that are copied, written from where they are, or read around the buffer.
        let with: Vec<Blob> = (0..number % 4).map(|part| blobs[byte].slice(part..)).collect();
        let plain = vec![byte as u8; [0, 100, 20_000, 70_000, 900_000][number / 4 % 5]];
        are_filled::job(with, plain, byte as u8)
    };
    let futures: Vec<_> = (0..400).map(|number| pool.submit(job(number))).collect();
    for (number, future) in futures.into_iter().enumerate() {
        assert!(future.result().unwrap(), "{number}");
    }
}

fn a_worker_keeps_a_blob_beyond_its_job() {
    let pool = named("blob-keep", 1).build().unwrap();
    let mut places = BTreeSet::new();
    for byte in 0..10 {
        let blob = filled(LEN, byte);
        // What the worker keeps is not filled again.
        assert!(places.insert(blob.as_ptr()));
        pool.submit(keep::job(blob)).result().unwrap();
    }
    assert!(pool.submit(kept_are_filled::job(10)).result().unwrap());
    pool.submit(forget::job()).result().unwrap();
    let place = *places.first().unwrap();
    eventually("an arena that the worker let go of is filled again", || is_free(place));
}

fn a_job_that_is_killed_gives_its_blob_back() {
    let pool = named("blob-kill", 1).build().unwrap();
    for _ in 0..5 {
        let gate = Gate::new();
        let blob = filled(LEN, 2);
        let place = blob.as_ptr();
        let future = pool.submit(hold::job(blob, gate.pass()));
        gate.wait_for(1);
        assert!(!is_free(place));
        assert!(future.kill());
        assert!(matches!(future.result(), Err(JobError::Killed)));
        eventually("the arena of a killed job is filled again", || is_free(place));
    }
}

fn a_crash_costs_no_blob() {
    let pool = named("blob-crash", 2).build().unwrap();
    let blob = filled(LEN, 5);
    for _ in 0..5 {
        let crash = pool.submit(abort_with::job(blob.clone()));
        let looks: Vec<_> = (0..20).map(|_| pool.submit(look::job(blob.clone(), 5))).collect();
        assert!(matches!(crash.result(), Err(JobError::WorkerDied { .. })));
        for look in looks {
            assert_eq!(look.result().unwrap(), (LEN, true, true, 1));
        }
    }
}

fn each_attempt_has_the_same_blob() {
    let pool = named("blob-retry", 2).build().unwrap();
    let log = Log::new();
    let options = JobOptions::new().retries(Retries::times(5));
    let blob = filled(LEN, 4);
    let place = blob.as_ptr();
    let future = pool.submit_with(succeed_at::job(blob, 4, log.pen()), options);
    assert_eq!(future.result().unwrap(), Ok(LEN));
    assert_eq!(log.entries(), [1, 1, 1, 1]);
    eventually("the arena of a job that was tried again is free", || is_free(place));
}

fn a_cancelled_job_gives_its_blob_back() {
    let pool = named("blob-cancel", 1).build().unwrap();
    let gate = Gate::new();
    let busy = pool.submit(hold::job(filled(LEN, 1), gate.pass()));
    gate.wait_for(1);
    let blob = filled(LEN, 2);
    let place = blob.as_ptr();
    // The first of them were sent to the worker, which has not begun them.
    let waiting: Vec<_> = (0..50).map(|_| pool.submit(look::job(blob.clone(), 2))).collect();
    drop(blob);
    assert!(!is_free(place));
    assert!(waiting.iter().all(|future| future.cancel()));
    drop(waiting);
    gate.open();
    assert_eq!(busy.result().unwrap(), LEN);
    eventually("the arena of cancelled jobs is free", || is_free(place));
}

fn more_blobs_than_arenas_are_right_too() {
    let pool = named("blob-most", 2).build().unwrap();
    let blobs: Vec<Blob> =
        (0..2 * ARENAS_MAX).map(|byte| Blob::with_len(LEN, |bytes| bytes.fill(byte as u8))).collect();
    assert!(blobs.iter().filter(|blob| blob.is_shared()).count() <= ARENAS_MAX);
    let looks: Vec<_> =
        blobs.iter().enumerate().map(|(byte, blob)| pool.submit(look::job(blob.clone(), byte as u8))).collect();
    for (blob, look) in blobs.iter().zip(looks) {
        let (len, is_shared, is_filled, _) = look.result().unwrap();
        assert_eq!((len, is_shared, is_filled), (LEN, blob.is_shared(), true));
    }
    // All in one message.
    let whole: Vec<Blob> = blobs.iter().map(|_| filled_or_plain(7)).collect();
    drop(blobs);
    assert!(pool.submit(are_filled::job(whole, Vec::new(), 7)).result().unwrap());
}

fn filled_or_plain(byte: u8) -> Blob {
    Blob::with_len(LEN, |bytes| bytes.fill(byte))
}

fn long_bytes_and_texts_cross_as_blobs_do() {
    for method in THREADED_METHODS {
        let pool = named("blob-long", 1).start_method(method).build().unwrap();
        let round = |byte: u8| {
            let (bytes, text) = (vec![byte; LEN], String::from(byte as char).repeat(LEN));
            let (longer, length, arenas) = pool.submit(lengthen::job(bytes, text)).result().unwrap();
            assert!(longer.len() == LEN + 1 && longer[..LEN].iter().all(|&other| other == byte) && longer[LEN] == 1);
            // Those of this round, at least: they are kept for the next ones.
            assert!(length == LEN && arenas >= 2, "{length} {arenas}");
        };
        (1..4).for_each(round);
        let there = || pool.submit(descriptors_here::job()).result().unwrap();
        let (here, before) = (descriptors(), there());
        (1..100).for_each(round);
        eventually("the worker has no more descriptors than before", || there() <= before);
        eventually("the owner has no more descriptors than before", || descriptors() <= here + ARENAS_MAX);
    }
}

fn nothing_is_left_behind() {
    let pool = named("blob-left", 1).build().unwrap();
    let round = || {
        let blobs: Vec<Blob> = (0..4).map(|byte| filled(LEN, byte)).collect();
        let looks: Vec<_> =
            (0..20).map(|number: usize| pool.submit(look::job(blobs[number % 4].clone(), number as u8 % 4))).collect();
        assert!(looks.into_iter().all(|look| look.result().unwrap().2));
    };
    round();
    let there = || pool.submit(descriptors_here::job()).result().unwrap();
    let (here, before) = (descriptors(), there());
    (0..100).for_each(|_| round());
    eventually("the worker has no more descriptors than before", || there() <= before);
    // An arena that waits to be filled again may or may not have the end of a pipe at which that is seen.
    eventually("the owner has no more descriptors than before", || descriptors() <= here + ARENAS_MAX);
}
