//! Bad peers: each is refused, once and in words, and the server lives on.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use executor_ipc::manager::{Address, Manager, ManagerError};

use crate::child::{Host, Hosted};
use crate::remote::{any_port, key, start};
use crate::{Test, eventually};

pub(crate) const TESTS: &[Test] = &[
    ("garbage_is_refused", garbage_is_refused),
    ("half_a_handshake_is_nobody", half_a_handshake_is_nobody),
    ("a_slow_peer_runs_out_of_time", a_slow_peer_runs_out_of_time),
    ("too_many_peers_are_turned_away", too_many_peers_are_turned_away),
    ("those_who_prove_nothing_take_few_places", those_who_prove_nothing_take_few_places),
    ("what_is_no_server_is_an_error", what_is_no_server_is_an_error),
    ("a_server_without_the_key_is_seen", a_server_without_the_key_is_seen),
];

/// What a server says first.
const FIRST_BYTES: usize = 16 + 32;

fn listening(hosted: &Hosted) -> std::net::SocketAddr {
    match hosted.manager.listen(any_port(), &key()).unwrap() {
        Address::Tcp(at) => at,
        other => panic!("{other}"),
    }
}

/// The server is as good as before.
fn lives_on(hosted: &Hosted) {
    eventually("only this client is left", || hosted.manager.stats().unwrap().connections == 1);
    assert_eq!(hosted.manager.counter(4).unwrap().get().unwrap(), 4);
}

/// Reads until the other side ends it.
fn read_to_end(mut stream: &TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Err(error) = stream.read_to_end(&mut bytes) {
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
    bytes
}

fn garbage_is_refused(host: Host) {
    let hosted = start(host);
    let at = listening(&hosted);
    for (round, garbage) in [vec![0; 64], vec![0xff; 100_000], b"GET / HTTP/1.1\r\n\r\n".repeat(10)].iter().enumerate()
    {
        let mut stream = TcpStream::connect(at).unwrap();
        // The server may end it before all is written.
        let _ = stream.write_all(garbage);
        read_to_end(&stream);
        eventually("it is refused", || hosted.manager.stats().unwrap().refused == round as u64 + 1);
    }
    let refusals = hosted.manager.stats().unwrap().refusals;
    assert!(refusals.iter().all(|why| why.contains("has not proved")), "{refusals:?}");
    lives_on(&hosted);
    hosted.end();
}

/// Whoever leaves in the middle has done no harm.
fn half_a_handshake_is_nobody(host: Host) {
    let hosted = start(host);
    let at = listening(&hosted);
    for length in [0, 1, 31, 32, 33, 63] {
        let mut stream = TcpStream::connect(at).unwrap();
        stream.read_exact(&mut [0; FIRST_BYTES]).unwrap();
        stream.write_all(&vec![7; length]).unwrap();
    }
    lives_on(&hosted);
    hosted.end();
}

/// One that says a byte now and then has as little time as one that says none.
fn a_slow_peer_runs_out_of_time(host: Host) {
    let hosted = host.start_with(Manager::builder().handshake_timeout(Duration::from_millis(100)));
    let at = listening(&hosted);
    let silent = TcpStream::connect(at).unwrap();
    let slow = TcpStream::connect(at).unwrap();
    let mut says = 0;
    while (&slow).write_all(&[1]).is_ok() && says < 10_000 {
        says += 1;
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(read_to_end(&silent).len(), FIRST_BYTES);
    eventually("both are refused", || hosted.manager.stats().unwrap().refused == 2);
    let refusals = hosted.manager.stats().unwrap().refusals;
    assert!(refusals.iter().any(|why| why.contains("said nothing for too long")), "{refusals:?}");
    lives_on(&hosted);
    hosted.end();
}

/// Those who say nothing do not take the place of clients for ever, and those who are too many are told.
fn too_many_peers_are_turned_away(host: Host) {
    let hosted = host.start_with(Manager::builder().handshake_timeout(Duration::from_secs(100)).connections_max(4));
    let at = listening(&hosted);
    assert_eq!(hosted.manager.stats().unwrap().connections, 1);
    let silent = [(); 3].map(|()| TcpStream::connect(at).unwrap());
    eventually("there is no room", || hosted.manager.stats().unwrap().connections == 4);
    let error = Manager::connect(at, &key()).unwrap_err();
    assert!(matches!(&error, ManagerError::Refused { .. }), "{error:?}");
    drop(silent);
    eventually("there is room", || hosted.manager.stats().unwrap().connections == 1);
    assert_eq!(Manager::connect(at, &key()).unwrap().stats().unwrap().clients, 2);
    lives_on(&hosted);
    hosted.end();
}

/// However many connections there may be, no more than 64 peers can be at the handshake at once, and clients of this machine come in beside
/// them.
fn those_who_prove_nothing_take_few_places(host: Host) {
    let hosted = host.start_with(Manager::builder().handshake_timeout(Duration::from_secs(100)));
    let at = listening(&hosted);
    assert_eq!(hosted.manager.stats().unwrap().connections, 1);
    let silent = [(); 64].map(|()| TcpStream::connect(at).unwrap());
    eventually("they have come", || hosted.manager.stats().unwrap().connections == 65);
    let error = Manager::connect(at, &key()).unwrap_err();
    assert!(matches!(&error, ManagerError::Refused { address: Some(_), .. }), "{error:?}");
    let queue = hosted.manager.queue().unwrap();
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| queue.get().unwrap());
        eventually("it waits", || hosted.manager.stats().unwrap().connections == 66);
        queue.put(&1_u8).unwrap();
        assert_eq!(waits.join().unwrap(), 1);
    });
    drop(silent);
    eventually("there is room", || Manager::connect(at, &key()).is_ok());
    drop(queue);
    hosted.end();
}

fn what_is_no_server_is_an_error(_: Host) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    std::thread::scope(|scope| {
        for said in [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], b"", b"executor-mgr/1\r\n and no more"] {
            let server = scope.spawn(|| {
                let (mut stream, _) = listener.accept().unwrap();
                stream.write_all(said).unwrap();
            });
            let error = Manager::connect(at, &key()).unwrap_err();
            assert!(matches!(&error, ManagerError::Connect { address: Some(_), .. }), "{error:?}");
            server.join().unwrap();
        }
    });
}

/// Law 273: a server that takes any key, and does not have ours.
fn a_server_without_the_key_is_seen(_: Host) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    std::thread::scope(|scope| {
        let server = scope.spawn(|| {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(&[&b"executor-mgr/1\r\n"[..], &[5; 32]].concat()).unwrap();
            stream.read_exact(&mut [0; 64]).unwrap();
            stream.write_all(&[1; 33]).unwrap();
        });
        let error = Manager::connect(at, &key()).unwrap_err();
        assert!(matches!(error, ManagerError::WrongKey { .. }), "{error:?}");
        server.join().unwrap();
    });
}
