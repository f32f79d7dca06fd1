//! Blobs as outputs of jobs: they come back without a copy, and nothing of them is left.
//!
//! Arenas and descriptors are those of the whole process, so that one test runs after another.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "these are tests")]

mod common;

use std::collections::BTreeSet;

use common::blobs::{LEN, is_filled, mappings};
use common::{Dice, THREADED_METHODS, all_workers_of, descriptors, has_ended, kill, named, watched, workers_of};
use executor_core::{Executor, JobError, job};
use executor_ipc::{ARENAS_MAX, Blob, MAPPINGS_MAX};
use executor_process::Process;
use executor_testkit::{Gate, Pass, eventually};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

const TESTS: [(&str, fn()); 14] = [
    // The first make no Blobs here, so that all that is counted came from workers.
    ("outputs_that_nobody_reads_are_closed", outputs_that_nobody_reads_are_closed),
    ("outputs_that_are_read_leave_nothing", outputs_that_are_read_leave_nothing),
    ("a_killed_worker_costs_one_output_at_most", a_killed_worker_costs_one_output_at_most),
    ("an_owner_without_descriptors_loses_no_other_job", an_owner_without_descriptors_loses_no_other_job),
    ("outputs_are_plain_bytes_where_descriptors_are_scarce", outputs_are_plain_bytes_where_descriptors_are_scarce),
    ("a_large_output_comes_back_without_a_copy", a_large_output_comes_back_without_a_copy),
    ("a_blob_goes_there_and_back_in_one_place", a_blob_goes_there_and_back_in_one_place),
    ("small_outputs_are_plain_bytes", small_outputs_are_plain_bytes),
    ("outputs_of_a_map_come_in_order", outputs_of_a_map_come_in_order),
    ("an_output_has_several_blobs", an_output_has_several_blobs),
    ("an_error_has_a_blob", an_error_has_a_blob),
    ("a_killed_job_leaves_no_output", a_killed_job_leaves_no_output),
    ("a_process_returns_a_blob", a_process_returns_a_blob),
    ("a_blob_outlives_its_worker", a_blob_outlives_its_worker),
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

/// The files of the arenas that this process has mapped, by their inodes.
fn arenas() -> BTreeSet<String> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let arenas = maps.lines().filter(|line| line.contains("executor-blob"));
    arenas.map(|line| line.split_whitespace().nth(4).unwrap().to_owned()).collect()
}

/// How many descriptors this process has, without those of the mappings that it keeps.
fn loose_descriptors() -> usize {
    // A mapping that is made meanwhile is not there yet, and nobody makes one here but the test itself.
    descriptors() - mappings()
}

#[job]
fn make(len: usize, byte: u8) -> Blob {
    Blob::with_len(len, |bytes| bytes.fill(byte))
}

#[job]
fn back(blob: Blob) -> Blob {
    blob
}

#[job]
fn add(one: u64, other: u64) -> u64 {
    one + other
}

/// Blobs in arenas of their own and parts of one, among plain bytes.
#[job]
fn several(byte: u8, plain: usize) -> (Blob, Vec<u8>, Vec<Blob>) {
    let whole = Blob::with_len(2 * LEN, |bytes| bytes.fill(byte));
    let other = Blob::with_len(LEN, |bytes| bytes.fill(byte + 1));
    (whole.slice(..LEN), vec![byte; plain], vec![whole.slice(LEN..), other, whole.slice(..9)])
}

#[job]
fn refuse(byte: u8) -> Result<u32, Blob> {
    Err(Blob::with_len(LEN, |bytes| bytes.fill(byte)))
}

#[job]
fn make_and_pass(byte: u8, pass: Pass) -> Blob {
    let blob = Blob::with_len(LEN, |bytes| bytes.fill(byte));
    pass.go();
    blob
}

#[job]
fn make_here(byte: u8) -> (u32, Blob) {
    (std::process::id(), Blob::with_len(LEN, |bytes| bytes.fill(byte)))
}

/// How many descriptors the worker has, without those of the mappings that it keeps.
#[job]
fn descriptors_there() -> usize {
    loose_descriptors()
}

fn outputs_that_nobody_reads_are_closed() {
    let pool = named("out-unread", 2).build().unwrap();
    all_workers_of("out-unread", 2);
    pool.submit(add::job(1, 2)).result().unwrap();
    let before = loose_descriptors();
    for _ in 0..3 {
        let futures: Vec<_> = (0..40).map(|byte| pool.submit(make::job(LEN, byte))).collect();
        assert!(futures.iter().all(|future| future.wait_timeout(executor_testkit::hang_guard())));
        // Memory and hold of each wait to be taken.
        assert!(loose_descriptors() >= before + 2 * 40);
        drop(futures);
        eventually("what nobody takes is closed", || loose_descriptors() <= before);
    }
    // Nobody waits for the outcomes of these at all.
    (0..40).for_each(|byte| drop(pool.submit(make::job(LEN, byte))));
    drop(pool.map(|byte| make::job(LEN, byte), 0..200));
    pool.shutdown(executor_core::Shutdown::Drain).unwrap();
    eventually("what nobody waits for is closed", || loose_descriptors() <= before);
}

fn outputs_that_are_read_leave_nothing() {
    let pool = named("out-left", 1).build().unwrap();
    let round = || {
        let futures: Vec<_> = (0..20).map(|byte| pool.submit(make::job(LEN, byte))).collect();
        let blobs: Vec<Blob> = futures.into_iter().map(|future| future.result().unwrap()).collect();
        assert!((0..).zip(&blobs).all(|(byte, blob)| blob.is_shared() && is_filled(blob, byte)));
    };
    round();
    let there = || pool.submit(descriptors_there::job()).result().unwrap();
    let (here_before, there_before) = (loose_descriptors(), there());
    (0..50).for_each(|_| round());
    assert!(loose_descriptors() <= here_before);
    assert!(mappings() <= MAPPINGS_MAX);
    // An arena that waits to be filled again may or may not have the end of a pipe at which that is seen.
    eventually("the worker has no more descriptors than before", || there() <= there_before + ARENAS_MAX);
}

fn a_killed_worker_costs_one_output_at_most() {
    let pool = named("out-kill", 2).build().unwrap();
    all_workers_of("out-kill", 2);
    pool.submit(add::job(1, 2)).result().unwrap();
    let before = loose_descriptors();
    let mut dice = Dice::new(9);
    for _ in 0..10 {
        let futures: Vec<_> = (0..40).map(|byte| pool.submit(make::job(LEN, byte))).collect();
        futures[dice.below(40) as usize].wait();
        let workers = workers_of("out-kill");
        assert!(kill(workers[dice.below(workers.len() as u64) as usize]));
        let mut lost = 0;
        for (byte, future) in (0..).zip(futures) {
            match future.result() {
                Ok(blob) => assert!(is_filled(&blob, byte)),
                Err(JobError::WorkerDied { .. } | JobError::OutcomeLost { .. }) => lost += 1,
                Err(error) => unreachable!("{error}"),
            }
        }
        assert!(lost <= 1, "{lost} jobs were lost");
        all_workers_of("out-kill", 2);
    }
    eventually("nothing of a worker that was killed is left", || loose_descriptors() <= before);
    assert!(mappings() <= MAPPINGS_MAX);
}

fn an_owner_without_descriptors_loses_no_other_job() {
    let pool = named("out-none", 1).build().unwrap();
    all_workers_of("out-none", 1);
    assert!(pool.submit(make::job(LEN, 1)).result().unwrap().is_shared());
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    // There is no room for another.
    setrlimit(Resource::RLIMIT_NOFILE, 0, hard).unwrap();
    let unlucky = pool.submit(make::job(LEN, 2));
    let sum = pool.submit(add::job(3, 4)).result();
    let came = unlucky.result();
    setrlimit(Resource::RLIMIT_NOFILE, soft, hard).unwrap();
    assert_eq!(sum.unwrap(), 7);
    let Err(JobError::Decode { cause, .. }) = came else { unreachable!("its descriptors did not come: {came:?}") };
    assert!(cause.to_string().contains("there may be no room for more"), "{cause}");
    assert!(is_filled(&pool.submit(make::job(LEN, 5)).result().unwrap(), 5));
}

fn outputs_are_plain_bytes_where_descriptors_are_scarce() {
    let pool = named("out-scarce", 1).build().unwrap();
    all_workers_of("out-scarce", 1);
    pool.submit(add::job(1, 2)).result().unwrap();
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    // Half of it is a few more than there are. All outputs together would take more than the whole.
    let open = descriptors() as u64;
    assert!(open < 80);
    setrlimit(Resource::RLIMIT_NOFILE, 2 * open + 20, hard).unwrap();
    let futures: Vec<_> = (0..120)
        .map(|byte| {
            let future = pool.submit(make::job(LEN, byte));
            future.wait();
            future
        })
        .collect();
    let blobs: Vec<Blob> = futures.into_iter().map(|future| future.result().unwrap()).collect();
    setrlimit(Resource::RLIMIT_NOFILE, soft, hard).unwrap();
    assert!((0..).zip(&blobs).all(|(byte, blob)| blob.len() == LEN && is_filled(blob, byte)));
    let shared = blobs.iter().filter(|blob| blob.is_shared()).count();
    assert!((1..60).contains(&shared), "{shared} are shared");
    drop(blobs);
    // There is room again.
    eventually("outputs are shared again", || pool.submit(make::job(LEN, 1)).result().unwrap().is_shared());
}

fn a_large_output_comes_back_without_a_copy() {
    for method in THREADED_METHODS {
        let pool = named("out-large", 1).start_method(method).build().unwrap();
        for byte in 0..3 {
            let blob = pool.submit(make::job(100_000_000, byte)).result().unwrap();
            assert!(blob.is_shared() && blob.len() == 100_000_000);
            assert!(is_filled(&blob, byte));
        }
    }
}

fn a_blob_goes_there_and_back_in_one_place() {
    let pool = named("out-back", 2).build().unwrap();
    let blob = Blob::with_len(20_000_000, |bytes| bytes.fill(6));
    assert!(blob.is_shared());
    let before = arenas();
    for _ in 0..20 {
        let came = pool.submit(back::job(blob.clone())).result().unwrap();
        assert!(came.is_shared() && came == blob);
        // And what came can go once more.
        let part = pool.submit(back::job(came.slice(5..5 + LEN))).result().unwrap();
        assert!(part.is_shared() && part == blob.slice(..LEN));
    }
    assert!(arenas().is_subset(&before), "it is the memory that it was in");
}

fn small_outputs_are_plain_bytes() {
    let pool = named("out-small", 1).build().unwrap();
    for len in [0, 1, 10, 10_000] {
        let blob = pool.submit(make::job(len, 7)).result().unwrap();
        assert!(!blob.is_shared() && blob.len() == len && is_filled(&blob, 7));
    }
}

fn outputs_of_a_map_come_in_order() {
    let pool = named("out-map", 2).build().unwrap();
    // Most are small, so that they share frames and rows with those that are not.
    let len = |number: usize| if number.is_multiple_of(3) { LEN + number } else { number };
    let mut count = 0;
    for (number, made) in (0..600).zip(pool.map(|number: usize| make::job(len(number), number as u8), 0..600)) {
        let blob = made.unwrap();
        assert!(blob.len() == len(number) && is_filled(&blob, number as u8), "{number}");
        count += 1;
    }
    assert_eq!(count, 600);
    let blob = Blob::with_len(LEN, |bytes| bytes.fill(1));
    let shared = pool.map_unordered(|_| back::job(blob.clone()), 0..600);
    assert_eq!(shared.filter(|came| came.as_ref().is_ok_and(|came| *came == blob)).count(), 600);
}

fn an_output_has_several_blobs() {
    let pool = named("out-several", 2).build().unwrap();
    // Bytes that are copied, written from where they are, or read around the buffer.
    let plain = |number: usize| [0, 100, 20_000, 70_000, 900_000][number % 5];
    let futures: Vec<_> = (0..60).map(|number| pool.submit(several::job(number as u8, plain(number)))).collect();
    for (number, future) in futures.into_iter().enumerate() {
        let byte = number as u8;
        let (first, bytes, others) = future.result().unwrap();
        assert!(bytes.len() == plain(number) && bytes.iter().all(|&found| found == byte), "{number}");
        assert_eq!((first.len(), others.len()), (LEN, 3));
        assert!(is_filled(&first, byte) && is_filled(&others[0], byte) && is_filled(&others[1], byte + 1));
        assert!(others[2].len() == 9 && is_filled(&others[2], byte) && !others[2].is_shared());
    }
}

fn an_error_has_a_blob() {
    let pool = named("out-err", 1).build().unwrap();
    for byte in 0..5 {
        let refused = pool.submit(refuse::job(byte)).result().unwrap().unwrap_err();
        assert!(refused.is_shared() && refused.len() == LEN && is_filled(&refused, byte));
    }
    assert_eq!(pool.stats().failed, 5);
}

fn a_killed_job_leaves_no_output() {
    let pool = named("out-killed", 1).build().unwrap();
    pool.submit(add::job(1, 2)).result().unwrap();
    for byte in 0..5 {
        let gate = Gate::new();
        let future = pool.submit(make_and_pass::job(byte, gate.pass()));
        gate.wait_for(1);
        let before = arenas();
        assert!(future.kill());
        gate.open();
        assert!(matches!(future.result(), Err(JobError::Killed)));
        assert_eq!(arenas(), before);
    }
    assert!(is_filled(&pool.submit(make::job(LEN, 9)).result().unwrap(), 9));
}

fn a_process_returns_a_blob() {
    for method in THREADED_METHODS {
        let process = Process::builder().start_method(method).spawn(make::job(20_000_000, 3)).unwrap();
        let blob = process.result().unwrap();
        assert!(blob.is_shared() && blob.len() == 20_000_000 && is_filled(&blob, 3));
        let process = Process::builder().start_method(method).spawn(back::job(blob.clone())).unwrap();
        let came = process.result().unwrap();
        assert!(came.is_shared() && came == blob);
    }
}

fn a_blob_outlives_its_worker() {
    let pool = named("out-recycle", 1).recycle_after_jobs(1).build().unwrap();
    let kept: Vec<(u32, Blob)> = (0..5).map(|byte| pool.submit(make_here::job(byte)).result().unwrap()).collect();
    for (byte, (pid, blob)) in (0..).zip(&kept) {
        eventually("the worker is replaced", || has_ended(*pid));
        assert!(blob.is_shared() && is_filled(blob, byte));
    }
    pool.shutdown(executor_core::Shutdown::Drain).unwrap();
    assert!((0..).zip(&kept).all(|(byte, (_, blob))| is_filled(blob, byte)));
}
