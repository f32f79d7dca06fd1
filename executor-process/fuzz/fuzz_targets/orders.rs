//! Any bytes as orders to a worker: `cargo +nightly fuzz run orders`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| executor_process::fuzzing::orders(bytes));
