//! Messages come as they were sent, whole, once, and as long as they may be.

use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use executor_ipc::{Blob, MESSAGE_BYTES_MAX, RecvError, SHARED_FROM_BYTES, SendError, Sender, pipe};
use serde::{Deserialize, Serialize};

use crate::channels::{PLACES, Peer, Reply, Request, Value, arena_descriptors, leaves_nothing};
use crate::descriptors::source;

pub(crate) const TESTS: &[(&str, fn())] = &[
    ("messages_come_back_as_they_were", messages_come_back_as_they_were),
    ("a_message_that_is_too_long_is_an_error_of_its_own", a_message_that_is_too_long_is_an_error_of_its_own),
    ("a_full_channel_has_room_again", a_full_channel_has_room_again),
    ("long_messages_do_not_pile_up", long_messages_do_not_pile_up),
    ("long_messages_leave_nothing", long_messages_leave_nothing),
    ("each_message_is_received_once", each_message_is_received_once),
    ("a_message_of_another_type_costs_no_other", a_message_of_another_type_costs_no_other),
    ("what_cannot_be_encoded_is_not_sent", what_cannot_be_encoded_is_not_sent),
    ("without_arenas_long_messages_cross", without_arenas_long_messages_cross),
];

pub(crate) fn text(len: usize) -> Value {
    Value::Text("abcdefg".repeat(len / 7 + 1)[..len].to_owned())
}

/// Law 265: objects and bytes of any size come back.
fn messages_come_back_as_they_were() {
    for place in PLACES {
        leaves_nothing(|| {
            let peer = Peer::start(place);
            let pair = Value::Pair(Box::new(Value::Number(u64::MAX)), Box::new(text(3)));
            let mut values = vec![Value::Nothing, pair, Value::Blob(Blob::from([7; 5]))];
            values.push(Value::Blob(Blob::with_len(SHARED_FROM_BYTES, |bytes| bytes.fill(1))));
            values.push(Value::Pair(
                Box::new(Value::Blob(Blob::with_len(1 << 20, |b| b.fill(1)))),
                Box::new(text(1 << 20)),
            ));
            // Around the end of a packet, and beyond it.
            values.extend((65_500..65_550).chain([0, 100_000, 213_000, 1 << 20, 16_000_000]).map(text));
            for value in values {
                let request = Request::Echo(value);
                let Request::Echo(value) = &request else { unreachable!() };
                assert!(peer.ask(&request) == Reply::Echo(value.clone()), "{place:?}");
            }
            peer.end();
        });
    }
}

/// Law 265: a message beyond the limit is a clear error on the side whose limit it is, and the next one crosses.
fn a_message_that_is_too_long_is_an_error_of_its_own() {
    for place in PLACES {
        for limit in [10_u64, 70_000] {
            let (over, exact) = ("x".repeat(limit as usize + 1), "x".repeat(limit as usize - 3));
            let peer = Peer::start(place);
            let mine = peer.control.clone().with_message_bytes_max(limit);
            // The variants of the request and the value, and the length, take some bytes.
            let long = Request::Echo(Value::Text(over.clone()));
            let error = mine.send(&long).unwrap_err();
            assert!(matches!(error, SendError::TooLarge { bytes_max } if bytes_max == limit), "{error}");
            peer.tell(&long);
            peer.tell(&Request::Echo(Value::Number(9)));
            let error = mine.recv().unwrap_err();
            assert!(error.to_string().contains(&format!("{limit} that this end takes")), "{error}");
            assert!(matches!(error, RecvError::TooLarge { bytes, bytes_max } if bytes > limit && bytes_max == limit));
            assert_eq!(mine.recv().unwrap(), Reply::Echo(Value::Number(9)));
            // A limit is exact.
            let (tx, rx) = pipe::<String>().unwrap();
            let encoded = postcard::to_stdvec(&exact).unwrap().len() as u64;
            let (tx, rx) = (tx.with_message_bytes_max(encoded), rx.with_message_bytes_max(encoded));
            tx.send(&exact).unwrap();
            assert_eq!(rx.recv().unwrap(), exact);
            tx.with_message_bytes_max(encoded - 1).send(&exact).unwrap_err();
            drop(mine);
            peer.end();
        }
    }
    assert_eq!(MESSAGE_BYTES_MAX, 1 << 30);
}

fn a_full_channel_has_room_again() {
    for place in PLACES {
        let peer = Peer::start(place);
        let (tx, rx) = pipe::<u64>().unwrap();
        let sent = (0..).take_while(|number| tx.try_send(number).is_ok()).count() as u64;
        // Each counts as 0.8 KiB, as the page of `pipe` says.
        assert!((100..1000).contains(&sent), "{sent}");
        assert!(matches!(tx.try_send(&0), Err(SendError::Full)));
        peer.tell(&Request::Collect(rx));
        (sent..1000).for_each(|number| tx.send(&number).unwrap());
        drop(tx);
        assert_eq!(peer.control.recv().unwrap(), Reply::Numbers((0..1000).collect()));
        peer.end();
    }
}

fn long_messages_do_not_pile_up() {
    for (len, count_max) in [(70_000, 45), (200_000, 18), (2 << 20, 4), (9 << 20, 4)] {
        leaves_nothing(|| {
            let (tx, rx) = pipe::<String>().unwrap();
            let message = "x".repeat(len);
            let sent = (0..100).take_while(|_| tx.try_send(&message).is_ok()).count();
            assert!((1..=count_max).contains(&sent), "{sent} of {len} bytes");
            (0..sent).for_each(|_| assert!(rx.recv().unwrap() == message));
            assert!(matches!(rx.try_recv(), Err(RecvError::Empty)));
            tx.try_send(&message).unwrap();
        });
    }
}

fn long_messages_leave_nothing() {
    for place in PLACES {
        let peer = Peer::start(place);
        let round = || {
            let request = Request::Echo(text(300_000));
            assert!(peer.ask(&request) == Reply::Echo(text(300_000)));
        };
        (0..5).for_each(|_| round());
        let before = arena_descriptors();
        (0..100).for_each(|_| round());
        // One or the other arena more may be in use if a round has begun before the one before it was closed. Each message leaves
        // with two descriptors, and there were two hundred.
        let after = arena_descriptors();
        assert!(after <= before + 50, "{before} before, {after} after");
        peer.end();
    }
}

/// Law 265: messages of many senders to many receivers are neither merged nor torn nor doubled, and those of one sender keep
/// their order.
fn each_message_is_received_once() {
    for place in PLACES {
        leaves_nothing(|| {
            let senders: Vec<Peer> = (0..4).map(|_| Peer::start(place)).collect();
            let (tx, rx) = pipe::<u64>().unwrap();
            senders.iter().for_each(|peer| peer.tell(&Request::Count(tx.clone(), 2000)));
            drop(tx);
            let takers: Vec<Peer> = (0..3).map(|_| Peer::start(place)).collect();
            takers.iter().for_each(|peer| peer.tell(&Request::Collect(rx.clone())));
            let mut all: Vec<u64> = rx.iter().map(Result::unwrap).collect();
            for taker in &takers {
                let Reply::Numbers(numbers) = taker.control.recv().unwrap() else { unreachable!() };
                all.extend(numbers);
            }
            all.sort_unstable();
            assert_eq!(all, (0..8000).map(|place| place / 4).collect::<Vec<u64>>());
            senders.into_iter().chain(takers).for_each(Peer::end);
        });
    }
}

fn a_message_of_another_type_costs_no_other() {
    for long in [false, true] {
        leaves_nothing(|| {
            let (tx, rx) = pipe::<(u64, String)>().unwrap();
            let other = Sender::<Vec<u8>>::try_from(tx.as_fd().try_clone_to_owned().unwrap()).unwrap();
            // 9 is no length of what follows; 0 is one, and something is left over.
            other.send(&vec![9; if long { 100_000 } else { 3 }]).unwrap();
            tx.send(&(1, "x".to_owned())).unwrap();
            let left = Sender::<(u64, u64, u64)>::try_from(tx.as_fd().try_clone_to_owned().unwrap()).unwrap();
            left.send(&(1, 0, 7)).unwrap();
            tx.send(&(2, "y".to_owned())).unwrap();
            let error = rx.recv().unwrap_err();
            assert!(error.to_string().contains("cannot be decoded as `(u64, alloc::string::String)`"), "{error}");
            assert_eq!(rx.recv().unwrap(), (1, "x".to_owned()));
            let error = rx.recv().unwrap_err();
            assert!(source(&error).contains("1 bytes are left over"), "{error:?}");
            assert_eq!(rx.recv().unwrap(), (2, "y".to_owned()));
        });
    }
}

fn what_cannot_be_encoded_is_not_sent() {
    #[derive(Debug, Deserialize)]
    struct Odd(u64);
    impl Serialize for Odd {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            if self.0 == 6 {
                resume_unwind(Box::new("on purpose"));
            }
            if self.0.is_multiple_of(2) {
                Err(serde::ser::Error::custom("even"))
            } else {
                serializer.serialize_u64(self.0)
            }
        }
    }
    let (tx, rx) = pipe::<Odd>().unwrap();
    let error = tx.send(&Odd(2)).unwrap_err();
    assert!(error.to_string().contains("Odd` cannot be encoded"), "{error}");
    assert!(matches!(error, SendError::Encode { .. }));
    // Nor is what panics.
    catch_unwind(AssertUnwindSafe(|| tx.send(&Odd(6)))).unwrap_err();
    tx.send(&Odd(3)).unwrap();
    assert_eq!(rx.try_recv().unwrap().0, 3);
    assert!(matches!(rx.try_recv(), Err(RecvError::Empty)));
}

fn without_arenas_long_messages_cross() {
    // Blobs take all that there are.
    let blobs: Vec<Blob> =
        (0..executor_ipc::ARENAS_MAX + 1).map(|_| Blob::with_len(SHARED_FROM_BYTES, |_| {})).collect();
    assert!(blobs.iter().any(|blob| !blob.is_shared()));
    for place in PLACES {
        leaves_nothing(|| {
            let peer = Peer::start(place);
            for len in [100_000, 5 << 20] {
                let request = Request::Echo(text(len));
                assert!(peer.ask(&request) == Reply::Echo(text(len)));
            }
            peer.end();
        });
    }
}
