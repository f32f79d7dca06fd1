//! Clients that come by an address and a key.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use executor_ipc::manager::{Address, AuthKey, Manager, ManagerError, Queue};

use crate::child::{Host, Order, Peer};
use crate::{Test, eventually};

pub(crate) const TESTS: &[Test] = &[
    ("master_and_worker_by_address_and_key", master_and_worker_by_address_and_key),
    ("an_address_is_free_again_at_once", an_address_is_free_again_at_once),
    ("two_cannot_listen_at_one_address", two_cannot_listen_at_one_address),
    ("a_wrong_key_is_one_error_on_both_sides", a_wrong_key_is_one_error_on_both_sides),
    ("a_proxy_from_elsewhere_finds_its_connection", a_proxy_from_elsewhere_finds_its_connection),
    ("time_limits_of_the_handshake_end_with_it", time_limits_of_the_handshake_end_with_it),
    ("errors_say_what_happened_and_where", errors_say_what_happened_and_where),
    ("remote_clients_do_not_keep_a_server", remote_clients_do_not_keep_a_server),
];

pub(crate) fn any_port() -> Address {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()
}

fn socket_file(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("executor-manager-{}-{name}", std::process::id()))
}

pub(crate) fn key() -> AuthKey {
    AuthKey::new("a key of these tests").unwrap()
}

/// Patient, because a busy machine may stop either side for a while.
pub(crate) fn start(host: Host) -> crate::child::Hosted {
    let hosted = host.start_with(Manager::builder().handshake_timeout(Duration::from_secs(100)));
    // It connects with its first call, and is a client from then on.
    assert_eq!(hosted.manager.stats().unwrap().clients, 1);
    hosted
}

/// Law 261: from other processes, over TCP and at a Unix socket.
fn master_and_worker_by_address_and_key(host: Host) {
    let hosted = start(host);
    let tasks: Queue<u64> = hosted.manager.queue().unwrap();
    let results: Queue<(u64, u64)> = hosted.manager.queue().unwrap();
    hosted.manager.publish("tasks", &tasks).unwrap();
    hosted.manager.publish("results", &results).unwrap();
    let path = socket_file("master");
    let addresses = [any_port(), Address::from(path.clone())].map(|at| hosted.manager.listen(at, &key()).unwrap());
    let work = |address: &Address| {
        let peer = Peer::start();
        peer.tell(&Order::Work { address: address.clone(), key: key().as_bytes().to_vec() });
        peer
    };
    let workers = [&addresses[0], &addresses[0], &addresses[1], &addresses[1]].map(work);
    tasks.put_many(&(0..200).collect::<Vec<_>>()).unwrap();
    tasks.join().unwrap();
    tasks.close().unwrap();
    for worker in workers {
        assert_eq!(worker.hear::<String>(), "done");
        worker.end();
    }
    let mut squares = results.get_many(1000).unwrap();
    squares.sort_unstable();
    assert_eq!(squares, (0..200).map(|n| (n, n * n)).collect::<Vec<_>>());
    drop((tasks, results));
    hosted.end();
    eventually("the file is gone", || !path.exists());
}

/// Law 261: rebind quickly to the same address.
fn an_address_is_free_again_at_once(host: Host) {
    let path = socket_file("again");
    let mut at = any_port();
    for _ in 0..5 {
        let hosted = start(host);
        at = hosted.manager.listen(at, &key()).unwrap();
        hosted.manager.listen(path.clone(), &key()).unwrap();
        for address in [at.clone(), path.clone().into()] {
            let client = Manager::connect(address, &key()).unwrap();
            assert_eq!(client.counter(1).unwrap().fetch_add(1).unwrap(), 1);
        }
        let Address::Tcp(port) = at else { unreachable!() };
        drop(hosted.manager);
        if let Some(process) = hosted.process {
            // The last one is killed, and leaves its file.
            process.end();
        }
        eventually("it has left", || std::net::TcpStream::connect(port).is_err() && !path.exists());
    }
    // The file of one that was killed is in nobody's way.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let hosted = start(host);
    hosted.manager.listen(path.clone(), &key()).unwrap();
    drop(Manager::connect(path.clone(), &key()).unwrap());
    hosted.end();
    eventually("the file is gone", || !path.exists());
}

/// Law 272: to bind twice is an error, as it is to connect where nobody is, or nobody is any more.
fn two_cannot_listen_at_one_address(host: Host) {
    let hosted = start(host);
    let path = socket_file("twice");
    for at in [any_port(), path.clone().into()] {
        let at = hosted.manager.listen(at, &key()).unwrap();
        let error = hosted.manager.listen(at.clone(), &key()).unwrap_err();
        assert!(matches!(&error, ManagerError::Listen { address, .. } if *address == at.to_string()), "{error:?}");
        // Those who leave before they are let in are in nobody's way.
        for _ in 0..20 {
            match &at {
                Address::Tcp(at) => drop(std::net::TcpStream::connect(at).unwrap()),
                Address::Unix(at) => drop(std::os::unix::net::UnixStream::connect(at).unwrap()),
                _ => unreachable!(),
            }
        }
        let client = Manager::connect(at.clone(), &key()).unwrap();
        assert_eq!(client.stats().unwrap().clients, 2);
        // One that is far away cannot have it listen.
        assert!(matches!(client.listen(any_port(), &key()), Err(ManagerError::Invalid { .. })));
        drop(client);
        eventually("it is gone", || hosted.manager.stats().unwrap().clients == 1);
    }
    hosted.end();
    eventually("nobody listens", || {
        matches!(Manager::connect(path.clone(), &key()), Err(ManagerError::Connect { .. }))
    });
}

/// Law 274, and 273 between two programs.
fn a_wrong_key_is_one_error_on_both_sides(host: Host) {
    let hosted = start(host);
    let at = hosted.manager.listen(any_port(), &key()).unwrap();
    for round in 1..=5 {
        let error = Manager::connect(at.clone(), &AuthKey::random()).unwrap_err();
        assert!(matches!(&error, ManagerError::WrongKey { address } if *address == at.to_string()), "{error:?}");
        eventually("the server says so", || hosted.manager.stats().unwrap().refused == round);
    }
    let refusals = hosted.manager.stats().unwrap().refusals;
    assert!(refusals.iter().all(|why| why.contains("has not proved that it has the key")), "{refusals:?}");
    assert_eq!(Manager::connect(at, &key()).unwrap().stats().unwrap().clients, 2);
    hosted.end();
}

fn a_proxy_from_elsewhere_finds_its_connection(host: Host) {
    let hosted = start(host);
    let at = hosted.manager.listen(any_port(), &key()).unwrap();
    let client = Manager::connect(at.clone(), &key()).unwrap();
    let queue: Queue<u64> = client.queue().unwrap();
    queue.put_many(&[1, 2, 3]).unwrap();
    // Nested in a value of its own manager, by whichever way that is reached.
    let holder = hosted.manager.list::<Queue<u64>>().unwrap();
    hosted.manager.publish("holder", &holder).unwrap();
    let far: executor_ipc::manager::List<Queue<u64>> = client.find("holder").unwrap();
    far.push(&queue).unwrap();
    assert_eq!(holder.get(0).unwrap().unwrap().len().unwrap(), 3);
    let peer = Peer::start();
    let said = peer.ask::<String>(&Order::Elsewhere {
        queue: queue.clone(),
        address: at.clone(),
        key: key().as_bytes().to_vec(),
    });
    let (error, len) = said.rsplit_once("; ").unwrap();
    assert!(error.contains("not connected") && error.contains(&at.to_string()), "{said}");
    assert_eq!(len, "3");
    peer.end();
    // The key is nowhere in what travels.
    let encoded = serde_json::to_string(&(&queue, &client)).unwrap();
    assert!(!encoded.contains("a key of these tests") && encoded.contains("127.0.0.1"), "{encoded}");
    let again: (Queue<u64>, Manager) = serde_json::from_str(&encoded).unwrap();
    assert_eq!(again.0.len().unwrap(), 3);
    // It is the connection of this process, and no further one.
    eventually("two are left", || again.1.stats().unwrap().clients == 2);
    drop((again, far, holder, queue, client));
    hosted.end();
}

/// Law 275: a limit of the handshake is not one of what follows.
fn time_limits_of_the_handshake_end_with_it(host: Host) {
    let limit = Duration::from_millis(500);
    let hosted = host.start_with(Manager::builder().handshake_timeout(limit));
    let at = hosted.manager.listen(any_port(), &key()).unwrap();
    // On a machine that is stopped meanwhile, the limit is over before its time.
    let client = loop {
        if let Ok(client) = Manager::connect(at.clone(), &key()) {
            break client;
        }
    };
    let queue: Queue<u8> = client.queue().unwrap();
    client.publish("queue", &queue).unwrap();
    let near: Queue<u8> = hosted.manager.find("queue").unwrap();
    thread::scope(|scope| {
        let waits = scope.spawn(|| queue.get());
        assert!(matches!(near.join_timeout(limit + limit / 2), Ok(())));
        let event = hosted.manager.event().unwrap();
        assert!(!event.wait_timeout(limit + limit / 2).unwrap());
        near.put(&9).unwrap();
        assert_eq!(waits.join().unwrap().unwrap(), 9);
    });
    drop((queue, near, client));
    hosted.end();
}

/// One line for a user, and the cause behind it too.
fn errors_say_what_happened_and_where(host: Host) {
    let hosted = start(host);
    let at = hosted.manager.listen(any_port(), &key()).unwrap();
    let says = |error: ManagerError, words: &[&str]| {
        let text = error.to_string();
        assert!(words.iter().all(|word| text.contains(word)) && !text.contains('\n'), "{text}");
        error
    };
    let has_cause = |error: ManagerError| {
        let source = std::error::Error::source(&error).expect("it has a cause").to_string();
        assert!(error.to_string().contains(&source), "{error}");
    };
    let address = at.to_string();
    has_cause(says(hosted.manager.listen(at.clone(), &key()).unwrap_err(), &["listen at", &address, "in use"]));
    let nowhere = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = Manager::connect(nowhere, &key()).unwrap_err();
    has_cause(says(error, &["no connection", &nowhere.to_string(), "refused", "is it started"]));
    let client = Manager::connect(at.clone(), &key()).unwrap();
    says(client.find::<Queue<u8>>("tasks").unwrap_err(), &["name `tasks`"]);
    hosted.manager.publish("tasks", &hosted.manager.counter(0).unwrap()).unwrap();
    says(client.find::<Queue<u8>>("tasks").unwrap_err(), &["`tasks`", "is a counter", "as a queue"]);
    says(hosted.manager.publish("tasks", &hosted.manager.event().unwrap()).unwrap_err(), &["name `tasks`", "withdraw"]);
    let keyed: executor_ipc::manager::Dict<Queue<u8>, u8> = client.dict().unwrap();
    let error = keyed.get(&client.queue::<u8>().unwrap()).unwrap_err();
    has_cause(says(error, &["a key cannot be encoded", "not of a key"]));
    let numbers: executor_ipc::manager::Dict<u8, u64> = client.dict().unwrap();
    client.publish("numbers", &numbers).unwrap();
    numbers.insert(&1, &u64::MAX).unwrap();
    let texts: executor_ipc::manager::Dict<u8, String> = client.find("numbers").unwrap();
    has_cause(says(texts.get(&1).unwrap_err(), &["a value", "cannot be decoded", "same types"]));
    hosted.end();
    let gone = || client.stats().err();
    eventually("it is gone", || matches!(gone(), Some(ManagerError::Disconnected { .. })));
    has_cause(says(gone().unwrap(), &["gone", &address, "connect to it anew"]));
}

fn remote_clients_do_not_keep_a_server(host: Host) {
    let hosted = start(host);
    let at = hosted.manager.listen(any_port(), &key()).unwrap();
    let client = Manager::connect(at, &key()).unwrap();
    let queue: Queue<u8> = client.queue().unwrap();
    thread::scope(|scope| {
        let waits = scope.spawn(|| queue.get());
        // It has one connection, and this thread another.
        eventually("it waits", || client.stats().unwrap().connections == 3);
        hosted.end();
        // Whether it waits, or is on its way in.
        let error = waits.join().unwrap().unwrap_err();
        assert!(matches!(error, ManagerError::Disconnected { .. } | ManagerError::Connect { .. }), "{error:?}");
    });
    assert!(matches!(client.stats(), Err(ManagerError::Connect { .. } | ManagerError::Disconnected { .. })));
}
