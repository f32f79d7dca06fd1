//! `squares_server`: a master and a worker, as on two terminals; and a worker that has another key.

use std::io::{BufRead, BufReader};
use std::iter;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;

use crate::program::{HANG, Ran, run_command};

fn squares_server(role: &str, address: &str, key: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_squares_server"));
    command.args([role, address]).env("SQUARES_KEY", key);
    command
}

/// A master, which listens. It is killed where its test fails.
struct Master {
    child: Child,
    lines: mpsc::Receiver<String>,
    address: String,
}

impl Master {
    fn start(key: &str) -> Self {
        let mut command = squares_server("master", "127.0.0.1:0", key);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (tx, lines) = mpsc::channel();
        thread::spawn(move || stdout.lines().try_for_each(|line| tx.send(line.unwrap())));
        let mut master = Master { child, lines, address: String::new() };
        let line = master.line().expect("a master says where it listens");
        master.address = line.strip_prefix("the master listens at ").unwrap().to_owned();
        master
    }

    /// The next line that it prints; `None` at the end.
    fn line(&self) -> Option<String> {
        match self.lines.recv_timeout(HANG) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("the master printed nothing for {HANG:?}"),
        }
    }
}

impl Drop for Master {
    fn drop(&mut self) {
        // One that has ended is past that.
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn one_line_error(ran: &Ran, code: i32, line: &str) {
    assert_eq!(ran.code, Some(code), "{ran:?}");
    assert_eq!(ran.stderr, format!("{line}\n"));
    assert_eq!(ran.stdout, "");
}

#[test]
fn a_worker_with_another_key_gets_no_task_and_one_with_the_key_gets_all() {
    let mut master = Master::start("a key of the test");

    let stranger = run_command(&mut squares_server("worker", &master.address, "another key"));
    let refused = format!(
        "squares_server: the key for {} is not that of its manager; give both sides the same key",
        master.address
    );
    one_line_error(&stranger, 1, &refused);

    let worker = run_command(&mut squares_server("worker", &master.address, "a key of the test"));
    worker.succeeded();
    assert_eq!(worker.lines(), ["the worker has computed 100 squares"]);

    let squares: Vec<_> = iter::from_fn(|| master.line()).collect();
    let expected: Vec<_> = (1..=100).map(|n| format!("{n} * {n} = {}", n * n)).collect();
    assert_eq!(squares, expected);
    assert!(master.child.wait().unwrap().success());
}

#[test]
fn bad_arguments_are_one_clear_line_each() {
    let empty = run_command(&mut squares_server("worker", "127.0.0.1:1", ""));
    let what = "squares_server: the key of a manager is empty, and would keep nobody out; take 32 random bytes";
    one_line_error(&empty, 1, what);

    let boss = run_command(&mut squares_server("boss", "127.0.0.1:1", "a key"));
    one_line_error(&boss, 1, "squares_server: `boss` is neither `master` nor `worker`");

    let nothing = run_command(Command::new(env!("CARGO_BIN_EXE_squares_server")).env_remove("SQUARES_KEY"));
    one_line_error(&nothing, 2, "usage: SQUARES_KEY=… squares_server master|worker ADDRESS");
}
