//! What a process has around it, what it gets from its parent, and what it does not.

use executor_core::job;
use executor_process::{Process, SpawnError};
use executor_testkit::{Gate, Log, Pass, Pen, jobs};
use futures::executor::block_on;
use serde::{Deserialize, Serialize};

use crate::common::{THREADED_METHODS, descriptors, watched};
use crate::quiet;

/// What it finds around it: a variable, another, its directory, its niceness, how many files it may open.
#[job]
fn surroundings() -> (Option<String>, bool, String, i32, u64) {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, rest) = stat.rsplit_once(')').unwrap();
    let niceness = rest.split_whitespace().nth(16).unwrap().parse().unwrap();
    let (files, _) = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE).unwrap();
    let directory = std::env::current_dir().unwrap().display().to_string();
    (std::env::var("CHILD_HAS").ok(), std::env::var_os("CARGO_PKG_NAME").is_some(), directory, niceness, files)
}

#[test]
fn law_220_surroundings_are_as_the_builder_says() {
    let _watched = watched();
    let own = block_on(Process::spawn(surroundings::job()).unwrap()).unwrap();
    assert_eq!(own, surroundings(), "without a word they are those of the program");
    for method in THREADED_METHODS {
        let builder = quiet(method).env("CHILD_HAS", "it").env_remove("CARGO_PKG_NAME").current_dir("/");
        let process = builder.niceness(3).open_files_max(100).spawn(surroundings::job()).unwrap();
        let expected = (Some("it".to_owned()), false, "/".to_owned(), own.3 + 3, 100);
        assert_eq!(process.result().unwrap(), expected, "{method:?}");
        for wrong in [
            quiet(method).env("A=B", "1"),
            quiet(method).current_dir("/nowhere/at/all"),
            quiet(method).open_files_max(u64::MAX - 1),
        ] {
            assert!(matches!(wrong.spawn(surroundings::job()), Err(SpawnError::Invalid { .. })), "{method:?}");
        }
    }
}

/// Writes down in which process it is dropped.
#[derive(Debug, Serialize, Deserialize)]
struct Mourned(Pen);

impl Drop for Mourned {
    fn drop(&mut self) {
        self.0.write(std::process::id().into());
    }
}

#[job]
fn hold(mourned: Mourned, gate: Pass) {
    gate.go();
    drop(mourned);
}

#[test]
fn law_207_the_job_is_let_go_of_on_both_sides() {
    let _watched = watched();
    for method in THREADED_METHODS {
        let (log, gate) = (Log::new(), Gate::new());
        let process = quiet(method).spawn(hold::job(Mourned(log.pen()), gate.pass())).unwrap();
        assert_eq!(log.entries(), [u64::from(std::process::id())]);
        gate.open();
        let pid = process.pid();
        process.result().unwrap();
        assert_eq!(log.entries(), [std::process::id().into(), pid.into()]);
    }
}

/// How many descriptors its process has; then it waits.
#[job]
fn count_descriptors(gate: Pass) -> usize {
    let count = descriptors();
    gate.go();
    count
}

#[test]
fn law_208_siblings_do_not_inherit_from_one_another() {
    let _watched = watched();
    for method in THREADED_METHODS {
        let gate = Gate::new();
        let mut processes = Vec::new();
        for alive in 1..=8 {
            processes.push(quiet(method).spawn(count_descriptors::job(gate.pass())).unwrap());
            gate.wait_for(alive);
        }
        gate.open();
        let counts: Vec<_> = processes.into_iter().map(|process| process.result().unwrap()).collect();
        assert!(counts.iter().all(|&count| count == counts[0]), "{method:?}: {counts:?}");
    }
}

#[test]
fn much_goes_there_and_back() {
    let _watched = watched();
    // More than a socket holds.
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| n as u8).collect();
    let expected = jobs::bytes_back(bytes.clone());
    for method in THREADED_METHODS {
        let process = quiet(method).spawn(jobs::bytes_back::job(bytes.clone())).unwrap();
        assert!(process.result().unwrap() == expected, "{method:?}");
    }
}
