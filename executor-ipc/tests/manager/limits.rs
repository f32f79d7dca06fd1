//! How much a server takes: long and deep values, many connections; and how it knows when nobody is left.

use std::thread;
use std::time::Duration;

use executor_ipc::manager::{Dict, List, Manager, ManagerError, Queue};

use crate::board::{BoardProxy, Chain, chain_of};
use crate::child::{Host, Order, Peer, What};
use crate::rooms::RoomsProxy;
use crate::{Test, eventually, short};

pub(crate) const TESTS: &[Test] = &[
    ("messages_have_a_limit", messages_have_a_limit),
    ("values_have_a_depth", values_have_a_depth),
    ("connections_have_a_limit", connections_have_a_limit),
    ("a_connection_is_one_thread", a_connection_is_one_thread),
    ("it_waits_until_others_have_gone", it_waits_until_others_have_gone),
    ("what_is_held_goes_back_without_a_free_connection", what_is_held_goes_back_without_a_free_connection),
];

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
