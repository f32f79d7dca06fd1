//! What is left of commands: nothing, also when the program that owns them is killed. Without a harness, so that what the
//! process has can be counted, and so that it can be killed.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test, without the harness by which a lint would know it"
)]

mod common;

use std::fs;
use std::process::{self, Stdio};
use std::time::Duration;

use common::{below, descriptors, has_ended, method_of, named, watched};
use executor_core::{Executor, InlineExecutor};
use executor_process::{Command, command};
use executor_testkit::eventually;

/// A tree of four processes that ignore `SIGTERM`, after it has sent that to its whole group.
fn tree() -> Command {
    command("sh").args(["-c", "trap '' TERM; kill -TERM 0; sh -c 'sleep 1000 & wait' & sleep 1000 & wait"])
}

fn main() {
    executor_process::init();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let ["owner", pool] = arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        return own(pool);
    }
    commands_leave_nothing();
    println!("test commands_leave_nothing ... ok");
    for pool in ["Inline", "ForkServer", "Spawn", "Fork"] {
        an_owner_that_is_killed_leaves_nobody(pool);
        println!("test an_owner_that_is_killed_leaves_nobody ({pool}) ... ok");
    }
}

/// A program that waits for a command.
fn own(pool: &str) {
    let outcome = match pool {
        "Inline" => InlineExecutor::new().submit(tree()).result(),
        method => named("owner", 1).start_method(method_of(method)).build().unwrap().submit(tree()).result(),
    };
    panic!("it ended: {outcome:?}");
}

fn an_owner_that_is_killed_leaves_nobody(pool: &str) {
    let _watched = watched();
    let mut owner = process::Command::new("/proc/self/exe").args(["owner", pool]).stdin(Stdio::null()).spawn().unwrap();
    let is_sleep = |pid: &u32| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm == "sleep\n");
    eventually("the tree is up", || below(owner.id()).iter().filter(|pid| is_sleep(pid)).count() == 2);
    let all = below(owner.id());
    // The tree and its guard.
    assert!(all.len() >= 5, "{all:?}");
    owner.kill().unwrap();
    owner.wait().unwrap();
    eventually("nobody is left", || all.iter().all(|&pid| has_ended(pid)));
}

fn commands_leave_nothing() {
    let _watched = watched();
    let limit = Duration::from_millis(20);
    let round = || {
        command("cat").input("x").run().unwrap();
        for fails in [
            command("false"),
            command("/no/such/program"),
            command("true").current_dir("/no/such/directory"),
            command("yes").output_bytes_max(10),
            tree().run_limit(limit).grace(limit),
        ] {
            fails.run().unwrap_err();
        }
        command("sh").args(["-c", "sleep 1000 &"]).grace(limit).run().unwrap();
    };
    round();
    let before = (descriptors(), below(process::id()));
    (0..10).for_each(|_| round());
    assert_eq!((descriptors(), below(process::id())), before);
}
