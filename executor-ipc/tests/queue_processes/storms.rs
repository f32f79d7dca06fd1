//! Producers and consumers that are killed at random instants: no item is torn, none comes twice, nobody waits for ever.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use executor_ipc::{GetError, JoinError, Queue, SharedArray};
use serde::{Deserialize, Serialize};

use crate::Order;
use crate::peer::{Peer, Random, is_long, until};

pub(crate) const TESTS: &[(&str, fn())] = &[("a_queue_survives_storms_of_kills", a_queue_survives_storms_of_kills)];

/// A number that nobody else puts, and a text that follows from it.
#[derive(Serialize, Deserialize)]
pub(crate) struct Item {
    number: u64,
    text: String,
}

impl Item {
    fn new(number: u64) -> Item {
        // Most are short; some make the ring grow.
        let length = if number.is_multiple_of(199) { 30_000 } else { number % 50 };
        Item { number, text: char::from(b'a' + (number % 26) as u8).to_string().repeat(length as usize) }
    }
}

/// In the marks: the next number, how many items were torn, and then one word for each number.
const NEXT: usize = 0;
const TORN: usize = 1;
const FIRST: usize = 2;
/// Of the word of a number: it was put for certain; and each time that it was got.
const PUT: u64 = 1 << 32;
const GOT: u64 = 1;

pub(crate) fn produce(queue: &Queue<Item>, marks: &SharedArray<AtomicU64>) {
    loop {
        let number = marks[NEXT].fetch_add(1, Ordering::Relaxed);
        // There are as many words as a storm can need; if not, the rest of it is done by the others.
        let Some(mark) = marks.get(FIRST + number as usize) else { return };
        if queue.put(&Item::new(number)).is_err() {
            return;
        }
        mark.fetch_add(PUT, Ordering::Relaxed);
    }
}

pub(crate) fn consume(queue: &Queue<Item>, marks: &SharedArray<AtomicU64>) {
    while let Ok(item) = queue.get() {
        if item.text == Item::new(item.number).text {
            marks[FIRST + item.number as usize].fetch_add(GOT, Ordering::Relaxed);
        } else {
            marks[TORN].fetch_add(1, Ordering::Relaxed);
        }
        queue.task_done().unwrap();
    }
}

fn a_queue_survives_storms_of_kills() {
    let mut random = Random::new("Queue");
    for _ in 0..if is_long() { 34 } else { 1 } {
        // Everybody sleeps now and then; consumers do most of the time; producers do.
        for (items_max, producers, consumers) in [(Some(4), 2, 2), (None, 1, 3), (Some(1000), 3, 1)] {
            storm(&mut random, items_max, producers, consumers);
        }
    }
}

fn storm(random: &mut Random, items_max: Option<usize>, producers: usize, consumers: usize) {
    const KILLS: u64 = 100;
    const NUMBERS: usize = 16 << 20;
    let queue = Queue::<Item>::with_limits(items_max, 64 << 20).unwrap();
    let marks = SharedArray::<AtomicU64>::new(FIRST + NUMBERS).unwrap();
    let start = |place: usize| {
        let peer = Peer::<Order>::start();
        peer.tell(&match place < producers {
            true => Order::Produce(queue.clone(), marks.clone()),
            false => Order::Consume(queue.clone(), marks.clone()),
        });
        peer
    };
    let mut peers: Vec<_> = (0..producers + consumers).map(start).collect();
    let mut killed_consumers = 0;
    for _ in 0..KILLS {
        // It has begun, and so has whoever is killed here most of the time.
        let seen = marks[NEXT].load(Ordering::Relaxed);
        until("the storm goes on", || marks[NEXT].load(Ordering::Relaxed) != seen || is_over(&marks));
        thread::sleep(Duration::from_micros(random.below(2000)));
        let place = random.below(peers.len() as u64) as usize;
        let peer = std::mem::replace(&mut peers[place], start(place));
        peer.kill();
        killed_consumers += u64::from(place >= producers);
    }
    queue.close();
    for peer in peers {
        assert!(peer.hear::<bool>());
        peer.end();
    }
    assert!(matches!(queue.try_get(), Err(GetError::Closed)));
    let lost = match queue.join() {
        Ok(()) => 0,
        Err(JoinError::ConsumerDied { items }) => items,
        Err(error) => panic!("{error}"),
    };
    let words: Vec<u64> = marks[FIRST..].iter().map(|word| word.load(Ordering::Relaxed)).collect();
    let count = |is_so: fn(&&u64) -> bool| words.iter().filter(is_so).count() as u64;
    let got = count(|&&word| word % PUT == GOT);
    let missing = count(|&&word| word == PUT);
    println!(
        "  {KILLS} kills, {got} items, {lost} went with {killed_consumers} consumers, {missing} of them not marked"
    );
    assert_eq!(count(|&&word| word % PUT > GOT), 0, "no item is got twice");
    assert_eq!(marks[TORN].load(Ordering::Relaxed), 0, "no item is torn");
    // An item that was got but not marked was lost with its consumer.
    assert!(missing <= lost && lost <= killed_consumers);
    assert!(got > KILLS);
}

/// True if there are no more numbers.
fn is_over(marks: &SharedArray<AtomicU64>) -> bool {
    marks[NEXT].load(Ordering::Relaxed) as usize >= marks.len() - FIRST
}
