//! The floor of what is waited for in shared memory: an atomic, a count of waiters, and the system's calls to wait and to wake. It
//! survives no death.

use std::sync::atomic::{AtomicU32, Ordering};

use executor_core::{Executor, JobFuture, job};
use executor_ipc::SharedValue;
use executor_ipc::sync::Barrier;
use executor_process::ProcessExecutor;
use rustix::thread::futex::{Flags, wait, wake};

use super::{Ipc, Turns, sync};
use crate::outcome::Outcome;
use crate::peers::{Open, Peer};

/// Two atomics in shared memory.
pub(crate) const PEER: Peer = Peer {
    name: "bare-futex",
    package: "rustix",
    how: "the floor: an atomic, a count of who waits, and futex calls if there are any",
    open: Open::Ipc(|| Ok(Box::new(Bare))),
};

struct Bare;

/// The permits, or the flag; and how many wait.
type Words = SharedValue<[AtomicU32; 2]>;

fn words(first: u32) -> Outcome<Words> {
    Ok(SharedValue::new([first, 0].map(AtomicU32::new))?)
}

/// Waits while the word is zero.
fn wait_while_zero([word, waiters]: &[AtomicU32; 2]) {
    waiters.fetch_add(1, Ordering::SeqCst);
    while word.load(Ordering::SeqCst) == 0 {
        // It also ends when the word has changed, or for nothing.
        let _ = wait(word, Flags::empty(), 0, None);
    }
    waiters.fetch_sub(1, Ordering::SeqCst);
}

fn wake_if_waited([word, waiters]: &[AtomicU32; 2], count: u32) {
    if waiters.load(Ordering::SeqCst) != 0 {
        let _ = wake(word, Flags::empty(), count);
    }
}

impl sync::Gate for Words {
    fn pass(&self) {
        let lower = |permits: u32| permits.checked_sub(1);
        while self[0].fetch_update(Ordering::SeqCst, Ordering::SeqCst, lower).is_err() {
            wait_while_zero(self);
        }
        self[0].fetch_add(1, Ordering::SeqCst);
        wake_if_waited(self, 1);
    }
}

impl sync::Flag for Words {
    fn set(&self) {
        self[0].store(1, Ordering::SeqCst);
        wake_if_waited(self, i32::MAX as u32);
    }

    fn wait(&self) {
        if self[0].load(Ordering::SeqCst) == 0 {
            wait_while_zero(self);
        }
    }

    fn clear(&self) {
        self[0].store(0, Ordering::SeqCst);
    }
}

/// In another process.
#[job]
fn pass(words: Words, both: Barrier, count: u64) -> u64 {
    sync::pass(&words, &both, count)
}

impl sync::Elsewhere for Words {
    fn pass_elsewhere(&self, pool: &ProcessExecutor, both: &Barrier, count: u64) -> JobFuture<u64> {
        pool.submit(pass::job(self.clone(), both.clone(), count))
    }
}

/// In another process.
#[job]
fn answer(ping: Words, pong: Words, count: u64) {
    sync::answer(&[ping, pong], count);
}

impl sync::Answers for Words {
    fn answer_elsewhere(pool: &ProcessExecutor, [ping, pong]: &[Self; 2], count: u64) -> JobFuture<()> {
        pool.submit(answer::job(ping.clone(), pong.clone(), count))
    }
}

impl Ipc for Bare {
    fn semaphore(&self, count: u64) -> Outcome<Turns> {
        sync::gate(&words(1)?, count)
    }

    fn event(&self, count: u64) -> Outcome<Turns> {
        sync::event(&[words(0)?, words(0)?], count)
    }
}
