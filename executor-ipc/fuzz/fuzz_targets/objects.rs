//! Any bytes in the memory of locks, values, arrays and queues: `cargo +nightly fuzz run objects`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| executor_ipc::fuzzing::objects(bytes));
