//! Clients that have the key, or the door, and do not keep to the protocol; and what every public type is.

use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::stream::Stream;
use super::wire::{
    Answered, CALL, Hello, Incoming, Refusal, VERSION, Welcome, begin_frame, end_frame, put_frame, read_answer,
};
use super::*;

/// A server of this process that listens, and how to get in.
fn listening() -> (Manager, Address, AuthKey) {
    let manager = Manager::builder().message_bytes_max(1 << 16).start().unwrap();
    let key = AuthKey::random();
    let address = manager.listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), &key).unwrap();
    // It is a client from now on.
    assert_eq!(manager.stats().unwrap().clients, 1);
    (manager, address, key)
}

fn connect(address: &Address, key: &AuthKey) -> Stream {
    auth::connect(address, key, Instant::now() + Duration::from_secs(60)).unwrap()
}

fn receive(stream: &Stream, incoming: &mut Incoming) -> Option<Vec<u8>> {
    loop {
        if let Some(frame) = incoming.next_frame().unwrap() {
            return Some(incoming.bytes(frame).to_vec());
        }
        if incoming.fill(|room| stream.receive(room)).unwrap() == 0 {
            return None;
        }
    }
}

fn greet(stream: &Stream, incoming: &mut Incoming, hello: &Hello) -> Welcome {
    let mut buffer = Vec::new();
    put_frame(&mut buffer, hello).unwrap();
    stream.send_all(&buffer).unwrap();
    postcard::from_bytes(&receive(stream, incoming).unwrap()).unwrap()
}

const NEW: Hello = Hello { version: VERSION, session: None };

/// Waits for the words of the last refusal.
fn refusal(manager: &Manager, count: u64) -> String {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let stats = manager.stats().unwrap();
        if stats.refused == count && stats.connections == 1 {
            return stats.refusals.last().unwrap().clone();
        }
        assert!(Instant::now() < end, "{stats:?}");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn whoever_does_not_keep_to_the_protocol_is_cut_off_once() {
    let (manager, address, key) = listening();
    let counter = manager.counter(7).unwrap();
    let frame = |bytes: &[u8]| [&(bytes.len() as u64).to_le_bytes()[..], bytes].concat();
    let after_hello: [(Vec<u8>, &str); 5] = [
        (u64::MAX.to_le_bytes().to_vec(), "a frame of 18446744073709551615 bytes"),
        (((1_u64 << 16) + 1).to_le_bytes().to_vec(), "a frame of 65537 bytes"),
        (frame(&[]), "what is no call"),
        (frame(&[99, 1, 2, 3]), "what is no call"),
        (frame(&[CALL, 1, 2]), "what is no call"),
    ];
    for (count, (bytes, words)) in (1..).zip(after_hello) {
        let (stream, mut incoming) = (connect(&address, &key), Incoming::new(1 << 20));
        assert!(matches!(greet(&stream, &mut incoming, &NEW), Welcome::Joined { .. }));
        stream.send_all(&bytes).unwrap();
        assert_eq!(receive(&stream, &mut incoming), None);
        let said = refusal(&manager, count);
        assert!(said.contains(words), "{said}");
    }
    for (count, bytes) in (6..).zip([frame(&[0xff; 30]), frame(&[0; 100])]) {
        let (stream, mut incoming) = (connect(&address, &key), Incoming::new(1 << 20));
        stream.send_all(&bytes).unwrap();
        assert_eq!(receive(&stream, &mut incoming), None);
        assert!(refusal(&manager, count).contains("did not say what a client"));
    }
    assert_eq!(counter.get().unwrap(), 7);
}

/// What the server cannot make sense of inside a frame is an error for the caller alone, who may go on.
#[test]
fn a_call_that_nobody_knows_is_answered() {
    let (manager, address, key) = listening();
    let counter = manager.counter(7).unwrap();
    let (stream, mut incoming) = (connect(&address, &key), Incoming::new(1 << 20));
    greet(&stream, &mut incoming, &NEW);
    for (object, arguments) in [(0, &[99][..]), (1, &[]), (1, &[200, 1]), (1, &[0, 0]), (77, &[0])] {
        let mut buffer = Vec::new();
        let begin = begin_frame(&mut buffer, CALL);
        buffer.extend_from_slice(&u64::to_le_bytes(object));
        buffer.extend_from_slice(arguments);
        end_frame(&mut buffer, begin);
        stream.send_all(&buffer).unwrap();
        let answer = receive(&stream, &mut incoming).unwrap();
        assert!(matches!(read_answer(&answer), Some(Answered::Fault(_))), "{object} {arguments:?}: {answer:?}");
    }
    assert_eq!(counter.get().unwrap(), 7);
    assert_eq!(manager.stats().unwrap().refused, 0);
}

/// One that has the key, and then says nothing, or half of what a client says first, has as little time for that.
#[test]
fn a_client_that_does_not_greet_runs_out_of_time() {
    let manager = Manager::builder().handshake_timeout(Duration::from_millis(100)).start().unwrap();
    let key = AuthKey::random();
    let address = manager.listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), &key).unwrap();
    assert_eq!(manager.stats().unwrap().clients, 1);
    for (count, said) in (1..).zip([&[][..], &[20, 0, 0, 0, 0, 0, 0, 0, 1]]) {
        // On a machine that is stopped meanwhile, the limit is over before the key is proved; that counts as one too.
        let stream = auth::connect(&address, &key, Instant::now() + Duration::from_secs(60)).ok();
        if let Some(stream) = &stream {
            // It may be over by now, too.
            let _ = stream.send_all(said);
        }
        assert!(refusal(&manager, count).contains("said nothing for too long"));
        if let Some(stream) = stream {
            assert_eq!(receive(&stream, &mut Incoming::new(1 << 20)), None);
        }
    }
}

/// A client that is killed in the middle of a frame, wherever that is, is a client that has left: what it held is handed over, and
/// what it did not finish was not said.
#[test]
fn a_client_that_ends_in_the_middle_of_a_frame_has_left() {
    let (manager, address, key) = listening();
    let (counter, lock) = (manager.counter(7).unwrap(), manager.lock().unwrap());
    let call = |object: u64, arguments: &[u8]| {
        let mut buffer = Vec::new();
        let begin = begin_frame(&mut buffer, CALL);
        buffer.extend_from_slice(&object.to_le_bytes());
        buffer.extend_from_slice(arguments);
        end_frame(&mut buffer, begin);
        buffer
    };
    // Without a limit.
    let acquire = call(lock.handle().object(), &postcard::to_stdvec(&(0_u8, None::<Duration>)).unwrap());
    let half = call(counter.handle().object(), &[0; 60_000]);
    for length in [1, 7, 8, 9, 16, 17, 100, 30_000, half.len() - 1] {
        let (stream, mut incoming) = (connect(&address, &key), Incoming::new(1 << 20));
        assert!(matches!(greet(&stream, &mut incoming, &NEW), Welcome::Joined { .. }));
        stream.send_all(&acquire).unwrap();
        let answer = receive(&stream, &mut incoming).unwrap();
        assert!(matches!(read_answer(&answer), Some(Answered::Done { .. })), "{answer:?}");
        assert!(lock.is_locked().unwrap());
        stream.send_all(&half[..length]).unwrap();
        drop(stream);
        assert!(lock.lock().unwrap().owner_died(), "{length}");
        assert!(!lock.lock().unwrap().owner_died(), "{length}");
    }
    assert_eq!((counter.get().unwrap(), manager.stats().unwrap().refused), (7, 0));
}

#[test]
fn a_session_is_joined_by_its_token_only() {
    let (manager, address, key) = listening();
    let mut incoming = Incoming::new(1 << 20);
    let first = connect(&address, &key);
    let Welcome::Joined { session: (id, token), .. } = greet(&first, &mut incoming, &NEW) else { panic!() };
    let refused = |hello: &Hello| match greet(&connect(&address, &key), &mut Incoming::new(1 << 20), hello) {
        Welcome::Refused(why) => why,
        Welcome::Joined { .. } => panic!("it was let in"),
    };
    assert_eq!(refused(&Hello { version: VERSION, session: Some((id, token ^ 1)) }), Refusal::SessionOver);
    assert_eq!(refused(&Hello { version: VERSION, session: Some((id + 1000, token)) }), Refusal::SessionOver);
    assert_eq!(refused(&Hello { version: VERSION + 1, session: None }), Refusal::Version { theirs: VERSION });
    let second = connect(&address, &key);
    let joined = greet(&second, &mut Incoming::new(1 << 20), &Hello { version: VERSION, session: Some((id, token)) });
    assert!(matches!(joined, Welcome::Joined { session, .. } if session == (id, token)));
    // One of its two connections is enough for a session to live.
    drop(first);
    let third = connect(&address, &key);
    let joined = greet(&third, &mut Incoming::new(1 << 20), &Hello { version: VERSION, session: Some((id, token)) });
    assert!(matches!(joined, Welcome::Joined { session, .. } if session == (id, token)));
    assert_eq!(manager.stats().unwrap().clients, 2);
}

#[test]
fn handles_go_to_other_threads_and_processes() {
    fn is_handle<T: Clone + Send + Sync + Eq + std::fmt::Debug + Serialize + DeserializeOwned + 'static>() {}
    fn is_guard<T: Send + Sync + std::fmt::Debug + 'static>() {}
    // Also of values that cannot be sent, of which there are none here.
    type Local = std::rc::Rc<u8>;
    is_handle::<Manager>();
    is_handle::<Dict<String, Local>>();
    is_handle::<List<Local>>();
    is_handle::<Queue<Local>>();
    is_handle::<Namespace>();
    is_handle::<Lock>();
    is_handle::<Condition>();
    is_handle::<Semaphore>();
    is_handle::<Event>();
    is_handle::<Counter>();
    is_handle::<Barrier>();
    is_guard::<LockGuard>();
    is_guard::<ConditionGuard>();
    is_guard::<Permit>();
    is_guard::<Server>();
    is_guard::<ManagerBuilder>();
    is_guard::<ManagerError>();
    is_guard::<AuthKey>();
}
