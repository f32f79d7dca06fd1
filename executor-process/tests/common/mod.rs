//! What the tests of this backend share: a guard against hangs, processes by their name, numbers by chance.

#![allow(dead_code, reason = "each file of tests uses a part of it")]
#![allow(clippy::unwrap_used, reason = "these are tests")]

pub(crate) mod blobs;

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::panic;
use std::process;
use std::sync::Once;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use executor_process::{ProcessExecutor, ProcessExecutorBuilder, StartMethod};
use executor_testkit::{ON_PURPOSE, eventually, scaled};
use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;

/// How long one test may take before it counts as a hang. The slowest takes some seconds; this is for busy machines.
const TEST_LIMIT: Duration = Duration::from_secs(40);

/// How long a test may take that moves hundreds of megabytes: what a debug build does with each byte adds up.
pub(crate) const LARGE_LIMIT: Duration = Duration::from_secs(180);

/// Every start method. `Fork` needs a program with one thread.
pub(crate) const METHODS: [StartMethod; 3] = [StartMethod::ForkServer, StartMethod::Spawn, StartMethod::Fork];

/// Those that work in a program with threads.
pub(crate) const THREADED_METHODS: [StartMethod; 2] = [StartMethod::ForkServer, StartMethod::Spawn];

/// The method of this name.
pub(crate) fn method_of(name: &str) -> StartMethod {
    METHODS.into_iter().find(|method| format!("{method:?}") == name).unwrap()
}

/// Ends the program, and says what its threads wait in, if a test does not end.
#[must_use = "the test is watched until this is dropped"]
pub(crate) struct HangGuard {
    over: Option<Sender<()>>,
    dog: Option<JoinHandle<()>>,
}

/// Watches the test that runs on the calling thread, and keeps the panics that it throws on purpose off the output.
pub(crate) fn watched() -> HangGuard {
    watched_for(TEST_LIMIT)
}

/// [`watched`] with a limit of its own.
pub(crate) fn watched_for(limit: Duration) -> HangGuard {
    hide_panics_on_purpose();
    let test = thread::current().name().unwrap_or("a test").to_owned();
    let (over, waits) = mpsc::channel::<()>();
    let dog = thread::spawn(move || {
        if waits.recv_timeout(scaled(limit)) == Err(RecvTimeoutError::Timeout) {
            let report = format!("\nthe test `{test}` hangs; the process is aborted\n{}", describe());
            // Written past the capture of the test harness, which an abort would swallow.
            let _ = io::stderr().lock().write_all(report.as_bytes());
            process::abort();
        }
    });
    HangGuard { over: Some(over), dog: Some(dog) }
}

impl Drop for HangGuard {
    fn drop(&mut self) {
        drop(self.over.take());
        if let Some(dog) = self.dog.take() {
            let _ = dog.join();
        }
    }
}

/// [`watched`] without a thread, for a program that is to be forked: `SIGALRM` ends it.
pub(crate) fn watched_without_a_thread() {
    let limit = scaled(TEST_LIMIT).as_secs();
    nix::unistd::alarm::set(u32::try_from(limit).unwrap_or(u32::MAX));
}

/// One line for each thread of the process and of those below it.
fn describe() -> String {
    let mut text = String::new();
    for pid in below(process::id()).into_iter().chain([process::id()]) {
        for entry in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
            let [name, wait, call] = ["comm", "wchan", "syscall"]
                .map(|file| fs::read_to_string(entry.path().join(file)).unwrap_or_default());
            let call = call.split(' ').next().unwrap_or_default();
            text.push_str(&format!("  {pid} `{}`: waits in `{wait}`, system call {call}\n", name.trim_end()));
        }
    }
    text
}

/// Keeps panics whose message has [`ON_PURPOSE`] in it off the output of the tests.
pub(crate) fn hide_panics_on_purpose() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !info.payload_as_str().is_some_and(|text| text.contains(ON_PURPOSE)) {
                before(info);
            }
        }));
    });
}

/// True if `EXECUTOR_LONG_TESTS` is 1: tests that take minutes, or most of the memory of a machine, run then.
pub(crate) fn runs_long_tests() -> bool {
    std::env::var_os("EXECUTOR_LONG_TESTS").is_some_and(|value| value == "1")
}

/// A builder of a pool whose processes are told from those of other tests by `name`, of at most 12 bytes. What its jobs
/// say when they panic is not shown.
pub(crate) fn named(name: &str, workers: usize) -> ProcessExecutorBuilder {
    ProcessExecutor::builder().workers(workers).name(name).discard_output()
}

/// The state letter of a process and its parent; `None` if there is no such process.
pub(crate) fn stat(pid: u32) -> Option<(char, u32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    let mut words = rest.split_whitespace();
    Some((words.next()?.chars().next()?, words.next()?.parse().ok()?))
}

/// True if a process has ended. What its parent left behind is the system's to reap.
pub(crate) fn has_ended(pid: u32) -> bool {
    matches!(stat(pid), None | Some(('Z' | 'X', _)))
}

/// All processes below one, zombies included.
pub(crate) fn below(root: u32) -> BTreeSet<u32> {
    let all: Vec<(u32, u32)> = fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, stat(pid)?.1)))
        .collect();
    let mut found = BTreeSet::from([root]);
    loop {
        let more: Vec<u32> = all
            .iter()
            .filter(|(pid, parent)| found.contains(parent) && !found.contains(pid))
            .map(|(pid, _)| *pid)
            .collect();
        if more.is_empty() {
            found.remove(&root);
            return found;
        }
        found.extend(more);
    }
}

/// The live workers of this program's pool of that name.
pub(crate) fn workers_of(name: &str) -> Vec<u32> {
    let prefix = format!("{name}-");
    let is_worker = |pid: u32| {
        let comm = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        comm.starts_with(&prefix) && !has_ended(pid)
    };
    below(process::id()).into_iter().filter(|&pid| is_worker(pid)).collect()
}

/// Waits until a pool has all its workers, and gives them.
pub(crate) fn all_workers_of(name: &str, count: usize) -> Vec<u32> {
    let mut workers = Vec::new();
    eventually(&format!("`{name}` has {count} workers"), || {
        workers = workers_of(name);
        workers.len() == count
    });
    workers
}

/// Kills a process; true if it was there.
pub(crate) fn kill(pid: u32) -> bool {
    signal::kill(Pid::from_raw(pid.cast_signed()), Signal::SIGKILL).is_ok()
}

/// How many descriptors this process has.
pub(crate) fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// How many mappings of memory that is shared with other processes this process has.
pub(crate) fn shared_mappings() -> usize {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    maps.lines().filter(|line| line.split(' ').nth(1).is_some_and(|rights| rights.ends_with('s'))).count()
}

/// How many threads this process has whose names begin so.
pub(crate) fn threads_named(prefix: &str) -> usize {
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
    tasks.filter(|task| fs::read_to_string(task.path().join("comm")).is_ok_and(|name| name.starts_with(prefix))).count()
}

/// A row of numbers that looks random and is the same for the same seed: xorshift64*, from Sebastiano Vigna, "An
/// experimental exploration of Marsaglia's xorshift generators, scrambled" (2016).
pub(crate) struct Dice(u64);

impl Dice {
    /// A row for a seed.
    pub(crate) fn new(seed: u64) -> Self {
        Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % bound
    }
}
