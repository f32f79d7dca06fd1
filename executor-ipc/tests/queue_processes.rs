//! Queues between processes: what the laws say, and what is left when somebody dies.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "these are tests")]

mod peer;

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use executor_ipc::{GetError, JoinError, PutError, Queue, SharedArray, TaskDoneError};
use peer::{Asker, Peer, Random, is_long, run, serve, until};
use serde::{Deserialize, Serialize};

fn main() {
    if serve(answer) {
        return;
    }
    run(&[
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
        ("who_dies_waiting_takes_no_item", who_dies_waiting_takes_no_item),
        ("who_joins_is_told_of_dead_consumers", who_joins_is_told_of_dead_consumers),
        ("no_process_starves", no_process_starves),
        ("a_queue_survives_storms_of_kills", a_queue_survives_storms_of_kills),
    ]);
}

const SHORT: Duration = Duration::from_millis(30);

/// What a peer is to do.
#[derive(Serialize, Deserialize)]
enum Order {
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
type Told = Result<u64, String>;

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
fn peer_with(queue: &Queue<u64>) -> Peer<Order> {
    let peer = Peer::start();
    begin(&peer, &Order::Have(queue.clone()));
    peer
}

fn ask(peer: &Peer<Order>, order: Order) -> Told {
    peer.ask(&order)
}

/// Waits until the peer has begun, or has done what it does at once.
fn begin(peer: &Peer<Order>, order: &Order) {
    assert!(peer.ask::<bool>(order));
}

fn is(outcome: &Told, error: &str) -> bool {
    matches!(outcome, Err(name) if name.starts_with(error))
}

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

/// A peer that sleeps in the system, as far as that can be seen.
fn until_asleep(peer: &Peer<Order>) {
    until("the peer sleeps", || {
        let status = std::fs::read_to_string(format!("/proc/{}/syscall", peer.id())).unwrap_or_default();
        // Where that is not to be read, the test is weaker, and not wrong.
        status.is_empty() || status.starts_with("202 ")
    });
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

/// A number that nobody else puts, and a text that follows from it.
#[derive(Serialize, Deserialize)]
struct Item {
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

fn produce(queue: &Queue<Item>, marks: &SharedArray<AtomicU64>) {
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

fn consume(queue: &Queue<Item>, marks: &SharedArray<AtomicU64>) {
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
