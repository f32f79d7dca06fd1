//! rayon's `spawn`, which returns nothing, with a oneshot channel for each result: what most programs write.

use std::sync::mpsc;

use oneshot::Receiver;
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::{Open, Peer, Spawner, gather, handles};
use crate::kernel::{self, Kernel};
use crate::outcome::Outcome;

/// `ThreadPool::spawn` and the crate `oneshot`.
pub(crate) const PEER: Peer = Peer {
    name: "rayon-spawn",
    package: "rayon",
    how: "spawn + one oneshot channel per job; as_completed through one shared channel",
    open: Open::Threads(|workers| Ok(Box::new(RayonSpawn(ThreadPoolBuilder::new().num_threads(workers).build()?)))),
};

struct RayonSpawn(ThreadPool);

impl RayonSpawn {
    fn spawn<K: Kernel>(&self, kernel: K, n: u64) -> Receiver<u64> {
        let (sender, receiver) = oneshot::channel();
        self.0.spawn(move || {
            // The receiver is only gone where the result is not wanted.
            sender.send(kernel(n)).ok();
        });
        receiver
    }
}

impl Spawner for RayonSpawn {
    fn all<K: Kernel>(&self, kernel: K, count: u64) -> Outcome<u64> {
        let mut receivers = handles(count)?;
        receivers.extend((0..count).map(|n| self.spawn(kernel, n)));
        let mut sum = 0;
        for receiver in receivers {
            sum += receiver.recv()?;
        }
        Ok(sum)
    }

    fn one<K: Kernel>(&self, kernel: K, n: u64) -> Outcome<u64> {
        Ok(self.spawn(kernel, n).recv()?)
    }

    fn keep_busy(&self) -> Outcome<()> {
        self.0.spawn(link);
        Ok(())
    }

    fn as_completed(&self, jobs: u64) -> Outcome<u64> {
        let (sender, receiver) = mpsc::channel();
        for n in 0..jobs {
            let sender = sender.clone();
            self.0.spawn(move || {
                sender.send(kernel::inc(n)).ok();
            });
        }
        gather(&receiver, jobs)
    }

    fn fib(&self, n: u64) -> Outcome<u64> {
        Ok(self.spawn(fib, n).recv()?)
    }
}

fn link() {
    if kernel::link() {
        rayon::spawn(link);
    }
}

fn fib(n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let [first, second] = [n - 1, n - 2].map(|n| {
        let (sender, receiver) = oneshot::channel();
        rayon::spawn(move || {
            sender.send(fib(n)).ok();
        });
        receiver
    });
    let result = |receiver: Receiver<u64>| receiver.recv().expect("the job sends before it ends");
    result(first) + result(second)
}
