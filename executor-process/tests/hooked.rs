//! Workers start from an integration test, after every constructor of the program, and only where they were meant.
#![cfg(feature = "hook")]
#![expect(unsafe_code, reason = "a constructor of the program's own, as registries have them")]
#![expect(clippy::unwrap_used, reason = "a test")]

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use executor_process::testing::Crew;
use executor_process::{Exit, StartMethod};

// SAFETY: the section holds pointers to functions of this type.
#[used]
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: extern "C" fn() = constructor;

extern "C" fn constructor() {
    // SAFETY: no other thread runs before `main`.
    unsafe { std::env::set_var("CONSTRUCTED", "yes") };
}

#[test]
fn every_constructor_of_the_program_runs_before_the_worker() {
    for method in [StartMethod::ForkServer, StartMethod::Spawn] {
        let mut crew = Crew::new(method).unwrap();
        let mut witness = crew.start().unwrap();
        assert_eq!(witness.ask("variable CONSTRUCTED").unwrap(), "yes");
        assert!(witness.ask("exit 7").is_err());
        assert_eq!(crew.end_of(&witness), Exit::Code(7));
    }
}

#[test]
fn a_fork_of_this_program_is_refused() {
    let error = Crew::new(StartMethod::Fork).unwrap_err().to_string();
    assert!(error.contains("`StartMethod::Fork` forks this program, which has"), "{error}");
}

/// Runs this program again with a marker, and gives the names of the tests that it lists, which is what its `main`
/// does.
fn listed(marker: &str, stdin: Stdio) -> String {
    let mut command = Command::new("/proc/self/exe");
    command.args(["--list", "--format", "terse"]).env("EXECUTOR_PROCESS_START", marker).stdin(stdin);
    let output = command.output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

fn marker(owner: u32) -> String {
    format!("{} worker {owner}", env!("CARGO_PKG_VERSION"))
}

fn socket() -> Stdio {
    let (ours, theirs) = UnixStream::pair().unwrap();
    drop(ours);
    Stdio::from(OwnedFd::from(theirs))
}

#[test]
fn a_marker_that_strayed_is_ignored() {
    let here = std::process::id();
    for stray in [
        listed(&marker(here), Stdio::null()),
        listed(&marker(here), Stdio::piped()),
        listed(&marker(1), socket()),
        listed("?", socket()),
    ] {
        assert!(stray.contains("a_marker_that_strayed_is_ignored"), "{stray}");
    }
}

#[test]
fn a_worker_whose_owner_is_not_its_parent_does_not_run_the_program() {
    let output = Command::new("/bin/sh")
        .args(["-c", "\"$0\" --list --format terse; echo $?"])
        .arg(std::env::current_exe().unwrap())
        .env("EXECUTOR_PROCESS_START", marker(std::process::id()))
        .stdin(socket())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "0\n");
}
