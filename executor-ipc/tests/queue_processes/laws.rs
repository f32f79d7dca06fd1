//! What the laws say of a queue, with its users in several processes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use executor_ipc::{GetError, JoinError, PutError, Queue, SharedArray, TaskDoneError};
use serde::{Deserialize, Serialize};

use crate::{Order, SHORT, Told, ask, begin, is, peer_with, until_asleep};

pub(crate) const TESTS: &[(&str, fn())] = &[
    ("a_bounded_queue_is_full_and_empty_elsewhere_too", a_bounded_queue_is_full_and_empty_elsewhere_too),
    ("items_of_both_sides_arrive_in_order", items_of_both_sides_arrive_in_order),
    ("join_waits_for_another_process", join_waits_for_another_process),
    ("a_timed_get_lasts_as_long", a_timed_get_lasts_as_long),
    ("an_item_that_cannot_be_encoded_changes_nothing", an_item_that_cannot_be_encoded_changes_nothing),
    ("a_close_is_seen_elsewhere", a_close_is_seen_elsewhere),
    ("a_close_now_empties_it_elsewhere", a_close_now_empties_it_elsewhere),
    ("the_least_of_a_queue", the_least_of_a_queue),
    ("who_waits_is_woken_from_elsewhere", who_waits_is_woken_from_elsewhere),
    ("a_queue_of_another_type_is_refused", a_queue_of_another_type_is_refused),
    ("no_process_starves", no_process_starves),
];

/// Law 237.
fn a_bounded_queue_is_full_and_empty_elsewhere_too() {
    let queue = Queue::bounded(2).unwrap();
    let peer = peer_with(&queue);
    assert!(is(&ask(&peer, Order::TryGet), "Empty"));
    queue.put(&1).unwrap();
    assert_eq!(ask(&peer, Order::TryPut(2)), Ok(0));
    assert!(is(&ask(&peer, Order::TryPut(3)), "Full"));
    assert!(is(&ask(&peer, Order::PutTimeout(3)), "Timeout"));
    assert!(matches!(queue.try_put(&3), Err(PutError::Full)));
    assert_eq!(ask(&peer, Order::TryGet), Ok(1));
    assert_eq!(queue.get().unwrap(), 2);
    assert!(matches!(queue.try_get(), Err(GetError::Empty)));
    peer.end();
}

/// Law 238.
fn items_of_both_sides_arrive_in_order() {
    let queue = Queue::unbounded().unwrap();
    let peer = peer_with(&queue);
    (0..5).for_each(|item| queue.put(&item).unwrap());
    assert_eq!(peer.ask::<(u64, bool)>(&Order::Look), (5, false));
    ask(&peer, Order::Put((5..10).collect())).unwrap();
    assert_eq!(queue.len(), 10);
    for item in 0..10 {
        let got = if item % 2 == 0 { queue.get().unwrap() } else { ask(&peer, Order::TryGet).unwrap() };
        assert_eq!((got, queue.len() as u64), (item, 9 - item));
    }
    peer.end();
}

/// Law 239.
fn join_waits_for_another_process() {
    let queue = Queue::unbounded().unwrap();
    let [consumer, joiner] = [(); 2].map(|()| peer_with(&queue));
    assert!(is(&ask(&consumer, Order::TaskDone), "TaskDoneError"));
    queue.put(&1).unwrap();
    begin(&joiner, &Order::Join);
    ask(&consumer, Order::TryGet).unwrap();
    assert!(matches!(queue.join_timeout(SHORT), Err(JoinError::Timeout)));
    assert_eq!(queue.task_done(), Err(TaskDoneError), "it was got elsewhere");
    assert_eq!(ask(&consumer, Order::TaskDone), Ok(0));
    assert_eq!(joiner.hear::<Told>(), Ok(0));
    queue.join().unwrap();
    assert!(is(&ask(&consumer, Order::TaskDone), "TaskDoneError"));
    consumer.end();
    joiner.end();
}

/// Law 240.
fn a_timed_get_lasts_as_long() {
    let queue = Queue::<u64>::unbounded().unwrap();
    let peer = peer_with(&queue);
    let began = Instant::now();
    assert!(is(&ask(&peer, Order::GetTimeout), "Timeout"));
    assert!(began.elapsed() >= SHORT);
    peer.end();
}

/// Cannot be encoded above 9.
#[derive(Debug, PartialEq, Deserialize)]
struct Picky(u64);

impl Serialize for Picky {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 > 9 { Err(serde::ser::Error::custom("too large")) } else { serializer.serialize_u64(self.0) }
    }
}

/// Law 241. The shape of a queue has the name of its items' type, so that the other process has plain numbers beside it.
fn an_item_that_cannot_be_encoded_changes_nothing() {
    let (picky, plain) = (Queue::<Picky>::unbounded().unwrap(), Queue::<u64>::unbounded().unwrap());
    let peer = peer_with(&plain);
    picky.put(&Picky(1)).unwrap();
    assert!(matches!(picky.put(&Picky(10)), Err(PutError::Encode { .. })));
    picky.put(&Picky(2)).unwrap();
    assert_eq!(picky.len(), 2);
    while let Ok(Picky(item)) = picky.try_get() {
        plain.put(&item).unwrap();
    }
    assert_eq!([ask(&peer, Order::TryGet), ask(&peer, Order::TryGet)], [Ok(1), Ok(2)]);
    peer.end();
}

/// Laws 242 and 243.
fn a_close_is_seen_elsewhere() {
    let queue = Queue::unbounded().unwrap();
    let peer = peer_with(&queue);
    queue.put(&7).unwrap();
    queue.close();
    assert_eq!(peer.ask::<(u64, bool)>(&Order::Look), (1, true));
    assert!(is(&ask(&peer, Order::TryPut(8)), "Closed"));
    assert_eq!(ask(&peer, Order::TryGet), Ok(7));
    assert!(is(&ask(&peer, Order::TryGet), "Closed"));
    assert!(is(&ask(&peer, Order::GetTimeout), "Closed"));
    begin(&peer, &Order::Close);
    assert!(matches!(queue.get(), Err(GetError::Closed)));
    peer.end();
}

/// Law 243.
fn a_close_now_empties_it_elsewhere() {
    let queue = Queue::unbounded().unwrap();
    let [consumer, joiner] = [(); 2].map(|()| peer_with(&queue));
    (0..3).for_each(|item| queue.put(&item).unwrap());
    assert_eq!(ask(&consumer, Order::TryGet), Ok(0));
    begin(&joiner, &Order::Join);
    assert_eq!(queue.close_now(), 2);
    assert!(is(&ask(&consumer, Order::TryGet), "Closed"));
    assert!(matches!(queue.join_timeout(SHORT), Err(JoinError::Timeout)), "one is being processed");
    assert_eq!(ask(&consumer, Order::TaskDone), Ok(0));
    assert_eq!(joiner.hear::<Told>(), Ok(0));
    consumer.end();
    joiner.end();
}

/// Law 244.
fn the_least_of_a_queue() {
    let queue = Queue::unbounded().unwrap();
    let peer = peer_with(&queue);
    assert!(queue.is_empty());
    ask(&peer, Order::Put(vec![1])).unwrap();
    assert!(!queue.is_empty());
    assert_eq!(queue.get().unwrap(), 1);
    begin(&peer, &Order::Close);
    begin(&peer, &Order::Close);
    assert!(matches!(queue.get(), Err(GetError::Closed)) && matches!(queue.put(&1), Err(PutError::Closed)));
    peer.end();
}

fn who_waits_is_woken_from_elsewhere() {
    let queue = Queue::bounded(1).unwrap();
    let peer = peer_with(&queue);
    begin(&peer, &Order::Get);
    until_asleep(&peer);
    queue.put(&5).unwrap();
    assert_eq!(peer.hear::<Told>(), Ok(5));

    queue.put(&6).unwrap();
    begin(&peer, &Order::PutWaiting(7));
    until_asleep(&peer);
    assert_eq!(queue.get().unwrap(), 6);
    assert_eq!(peer.hear::<Told>(), Ok(0));

    begin(&peer, &Order::PutWaiting(8));
    until_asleep(&peer);
    queue.close();
    assert!(is(&peer.hear(), "Closed"));
    assert_eq!(queue.get().unwrap(), 7);
    peer.end();
}

fn a_queue_of_another_type_is_refused() {
    use executor_ipc::attach::{collect, supply};
    let queue = Queue::<u64>::unbounded().unwrap();
    let (bytes, attachments) = collect(|| postcard::to_stdvec(&queue).unwrap());
    let same: Queue<u64> = supply(attachments.clone(), || postcard::from_bytes(&bytes)).unwrap();
    queue.put(&1).unwrap();
    assert_eq!(same.get().unwrap(), 1);
    assert!(supply(attachments, || postcard::from_bytes::<Queue<String>>(&bytes)).is_err());
}

fn no_process_starves() {
    let (queue, counts) = (Queue::bounded(100).unwrap(), SharedArray::<AtomicU64>::new(3).unwrap());
    let peers = [0, 1, 2].map(|place| {
        let peer = peer_with(&queue);
        peer.tell(&Order::Count(counts.clone(), place));
        peer
    });
    // A consumer that starves is a hang.
    while (0..3).any(|place| counts[place].load(Ordering::Relaxed) < 1000) {
        queue.put(&7).unwrap();
    }
    queue.close();
    for peer in peers {
        assert!(peer.hear::<bool>());
        peer.end();
    }
}
