//! Any bytes as answers of a manager's server: `cargo +nightly fuzz run manager_answers`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| executor_ipc::manager::fuzzing::answers(bytes));
