//! Any bytes as calls of a manager's server: `cargo +nightly fuzz run manager_calls`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| executor_ipc::manager::fuzzing::calls(bytes));
