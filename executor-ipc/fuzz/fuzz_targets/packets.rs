//! Any bytes as packets of a channel: `cargo +nightly fuzz run packets`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| executor_ipc::fuzzing::packets(bytes));
