//! Blobs between processes: what crosses, what is counted, what is left when somebody dies.
//!
//! Descriptors and mappings are those of the whole process, so that one test runs after another on the one thread there is.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "these are tests")]

mod peer;

use std::env;
use std::fs;

use executor_ipc::attach::collect;
use executor_ipc::{ARENAS_MAX, Blob, IDLE_BYTES_MAX, MAPPINGS_MAX};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};
use peer::{receive, send};
use serde::{Deserialize, Serialize};

const TESTS: [(&str, fn()); 10] = [
    ("a_blob_crosses_and_comes_back", a_blob_crosses_and_comes_back),
    ("an_arena_is_filled_again", an_arena_is_filled_again),
    ("an_arena_that_is_held_is_not_filled_again", an_arena_that_is_held_is_not_filled_again),
    ("an_arena_on_its_way_is_not_filled_again", an_arena_on_its_way_is_not_filled_again),
    ("a_holder_that_is_killed_holds_nothing", a_holder_that_is_killed_holds_nothing),
    ("what_a_killed_process_filled_stays", what_a_killed_process_filled_stays),
    ("nothing_is_left_behind", nothing_is_left_behind),
    ("what_is_kept_is_bounded", what_is_kept_is_bounded),
    ("without_descriptors_it_is_plain_bytes", without_descriptors_it_is_plain_bytes),
    ("a_forked_process_keeps_what_it_saw", a_forked_process_keeps_what_it_saw),
];

fn main() {
    if serve() {
        return;
    }
    let filter = env::args().nth(1).filter(|filter| !filter.starts_with('-')).unwrap_or_default();
    for (name, test) in TESTS.into_iter().filter(|(name, _)| name.contains(&filter)) {
        test();
        println!("test {name} ... ok");
    }
}

/// What the child is asked.
#[derive(Debug, Serialize, Deserialize)]
enum Request {
    /// The sum of the bytes.
    Sum(Blob),
    /// The same Blob.
    Back(Blob),
    /// A Blob of this length, filled with this byte.
    Make(usize, u8),
    /// The sums of all Blobs that are kept.
    Sums,
    /// Nothing; the Blob is kept.
    Keep(Blob),
    /// Nothing; no Blob is kept any more.
    Forget,
    /// How many descriptors and mappings it has.
    Counts,
}

type Peer = peer::Peer<Request>;

/// What the child does, if this process is one.
fn serve() -> bool {
    let mut kept = Vec::new();
    peer::serve(|asker, request| match request {
        Request::Sum(blob) => {
            let sum = sum(&blob);
            drop(blob);
            asker.tell(&sum);
        }
        Request::Back(blob) => asker.tell(&blob),
        Request::Make(len, byte) => asker.tell(&Blob::with_len(len, |bytes| bytes.fill(byte))),
        Request::Sums => asker.tell(&kept.iter().map(sum).collect::<Vec<u64>>()),
        Request::Keep(blob) => {
            kept.push(blob);
            asker.tell(&true);
        }
        Request::Forget => {
            kept.clear();
            asker.tell(&true);
        }
        Request::Counts => asker.tell(&counts()),
    })
}

/// The sum of bytes that are all the same; 0 if they are not. Compared at the speed of memory, also without optimization.
fn sum(blob: &Blob) -> u64 {
    let byte = blob.first().copied().unwrap_or(0);
    if is_filled(blob, byte) { u64::from(byte) * blob.len() as u64 } else { 0 }
}

fn is_filled(blob: &Blob, byte: u8) -> bool {
    let page = [byte; 4096];
    blob.chunks(page.len()).all(|chunk| chunk == &page[..chunk.len()])
}

/// How many descriptors this process has, and how many mappings of arenas.
fn counts() -> (usize, usize) {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let descriptors = fs::read_dir("/proc/self/fd").unwrap().count();
    (descriptors, maps.lines().filter(|line| line.contains("executor-blob")).count())
}

fn blob(len: usize, byte: u8) -> Blob {
    let blob = Blob::with_len(len, |bytes| bytes.fill(byte));
    assert!(blob.is_shared());
    blob
}

const LEN: usize = 1_500_000;

fn a_blob_crosses_and_comes_back() {
    let peer = Peer::start();
    for len in [LEN, 300_000, 100_000_000] {
        let there = blob(len, 3);
        assert_eq!(peer.ask::<u64>(&Request::Sum(there.clone())), 3 * len as u64);
        assert_eq!(peer.ask::<Blob>(&Request::Back(there.slice(1000..))), there.slice(1000..));
        let made: Blob = peer.ask(&Request::Make(len, 9));
        assert!(made.is_shared() && made.len() == len && is_filled(&made, 9));
    }
    peer.end();
}

fn an_arena_is_filled_again() {
    let peer = Peer::start();
    let first = blob(LEN, 1).as_ptr();
    for byte in 0..100 {
        let blob = blob(LEN, byte);
        assert_eq!(blob.as_ptr(), first);
        assert_eq!(peer.ask::<u64>(&Request::Sum(blob)), u64::from(byte) * LEN as u64);
    }
    // The child has mapped it once.
    let (_, mappings): (usize, usize) = peer.ask(&Request::Counts);
    assert_eq!(mappings, 1);
    // And what the child makes comes out of one arena too.
    let first = peer.ask::<Blob>(&Request::Make(LEN, 1)).as_ptr();
    for byte in 0..100 {
        let made: Blob = peer.ask(&Request::Make(LEN, byte));
        assert!(made.as_ptr() == first && is_filled(&made, byte));
    }
    peer.end();
}

fn an_arena_that_is_held_is_not_filled_again() {
    let peer = Peer::start();
    let first = blob(LEN, 1);
    let place = first.as_ptr();
    peer.ask::<bool>(&Request::Keep(first));
    for byte in 2..20 {
        let next = blob(LEN, byte);
        assert_ne!(next.as_ptr(), place);
        peer.ask::<bool>(&Request::Keep(next));
    }
    let sums: Vec<u64> = (1..20).map(|byte| byte * LEN as u64).collect();
    assert_eq!(peer.ask::<Vec<u64>>(&Request::Sums), sums);
    peer.ask::<bool>(&Request::Forget);
    let again: Vec<Blob> = (0..19).map(|byte| blob(LEN, byte)).collect();
    assert!(again.iter().any(|blob| blob.as_ptr() == place));
    peer.end();
}

fn an_arena_on_its_way_is_not_filled_again() {
    let (near, far) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC).unwrap();
    let first = blob(LEN, 1);
    let place = first.as_ptr();
    send(&near, &first);
    drop(first);
    let next = blob(LEN, 2);
    assert_ne!(next.as_ptr(), place);
    let arrived: Blob = receive(&far).unwrap();
    assert!(is_filled(&arrived, 1));
    // What nobody ever received is free when its socket is.
    send(&near, &next);
    let place = next.as_ptr();
    drop((next, far, near));
    assert_eq!(blob(LEN, 3).as_ptr(), place);
}

fn a_holder_that_is_killed_holds_nothing() {
    for _ in 0..20 {
        let peer = Peer::start();
        let kept: Vec<Blob> = (0..10).map(|byte| blob(LEN, byte)).collect();
        let mut places: Vec<*const u8> = kept.iter().map(|blob| blob.as_ptr()).collect();
        for blob in kept {
            peer.ask::<bool>(&Request::Keep(blob));
        }
        peer.kill();
        let mut again: Vec<*const u8> =
            (0..10).map(|byte| blob(LEN, byte)).collect::<Vec<_>>().iter().map(|blob| blob.as_ptr()).collect();
        places.sort_unstable();
        again.sort_unstable();
        assert_eq!(again, places);
    }
}

fn what_a_killed_process_filled_stays() {
    let peer = Peer::start();
    let made: Vec<Blob> = (0..5).map(|byte| peer.ask(&Request::Make(LEN, byte))).collect();
    peer.kill();
    for (byte, blob) in (0..).zip(made) {
        assert!(blob.len() == LEN && is_filled(&blob, byte));
    }
}

fn nothing_is_left_behind() {
    let peer = Peer::start();
    let round = || {
        let blobs: Vec<Blob> = (0..4).map(|byte| blob(LEN, byte)).collect();
        for blob in &blobs {
            peer.ask::<u64>(&Request::Sum(blob.clone()));
            assert_eq!(peer.ask::<Blob>(&Request::Back(blob.clone())), *blob);
        }
        let made: Vec<Blob> = (0..4).map(|byte| peer.ask(&Request::Make(LEN, byte))).collect();
        peer.ask::<bool>(&Request::Keep(made[0].clone()));
        peer.ask::<bool>(&Request::Forget);
    };
    // What is kept to be used again is there after the first rounds.
    (0..5).for_each(|_| round());
    let before: [(usize, usize); 2] = [counts(), peer.ask(&Request::Counts)];
    (0..125).for_each(|_| round());
    let after: [(usize, usize); 2] = [counts(), peer.ask(&Request::Counts)];
    assert_eq!(after, before);
    peer.end();
}

fn what_is_kept_is_bounded() {
    // As many arenas as there can be, and more Blobs.
    let blobs: Vec<Blob> = (0..ARENAS_MAX + 10).map(|_| Blob::with_len(LEN, |bytes| bytes[0] = 1)).collect();
    assert_eq!(blobs.iter().filter(|blob| blob.is_shared()).count(), ARENAS_MAX);
    assert_eq!(counts().1.saturating_sub(ARENAS_MAX) / MAPPINGS_MAX, 0);
    // Each as large as a fifth of what may be kept.
    drop(blobs);
    let large: Vec<Blob> = (0..10).map(|_| blob(IDLE_BYTES_MAX / 8 + 1, 0)).collect();
    assert_eq!(large.len(), 10);
    drop(large);
    let kept = fs::read_to_string("/proc/self/maps").unwrap();
    let writable = kept.lines().filter(|line| line.contains("executor-blob") && line.contains("rw-s"));
    let bytes: usize = writable.map(mapped_bytes).sum();
    assert!(bytes > 0 && bytes <= IDLE_BYTES_MAX, "{bytes}");
    // Received ones too.
    let peer = Peer::start();
    let made: Vec<Blob> = (0..MAPPINGS_MAX + 5).map(|_| peer.ask(&Request::Make(LEN, 1))).collect();
    assert!(made.iter().all(Blob::is_shared));
    drop(made);
    let kept = fs::read_to_string("/proc/self/maps").unwrap();
    let received = kept.lines().filter(|line| line.contains("executor-blob") && line.contains("r--s")).count();
    assert!((1..=MAPPINGS_MAX).contains(&received), "{received}");
    peer.end();
}

fn mapped_bytes(line: &str) -> usize {
    let (range, _) = line.split_once(' ').unwrap();
    let (begin, end) = range.split_once('-').unwrap();
    usize::from_str_radix(end, 16).unwrap() - usize::from_str_radix(begin, 16).unwrap()
}

fn without_descriptors_it_is_plain_bytes() {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let sent = blob(LEN, 5);
    // What is there stays open; no more can be opened.
    setrlimit(Resource::RLIMIT_NOFILE, 3, hard).unwrap();
    let plain: Vec<Blob> = (0..ARENAS_MAX).map(|_| Blob::with_len(40 << 20, |bytes| bytes[0] = 1)).collect();
    // A hold cannot be had any more either.
    let (bytes, attachments) = collect(|| postcard::to_stdvec(&sent).unwrap());
    setrlimit(Resource::RLIMIT_NOFILE, soft, hard).unwrap();
    assert!(!plain.last().unwrap().is_shared());
    assert!(bytes.len() > LEN && attachments.is_empty());
    assert!(blob(LEN, 6).is_shared());
}

fn a_forked_process_keeps_what_it_saw() {
    let mine = blob(LEN, 7);
    let idle = blob(LEN, 8);
    drop(idle);
    let (reader, writer) = std::io::pipe().unwrap();
    #[expect(unsafe_code, reason = "a fork is what is tested")]
    // SAFETY: this process has one thread.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            drop(writer);
            // An arena of its own, that its parent does not see.
            let other = blob(LEN, 9);
            let _ = std::io::copy(&mut &reader, &mut std::io::sink());
            let right = is_filled(&mine, 7) && is_filled(&other, 9);
            std::process::exit(if right { 0 } else { 1 });
        }
        ForkResult::Parent { child } => {
            drop((mine, reader));
            // Every arena that could be used again is.
            let many: Vec<Blob> = (0..20).map(|_| blob(LEN, 1)).collect();
            drop(writer);
            assert_eq!(waitpid(child, None).unwrap(), WaitStatus::Exited(child, 0));
            assert!(many.iter().all(|blob| is_filled(blob, 1)));
        }
    }
}
