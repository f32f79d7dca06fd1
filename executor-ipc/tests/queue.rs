//! Queues between threads.
#![allow(clippy::unwrap_used, reason = "these are tests")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use executor_ipc::sync::Mutex;
use executor_ipc::{Blob, GetError, JoinError, PutError, Queue, TaskDoneError};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const SHORT: Duration = Duration::from_millis(30);

fn queue_of(items: impl IntoIterator<Item = u64>) -> Queue<u64> {
    let queue = Queue::unbounded().unwrap();
    items.into_iter().for_each(|item| queue.put(&item).unwrap());
    queue
}

fn all_of<T: Serialize + for<'de> Deserialize<'de>>(queue: &Queue<T>) -> Vec<T> {
    std::iter::from_fn(|| queue.try_get().ok()).collect()
}

/// Law 237.
#[test]
fn a_bounded_queue_is_full_and_empty_at_once_or_after_as_long_as_it_was_told() {
    let queue = Queue::bounded(2).unwrap();
    assert_eq!((queue.items_max(), queue.len(), queue.is_empty()), (Some(2), 0, true));
    assert!(matches!(queue.try_get(), Err(GetError::Empty)));
    queue.put(&1).unwrap();
    queue.try_put(&2).unwrap();
    assert!(matches!(queue.try_put(&3), Err(PutError::Full)));
    let began = Instant::now();
    assert!(matches!(queue.put_timeout(&3, SHORT), Err(PutError::Timeout)));
    assert!(began.elapsed() >= SHORT);
    assert!(matches!(queue.put_timeout(&3, Duration::ZERO), Err(PutError::Timeout)));
    assert_eq!(queue.len(), 2);
    assert_eq!(queue.get().unwrap(), 1);
    queue.put_timeout(&3, Duration::MAX).unwrap();
    assert_eq!(all_of(&queue), [2, 3]);
    assert!(Queue::<u64>::bounded(0).is_err());
}

/// Law 238.
#[test]
fn items_arrive_in_order_and_the_size_tracks() {
    let queue = queue_of(0..5);
    assert_eq!((queue.len(), queue.items_max()), (5, None));
    let other = queue.clone();
    thread::spawn(move || (5..10).for_each(|item| other.put(&item).unwrap())).join().unwrap();
    assert_eq!(queue.len(), 10);
    for item in 0..10 {
        assert_eq!(queue.get().unwrap(), item);
        assert_eq!(queue.len(), 9 - usize::try_from(item).unwrap());
    }
}

/// Law 239.
#[test]
fn join_waits_until_every_item_was_acknowledged() {
    let queue = queue_of(0..100);
    let done = AtomicU64::new(0);
    assert_eq!(queue.task_done(), Err(TaskDoneError), "nothing was got yet");
    assert!(matches!(queue.join_timeout(SHORT), Err(JoinError::Timeout)));
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while queue.try_get().is_ok() {
                    done.fetch_add(1, Ordering::SeqCst);
                    queue.task_done().unwrap();
                }
            });
        }
        queue.join().unwrap();
        assert_eq!(done.load(Ordering::SeqCst), 100);
    });
    assert_eq!(queue.task_done(), Err(TaskDoneError), "one acknowledgement too many");
    queue.join().unwrap();

    // An item that was got is waited for.
    queue.put(&1).unwrap();
    queue.get().unwrap();
    assert!(queue.is_empty());
    assert!(matches!(queue.join_timeout(Duration::ZERO), Err(JoinError::Timeout)));
    queue.task_done().unwrap();
    queue.join_timeout(Duration::ZERO).unwrap();
}

/// Law 240.
#[test]
fn a_get_with_a_limit_lasts_as_long() {
    let queue = queue_of([]);
    for timeout in [Duration::ZERO, SHORT, Duration::from_millis(700)] {
        let began = Instant::now();
        assert!(matches!(queue.get_timeout(timeout), Err(GetError::Timeout)));
        assert!(began.elapsed() >= timeout);
    }
}

/// Cannot be encoded above 9, nor decoded above 4.
#[derive(Clone, Debug, PartialEq)]
struct Picky(u64);

impl Serialize for Picky {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 > 9 { Err(serde::ser::Error::custom("too large")) } else { serializer.serialize_u64(self.0) }
    }
}

impl<'de> Deserialize<'de> for Picky {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u64::deserialize(deserializer)?;
        if number > 4 { Err(serde::de::Error::custom("too large")) } else { Ok(Picky(number)) }
    }
}

/// Law 241.
#[test]
fn an_item_that_cannot_be_encoded_is_an_error_of_the_put_and_changes_nothing() {
    let queue = Queue::bounded(3).unwrap();
    queue.put(&Picky(1)).unwrap();
    for refused in [queue.put(&Picky(10)), queue.try_put(&Picky(11)), queue.put_timeout(&Picky(12), SHORT)] {
        let Err(error @ PutError::Encode { .. }) = refused else { panic!("{refused:?}") };
        assert!(error.to_string().contains("Picky"), "{error}");
    }
    assert_eq!(queue.len(), 1);
    queue.put(&Picky(2)).unwrap();
    assert_eq!(all_of(&queue), [Picky(1), Picky(2)]);
}

#[test]
fn an_item_that_cannot_be_decoded_is_dropped_and_not_waited_for() {
    let queue = Queue::unbounded().unwrap();
    [Picky(5), Picky(4)].iter().for_each(|item| queue.put(item).unwrap());
    let refused = queue.get();
    assert!(matches!(&refused, Err(GetError::Decode { what, .. }) if what.contains("Picky")), "{refused:?}");
    assert_eq!(queue.get().unwrap(), Picky(4));
    queue.task_done().unwrap();
    assert_eq!(queue.task_done(), Err(TaskDoneError));
    queue.join().unwrap();
}

/// Law 242.
#[test]
fn a_closed_queue_refuses_both_and_an_unused_one_can_be_closed() {
    let queue = queue_of([]);
    assert!(!queue.is_closed());
    queue.close();
    assert!(queue.is_closed());
    assert!(matches!(queue.put(&1), Err(PutError::Closed)));
    assert!(matches!(queue.try_put(&1), Err(PutError::Closed)));
    assert!(matches!(queue.put_timeout(&1, SHORT), Err(PutError::Closed)));
    assert!(matches!(queue.get(), Err(GetError::Closed)));
    assert!(matches!(queue.try_get(), Err(GetError::Closed)));
    assert!(matches!(queue.get_timeout(SHORT), Err(GetError::Closed)));
    queue.join().unwrap();
}

/// Law 243: what is in it can be got.
#[test]
fn a_queue_that_was_closed_is_drained_first() {
    let queue = queue_of(0..3);
    queue.close();
    assert!(matches!(queue.put(&3), Err(PutError::Closed)));
    assert_eq!(queue.len(), 3);
    assert_eq!([queue.get().unwrap(), queue.get().unwrap(), queue.get().unwrap()], [0, 1, 2]);
    assert!(matches!(queue.get(), Err(GetError::Closed)));
}

/// Law 243: an immediate close empties it, and releases who joins but for the items that are being processed.
#[test]
fn a_queue_that_is_closed_now_is_empty_and_waits_only_for_what_was_got() {
    let queue = queue_of(0..3);
    assert_eq!(queue.close_now(), 3);
    assert!(matches!(queue.get(), Err(GetError::Closed)));
    queue.join().unwrap();

    let queue = queue_of(0..3);
    queue.get().unwrap();
    thread::scope(|scope| {
        let joined = scope.spawn(|| queue.join());
        assert_eq!(queue.close_now(), 2);
        assert!(matches!(queue.join_timeout(SHORT), Err(JoinError::Timeout)));
        assert!(!joined.is_finished());
        queue.task_done().unwrap();
        joined.join().unwrap().unwrap();
    });
}

/// Law 243: who joins while it is closed goes on.
#[test]
fn a_close_now_releases_who_joins() {
    let queue = queue_of(0..3);
    thread::scope(|scope| {
        let joined = scope.spawn(|| queue.join());
        queue.close_now();
        joined.join().unwrap().unwrap();
    });
}

/// Law 244.
#[test]
fn the_least_of_a_queue() {
    let queue = queue_of([]);
    assert!(queue.is_empty());
    queue.put(&1).unwrap();
    assert!(!queue.is_empty());
    assert_eq!(queue.get().unwrap(), 1);
    queue.close();
    queue.close();
    assert_eq!(queue.close_now(), 0);
    assert!(matches!(queue.get(), Err(GetError::Closed)) && matches!(queue.put(&1), Err(PutError::Closed)));
}

/// Waits until a thread sleeps in the system; until then it is only likely that it does not.
fn until_asleep(queue: &Queue<u64>, mut is_so: impl FnMut() -> bool) {
    while !is_so() {
        thread::yield_now();
    }
    // Nothing that follows depends on it.
    let _ = queue.len();
    thread::sleep(Duration::from_millis(5));
}

#[test]
fn who_waits_is_woken_by_an_item_by_room_and_by_the_end() {
    let queue = Queue::bounded(1).unwrap();
    for closing in [false, true] {
        for waits_for_room in [false, true] {
            if waits_for_room && queue.is_empty() && !queue.is_closed() {
                queue.put(&1).unwrap();
            }
            let (began, has_begun) = mpsc::channel();
            thread::scope(|scope| {
                let waiting = scope.spawn(|| {
                    began.send(()).unwrap();
                    match waits_for_room {
                        true => queue.put(&2).map_err(|error| matches!(error, PutError::Closed)),
                        false => queue.get().map(drop).map_err(|error| matches!(error, GetError::Closed)),
                    }
                });
                until_asleep(&queue, || has_begun.try_recv().is_ok());
                match (closing, waits_for_room) {
                    (true, _) => queue.close(),
                    (false, true) => drop(queue.get().unwrap()),
                    (false, false) => queue.put(&1).unwrap(),
                }
                let expected = if closing { Err(true) } else { Ok(()) };
                assert_eq!(waiting.join().unwrap(), expected, "closing: {closing}, for room: {waits_for_room}");
            });
            while queue.try_get().is_ok() {}
        }
    }
}

#[test]
fn many_producers_and_consumers_lose_and_double_nothing() {
    const EACH: u64 = 3000;
    for queue in [Queue::bounded(3).unwrap(), Queue::bounded(1000).unwrap(), Queue::unbounded().unwrap()] {
        let got = thread::scope(|scope| {
            let consumers = [(); 4].map(|()| {
                scope.spawn(|| {
                    let mut got = Vec::new();
                    while let Ok(item) = queue.get() {
                        got.push(item);
                    }
                    got
                })
            });
            let producers = [0, 1, 2].map(|producer| {
                let queue = &queue;
                scope.spawn(move || {
                    for number in 0..EACH {
                        queue.put(&(producer, number, "x".repeat(number as usize % 40))).unwrap();
                    }
                })
            });
            producers.into_iter().for_each(|producer| producer.join().unwrap());
            queue.close();
            consumers.map(|consumer| consumer.join().unwrap())
        });
        let mut counts = BTreeMap::new();
        for of_one in got {
            let mut last = [None; 3];
            for (producer, number, text) in of_one {
                assert_eq!(text.len(), number as usize % 40);
                // Those of one producer come to one consumer in order.
                let last = &mut last[producer];
                assert!(*last < Some(number));
                *last = Some(number);
                *counts.entry((producer, number)).or_insert(0) += 1;
            }
        }
        assert_eq!(counts.len() as u64, 3 * EACH);
        assert!(counts.values().all(|&count| count == 1));
    }
}

#[test]
fn no_consumer_starves() {
    const CONSUMERS: usize = 4;
    let queue = Queue::bounded(100).unwrap();
    let counts: [AtomicU64; CONSUMERS] = Default::default();
    thread::scope(|scope| {
        for count in &counts {
            scope.spawn(|| {
                while queue.get().is_ok() {
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        // It goes on until each has had many; a consumer that starves is a hang.
        while counts.iter().any(|count| count.load(Ordering::Relaxed) < 1000) {
            queue.put(&7).unwrap();
        }
        queue.close();
    });
}

#[test]
fn a_queue_grows_with_what_is_in_it_and_shrinks_again() {
    let queue = Queue::unbounded().unwrap();
    for round in 0..3_u8 {
        let item = |number: usize| vec![round; number * 37 % 2000];
        (0..1500).for_each(|number| queue.put(&item(number)).unwrap());
        assert_eq!(queue.len(), 1500);
        (0..1500).for_each(|number| assert_eq!(queue.get().unwrap(), item(number)));
    }
    // A long one between short ones, all the way around.
    for number in 0..200_usize {
        let items = [vec![1; 10], vec![2; number * 500], vec![3; 20]];
        items.iter().for_each(|item| queue.put(item).unwrap());
        items.iter().for_each(|item| assert_eq!(&queue.get().unwrap(), item));
    }
}

#[test]
fn an_item_that_is_too_large_is_told_with_sizes() {
    let queue = Queue::with_limits(None, 5000).unwrap();
    assert_eq!(queue.bytes_max(), 8192);
    let error = queue.put(&"x".repeat(8192)).unwrap_err();
    assert!(matches!(error, PutError::TooLarge { bytes: 8194, bytes_max: 8192 }), "{error:?}");
    assert!(error.to_string().contains("8194") && error.to_string().contains("8192"), "{error}");
    queue.put(&"x".repeat(8182)).unwrap();
    let error = queue.put(&String::new()).unwrap_err();
    assert!(matches!(error, PutError::OutOfRoom { bytes_max: 8192 }), "{error:?}");
    assert_eq!(queue.get().unwrap().len(), 8182);
    assert!(Queue::<u8>::with_limits(None, usize::MAX).is_err());

    // A bounded one waits for room instead.
    let queue = Queue::with_limits(Some(10), 4096).unwrap();
    queue.put(&"x".repeat(4000)).unwrap();
    assert!(matches!(queue.try_put(&"x".repeat(4000)), Err(PutError::Full)));
    thread::scope(|scope| {
        scope.spawn(|| queue.put(&"y".repeat(4000)).unwrap());
        assert_eq!(queue.get().unwrap(), "x".repeat(4000));
        assert_eq!(queue.get().unwrap(), "y".repeat(4000));
    });
}

#[test]
fn what_goes_by_descriptors_is_no_item() {
    let queue = Queue::unbounded().unwrap();
    let error = queue.put(&Mutex::new(1_u64).unwrap()).unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("descriptors") && cause.contains("channel"), "{cause}");
    assert!(queue.is_empty());
    // The bytes of a Blob can go.
    let queue = Queue::unbounded().unwrap();
    let blob = Blob::from(vec![7; 1 << 20]);
    queue.put(&blob).unwrap();
    assert_eq!(queue.get().unwrap(), blob);
}

#[test]
fn a_handle_is_not_written_into_plain_bytes() {
    let error = serde_json::to_string(&queue_of([])).unwrap_err().to_string();
    assert!(error.contains("this Queue cannot be written into bytes") && error.contains("channel"), "{error}");
}

#[test]
fn an_item_may_use_the_queue_while_it_is_encoded() {
    struct Nested<'a>(&'a Queue<u64>);
    impl Serialize for Nested<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            self.0.put(&1).map_err(serde::ser::Error::custom)?;
            serializer.serialize_u64(self.0.get().map_err(serde::ser::Error::custom)?)
        }
    }
    impl<'de> Deserialize<'de> for Nested<'_> {
        fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
            Err(serde::de::Error::custom("not needed"))
        }
    }
    let (inner, outer) = (queue_of([]), Queue::unbounded().unwrap());
    outer.put(&Nested(&inner)).unwrap();
    assert_eq!((inner.len(), outer.len()), (0, 1));
}

#[test]
fn handles_cross_threads_whatever_the_items_are() {
    fn crosses<T: Clone + Send + Sync + std::fmt::Debug + Unpin>() {}
    crosses::<Queue<std::rc::Rc<u64>>>();
    let queue = queue_of(0..2);
    assert_eq!(format!("{queue:?}"), "Queue { len: 2, items_max: None, is_closed: false, .. }");
}
