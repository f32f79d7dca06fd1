//! What the tests of channels share: somebody at the other end, a guard against hangs, numbers by chance.
#![allow(dead_code, reason = "each file of tests uses a part of it")]

use std::env;
use std::fs;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use executor_ipc::{Blob, Duplex, Receiver, Sender, duplex};
use serde::{Deserialize, Serialize};

/// Tells a process that it is to be the other end.
const CHILD: &str = "EXECUTOR_IPC_TEST_CHILD";

/// How long one test may take before it counts as a hang. The slowest takes some seconds; this is for busy machines.
const TEST_LIMIT: Duration = Duration::from_secs(60);

/// Where the other end of a channel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Thread,
    Process,
}

pub(crate) const PLACES: [Place; 2] = [Place::Thread, Place::Process];

/// Any value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Value {
    Nothing,
    Number(u64),
    Text(String),
    Pair(Box<Value>, Box<Value>),
    Blob(Blob),
}

/// What the other end is asked.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    /// The same value.
    Echo(Value),
    /// Nothing; these numbers go to the channel, and its end is closed after them.
    Count(Sender<u64>, u64),
    /// All that comes from the channel up to its end, and nothing before that.
    Collect(Receiver<u64>),
    /// The sum of two numbers that come from one channel, to another one that comes from there too.
    AddOnce(Receiver<(u64, u64, Sender<u64>)>),
    /// One message on both.
    Meet(Duplex<u64, u64>),
    /// Nothing; what is here stays open.
    Keep(Vec<Sender<u64>>, Vec<Receiver<u64>>),
    /// Nothing; what was kept is closed.
    Forget,
}

/// What it answers.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Reply {
    Echo(Value),
    Numbers(Vec<u64>),
    Done,
}

/// Somebody who answers, and the channel to it.
pub(crate) struct Peer {
    pub(crate) control: Duplex<Request, Reply>,
    life: Life,
}

enum Life {
    Thread(JoinHandle<()>),
    Process(Child),
}

impl Peer {
    pub(crate) fn start(place: Place) -> Peer {
        let (control, theirs) = duplex::<Request, Reply>().unwrap();
        let life = match place {
            Place::Thread => Life::Thread(thread::spawn(move || serve(&theirs))),
            Place::Process => Life::Process(start_process("serve", theirs.as_fd())),
        };
        Peer { control, life }
    }

    pub(crate) fn ask(&self, request: &Request) -> Reply {
        self.tell(request);
        self.control.recv().unwrap()
    }

    /// Asks, and does not wait for the answer.
    pub(crate) fn tell(&self, request: &Request) {
        self.control.send(request).unwrap();
    }

    /// Ends it, with all that it has.
    pub(crate) fn end(self) {
        drop(self.control);
        match self.life {
            Life::Thread(thread) => thread.join().unwrap(),
            Life::Process(mut child) => assert!(child.wait().unwrap().success()),
        }
    }

    /// Kills it, if it is a process.
    pub(crate) fn kill(self) {
        match self.life {
            Life::Thread(thread) => {
                drop(self.control);
                thread.join().unwrap();
            }
            Life::Process(child) => kill(child),
        }
    }
}

pub(crate) fn kill(mut child: Child) {
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9));
}

/// This program as another process that has this socket.
pub(crate) fn start_process(role: &str, socket: impl AsFd) -> Child {
    let socket = socket.as_fd().try_clone_to_owned().unwrap();
    let mut command = Command::new(env::current_exe().unwrap());
    command.env(CHILD, role).stdin(Stdio::from(socket)).spawn().unwrap()
}

/// The role of this process, and the socket that it has; `None` in the process that runs the tests.
pub(crate) fn role() -> Option<(String, std::os::fd::OwnedFd)> {
    let role = env::var(CHILD).ok()?;
    Some((role, std::io::stdin().as_fd().try_clone_to_owned().unwrap()))
}

/// Frees the place of standard input, so that nothing but the channel itself has its socket.
pub(crate) fn close_stdin() {
    let null = fs::File::open("/dev/null").unwrap();
    nix::unistd::dup2_stdin(null).unwrap();
}

/// Answers until the other end is closed.
pub(crate) fn serve(control: &Duplex<Reply, Request>) {
    let mut kept = Vec::new();
    while let Ok(request) = control.recv() {
        let answer = match request {
            Request::Echo(value) => Reply::Echo(value),
            Request::Count(sender, count) => {
                (0..count).try_for_each(|number| sender.send(&number)).unwrap();
                continue;
            }
            Request::Collect(receiver) => Reply::Numbers(receiver.iter().map(Result::unwrap).collect()),
            Request::AddOnce(receiver) => {
                let (one, other, answer) = receiver.recv().unwrap();
                answer.send(&(one + other)).unwrap();
                continue;
            }
            Request::Meet(end) => {
                end.send(&(end.recv().unwrap() + 1)).unwrap();
                continue;
            }
            Request::Keep(senders, receivers) => {
                kept.push((senders, receivers));
                Reply::Done
            }
            Request::Forget => {
                kept.clear();
                Reply::Done
            }
        };
        if control.send(&answer).is_err() {
            return;
        }
    }
}

/// Runs the tests that the command line names and does not `--skip`, one after the other on this thread: descriptors are those of the
/// whole process.
#[allow(clippy::print_stdout, reason = "it is a test harness")]
pub(crate) fn run(tests: &[(&str, fn())]) {
    let words: Vec<String> = env::args().skip(1).collect();
    let filter = words.first().filter(|filter| !filter.starts_with('-')).map_or("", String::as_str);
    let is_skipped = |name: &str| words.windows(2).any(|words| words[0] == "--skip" && name.contains(&words[1]));
    for (name, test) in tests.iter().filter(|(name, _)| name.contains(filter) && !is_skipped(name)) {
        watched(name, *test);
        println!("test {name} ... ok");
    }
}

/// Ends the program if the test does not end.
pub(crate) fn watched(name: &str, test: impl FnOnce()) {
    let scale: u32 = env::var("EXECUTOR_TEST_SCALE").ok().and_then(|scale| scale.parse().ok()).unwrap_or(1);
    let limit = if is_long() { TEST_LIMIT * 30 } else { TEST_LIMIT };
    let (over, waits) = mpsc::channel::<()>();
    let what = name.to_owned();
    let dog = thread::spawn(move || {
        if waits.recv_timeout(limit * scale) == Err(RecvTimeoutError::Timeout) {
            eprintln_and_abort(&what);
        }
    });
    test();
    drop(over);
    dog.join().unwrap();
}

#[allow(clippy::print_stderr, reason = "it is a test harness")]
fn eprintln_and_abort(what: &str) {
    eprintln!("the test `{what}` hangs; the process is aborted");
    std::process::abort();
}

/// True if the tests may take minutes.
pub(crate) fn is_long() -> bool {
    env::var_os("EXECUTOR_LONG_TESTS").is_some_and(|value| value == "1")
}

/// Waits for what is to become true.
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < TEST_LIMIT, "it did not come to be that {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// How many descriptors this process has, without those of arenas, of which some are kept to be used again.
pub(crate) fn descriptors() -> usize {
    let all = fs::read_dir("/proc/self/fd").unwrap().flatten();
    let is_of_arena = |target: &str| target.starts_with("pipe:") || target.contains("executor-blob");
    all.filter(|entry| fs::read_link(entry.path()).is_ok_and(|target| !is_of_arena(&target.to_string_lossy()))).count()
}

/// How many descriptors of arenas this process has.
pub(crate) fn arena_descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count() - 1 - descriptors()
}

/// Checks that a test did leave no descriptor behind. What is begun once is there after the first time.
pub(crate) fn leaves_nothing(test: impl Fn()) {
    test();
    let before = descriptors();
    test();
    // A thread or a process that has just ended may still be closing what it had.
    eventually("no descriptor is left", || descriptors() <= before);
}

/// The number of the descriptor of a handle.
pub(crate) fn number(handle: &impl AsFd) -> i32 {
    handle.as_fd().as_raw_fd()
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
