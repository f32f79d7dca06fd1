//! Any bytes in the memory of a queue: `cargo +nightly fuzz run queue`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| executor_ipc::fuzzing::queue(bytes));
