//! What cannot be a job is refused by the compiler, in words that say what to do instead.
//!
//! After a change of the words, `TRYBUILD=overwrite cargo test --test compile_fail` writes the new ones; read them.

/// Law 55, 309.
#[test]
fn what_cannot_be_a_job_is_refused_with_advice() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
