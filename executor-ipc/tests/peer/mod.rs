//! Another process with the program of the test, and what passes between the two.
#![allow(dead_code, reason = "no test uses all of it")]

use std::env;
use std::fs;
use std::io::{IoSlice, IoSliceMut};
use std::marker::PhantomData;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use executor_ipc::attach::{Attachments, collect, supply};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, UnixAddr, recvmsg, sendmsg,
    socketpair,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Tells the program that it is a peer.
const MARKER: &str = "EXECUTOR_IPC_TEST_CHILD";

/// A process that is asked `Q`.
pub(crate) struct Peer<Q> {
    child: Child,
    socket: OwnedFd,
    asked: PhantomData<Q>,
}

impl<Q: Serialize> Peer<Q> {
    pub(crate) fn start() -> Peer<Q> {
        let (socket, theirs) =
            socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC).unwrap();
        let mut command = Command::new(env::current_exe().unwrap());
        let child = command.env(MARKER, "1").stdin(Stdio::from(theirs)).spawn().unwrap();
        Peer { child, socket, asked: PhantomData }
    }

    pub(crate) fn tell(&self, request: &Q) {
        send(&self.socket, request);
    }

    pub(crate) fn hear<A: DeserializeOwned>(&self) -> A {
        receive(&self.socket).expect("the peer lives")
    }

    pub(crate) fn ask<A: DeserializeOwned>(&self, request: &Q) -> A {
        self.tell(request);
        self.hear()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        assert_eq!(self.child.wait().unwrap().signal(), Some(9));
    }

    pub(crate) fn end(mut self) {
        drop(self.socket);
        assert!(self.child.wait().unwrap().success());
    }
}

/// If this process is a peer: calls `answer` for each request, which sends what it likes, and gives true at the end.
pub(crate) fn serve<Q: DeserializeOwned>(mut answer: impl FnMut(&Asker, Q)) -> bool {
    if env::var_os(MARKER).is_none() {
        return false;
    }
    set_pdeathsig(Signal::SIGKILL).unwrap();
    let asker = Asker;
    while let Some(request) = asker.hear() {
        answer(&asker, request);
    }
    true
}

/// The process that asks.
pub(crate) struct Asker;

impl Asker {
    pub(crate) fn tell(&self, answer: &impl Serialize) {
        send(&std::io::stdin(), answer);
    }

    /// What is asked next; `None` at the end.
    pub(crate) fn hear<Q: DeserializeOwned>(&self) -> Option<Q> {
        receive(&std::io::stdin())
    }
}

pub(crate) fn send(socket: &impl AsRawFd, message: &impl Serialize) {
    let (bytes, attachments) = collect(|| postcard::to_stdvec(message).unwrap());
    assert!(bytes.len() < 4096, "a message has {} bytes", bytes.len());
    let numbers: Vec<RawFd> = attachments.iter().map(|descriptor| descriptor.as_raw_fd()).collect();
    let rights = [ControlMessage::ScmRights(&numbers)];
    let control = if numbers.is_empty() { &[][..] } else { &rights[..] };
    sendmsg::<UnixAddr>(socket.as_raw_fd(), &[IoSlice::new(&bytes)], control, MsgFlags::MSG_NOSIGNAL, None).unwrap();
}

/// `None` at the end.
pub(crate) fn receive<T: DeserializeOwned>(socket: &impl AsRawFd) -> Option<T> {
    let mut bytes = [0; 4096];
    let mut control = nix::cmsg_space!([RawFd; 64]);
    let (length, attachments) = {
        let mut slices = [IoSliceMut::new(&mut bytes)];
        let flags = MsgFlags::MSG_CMSG_CLOEXEC;
        let message = recvmsg::<UnixAddr>(socket.as_raw_fd(), &mut slices, Some(&mut control), flags).ok()?;
        let rights = message.cmsgs().unwrap().filter_map(|part| match part {
            ControlMessageOwned::ScmRights(numbers) => Some(numbers),
            _ => None,
        });
        #[expect(unsafe_code, reason = "descriptors that arrive are numbers until somebody owns them")]
        // SAFETY: the system has just made this descriptor for us with the message, and nobody else knows it.
        let own = |number| unsafe { OwnedFd::from_raw_fd(number) };
        (message.bytes, rights.flatten().map(own).collect::<Attachments>())
    };
    (length > 0).then(|| supply(attachments, || postcard::from_bytes(&bytes[..length])).unwrap())
}

/// How many descriptors this process has, and how many mappings of shared memory.
pub(crate) fn counts() -> (usize, usize) {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let descriptors = fs::read_dir("/proc/self/fd").unwrap().count();
    (descriptors, maps.lines().filter(|line| line.contains("executor-shared")).count())
}

/// Runs the tests whose name contains the first argument, one after another, since descriptors, mappings and children are
/// those of the whole process. One that hangs ends the program.
pub(crate) fn run(tests: &[(&'static str, fn())]) {
    let filter = env::args().nth(1).filter(|filter| !filter.starts_with('-')).unwrap_or_default();
    for &(name, test) in tests.iter().filter(|(name, _)| name.contains(&filter)) {
        let before = counts();
        watched(name, test);
        assert_eq!(counts(), before, "{name} leaves something behind");
        println!("test {name} ... ok");
    }
}

/// Calls `test` while another thread sees to it that it ends.
fn watched(name: &str, test: fn()) {
    let (over, is_over) = std::sync::mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            let scale = number_of("EXECUTOR_TEST_SCALE").unwrap_or(1);
            let patience = Duration::from_secs(if is_long() { 1800 } else { 120 } * scale);
            if is_over.recv_timeout(patience) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                println!("test {name} hangs");
                std::process::exit(1);
            }
        });
        test();
        drop(over);
    });
}

pub(crate) fn is_long() -> bool {
    number_of("EXECUTOR_LONG_TESTS") == Some(1)
}

pub(crate) fn number_of(variable: &str) -> Option<u64> {
    env::var(variable).ok()?.parse().ok()
}

/// Waits until something is so.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(60), "never: {what}");
        thread::yield_now();
    }
}

/// Numbers that are as good as random: xorshift64, by Marsaglia.
pub(crate) struct Random(u64);

impl Random {
    /// Begins with `EXECUTOR_STORM_SEED`, or else anywhere, and says where.
    pub(crate) fn new(name: &str) -> Random {
        let now = || std::time::UNIX_EPOCH.elapsed().map_or(1, |since| since.as_nanos() as u64);
        let seed = number_of("EXECUTOR_STORM_SEED").unwrap_or_else(now) | 1;
        println!("{name}: EXECUTOR_STORM_SEED={seed}");
        Random(seed)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}
