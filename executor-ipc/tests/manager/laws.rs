//! What every kind of object does.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use executor_ipc::manager::{Counter, Dict, List, Manager, ManagerError, Namespace, Queue};
use serde::{Deserialize, Serialize};

use crate::board::{BoardProxy, Chain, chain_of};
use crate::child::{Host, Order, Peer, Toolkit, What};
use crate::rooms::RoomsProxy;
use crate::{Test, eventually, short};

pub(crate) const TESTS: &[Test] = &[
    ("containers_hold_and_change_values", containers_hold_and_change_values),
    ("nested_proxies_share_state_and_keep_their_target", nested_proxies_share_state_and_keep_their_target),
    ("a_long_chain_of_containers_goes", a_long_chain_of_containers_goes),
    ("entries_are_a_copy", entries_are_a_copy),
    ("every_kind_through_a_proxy_in_another_process", every_kind_through_a_proxy_in_another_process),
    ("a_proxy_on_its_way_keeps_its_object", a_proxy_on_its_way_keeps_its_object),
    ("read_and_write_is_one_call", read_and_write_is_one_call),
    ("a_queue_is_bounded_and_ordered", a_queue_is_bounded_and_ordered),
    ("a_queue_is_joined", a_queue_is_joined),
    ("a_queue_is_closed", a_queue_is_closed),
    ("a_call_that_waits_is_in_nobodys_way", a_call_that_waits_is_in_nobodys_way),
    ("waits_end_in_time", waits_end_in_time),
    ("a_condition_wakes_as_many_as_it_says", a_condition_wakes_as_many_as_it_says),
    ("an_event_wakes_all_who_wait", an_event_wakes_all_who_wait),
    ("a_barrier_goes_round", a_barrier_goes_round),
    ("many_calls_in_one_go", many_calls_in_one_go),
    ("names_are_for_all", names_are_for_all),
    ("messages_have_a_limit", messages_have_a_limit),
    ("values_have_a_depth", values_have_a_depth),
    ("connections_have_a_limit", connections_have_a_limit),
    ("a_connection_is_one_thread", a_connection_is_one_thread),
    ("it_waits_until_others_have_gone", it_waits_until_others_have_gone),
    ("what_is_held_goes_back_without_a_free_connection", what_is_held_goes_back_without_a_free_connection),
    ("values_of_other_types_are_errors", values_of_other_types_are_errors),
    ("proxies_do_not_travel_without_descriptors", proxies_do_not_travel_without_descriptors),
];

/// Law 259: containers behave as local ones do.
fn containers_hold_and_change_values(host: Host) {
    let hosted = host.start();
    let manager = &hosted.manager;
    let dict: Dict<String, Vec<u8>> = manager.dict().unwrap();
    assert_eq!(dict.insert("a", &vec![1]).unwrap(), None);
    assert_eq!(dict.insert("a", &vec![2]).unwrap(), Some(vec![1]));
    assert_eq!(dict.get("a").unwrap(), Some(vec![2]));
    assert_eq!(dict.get("b").unwrap(), None);
    assert_eq!(dict.insert_if_absent("a", &vec![9]).unwrap(), Some(vec![2]));
    assert_eq!(dict.insert_if_absent("b", &vec![9]).unwrap(), None);
    assert_eq!(dict.get_or_insert("c", vec![7]).unwrap(), vec![7]);
    assert_eq!(dict.compare_exchange("a", Some(&vec![1]), None).unwrap(), Err(Some(vec![2])));
    assert_eq!(dict.compare_exchange("z", Some(&vec![1]), None).unwrap(), Err(None));
    assert_eq!(dict.compare_exchange("z", None, Some(&vec![1])).unwrap(), Ok(()));
    assert_eq!(dict.compare_exchange("z", Some(&vec![1]), Some(&vec![3])).unwrap(), Ok(()));
    assert_eq!(dict.compare_exchange("z", Some(&vec![3]), None).unwrap(), Ok(()));
    assert_eq!(dict.update("a", |value| value.map(|value| [value, vec![5]].concat())).unwrap(), Some(vec![2, 5]));
    assert_eq!(dict.update("new", |value| value.or(Some(vec![0]))).unwrap(), Some(vec![0]));
    assert_eq!(dict.update("new", |_| None).unwrap(), None);
    assert!(dict.contains_key("b").unwrap() && !dict.contains_key("new").unwrap());
    assert_eq!((dict.len().unwrap(), dict.remove("b").unwrap(), dict.remove("b").unwrap()), (3, Some(vec![9]), None));
    dict.clear().unwrap();
    assert!(dict.is_empty().unwrap());

    let list: List<String> = manager.list().unwrap();
    let texts = ["a", "b", "c"].map(str::to_owned);
    assert_eq!(list.push(&texts[1]).unwrap(), 1);
    assert_eq!(list.push_front(&texts[0]).unwrap(), 2);
    assert_eq!(list.extend(&texts).unwrap(), 5);
    assert_eq!(list.insert(5, &texts[2]).unwrap(), 6);
    assert_eq!(list.remove(2).unwrap(), "a");
    assert_eq!(list.set(0, &texts[2]).unwrap(), "a");
    assert_eq!(list.compare_exchange(0, &texts[0], &texts[1]).unwrap(), Err("c".to_owned()));
    assert_eq!(list.compare_exchange(0, &texts[2], &texts[1]).unwrap(), Ok(()));
    assert_eq!(list.to_vec().unwrap(), ["b", "b", "b", "c", "c"]);
    assert_eq!((list.get(4).unwrap().as_deref(), list.get(5).unwrap()), (Some("c"), None));
    assert!(matches!(list.set(5, &texts[0]), Err(ManagerError::OutOfRange { index: 5, len: 5 })));
    assert!(matches!(list.remove(5), Err(ManagerError::OutOfRange { .. })));
    assert!(matches!(list.insert(6, &texts[0]), Err(ManagerError::OutOfRange { .. })));
    assert_eq!((list.pop().unwrap().as_deref(), list.pop_front().unwrap().as_deref()), (Some("c"), Some("b")));
    list.clear().unwrap();
    assert!(list.is_empty().unwrap() && list.pop().unwrap().is_none());

    let names = manager.namespace().unwrap();
    names.set("n", &1_i64).unwrap();
    assert_eq!(names.fetch_add("n", 4).unwrap(), 1);
    assert_eq!(names.fetch_add("m", -1).unwrap(), 0);
    assert_eq!(names.swap("n", &7_i64).unwrap(), Some(5_i64));
    assert_eq!(names.compare_exchange("n", Some(&8_i64), &9).unwrap(), Err(Some(7)));
    assert_eq!(names.compare_exchange("n", Some(&7_i64), &9).unwrap(), Ok(()));
    names.set("text", &"words".to_owned()).unwrap();
    assert!(matches!(names.fetch_add("text", 1), Err(ManagerError::NotANumber)));
    let mut all = names.names().unwrap();
    all.sort_unstable();
    assert_eq!(all, ["m", "n", "text"]);
    assert!(names.remove("m").unwrap() && !names.remove("m").unwrap());
    drop((dict, list, names));
    hosted.end();
}

#[derive(Debug, Serialize, Deserialize)]
struct Shelf {
    label: String,
    books: List<String>,
    more: Option<Dict<u8, List<String>>>,
}

/// Law 259: nested proxies share state and keep their target alive.
fn nested_proxies_share_state_and_keep_their_target(host: Host) {
    let hosted = host.start();
    let manager = &hosted.manager;
    let shelves: Dict<String, Shelf> = manager.dict().unwrap();
    let books = manager.list().unwrap();
    let inner: Dict<u8, List<String>> = manager.dict().unwrap();
    inner.insert(&1, &books).unwrap();
    let shelf = Shelf { label: "first".to_owned(), books, more: Some(inner) };
    shelves.insert("one", &shelf).unwrap();
    assert_eq!(manager.stats().unwrap().objects, 3);
    drop(shelf);

    // Only the values keep them now.
    let read = shelves.get("one").unwrap().unwrap();
    assert_eq!(read.label, "first");
    read.books.push(&"a".to_owned()).unwrap();
    let same = read.more.as_ref().unwrap().get(&1).unwrap().unwrap();
    assert_eq!(same, read.books);
    assert_eq!(same.to_vec().unwrap(), ["a"]);
    drop((read, same));

    // Taken out, they live as long as what was taken.
    let removed = shelves.remove("one").unwrap().unwrap();
    assert_eq!(removed.books.len().unwrap(), 1);
    assert_eq!(manager.stats().unwrap().objects, 3);
    drop(removed);
    eventually("they are gone", || manager.stats().unwrap().objects == 1);

    // One that contains itself is a value like any other, until it is taken out.
    let own: List<List<u8>> = manager.list().unwrap();
    let itself: List<List<u8>> = own.clone();
    let other: List<u8> = manager.list().unwrap();
    itself.push(&other).unwrap();
    drop((own, itself, other));
    eventually("they are gone", || manager.stats().unwrap().objects == 1);

    // The proxy of another manager has no place here.
    let elsewhere = Manager::new().unwrap();
    let foreign: List<String> = elsewhere.list().unwrap();
    let nested: List<List<String>> = manager.list().unwrap();
    let error = nested.push(&foreign).unwrap_err();
    assert!(matches!(error, ManagerError::OtherManager), "{error:?}");
    drop((elsewhere, foreign, nested, shelves));
    hosted.end();
}

/// What keeps what keeps what …: longer than a stack.
fn a_long_chain_of_containers_goes(host: Host) {
    let hosted = host.start();
    #[derive(Serialize, Deserialize)]
    struct Link(List<Link>);
    let mut last: List<Link> = hosted.manager.list().unwrap();
    let links = 20_000;
    for _ in 0..links {
        let next = hosted.manager.list().unwrap();
        next.push(&Link(last)).unwrap();
        last = next;
    }
    assert_eq!(hosted.manager.stats().unwrap().objects, links + 1);
    drop(last);
    eventually("they are gone", || hosted.manager.stats().unwrap().objects == 0);
    hosted.end();
}

/// Law 259, otherwise: what is read is a copy, so that nobody changes it under a reader.
fn entries_are_a_copy(host: Host) {
    let hosted = host.start();
    let dict: Dict<u32, String> = hosted.manager.dict().unwrap();
    (0..1000).try_for_each(|n| dict.insert(&n, &n.to_string()).map(drop)).unwrap();
    let mut entries = dict.entries().unwrap();
    for (key, value) in &entries {
        dict.insert(key, &format!("{value}!")).unwrap();
        dict.remove(&(key + 1)).unwrap();
    }
    entries.sort_unstable();
    assert!(entries.len() == 1000 && entries.iter().all(|(key, value)| *value == key.to_string()));
    assert_eq!(dict.keys().unwrap().len(), dict.values().unwrap().len());
    drop(dict);
    hosted.end();
}

fn toolkit(manager: &Manager) -> Toolkit {
    Toolkit {
        dict: manager.dict().unwrap(),
        namespace: manager.namespace().unwrap(),
        list: manager.list().unwrap(),
        queue: manager.bounded_queue(2).unwrap(),
        lock: manager.lock().unwrap(),
        condition: manager.condition().unwrap(),
        semaphore: manager.semaphore(1).unwrap(),
        event: manager.event().unwrap(),
        counter: manager.counter(0).unwrap(),
        barrier: manager.barrier(2).unwrap(),
        board: BoardProxy::new(manager, 100).unwrap(),
    }
}

/// Law 262: every kind of object through a proxy in another process.
fn every_kind_through_a_proxy_in_another_process(host: Host) {
    let hosted = host.start();
    let manager = &hosted.manager;
    let tools = toolkit(manager);
    let there = Toolkit {
        dict: tools.dict.clone(),
        namespace: tools.namespace.clone(),
        list: tools.list.clone(),
        queue: tools.queue.clone(),
        lock: tools.lock.clone(),
        condition: tools.condition.clone(),
        semaphore: tools.semaphore.clone(),
        event: tools.event.clone(),
        counter: tools.counter.clone(),
        barrier: tools.barrier.clone(),
        board: tools.board.clone(),
    };
    let peer = Peer::start();
    peer.tell(&Order::Use(manager.clone(), there));
    assert!(!tools.event.set().unwrap());
    tools.dict.fetch_add("both", 2).unwrap();
    tools.queue.put(&40).unwrap();
    tools.queue.join().unwrap();
    tools.board.add("parent", 6).unwrap().unwrap();
    {
        let _guard = tools.condition.lock().unwrap();
        tools.dict.insert("go", &1).unwrap();
        tools.condition.notify_all().unwrap();
    }
    tools.barrier.wait().unwrap();
    assert_eq!(peer.hear::<String>(), "done");
    assert_eq!(tools.dict.get("child").unwrap(), Some(1));
    assert_eq!(tools.dict.get("both").unwrap(), Some(3));
    assert_eq!(tools.namespace.get::<Vec<u8>>("child").unwrap(), Some(vec![1, 2]));
    assert_eq!(tools.list.to_vec().unwrap(), ["child"]);
    assert_eq!(tools.counter.get().unwrap(), 40);
    assert_eq!(tools.semaphore.available().unwrap(), 1);
    assert_eq!(tools.board.all().unwrap(), [("child".to_owned(), 5), ("parent".to_owned(), 6)]);
    // What the child published lives, by its name.
    let published: Queue<u8> = manager.find("from the child").unwrap();
    published.put(&1).unwrap();
    peer.end();
    eventually("there is one client", || manager.stats().unwrap().clients == 1);
    assert_eq!(published.get().unwrap(), 1);
    drop((tools, published));
    hosted.end();
}

fn a_proxy_on_its_way_keeps_its_object(host: Host) {
    let hosted = host.start();
    for _ in 0..20 {
        let peer = Peer::start();
        let outer: Dict<String, List<u32>> = hosted.manager.dict().unwrap();
        let inner = hosted.manager.list().unwrap();
        inner.push(&7).unwrap();
        outer.insert("one", &inner).unwrap();
        peer.tell(&Order::Keep(outer.clone()));
        // Before the other side has it, for all that anybody knows.
        drop((outer, inner));
        assert_eq!(peer.hear::<String>(), "got it");
        assert_eq!(peer.ask::<String>(&Order::Look), "[7]");
        peer.end();
        eventually("it is gone", || hosted.manager.stats().unwrap().objects == 0);
    }
    // Nobody ever receives it.
    let counter = hosted.manager.counter(1).unwrap();
    let (encoded, attachments) = executor_ipc::attach::collect(|| postcard::to_stdvec(&counter));
    drop(counter);
    assert_eq!(hosted.manager.stats().unwrap().objects, 1);
    // Twice over: two proxies of one object.
    let decode = || postcard::from_bytes::<Counter>(encoded.as_ref().unwrap()).unwrap();
    let (one, other) = executor_ipc::attach::supply(attachments.clone(), || (decode(), decode()));
    drop((attachments, one));
    assert_eq!(other.fetch_add(1).unwrap(), 1);
    drop(other);
    eventually("it is gone", || hosted.manager.stats().unwrap().objects == 0);
    hosted.end();
}

fn read_and_write_is_one_call(host: Host) {
    const THREADS: i64 = 4;
    const TIMES: i64 = 250;
    let hosted = host.start();
    let manager = &hosted.manager;
    let (counter, list) = (manager.counter(0).unwrap(), manager.list::<i64>().unwrap());
    let dict: Dict<String, i64> = manager.dict().unwrap();
    let seen: Dict<usize, i64> = manager.dict().unwrap();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (counter, list, dict, seen) = (&counter, &list, &dict, &seen);
            scope.spawn(move || {
                for n in 0..TIMES {
                    counter.fetch_add(1).unwrap();
                    dict.fetch_add("added", 1).unwrap();
                    dict.update("updated", |value| Some(value.unwrap_or(0) + 1)).unwrap();
                    let mut found = dict.get("exchanged").unwrap();
                    while let Err(now) =
                        dict.compare_exchange("exchanged", found.as_ref(), Some(&(found.unwrap_or(0) + 1))).unwrap()
                    {
                        found = now;
                    }
                    // The length is another one for each.
                    let len = list.push(&(thread * TIMES + n)).unwrap();
                    assert_eq!(seen.insert_if_absent(&len, &thread).unwrap(), None);
                }
            });
        }
    });
    let all = Some(THREADS * TIMES);
    assert_eq!(Some(counter.get().unwrap()), all);
    assert_eq!(["added", "updated", "exchanged"].map(|key| dict.get(key).unwrap()), [all; 3]);
    assert_eq!((list.len().unwrap(), seen.len().unwrap()), (1000, 1000));
    assert_eq!(counter.fetch_max(5000).unwrap(), 1000);
    assert_eq!(counter.fetch_min(-1).unwrap(), 5000);
    assert_eq!((counter.swap(i64::MAX).unwrap(), counter.fetch_sub(-1).unwrap()), (-1, i64::MAX));
    assert_eq!(counter.get().unwrap(), i64::MIN);
    drop((counter, list, dict, seen));
    hosted.end();
}

/// Laws 237 and 238.
fn a_queue_is_bounded_and_ordered(host: Host) {
    let hosted = host.start();
    let queue: Queue<u32> = hosted.manager.bounded_queue(3).unwrap();
    assert!(matches!(hosted.manager.bounded_queue::<u32>(0), Err(ManagerError::Invalid { .. })));
    assert!(matches!(queue.try_get(), Err(ManagerError::Empty)));
    (0..3).try_for_each(|n| queue.try_put(&n)).unwrap();
    assert!(matches!(queue.try_put(&3), Err(ManagerError::Full)));
    let begin = Instant::now();
    assert!(matches!(queue.put_timeout(&3, short()), Err(ManagerError::Timeout)));
    assert!(begin.elapsed() >= short());
    assert_eq!(queue.len().unwrap(), 3);
    thread::scope(|scope| {
        let putter = scope.spawn(|| (3..100).try_for_each(|n| queue.put(&n)));
        for n in 0..100 {
            assert_eq!(queue.get().unwrap(), n);
        }
        putter.join().unwrap().unwrap();
        // Many at once, more than there is room for.
        let many: Vec<u32> = (0..50).collect();
        let putter = scope.spawn({
            let (queue, many) = (queue.clone(), many.clone());
            move || queue.put_many(&many)
        });
        let mut got = Vec::new();
        while got.len() < many.len() {
            got.extend(queue.get_many(100).unwrap());
        }
        assert_eq!(got, many);
        putter.join().unwrap().unwrap();
    });
    drop(queue);
    hosted.end();
}

/// Law 239: join waits until every item was acknowledged; one too many is an error.
fn a_queue_is_joined(host: Host) {
    let hosted = host.start();
    let queue: Queue<u32> = hosted.manager.queue().unwrap();
    queue.join().unwrap();
    assert!(matches!(queue.task_done(), Err(ManagerError::TooManyDone)));
    queue.put_many(&[1, 2, 3]).unwrap();
    assert!(matches!(queue.task_done(), Err(ManagerError::TooManyDone)));
    assert_eq!(queue.get_many(2).unwrap(), [1, 2]);
    assert!(matches!(queue.join_timeout(short()), Err(ManagerError::Timeout)));
    assert_eq!(queue.get_many(10).unwrap(), [3]);
    thread::scope(|scope| {
        let joined = scope.spawn(|| queue.join());
        queue.task_done().unwrap();
        queue.task_done().unwrap();
        assert!(matches!(queue.join_timeout(short()), Err(ManagerError::Timeout)));
        assert!(!joined.is_finished());
        queue.task_done().unwrap();
        joined.join().unwrap().unwrap();
    });
    drop(queue);
    hosted.end();
}

/// Laws 242 and 243: nothing goes in, what is there comes out, and everybody who waits is told.
fn a_queue_is_closed(host: Host) {
    let hosted = host.start();
    let queue: Queue<u32> = hosted.manager.bounded_queue(2).unwrap();
    queue.put_many(&[1, 2]).unwrap();
    thread::scope(|scope| {
        let putter = scope.spawn(|| queue.put(&3));
        eventually("it waits", || hosted.manager.stats().unwrap().connections >= 2);
        queue.close().unwrap();
        queue.close().unwrap();
        assert!(matches!(putter.join().unwrap(), Err(ManagerError::Closed)));
        assert!(matches!(queue.try_put(&4), Err(ManagerError::Closed)));
        assert_eq!((queue.get().unwrap(), queue.try_get().unwrap()), (1, 2));
        assert!(matches!(queue.get(), Err(ManagerError::Closed)));
        assert!(matches!(queue.try_get(), Err(ManagerError::Closed)));
    });
    let empty: Queue<u32> = hosted.manager.queue().unwrap();
    thread::scope(|scope| {
        let takers = [(); 3].map(|()| scope.spawn(|| empty.get()));
        eventually("they wait", || hosted.manager.stats().unwrap().connections >= 4);
        empty.close().unwrap();
        for taker in takers {
            assert!(matches!(taker.join().unwrap(), Err(ManagerError::Closed)));
        }
    });
    drop((queue, empty));
    hosted.end();
}

fn a_call_that_waits_is_in_nobodys_way(host: Host) {
    let hosted = host.start();
    let (queue, lock) = (hosted.manager.queue::<u32>().unwrap(), hosted.manager.lock().unwrap());
    let guard = lock.lock().unwrap();
    thread::scope(|scope| {
        let takers = [(); 4].map(|()| scope.spawn(|| queue.get().unwrap()));
        let locker = scope.spawn(|| lock.lock().map(drop));
        let counter = hosted.manager.counter(0).unwrap();
        eventually("all wait", || hosted.manager.stats().unwrap().connections >= 6);
        assert!((0..100).all(|n| counter.fetch_add(1).unwrap() == n));
        assert!(!locker.is_finished());
        drop(guard);
        locker.join().unwrap().unwrap();
        queue.put_many(&[1, 2, 3, 4]).unwrap();
        assert_eq!(takers.map(|taker| taker.join().unwrap()).iter().sum::<u32>(), 10);
    });
    drop((queue, lock));
    hosted.end();
}

/// Laws 240, 249 and 251: a timed wait lasts as long as it says, and takes nothing.
fn waits_end_in_time(host: Host) {
    let hosted = host.start();
    let manager = &hosted.manager;
    let queue: Queue<u32> = manager.queue().unwrap();
    let (lock, semaphore) = (manager.lock().unwrap(), manager.semaphore(0).unwrap());
    let guard = lock.lock().unwrap();
    let lasts = |wait: &dyn Fn() -> bool| {
        let begin = Instant::now();
        assert!(wait());
        assert!(begin.elapsed() >= short());
    };
    lasts(&|| matches!(queue.get_timeout(short()), Err(ManagerError::Timeout)));
    lasts(&|| lock.lock_timeout(short()).unwrap().is_none());
    lasts(&|| semaphore.acquire_timeout(short()).unwrap().is_none());
    lasts(&|| !manager.event().unwrap().wait_timeout(short()).unwrap());
    lasts(&|| !manager.condition().unwrap().lock().unwrap().wait_timeout(short()).unwrap().1);
    // Whoever gave up is in no line.
    drop(guard);
    assert!(lock.try_lock().unwrap().is_some() && !lock.is_locked().unwrap());
    semaphore.add_permits(2).unwrap();
    let permit = semaphore.try_acquire().unwrap().unwrap();
    permit.forget().unwrap();
    assert_eq!(semaphore.available().unwrap(), 1);
    queue.put(&1).unwrap();
    // A limit of any length is one.
    assert_eq!(queue.get_timeout(Duration::MAX).unwrap(), 1);
    drop((queue, lock, semaphore));
    hosted.end();
}

/// Law 250: notify wakes as many as it says, none is left over, and a wait says whether it was notified.
fn a_condition_wakes_as_many_as_it_says(host: Host) {
    let hosted = host.start();
    let condition = hosted.manager.condition().unwrap();
    assert_eq!(condition.notify_all().unwrap(), 0);
    let (woken, wakes) = mpsc::channel();
    thread::scope(|scope| {
        for place in 0..6 {
            let (woken, condition) = (woken.clone(), &condition);
            let (begun, begins) = mpsc::channel();
            scope.spawn(move || {
                let guard = condition.lock().unwrap();
                begun.send(()).unwrap();
                let guard = guard.wait().unwrap();
                woken.send(place).unwrap();
                drop(guard);
            });
            begins.recv().unwrap();
            // It waits as soon as the lock is free.
            drop(condition.lock().unwrap());
        }
        assert!(condition.notify_one().unwrap());
        assert_eq!(wakes.recv().unwrap(), 0);
        assert_eq!(condition.notify(3).unwrap(), 3);
        let mut three: Vec<i32> = (0..3).map(|_| wakes.recv().unwrap()).collect();
        three.sort_unstable();
        assert_eq!(three, [1, 2, 3]);
        // None is left over for those who come later.
        let (_guard, is_notified) = condition.lock().unwrap().wait_timeout(Duration::from_millis(1)).unwrap();
        assert!(!is_notified);
        drop(_guard);
        assert_eq!(condition.notify_all().unwrap(), 2);
    });
    assert!(!condition.is_locked().unwrap());
    drop(condition);
    hosted.end();
}

/// Law 251: all who wait are woken, also if it is cleared at once.
fn an_event_wakes_all_who_wait(host: Host) {
    let hosted = host.start();
    let event = hosted.manager.event().unwrap();
    for round in 0..20 {
        thread::scope(|scope| {
            let waits = [(); 4].map(|()| scope.spawn(|| event.wait_timeout(Duration::from_secs(600)).unwrap()));
            // Some of them wait already, and the others come when it is set again.
            while !waits.iter().all(|wait| wait.is_finished()) {
                event.set().unwrap();
                event.clear().unwrap();
            }
            assert!(waits.into_iter().all(|wait| wait.join().unwrap()), "round {round}");
        });
    }
    assert!(!event.is_set().unwrap() && !event.set().unwrap() && event.is_set().unwrap());
    event.wait().unwrap();
    drop(event);
    hosted.end();
}

/// Laws 252 and 253: rounds, one place for each; broken by one that gives up or by abort; mended by reset.
fn a_barrier_goes_round(host: Host) {
    const PARTIES: usize = 4;
    let hosted = host.start();
    assert!(matches!(hosted.manager.barrier(0), Err(ManagerError::Invalid { .. })));
    let barrier = hosted.manager.barrier(PARTIES).unwrap();
    let round = |rounds: usize| {
        thread::scope(|scope| {
            let parties = [(); PARTIES]
                .map(|()| scope.spawn(|| (0..rounds).map(|_| barrier.wait().unwrap()).collect::<Vec<_>>()));
            let places = parties.map(|party| party.join().unwrap());
            for round in 0..rounds {
                let mut places: Vec<usize> = places.iter().map(|places| places[round]).collect();
                places.sort_unstable();
                assert_eq!(places, [0, 1, 2, 3]);
            }
        });
    };
    round(50);
    thread::scope(|scope| {
        let waits = scope.spawn(|| barrier.wait());
        eventually("one waits", || barrier.waiting().unwrap() == 1);
        assert!(matches!(barrier.wait_timeout(short()), Err(ManagerError::Timeout)));
        assert!(matches!(waits.join().unwrap(), Err(ManagerError::Broken)));
    });
    assert!(matches!(barrier.wait(), Err(ManagerError::Broken)));
    barrier.reset().unwrap();
    round(1);
    thread::scope(|scope| {
        let waits = scope.spawn(|| barrier.wait());
        eventually("one waits", || barrier.waiting().unwrap() == 1);
        barrier.reset().unwrap();
        assert!(matches!(waits.join().unwrap(), Err(ManagerError::Broken)));
    });
    round(1);
    barrier.abort().unwrap();
    assert!(matches!(barrier.wait(), Err(ManagerError::Broken)));
    assert_eq!(barrier.parties().unwrap(), PARTIES);
    drop(barrier);
    hosted.end();
}

fn many_calls_in_one_go(host: Host) {
    const COUNT: u32 = 10_000;
    let hosted = host.start();
    let dict: Dict<u32, String> = hosted.manager.dict().unwrap();
    dict.insert_many((0..COUNT).map(|n| (n, format!("value {n}")))).unwrap();
    let keys: Vec<u32> = (0..COUNT + 10).collect();
    let values = dict.get_many(&keys).unwrap();
    for (key, value) in keys.iter().zip(&values) {
        assert_eq!(*value, (*key < COUNT).then(|| format!("value {key}")));
    }
    assert_eq!(dict.get_many(&[] as &[u32]).unwrap(), Vec::new());
    // Answers that are far longer than the calls: both sides have much to send.
    let large: List<Vec<u8>> = hosted.manager.list().unwrap();
    large.push(&vec![7; 100_000]).unwrap();
    let many = large.get_many((0..2000).map(|n| if n % 50 == 0 { 0 } else { 1 })).unwrap();
    assert_eq!(many.iter().flatten().map(Vec::len).sum::<usize>(), 40 * 100_000);
    // And calls that are.
    dict.insert_many((0..40).map(|n| (n, "x".repeat(100_000)))).unwrap();
    assert_eq!(dict.get(&39).unwrap().unwrap().len(), 100_000);
    // An iterator that panics in the midst costs nobody the connection, or what the session has.
    let stats = hosted.manager.stats().unwrap();
    let panicking = std::panic::AssertUnwindSafe(|| {
        let keys = (0..5000_usize).inspect(|&n| {
            if n == 4000 {
                std::panic::resume_unwind(Box::new(()))
            }
        });
        large.get_many(keys.map(|n| n % 2)).map(drop)
    });
    std::panic::catch_unwind(panicking).unwrap_err().downcast::<()>().unwrap();
    assert_eq!((large.len().unwrap(), hosted.manager.stats().unwrap()), (1, stats));
    drop((dict, large));
    hosted.end();
}

fn names_are_for_all(host: Host) {
    let hosted = host.start();
    let manager = &hosted.manager;
    let counter = manager.counter(3).unwrap();
    manager.publish("n", &counter).unwrap();
    manager.publish("n", &counter).unwrap();
    assert!(matches!(manager.publish("n", &manager.event().unwrap()), Err(ManagerError::NameTaken { .. })));
    drop(counter);
    assert_eq!(manager.find::<Counter>("n").unwrap().get().unwrap(), 3);
    assert!(matches!(manager.find::<Counter>("m"), Err(ManagerError::NotFound { .. })));
    assert!(matches!(manager.find::<Namespace>("n"), Err(ManagerError::WrongKind { .. })));
    assert!(manager.withdraw("n").unwrap() && !manager.withdraw("n").unwrap());
    eventually("it is gone", || manager.stats().unwrap().objects == 0);
    hosted.end();
}

fn messages_have_a_limit(host: Host) {
    let hosted = host.start_with(Manager::builder().message_bytes_max(10_000));
    let list: List<Vec<u8>> = hosted.manager.list().unwrap();
    let error = list.push(&vec![0; 10_000]).unwrap_err();
    assert!(matches!(error, ManagerError::TooLarge { bytes_max: 10_000, .. }), "{error}");
    assert!((1..=10).all(|len| list.push(&vec![0; 9000]).unwrap() == len));
    // An answer has the same limit, and what was asked for stays.
    assert!(matches!(list.to_vec(), Err(ManagerError::TooLarge { .. })));
    assert_eq!(list.len().unwrap(), 10);
    let queue: Queue<Vec<u8>> = hosted.manager.queue().unwrap();
    (0..3).try_for_each(|_| queue.put(&vec![0; 9000])).unwrap();
    assert!(matches!(queue.get_many(3), Err(ManagerError::TooLarge { .. })));
    assert_eq!((queue.len().unwrap(), queue.get().unwrap().len()), (3, 9000));
    assert_eq!(hosted.manager.stats().unwrap().refused, 0);
    assert!(matches!(Manager::builder().message_bytes_max(10).start(), Err(ManagerError::Invalid { .. })));
    assert!(matches!(Manager::builder().connections_max(0).start(), Err(ManagerError::Invalid { .. })));
    drop((list, queue));
    hosted.end();
}

fn values_have_a_depth(host: Host) {
    let hosted = host.start();
    let list: List<Chain> = hosted.manager.list().unwrap();
    list.push(&chain_of(100)).unwrap();
    list.push(&chain_of(1000)).unwrap();
    assert!(list.get(0).unwrap().is_some());
    let error = list.get(1).map(drop).unwrap_err();
    assert!(matches!(error, ManagerError::TooDeep { depth_max: 256, .. }), "{error:?}");
    // Into the server nothing comes that is deeper either.
    let board = BoardProxy::new(&hosted.manager, 1).unwrap();
    assert_eq!(board.depth(chain_of(100)).unwrap(), 100);
    let error = board.depth(chain_of(1000)).unwrap_err();
    assert!(matches!(&error, ManagerError::Arguments { cause, .. } if cause.contains("256")), "{error:?}");
    drop((list, board));
    hosted.end();
}

fn connections_have_a_limit(host: Host) {
    let hosted = host.start_with(Manager::builder().connections_max(2));
    let queue: Queue<u64> = hosted.manager.queue().unwrap();
    let event = hosted.manager.event().unwrap();
    let peer = Peer::start();
    assert_eq!(peer.ask::<String>(&Order::Wait(What::Queue(queue.clone()))), "begun");
    eventually("it waits", || hosted.manager.stats().unwrap().connections == 2);
    thread::scope(|scope| {
        // One of the two threads has the second connection, and the other one is refused.
        let waits = scope.spawn(|| {
            let refused = |error: &ManagerError| matches!(error, ManagerError::Refused { .. });
            while event.wait().is_err_and(|error| refused(&error)) {}
        });
        let error = loop {
            if let Err(error) = hosted.manager.stats() {
                break error;
            }
        };
        assert!(matches!(&error, ManagerError::Refused { why, .. } if why.contains("2 connections")), "{error:?}");
        // What is there goes on, and whoever leaves makes room.
        peer.kill();
        eventually("there is room", || event.set().is_ok());
        waits.join().unwrap();
    });
    let stats = hosted.manager.stats().unwrap();
    assert!(stats.refused > 0 && stats.refusals[0].contains("2 connections"), "{stats:?}");
    drop((queue, event));
    hosted.end();
}

/// As many threads of the server as there are connections, and no more; and they go with them.
fn a_connection_is_one_thread(host: Host) {
    const WAITING: u64 = 12;
    let hosted = host.start();
    let server = hosted.process.as_ref().map_or(std::process::id(), |process| process.id());
    let guests = || {
        let threads = std::fs::read_dir(format!("/proc/{server}/task")).unwrap();
        // One may end while it is looked at.
        let names = threads.filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("comm")).ok());
        names.filter(|name| name.trim_end() == "manager-guest").count() as u64
    };
    let queue: Queue<u64> = hosted.manager.queue().unwrap();
    for _ in 0..3 {
        thread::scope(|scope| {
            let waits = [(); WAITING as usize].map(|()| scope.spawn(|| queue.get().unwrap()));
            // Many calls over each of them need no more.
            eventually("all wait", || hosted.manager.stats().unwrap().connections > WAITING);
            for _ in 0..100 {
                let connections = hosted.manager.stats().unwrap().connections;
                assert!(connections <= WAITING + 2, "{connections}");
            }
            eventually("each has one thread", || guests() == hosted.manager.stats().unwrap().connections);
            queue.put_many(&[0; WAITING as usize]).unwrap();
            waits.into_iter().for_each(|wait| assert_eq!(wait.join().unwrap(), 0));
        });
    }
    drop(queue);
    hosted.end();
}

fn it_waits_until_others_have_gone(host: Host) {
    let hosted = host.start();
    let manager = &hosted.manager;
    // Where nobody has come, nobody is waited for.
    manager.wait_until_alone().unwrap();
    let rooms = RoomsProxy::new(manager, manager.clone()).unwrap();
    rooms.open("hall").unwrap().unwrap();
    manager.wait_until_alone_timeout(Duration::ZERO).unwrap();
    let event = manager.event().unwrap();
    for _ in 0..5 {
        let peers = [(); 2].map(|()| Peer::start());
        for peer in &peers {
            assert_eq!(peer.ask::<String>(&Order::Wait(What::Event(event.clone()))), "begun");
        }
        eventually("they wait", || manager.stats().unwrap().clients == 3);
        for limit in [Duration::ZERO, short()] {
            let error = manager.wait_until_alone_timeout(limit).unwrap_err();
            assert!(matches!(error, ManagerError::ClientsLeft { clients: 2 }), "{error:?}");
        }
        thread::scope(|scope| {
            let waits = [
                scope.spawn(|| manager.wait_until_alone()),
                scope.spawn(|| manager.wait_until_alone_timeout(Duration::MAX)),
            ];
            // One leaves when it has what it waits for, and the other is killed.
            let [one, other] = peers;
            other.kill();
            assert!(!waits[0].is_finished() || manager.stats().unwrap().clients == 1);
            event.set().unwrap();
            assert_eq!(one.hear::<String>(), "it came");
            one.end();
            waits.into_iter().for_each(|wait| wait.join().unwrap().unwrap());
        });
        assert_eq!(manager.stats().unwrap().clients, 1);
        event.clear().unwrap();
    }
    drop((rooms, event));
    hosted.end();
}

/// Whoever drops a guard or a proxy while the server takes no more connections gives it back a little later, and not never.
fn what_is_held_goes_back_without_a_free_connection(host: Host) {
    let hosted = host.start_with(Manager::builder().connections_max(2));
    let manager = &hosted.manager;
    // Another process has one of the two connections.
    let shelf: Dict<String, List<u32>> = manager.dict().unwrap();
    shelf.insert("one", &manager.list().unwrap()).unwrap();
    let peer = Peer::start();
    assert_eq!(peer.ask::<String>(&Order::Keep(shelf)), "got it");
    assert_eq!(peer.ask::<String>(&Order::Look), "[]");
    let (lock, permits) = (manager.lock().unwrap(), manager.semaphore(1).unwrap());
    let (condition, queue): (_, Queue<u64>) = (manager.condition().unwrap(), manager.queue().unwrap());
    let held =
        (lock.lock().unwrap(), permits.acquire().unwrap(), condition.lock().unwrap(), manager.counter(0).unwrap());
    thread::scope(|scope| {
        // It has the other one.
        let waits = scope.spawn(|| {
            loop {
                match queue.get() {
                    Err(ManagerError::Refused { .. }) => {}
                    got => return got,
                }
            }
        });
        while manager.stats().is_ok() {}
        assert!(matches!(lock.is_locked(), Err(ManagerError::Refused { .. })));
        drop(held);
        assert_eq!(peer.ask::<String>(&Order::Put(queue.clone())), "done");
        assert_eq!(waits.join().unwrap().unwrap(), 1);
    });
    assert!(!lock.is_locked().unwrap() && !condition.is_locked().unwrap());
    assert_eq!((permits.available().unwrap(), manager.stats().unwrap().objects), (1, 6));
    assert!(!lock.lock().unwrap().owner_died());
    peer.end();
    drop((lock, permits, condition, queue));
    hosted.end();
}

fn values_of_other_types_are_errors(host: Host) {
    let hosted = host.start();
    let texts: Dict<String, String> = hosted.manager.dict().unwrap();
    texts.insert("a", &"text".to_owned()).unwrap();
    hosted.manager.publish("texts", &texts).unwrap();
    let wrong: Dict<String, (u64, Vec<String>)> = hosted.manager.find("texts").unwrap();
    assert!(matches!(wrong.get("a"), Err(ManagerError::Decode { .. })));
    // The connection is as good as before.
    assert_eq!(texts.get("a").unwrap().as_deref(), Some("text"));
    // What cannot be encoded is not sent.
    #[derive(Deserialize)]
    struct Stubborn;
    impl Serialize for Stubborn {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("it does not want to"))
        }
    }
    let list: List<Stubborn> = hosted.manager.list().unwrap();
    assert!(matches!(list.push(&Stubborn), Err(ManagerError::Encode { .. })));
    assert_eq!(list.len().unwrap(), 0);
    // A proxy is no key.
    let keyed: Dict<List<u8>, u8> = hosted.manager.dict().unwrap();
    let key: List<u8> = hosted.manager.list().unwrap();
    assert!(matches!(keyed.insert(&key, &1), Err(ManagerError::Encode { .. })));
    drop((texts, wrong, list, keyed, key));
    hosted.manager.withdraw("texts").unwrap();
    eventually("all are gone", || hosted.manager.stats().unwrap().objects == 0);
    hosted.end();
}

fn proxies_do_not_travel_without_descriptors(host: Host) {
    let hosted = host.start();
    let counter = hosted.manager.counter(0).unwrap();
    let error = serde_json::to_string(&counter).unwrap_err().to_string();
    assert!(error.contains("descriptors travel"), "{error}");
    assert!(serde_json::to_string(&hosted.manager).is_err());
    let (server, _manager) = Manager::pair().unwrap();
    assert!(serde_json::to_string(&server).unwrap_err().to_string().contains("descriptors travel"));
    // Law 275: what is no proxy is an error, and no more.
    let (bytes, attachments) = executor_ipc::attach::collect(|| postcard::to_stdvec(&counter).unwrap());
    postcard::from_bytes::<Counter>(&bytes).unwrap_err();
    executor_ipc::attach::supply(Default::default(), || postcard::from_bytes::<Counter>(&bytes)).unwrap_err();
    for cut in 0..bytes.len() {
        executor_ipc::attach::supply(attachments.clone(), || postcard::from_bytes::<Counter>(&bytes[..cut]))
            .unwrap_err();
    }
    drop((attachments, counter));
    hosted.end();
}
