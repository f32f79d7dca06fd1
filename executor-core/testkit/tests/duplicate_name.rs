//! A job name used twice: no executor can be built in such a program, so that this is a program of its own.

use executor_core::{BuildError, InlineExecutor, job};

#[job(name = "thumbnail")]
fn small(width: u32) -> u32 {
    width
}

#[job(name = "thumbnail")]
fn large(width: u32) -> u32 {
    10 * width
}

#[test]
fn two_jobs_of_one_name_are_an_error_that_names_both() {
    let error = InlineExecutor::builder().build().unwrap_err();
    let text = error.to_string();
    let BuildError::DuplicateJobName(duplicate) = error else { panic!("the error is another one: {text}") };
    assert_eq!(duplicate.name(), "thumbnail");
    assert_eq!(text.matches("duplicate_name.rs:").count(), 2, "{text}");
    // It is the program that is at fault, so that it is so for every executor, and every time.
    assert!(InlineExecutor::builder().encode(true).build().is_err());
    // The functions and the jobs are there all the same.
    let _jobs = (small::job(small(1)), large::job(large(1)));
}
