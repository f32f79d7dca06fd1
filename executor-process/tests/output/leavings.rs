//! What is left of captured output: no program that holds a pool, and no descriptor.

use std::process::Command;

use executor_core::{Executor, JobOptions, Retries, job};
use executor_testkit::eventually;

use crate::common::{THREADED_METHODS, all_workers_of, descriptors, has_ended, kill, named, watched};
use crate::printers::{die_talking, print_one};
use crate::{all_lines, capturing};

/// Starts a program that prints for as long as its standard output is read.
#[job]
fn leave_a_printer() -> u32 {
    let mut command = Command::new("yes");
    // Nobody waits for it, and the system reaps it when the worker has ended.
    command.arg("left behind").spawn().map(|program| program.id()).unwrap()
}

#[test]
fn a_program_that_a_job_left_does_not_hold_the_pool() {
    let _watched = watched();
    for method in THREADED_METHODS {
        let pool = named("left", 1).start_method(method).on_output(drop).build().unwrap();
        let printer = pool.submit(leave_a_printer::job()).result().unwrap();
        for number in 0..20 {
            assert_eq!(pool.submit(print_one::job(number)).result().unwrap(), number);
        }
        kill(all_workers_of("left", 1)[0]);
        let again = JobOptions::new().retries(Retries::times(3));
        assert_eq!(pool.submit_with(print_one::job(5), again).result().unwrap(), 5);
        drop(pool);
        // Nobody reads what it prints.
        eventually("the program has ended", || has_ended(printer));
    }
}

#[test]
fn pools_with_captured_output_leave_no_descriptor() {
    let _watched = watched();
    let ran = Command::new("/proc/self/exe")
        .args(["--exact", "leavings::descriptors_come_back", "--ignored", "--test-threads=1"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success() && text.contains("1 passed"), "{text}");
}

#[test]
#[ignore = "it counts what the whole process has, and is run alone by the test above"]
fn descriptors_come_back() {
    let round = || {
        let (builder, lines) = capturing("passing", 2);
        let pool = builder.build().unwrap();
        assert_eq!(pool.map(print_one::job, 0..20).filter(Result::is_ok).count(), 20);
        let _ = pool.submit(die_talking::job("x".to_owned())).result();
        assert_eq!(all_lines(pool, &lines).len(), 22);
    };
    round();
    let before = descriptors();
    (0..20).for_each(|_| round());
    eventually("the descriptors are back", || descriptors() == before);
}
