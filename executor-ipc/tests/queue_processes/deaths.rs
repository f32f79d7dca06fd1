//! What a process that dies takes with it: no item that another could get, and no wait without an end.

use std::thread;

use executor_ipc::{JoinError, Queue};

use crate::{Order, SHORT, Told, ask, begin, peer_with, until_asleep};

pub(crate) const TESTS: &[(&str, fn())] = &[
    ("who_dies_waiting_takes_no_item", who_dies_waiting_takes_no_item),
    ("who_joins_is_told_of_dead_consumers", who_joins_is_told_of_dead_consumers),
];

/// Also where it was woken for one.
fn who_dies_waiting_takes_no_item() {
    let queue = Queue::unbounded().unwrap();
    for round in 0..10 {
        let [one, other] = [(); 2].map(|()| peer_with(&queue));
        for peer in [&one, &other] {
            begin(peer, &Order::Get);
            until_asleep(peer);
        }
        // The first one sleeps longer, and is woken, if it has not been killed before. It may get the item, and die with it.
        match round % 2 {
            0 => {
                one.kill();
                queue.put(&round).unwrap();
            }
            _ => {
                queue.put(&round).unwrap();
                one.kill();
                queue.put(&round).unwrap();
            }
        }
        assert_eq!(other.hear::<Told>(), Ok(round));
        while queue.try_get().is_ok() {}
        other.end();
    }
}

fn who_joins_is_told_of_dead_consumers() {
    let queue = Queue::unbounded().unwrap();
    (0..5).for_each(|item| queue.put(&item).unwrap());
    let [dying, ending, living] = [(); 3].map(|()| peer_with(&queue));
    for peer in [&dying, &dying, &ending, &living] {
        ask(peer, Order::TryGet).unwrap();
    }
    assert_eq!(ask(&dying, Order::TaskDone), Ok(0));
    queue.get().unwrap();
    queue.task_done().unwrap();
    dying.kill();
    ending.end();
    assert!(matches!(queue.join_timeout(SHORT), Err(JoinError::Timeout)), "one lives");
    assert_eq!(ask(&living, Order::TaskDone), Ok(0));
    let joined = queue.join();
    assert!(matches!(joined, Err(JoinError::ConsumerDied { items: 2 })), "{joined:?}");
    queue.join().unwrap();
    living.end();

    // One who sleeps in the join notices by itself.
    queue.put(&1).unwrap();
    let dying = peer_with(&queue);
    ask(&dying, Order::TryGet).unwrap();
    thread::scope(|scope| {
        let joined = scope.spawn(|| queue.join());
        dying.kill();
        assert!(matches!(joined.join().unwrap(), Err(JoinError::ConsumerDied { items: 1 })));
    });
}
