//! Any bytes as reports of a worker: `cargo +nightly fuzz run reports`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| executor_process::fuzzing::reports(bytes));
