//! A job name used twice: no pool can be built in such a program, so that this is a program of its own.

use executor_core::{BuildError, job};
use executor_thread::ThreadExecutor;

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
    for built in [ThreadExecutor::new(2), ThreadExecutor::builder().build()] {
        match built {
            Err(BuildError::DuplicateJobName(duplicate)) => {
                assert_eq!(duplicate.to_string().matches("duplicate_name.rs:").count(), 2, "{duplicate}");
            }
            other => panic!("{other:?}"),
        }
    }
    let _jobs = (small::job(small(1)), large::job(large(1)));
}
