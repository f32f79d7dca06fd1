//! What the tests of this backend share: a guard against hangs, panics on purpose, threads by their name.

#![allow(dead_code, reason = "each file of tests uses a part of it")]

use std::fs;
use std::io::{self, Write};
use std::panic;
use std::pin::pin;
use std::process;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Once};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, JoinHandle, Thread};
use std::time::Duration;

use executor_testkit::{ON_PURPOSE, scaled};
use executor_thread::ThreadExecutor;

/// How long one test may take before it counts as a hang. The slowest takes some seconds; this is for busy machines.
const TEST_LIMIT: Duration = Duration::from_secs(120);

/// Ends the program, and says what its threads wait in, if a test does not end.
#[must_use = "the test is watched until this is dropped"]
pub(crate) struct HangGuard {
    over: Option<Sender<()>>,
    dog: Option<JoinHandle<()>>,
}

/// Watches the test that runs on the calling thread, and keeps the panics that it throws on purpose off the output.
pub(crate) fn watched() -> HangGuard {
    hide_panics_on_purpose();
    let test = thread::current().name().unwrap_or("a test").to_owned();
    let (over, waits) = mpsc::channel::<()>();
    let dog = thread::spawn(move || {
        if waits.recv_timeout(scaled(TEST_LIMIT)) == Err(RecvTimeoutError::Timeout) {
            let report = format!("\nthe test `{test}` hangs; the process is aborted\n{}", describe_threads());
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

/// One line for each thread of the process.
fn describe_threads() -> String {
    let mut text = String::new();
    for thread in threads() {
        let [name, wait, call] = ["comm", "wchan", "syscall"].map(|file| thread_file(thread, file).unwrap_or_default());
        let call = call.split(' ').next().unwrap_or_default();
        text.push_str(&format!("  thread {thread} `{}`: waits in `{wait}`, system call {call}\n", name.trim_end()));
    }
    text
}

/// Keeps panics whose message has [`ON_PURPOSE`] in it off the output of the tests.
fn hide_panics_on_purpose() {
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

/// A pool with `workers` threads.
pub(crate) fn pool(workers: usize) -> ThreadExecutor {
    ThreadExecutor::new(workers).unwrap()
}

/// A pool whose threads are told from those of other tests by `name`, of which the system keeps 15 bytes with the number.
pub(crate) fn named_pool(workers: usize, name: &str) -> ThreadExecutor {
    ThreadExecutor::builder().workers(workers).name(name).build().unwrap()
}

/// Polls `future` on the calling thread, which sleeps in between.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut cx) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// The threads of this process, by the number that the system gives them.
fn threads() -> Vec<u32> {
    let entries = fs::read_dir("/proc/self/task").unwrap();
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// What the system tells of a thread; `None` once it has ended.
fn thread_file(thread: u32, file: &str) -> Option<String> {
    fs::read_to_string(format!("/proc/self/task/{thread}/{file}")).ok()
}

/// The threads of this process whose names begin with `prefix`.
fn threads_named(prefix: &str) -> impl Iterator<Item = u32> {
    threads()
        .into_iter()
        .filter(move |&thread| thread_file(thread, "comm").is_some_and(|name| name.trim_end().starts_with(prefix)))
}

/// How many threads of this process have names that begin with `prefix`.
pub(crate) fn count_threads(prefix: &str) -> usize {
    threads_named(prefix).count()
}

/// True if every thread whose name begins with `prefix` sleeps.
pub(crate) fn all_asleep(prefix: &str) -> bool {
    threads_named(prefix).all(|thread| {
        let stat = thread_file(thread, "stat").unwrap_or_default();
        // The state follows the name, which stands in parentheses and may hold any character.
        stat.rsplit(')').next().is_none_or(|rest| rest.trim_start().starts_with(['S', 'D']))
    })
}

/// How long the threads whose names begin with `prefix` have run on a processor so far; `None` where the system does
/// not count that by the nanosecond.
pub(crate) fn processor_time(prefix: &str) -> Option<Duration> {
    let nanoseconds = |thread| thread_file(thread, "schedstat")?.split(' ').next()?.parse::<u64>().ok();
    threads_named(prefix).map(nanoseconds).sum::<Option<u64>>().map(Duration::from_nanos)
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

/// Spends a short time that differs from round to round, so that a race is tried at many offsets.
pub(crate) fn dawdle(round: usize) {
    for _ in 0..(round * 37) % 512 {
        std::hint::spin_loop();
    }
}
