//! What only the inside can show: memory that others wrote to, and what is left of the ring.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use proptest::prelude::*;

use super::consumer::Consumer;
use super::cursor::Cursor;
use super::error::{GetError, JoinError, PutError};
use super::fuzzing::read_nonsense;
use super::memory::Limits;
use super::store::Store;
use crate::segment::Shape;
use crate::sync::robust::{Patience, RobustLock};

fn store(bytes_max: usize) -> Store {
    Store::new(Shape::new("Queue"), Limits::new(u64::MAX, bytes_max).unwrap()).unwrap()
}

fn get(store: &Store) -> Vec<u8> {
    let mut bytes = Vec::new();
    store.get(&mut bytes, Patience::None).unwrap();
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn nonsense_in_the_ring_is_an_error_or_an_item(bytes: Vec<u8>, items in 0..3_u64, words in 0..600_u64) {
        read_nonsense([0, 0], &bytes);
        read_nonsense([0, items << 32 | words], &bytes);
        read_nonsense([items << 32 | words, 0], &bytes);
    }

    #[test]
    fn nonsense_in_the_cursors_is_an_error_or_an_item(by: [u64; 2], bytes: Vec<u8>) {
        read_nonsense(by, &bytes);
    }
}

#[test]
fn a_size_that_no_ring_has_is_an_error() {
    for size in [0, 12, 18, u32::MAX] {
        let store = store(1 << 20);
        store.put(b"one", Patience::None).unwrap();
        store.memory.set_ring_size(size);
        assert!(matches!(store.put(b"two", Patience::None), Err(PutError::Overwritten)));
        assert!(matches!(store.get(&mut Vec::new(), Patience::None), Err(GetError::Overwritten)));
    }
}

#[test]
fn cursors_wrap_around() {
    let store = store(4096);
    let start = Cursor { items: u32::MAX - 1, words: u32::MAX - 5 }.to_word();
    store.memory.head().store(start, Ordering::Relaxed);
    store.memory.tail().store(start, Ordering::Relaxed);
    for number in 0..5_u8 {
        store.put(&[number; 20], Patience::None).unwrap();
    }
    assert_eq!(store.len(), 5);
    for number in 0..5 {
        assert_eq!(get(&store), [number; 20]);
    }
    assert_eq!(store.len(), 0);
}

#[test]
fn a_ring_grows_by_need_and_is_given_up_when_it_is_empty() {
    let store = store(64 << 20);
    let size = || store.memory.ring().unwrap().1;
    assert_eq!(size(), 13);
    let long = vec![7; 3 << 20];
    store.put(b"short", Patience::None).unwrap();
    store.put(&long, Patience::None).unwrap();
    assert_eq!((size(), get(&store), get(&store) == long), (19, b"short".to_vec(), true));
    // Where items are so long, the memory is needed again.
    assert_eq!(size(), 19);
    store.put(b"short", Patience::None).unwrap();
    assert_eq!((get(&store), size()), (b"short".to_vec(), 17));
}

#[test]
fn a_ring_that_was_left_is_given_back() {
    let store = store(64 << 20);
    let before = store.memory.taken_bytes();
    for _ in 0..3 {
        (0..10).for_each(|_| store.put(&vec![7; 1 << 20], Patience::None).unwrap());
        assert!(store.memory.taken_bytes() > before + (10 << 20));
        assert_eq!(store.close(true), 10);
        assert!(store.memory.taken_bytes() < before + (2 << 20), "{}", store.memory.taken_bytes());
        store.memory.closed().store(0, Ordering::Relaxed);
    }
}

/// A thread that ends while it has a lock leaves it as a process does that is killed.
fn die_with(lock: &RobustLock, after: impl FnOnce() + Send) {
    let dying = || {
        let _taken = lock.lock();
        after();
    };
    thread::scope(|scope| scope.spawn(dying).join().unwrap());
}

#[test]
fn a_producer_that_dies_before_the_store_leaves_nothing() {
    let store = store(4096);
    store.put(b"one", Patience::None).unwrap();
    let memory = &store.memory;
    die_with(memory.put_lock(), || {
        let tail = Cursor::of_word(memory.tail().load(Ordering::Relaxed));
        memory.ring().unwrap().0.write(tail.words, b"never put");
        memory.item_bell().register();
        memory.item_bell().ring_one();
    });
    assert_eq!(store.len(), 1);
    store.put(b"two", Patience::None).unwrap();
    assert_eq!((get(&store), get(&store)), (b"one".to_vec(), b"two".to_vec()));
}

#[test]
fn a_producer_that_dies_after_the_store_has_put() {
    let store = store(4096);
    let memory = &store.memory;
    die_with(memory.put_lock(), || {
        memory.ring().unwrap().0.write(0, b"one");
        memory.tail().store(Cursor::default().behind(2).to_word(), Ordering::Release);
    });
    store.put(b"two", Patience::None).unwrap();
    assert_eq!((get(&store), get(&store)), (b"one".to_vec(), b"two".to_vec()));
}

#[test]
fn a_consumer_that_dies_before_the_store_has_got_nothing() {
    let store = store(4096);
    store.put(b"one", Patience::None).unwrap();
    let memory = &store.memory;
    die_with(memory.get_lock(), || {
        // It goes with its lock on the file.
        let consumer = Consumer::default();
        consumer.got(memory, Cursor::default()).unwrap();
    });
    assert!(matches!(store.join(Patience::of(Duration::ZERO)), Err(JoinError::Timeout)));
    assert_eq!(get(&store), b"one");
    store.task_done().unwrap();
    store.join(Patience::Endless).unwrap();
}

#[test]
fn a_consumer_that_dies_after_the_store_is_told_of_once() {
    let store = store(4096);
    for _ in 0..3 {
        store.put(b"one", Patience::None).unwrap();
        store.put(b"two", Patience::None).unwrap();
        let other = Store::of(store.memory.clone());
        assert_eq!(get(&other), b"one");
        drop(other);
        assert_eq!(get(&store), b"two");
        store.task_done().unwrap();
        let joined = store.join(Patience::Endless);
        assert!(matches!(joined, Err(JoinError::ConsumerDied { items: 1 })), "{joined:?}");
        store.join(Patience::Endless).unwrap();
    }
}

#[test]
fn whoever_is_not_woken_looks_by_itself() {
    let store = store(4096);
    let memory = &store.memory;
    thread::scope(|scope| {
        let got = scope.spawn(|| get_waiting(&store));
        while !memory.item_bell().may_sleep() {
            thread::yield_now();
        }
        // An item whose wake-up went to somebody who died.
        memory.ring().unwrap().0.write(0, b"one");
        memory.tail().store(Cursor::default().behind(2).to_word(), Ordering::Release);
        assert_eq!(got.join().unwrap(), b"one");
    });
}

fn get_waiting(store: &Store) -> Vec<u8> {
    let mut bytes = Vec::new();
    store.get(&mut bytes, Patience::Endless).unwrap();
    bytes
}

/// It is what is left when one who was woken there is killed after somebody else has taken the lock.
#[cfg(target_env = "gnu")]
#[test]
fn whoever_sleeps_at_a_lock_that_is_free_looks_by_itself() {
    let store = store(4096);
    let (lock, word) = (store.memory.put_lock(), store.memory.put_lock_word());
    let _taken = lock.lock();
    thread::scope(|scope| {
        let put = scope.spawn(|| store.put(b"one", Patience::Endless));
        while word.load(Ordering::SeqCst) & libc::FUTEX_WAITERS == 0 {
            thread::yield_now();
        }
        word.fetch_and(!libc::FUTEX_WAITERS, Ordering::SeqCst);
        lock.unlock();
        put.join().unwrap().unwrap();
    });
    assert_eq!(get(&store), b"one");
}
