//! Queues between processes: what the laws say, and what is left when somebody dies.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "these are tests")]

#[path = "../peer/mod.rs"]
mod peer;

mod deaths;
mod laws;
mod storms;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use executor_ipc::{Queue, SharedArray};
use peer::{Asker, Peer, run, serve, until};
use serde::{Deserialize, Serialize};
use storms::{Item, consume, produce};

fn main() {
    if serve(answer) {
        return;
    }
    run(&[laws::TESTS, deaths::TESTS, storms::TESTS].concat());
}

pub(crate) const SHORT: Duration = Duration::from_millis(30);

/// What a peer is to do.
#[derive(Serialize, Deserialize)]
pub(crate) enum Order {
    /// Keep this queue. Answers true.
    Have(Queue<u64>),
    /// Put these. Answers the outcome.
    Put(Vec<u64>),
    /// Each answers the outcome.
    TryPut(u64),
    PutTimeout(u64),
    TryGet,
    GetTimeout,
    TaskDone,
    /// Answers the length, and whether it is closed.
    Look,
    /// Answers true.
    Close,
    /// Answers true before it waits, and the outcome afterwards.
    Get,
    PutWaiting(u64),
    Join,
    /// Get until the end, and count in the array. Answers true at the end.
    Count(SharedArray<AtomicU64>, usize),
    /// Take part in a storm. Answers true at the end.
    Produce(Queue<Item>, SharedArray<AtomicU64>),
    Consume(Queue<Item>, SharedArray<AtomicU64>),
}

/// An outcome as it is told: the item, or the name of the error.
pub(crate) type Told = Result<u64, String>;

fn told<T>(outcome: Result<T, impl std::fmt::Debug>, item: impl FnOnce(T) -> u64) -> Told {
    outcome.map(item).map_err(|error| format!("{error:?}"))
}

fn answer(asker: &Asker, order: Order) {
    thread_local! {
        static KEPT: std::cell::RefCell<Option<Queue<u64>>> = const { std::cell::RefCell::new(None) };
    }
    let queue = KEPT.with_borrow(Clone::clone);
    let queue = || queue.as_ref().unwrap();
    match order {
        Order::Have(queue) => {
            KEPT.set(Some(queue));
            asker.tell(&true);
        }
        Order::Put(items) => {
            let outcome = items.iter().try_for_each(|item| queue().put(item));
            asker.tell(&told(outcome, |()| 0));
        }
        Order::TryPut(item) => asker.tell(&told(queue().try_put(&item), |()| 0)),
        Order::PutTimeout(item) => asker.tell(&told(queue().put_timeout(&item, SHORT), |()| 0)),
        Order::TryGet => asker.tell(&told(queue().try_get(), |item| item)),
        Order::GetTimeout => asker.tell(&told(queue().get_timeout(SHORT), |item| item)),
        Order::TaskDone => asker.tell(&told(queue().task_done(), |()| 0)),
        Order::Look => asker.tell(&(queue().len() as u64, queue().is_closed())),
        Order::Close => {
            queue().close();
            asker.tell(&true);
        }
        Order::Get => {
            asker.tell(&true);
            asker.tell(&told(queue().get(), |item| item));
        }
        Order::PutWaiting(item) => {
            asker.tell(&true);
            asker.tell(&told(queue().put(&item), |()| 0));
        }
        Order::Join => {
            asker.tell(&true);
            asker.tell(&told(queue().join(), |()| 0));
        }
        Order::Count(counts, place) => {
            while queue().get().is_ok() {
                counts[place].fetch_add(1, Ordering::Relaxed);
            }
            asker.tell(&true);
        }
        Order::Produce(queue, marks) => {
            produce(&queue, &marks);
            asker.tell(&true);
        }
        Order::Consume(queue, marks) => {
            consume(&queue, &marks);
            asker.tell(&true);
        }
    }
}

/// A peer that has the queue.
pub(crate) fn peer_with(queue: &Queue<u64>) -> Peer<Order> {
    let peer = Peer::start();
    begin(&peer, &Order::Have(queue.clone()));
    peer
}

pub(crate) fn ask(peer: &Peer<Order>, order: Order) -> Told {
    peer.ask(&order)
}

/// Waits until the peer has begun, or has done what it does at once.
pub(crate) fn begin(peer: &Peer<Order>, order: &Order) {
    assert!(peer.ask::<bool>(order));
}

pub(crate) fn is(outcome: &Told, error: &str) -> bool {
    matches!(outcome, Err(name) if name.starts_with(error))
}

/// A peer that sleeps in the system, as far as that can be seen.
pub(crate) fn until_asleep(peer: &Peer<Order>) {
    until("the peer sleeps", || {
        let status = std::fs::read_to_string(format!("/proc/{}/syscall", peer.id())).unwrap_or_default();
        // Where that is not to be read, the test is weaker, and not wrong.
        status.is_empty() || status.starts_with("202 ")
    });
}
