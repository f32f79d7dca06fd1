//! Managers: every law with a server on a thread and with one in a process, and clients in processes that are killed.
//!
//! Descriptors and threads are those of the whole process, so that one test runs after another. A child is this program once more.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "these are tests")]

mod board;
mod child;
mod containers;
mod deaths;
mod limits;
#[path = "../peer/mod.rs"]
mod peer;
mod peers;
mod proxies;
mod remote;
mod rooms;
mod services;
mod storm;
mod waits;

use std::env;
use std::fs;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use child::Host;

type Test = (&'static str, fn(Host));

fn main() {
    if child::serve() {
        return;
    }
    let filter = env::args().nth(1).filter(|filter| !filter.starts_with('-')).unwrap_or_default();
    let tests = [
        containers::TESTS,
        proxies::TESTS,
        waits::TESTS,
        limits::TESTS,
        services::TESTS,
        rooms::TESTS,
        deaths::TESTS,
        remote::TESTS,
        peers::TESTS,
        storm::TESTS,
    ];
    for &(name, test) in tests.into_iter().flatten() {
        for host in [Host::Thread, Host::Process] {
            let name = format!("{name}::{host:?}");
            if !name.contains(&filter) {
                continue;
            }
            let watched = Watched::begin(&name);
            let before = left();
            test(host);
            eventually(&format!("{name}: descriptors and threads are as before"), || left() <= before);
            drop(watched);
            println!("test {name} ... ok");
        }
    }
}

/// How many descriptors and threads this process has.
fn left() -> (usize, usize) {
    let count = |folder| fs::read_dir(folder).unwrap().count();
    // The thread that watches comes and goes with each test.
    (count("/proc/self/fd"), count("/proc/self/task"))
}

/// How much longer than usual this machine may take.
fn scale() -> u32 {
    env::var("EXECUTOR_TEST_SCALE").ok().and_then(|scale| scale.parse().ok()).unwrap_or(1)
}

/// Looks again until `is_so`, or the watchdog ends the program.
fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60) * scale();
    while !is_so() {
        assert!(Instant::now() < end, "it never came to pass: {what}; {:?}", left());
        thread::sleep(Duration::from_millis(1));
    }
}

/// Ends the program if a test does not end.
struct Watched {
    over: Option<mpsc::Sender<()>>,
    dog: Option<thread::JoinHandle<()>>,
}

impl Watched {
    fn begin(name: &str) -> Watched {
        let (over, waits) = mpsc::channel::<()>();
        let name = name.to_owned();
        let limit = Duration::from_secs(if peer::is_long() { 3600 } else { 120 }) * scale();
        let dog = thread::spawn(move || {
            if waits.recv_timeout(limit) == Err(mpsc::RecvTimeoutError::Timeout) {
                println!("the test {name} hangs");
                std::process::abort();
            }
        });
        Watched { over: Some(over), dog: Some(dog) }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        drop(self.over.take());
        self.dog.take().unwrap().join().unwrap();
    }
}

/// A value that other laws do not need to know.
fn short() -> Duration {
    Duration::from_millis(20)
}
