//! What becomes of a program whose workers need `init`, and of one that forgets it. With the feature `hook`, that no
//! `init` is needed. Without a harness, because `main` matters here.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test, without the harness by which a lint would know it"
)]

use std::process::Command;

use executor_process::testing::Crew;
use executor_process::{Exit, StartMethod};

const METHODS: [StartMethod; 3] = [StartMethod::ForkServer, StartMethod::Spawn, StartMethod::Fork];

fn main() {
    // A worker that misses its entry runs `main` without arguments, but with the environment.
    match std::env::var("MISSED_PROGRAM").as_deref() {
        Ok("forgets") => forgets(),
        Ok("misses") => misses(),
        Ok("calls") => calls(),
        _ => {
            for program in ["forgets", "misses", "calls"] {
                let output = Command::new("/proc/self/exe").env("MISSED_PROGRAM", program).output().unwrap();
                let text = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "the program that {program} it: {}\n{text}", output.status);
                println!("the program that {program} it: ok");
            }
        }
    }
}

/// Does not call `init` at all.
fn forgets() {
    for method in METHODS {
        let crew = Crew::new(method);
        if cfg!(feature = "hook") {
            assert_eq!(crew.unwrap().start().unwrap().ask("echo hello").unwrap(), "hello");
        } else {
            let error = crew.unwrap_err().to_string();
            assert!(error.contains("`executor_process::init();`"), "{error}");
        }
    }
    assert_eq!(children(), "");
}

/// Calls `init`, except where it is needed.
fn misses() {
    if std::env::var_os("EXECUTOR_PROCESS_START").is_none() {
        executor_process::init();
    }
    let crew = Crew::new(StartMethod::Spawn);
    if cfg!(feature = "hook") {
        return;
    }
    let mut crew = crew.unwrap();
    let witness = crew.start().unwrap();
    assert_eq!(crew.end_of(&witness), Exit::Code(112));
    let error = Crew::new(StartMethod::ForkServer).unwrap().start().unwrap_err().to_string();
    assert!(error.contains("it exited with code 112") || error.contains("the fork server closed"), "{error}");
    assert_eq!(children(), "");
}

/// Calls `init` as it should be, and once more.
fn calls() {
    executor_process::init();
    executor_process::init();
    for method in METHODS {
        let mut crew = Crew::new(method).unwrap();
        assert_eq!(crew.start().unwrap().ask("echo hello").unwrap(), "hello");
        assert_eq!(crew.start().unwrap().ask("nest 1").unwrap(), "at depth 2");
    }
    assert_eq!(children(), "");
}

fn children() -> String {
    std::fs::read_to_string("/proc/thread-self/children").unwrap()
}
