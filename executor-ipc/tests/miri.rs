//! What threads share, under Miri: locks, values, arrays and queues in memory of the heap.
//!
//! Miri sees what no assertion can: a value that two threads reach at once, an item that is read before it is written, an
//! access outside of the memory. So these tests are small and look at little; they are there to be run by
//! `cargo +nightly miri test -p executor-ipc --test miri`, and run under plain `cargo test` too, with more rounds.
//!
//! Under Miri a segment is of the heap, its locks are not robust, and there is one process. What dies, what travels, and what
//! needs to know who has a lock is for the other tests.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use bytemuck::{Pod, Zeroable};
use executor_ipc::sync::{Event, Mutex, ReentrantMutex, RwLock, Semaphore};
use executor_ipc::{PutError, Queue, SharedArray, SharedValue};
use serde_bytes::ByteBuf;

/// Miri is some hundred times slower.
const ROUNDS: u64 = if cfg!(miri) { 8 } else { 2000 };

/// Its second half is the first one doubled, unless somebody sees it half written.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
struct Pair {
    one: u64,
    two: u64,
}

impl Pair {
    fn step(&mut self) {
        self.check();
        self.one += 1;
        self.two += 2;
    }

    fn check(&self) {
        assert_eq!(2 * self.one, self.two);
    }
}

/// Both, so many times, at the same time.
fn race(one: impl Fn() + Send, other: impl Fn() + Send) {
    thread::scope(|scope| {
        scope.spawn(move || (0..ROUNDS).for_each(|_| one()));
        scope.spawn(move || (0..ROUNDS).for_each(|_| other()));
    });
}

#[test]
fn a_mutex() {
    let mutex = Mutex::new(Pair { one: 0, two: 0 }).unwrap();
    let other = mutex.clone();
    race(|| mutex.lock().unwrap().step(), || other.lock_timeout(Duration::MAX).unwrap().step());
    assert_eq!(mutex.try_lock().unwrap().one, 2 * ROUNDS);
}

#[test]
fn a_reentrant_mutex() {
    let mutex = ReentrantMutex::new(0_u64).unwrap();
    let twice = || {
        let (outer, inner) = (mutex.lock().unwrap(), mutex.lock().unwrap());
        inner.set(outer.get() + 1);
    };
    race(twice, twice);
    assert_eq!(mutex.lock().unwrap().get(), 2 * ROUNDS);
}

#[test]
fn a_rw_lock() {
    let lock = RwLock::new(Pair { one: 0, two: 0 }).unwrap();
    let read_twice = || {
        let (one, other) = (lock.read().unwrap(), lock.try_read());
        one.check();
        other.iter().for_each(|other| other.check());
    };
    race(|| lock.write().unwrap().step(), read_twice);
    assert_eq!(lock.read().unwrap().one, ROUNDS);
}

#[test]
fn shared_values() {
    let plain = SharedValue::new(Pair { one: 0, two: 0 }).unwrap();
    race(|| plain.lock().unwrap().step(), || plain.get().unwrap().check());
    plain.set(Pair { one: 7, two: 14 });
    assert_eq!(plain.get().unwrap().one, 7);
    let atomic = SharedValue::new(AtomicU64::new(0)).unwrap();
    race(|| _ = atomic.fetch_add(1, Ordering::Relaxed), || _ = atomic.fetch_add(1, Ordering::Relaxed));
    assert_eq!(atomic.load(Ordering::Relaxed), 2 * ROUNDS);
}

#[test]
fn arrays_and_their_parts() {
    let pairs = SharedArray::from_slice(&[Pair { one: 1, two: 2 }; 5]).unwrap();
    let (start, end) = (pairs.slice(..3), pairs.slice(2..));
    let step_all = |pairs: &SharedArray<Pair>| pairs.lock().unwrap().iter_mut().for_each(Pair::step);
    race(|| step_all(&start), || step_all(&end));
    drop((start, end));
    let steps: Vec<u64> = pairs.lock().unwrap().iter().map(|pair| pair.one - 1).collect();
    assert_eq!(steps, [1, 1, 2, 1, 1].map(|times| times * ROUNDS));
    assert_eq!(pairs.slice(5..).lock().unwrap().len(), 0);
    let atoms = SharedArray::<AtomicU64>::new(3).unwrap();
    race(|| _ = atoms[2].fetch_add(1, Ordering::Relaxed), || _ = atoms.slice(2..)[0].fetch_add(1, Ordering::Relaxed));
    assert_eq!(atoms[2].load(Ordering::Relaxed), 2 * ROUNDS);
}

#[test]
fn what_is_handed_over_by_a_permit_or_an_event_is_seen() {
    let (here, there) = (Event::new().unwrap(), Semaphore::new(0).unwrap());
    let value = SharedValue::new(AtomicU64::new(0)).unwrap();
    let ask = || {
        value.store(1, Ordering::Relaxed);
        there.release().unwrap();
        here.wait();
        here.clear();
        assert_eq!(value.load(Ordering::Relaxed), 2);
    };
    let answer = || {
        there.acquire().forget();
        assert_eq!(value.swap(2, Ordering::Relaxed), 1);
        here.set();
    };
    race(ask, answer);
}

#[test]
fn a_queue_that_is_full_or_empty_most_of_the_time() {
    let queue = Queue::with_limits(Some(2), 4096).unwrap();
    let (puts, gets) = (AtomicU64::new(0), AtomicU64::new(0));
    let put = || {
        let number = puts.fetch_add(1, Ordering::Relaxed);
        queue.put(&(number, "a few words".repeat(number as usize % 3))).unwrap();
    };
    let get = || {
        let (number, text): (u64, String) = queue.get().unwrap();
        assert_eq!((number, text.len()), (gets.fetch_add(1, Ordering::Relaxed), 11 * (number as usize % 3)));
        queue.task_done().unwrap();
    };
    race(put, get);
    queue.join().unwrap();
    queue.close();
    assert!(matches!(queue.put(&(0, String::new())), Err(PutError::Closed)));
}

#[test]
fn a_queue_whose_ring_is_around_and_around_and_grows() {
    let pass = |queue: &Queue<ByteBuf>, lengths: [usize; 2]| {
        let items = lengths.map(|length| ByteBuf::from(vec![length as u8; length]));
        items.iter().for_each(|item| queue.put(item).unwrap());
        items.iter().for_each(|item| assert!(queue.get().unwrap() == *item));
    };
    let short = Queue::with_limits(None, 4096).unwrap();
    [[1300, 1301], [1900, 5], [1500, 1501]].into_iter().for_each(|lengths| pass(&short, lengths));
    // The first ring has 64 KiB.
    let long = Queue::with_limits(None, 256 << 10).unwrap();
    pass(&long, [20, 64 << 10]);
    assert_eq!(long.close_now(), 0);
}
