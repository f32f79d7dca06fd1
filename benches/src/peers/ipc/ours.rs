//! What `executor-ipc` has.

use std::cell::OnceCell;
use std::os::fd::{AsFd, OwnedFd};

use executor_core::{Executor, JobFuture, job};
use executor_ipc::sync::{Barrier, Event, Mutex, Semaphore};
use executor_ipc::{Duplex, Queue, Receiver, Sender, SharedArray, duplex, pipe};
use executor_process::ProcessExecutor;

use super::{Accesses, Ipc, Turns, array, sync};
use crate::helper::Helper;
use crate::kernel;
use crate::outcome::Outcome;
use crate::peers::processes::Trips;
use crate::peers::{Open, Peer};

/// One helper that answers.
pub(crate) const PEER: Peer = Peer {
    name: super::OURS,
    package: "executor-ipc",
    how: "a Duplex to one process, blocking on both sides; Mutex, Semaphore, Event and SharedArray as they are; a Queue without a bound, from one process to one other",
    open: Open::Ipc(|| Ok(Box::new(Ours { channel: OnceCell::new(), producer: OnceCell::new() }))),
};

struct Ours {
    channel: OnceCell<Channel>,
    producer: OnceCell<Producer>,
}

struct Channel {
    /// Dropped before the helper, which waits for that.
    end: Duplex<u64, u64>,
    _helper: Helper,
}

impl sync::Gate for Mutex<u64> {
    fn pass(&self) {
        *self.lock().expect("nobody dies") += 1;
    }
}

impl sync::Gate for Semaphore {
    fn pass(&self) {
        drop(self.acquire());
    }
}

impl sync::Flag for Event {
    fn set(&self) {
        self.set();
    }

    fn wait(&self) {
        self.wait();
    }

    fn clear(&self) {
        self.clear();
    }
}

/// In another process.
#[job]
fn raise(mutex: Mutex<u64>, both: Barrier, count: u64) -> u64 {
    sync::pass(&mutex, &both, count)
}

impl sync::Elsewhere for Mutex<u64> {
    fn pass_elsewhere(&self, pool: &ProcessExecutor, both: &Barrier, count: u64) -> JobFuture<u64> {
        pool.submit(raise::job(self.clone(), both.clone(), count))
    }
}

/// In another process.
#[job]
fn pass(semaphore: Semaphore, both: Barrier, count: u64) -> u64 {
    sync::pass(&semaphore, &both, count)
}

impl sync::Elsewhere for Semaphore {
    fn pass_elsewhere(&self, pool: &ProcessExecutor, both: &Barrier, count: u64) -> JobFuture<u64> {
        pool.submit(pass::job(self.clone(), both.clone(), count))
    }
}

/// In another process.
#[job]
fn answer(ping: Event, pong: Event, count: u64) {
    sync::answer(&[ping, pong], count);
}

impl sync::Answers for Event {
    fn answer_elsewhere(pool: &ProcessExecutor, [ping, pong]: &[Self; 2], count: u64) -> JobFuture<()> {
        pool.submit(answer::job(ping.clone(), pong.clone(), count))
    }
}

struct Producer {
    queue: Queue<u64>,
    /// Dropped before the helper, which waits for that.
    orders: Sender<Order>,
    _helper: Helper,
}

/// A queue, and how many numbers are to be put.
type Order = (Queue<u64>, u64);

impl Ipc for Ours {
    fn ping_pong(&self, count: u64) -> Outcome<Trips> {
        if self.channel.get().is_none() {
            let (end, theirs) = duplex::<u64, u64>()?;
            let helper = Helper::start_on(&["channel"], theirs.as_fd().try_clone_to_owned()?)?;
            self.channel.get_or_init(|| Channel { end, _helper: helper });
        }
        let end = &self.channel.get().expect("it was set just now").end;
        Trips::measure(count, |n| {
            end.send(&n)?;
            Ok(end.recv()?)
        })
    }

    fn mutex(&self, count: u64) -> Outcome<Turns> {
        sync::gate(&Mutex::new(0)?, count)
    }

    fn semaphore(&self, count: u64) -> Outcome<Turns> {
        sync::gate(&Semaphore::bounded(1)?, count)
    }

    fn event(&self, count: u64) -> Outcome<Turns> {
        sync::event(&[Event::new()?, Event::new()?], count)
    }

    fn queue(&self, count: u64) -> Outcome<u64> {
        if self.producer.get().is_none() {
            let queue = Queue::unbounded()?;
            let (orders, theirs) = pipe::<Order>()?;
            let helper = Helper::start_on(&["queue"], theirs.as_fd().try_clone_to_owned()?)?;
            self.producer.get_or_init(|| Producer { queue, orders, _helper: helper });
        }
        let Producer { queue, orders, .. } = self.producer.get().expect("it was set just now");
        orders.send(&(queue.clone(), count))?;
        (0..count).try_fold(0, |sum, _| Ok(sum + queue.get()?))
    }

    fn array(&self, bytes: usize) -> Outcome<Accesses> {
        let (numbers, points) = (SharedArray::new(bytes / 8)?, SharedArray::new(bytes / 16)?);
        let mut numbers = numbers.lock().expect("nobody dies");
        let mut points = points.lock().expect("nobody dies");
        array::measure(&mut numbers, &mut points)
    }
}

/// In the helper: answers each number, until the other side is gone.
pub(crate) fn serve(socket: OwnedFd) -> Result<(), Box<dyn std::error::Error>> {
    let end = Duplex::<u64, u64>::try_from(socket)?;
    while let Ok(n) = end.recv() {
        end.send(&kernel::inc(n))?;
    }
    Ok(())
}

/// In the helper: puts the numbers from 0 on, with 1 added to each, until the other side is gone.
pub(crate) fn produce(socket: OwnedFd) -> Result<(), Box<dyn std::error::Error>> {
    let orders = Receiver::<Order>::try_from(socket)?;
    while let Ok((queue, count)) = orders.recv() {
        for n in 0..count {
            queue.put(&kernel::inc(n))?;
        }
    }
    Ok(())
}
