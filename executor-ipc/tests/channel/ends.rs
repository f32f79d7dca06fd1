//! Ends of channels: how long a stream lasts, where ends go, and who notices a death.

use std::os::fd::AsFd;
use std::thread;
use std::time::Duration;

use executor_ipc::{Duplex, NoChannel, Receiver, RecvError, SendError, Sender, duplex, pipe, wait_any};
use serde::{Deserialize, Serialize};

use crate::channels::{PLACES, Peer, Place, Reply, Request, Value, leaves_nothing, number};

pub(crate) const TESTS: &[(&str, fn())] = &[
    ("the_end_comes_after_the_last_message", the_end_comes_after_the_last_message),
    ("whoever_gave_an_end_away_may_close_its_own", whoever_gave_an_end_away_may_close_its_own),
    ("the_stream_ends_with_the_last_copy", the_stream_ends_with_the_last_copy),
    ("ends_travel_in_messages", ends_travel_in_messages),
    ("a_death_is_noticed_by_who_receives", a_death_is_noticed_by_who_receives),
    ("a_death_is_noticed_by_who_sends", a_death_is_noticed_by_who_sends),
    ("what_the_dead_have_sent_is_received", what_the_dead_have_sent_is_received),
    ("handles_are_for_every_thread", handles_are_for_every_thread),
];

/// Law 265: the end of the stream is an error of its own, and comes when all is received.
fn the_end_comes_after_the_last_message() {
    for place in PLACES {
        leaves_nothing(|| {
            let peer = Peer::start(place);
            let (tx, rx) = pipe().unwrap();
            peer.tell(&Request::Count(tx, 5));
            assert_eq!(rx.recv().unwrap(), 0);
            assert_eq!(rx.iter().map(Result::unwrap).collect::<Vec<u64>>(), [1, 2, 3, 4]);
            for _ in 0..2 {
                assert!(matches!(rx.recv(), Err(RecvError::Disconnected)));
                assert!(matches!(rx.try_recv(), Err(RecvError::Disconnected)));
                assert!(matches!(rx.recv_timeout(Duration::MAX), Err(RecvError::Disconnected)));
            }
            assert_eq!((&rx).into_iter().count(), 0);
            peer.end();
        });
    }
}

/// Law 267: the copy of an end that was given away works when the first one is closed at once.
fn whoever_gave_an_end_away_may_close_its_own() {
    for place in PLACES {
        leaves_nothing(|| {
            let peer = Peer::start(place);
            let (tx, rx) = pipe().unwrap();
            let request = Request::Collect(rx);
            peer.tell(&request);
            drop(request);
            (0..10).for_each(|number| tx.send(&number).unwrap());
            drop(tx);
            assert_eq!(peer.control.recv().unwrap(), Reply::Numbers((0..10).collect()));
            peer.end();
        });
    }
}

/// Law 266: an end is closed when its last copy is, wherever that is.
fn the_stream_ends_with_the_last_copy() {
    for place in PLACES {
        leaves_nothing(|| {
            let peer = Peer::start(place);
            let (tx, rx) = pipe::<u64>().unwrap();
            peer.ask(&Request::Keep(vec![tx.clone()], vec![rx.clone()]));
            let copy = tx.clone();
            drop(tx);
            copy.send(&1).unwrap();
            drop(copy);
            assert_eq!(rx.recv().unwrap(), 1);
            assert!(matches!(rx.try_recv(), Err(RecvError::Empty)));
            peer.ask(&Request::Forget);
            assert!(matches!(rx.try_recv(), Err(RecvError::Disconnected)));
            let (tx, rx) = pipe::<u64>().unwrap();
            peer.ask(&Request::Keep(Vec::new(), vec![rx.clone()]));
            drop(rx);
            tx.send(&1).unwrap();
            peer.ask(&Request::Forget);
            // A message is there that nobody received, which the system tells in another way, once.
            assert!(matches!(tx.send(&1), Err(SendError::Disconnected)));
            assert!(matches!(tx.try_send(&1), Err(SendError::Disconnected)));
            assert!(matches!(tx.send_timeout(&1, Duration::MAX), Err(SendError::Disconnected)));
            peer.end();
        });
    }
}

/// Law 269: connections are sent in messages.
fn ends_travel_in_messages() {
    for place in PLACES {
        leaves_nothing(|| {
            let peer = Peer::start(place);
            let (questions, asked) = pipe::<(u64, u64, Sender<u64>)>().unwrap();
            peer.tell(&Request::AddOnce(asked));
            let (answer, sum) = pipe().unwrap();
            questions.send(&(20, 22, answer)).unwrap();
            assert_eq!(sum.recv().unwrap(), 42);
            assert!(matches!(sum.recv(), Err(RecvError::Disconnected)));
            let (here, there) = duplex().unwrap();
            peer.tell(&Request::Meet(there));
            here.send(&4).unwrap();
            assert_eq!(here.recv().unwrap(), 5);
            peer.end();
        });
    }
    // Also through itself, where nobody receives it: the system collects such circles.
    #[derive(Serialize, Deserialize)]
    struct Own(Receiver<Own>);
    leaves_nothing(|| {
        let (tx, rx) = pipe::<Own>().unwrap();
        tx.send(&Own(rx.clone())).unwrap();
        let Own(same) = rx.recv().unwrap();
        tx.send(&Own(same)).unwrap();
    });
    // A limit goes with the end.
    let (tx, rx) = pipe::<Receiver<String>>().unwrap();
    let (long, short) = pipe::<String>().unwrap();
    tx.send(&short.with_message_bytes_max(5)).unwrap();
    long.send(&"123456".to_owned()).unwrap();
    assert!(matches!(rx.recv().unwrap().recv(), Err(RecvError::TooLarge { bytes: 7, bytes_max: 5 })));
}

fn a_death_is_noticed_by_who_receives() {
    for place in PLACES {
        leaves_nothing(|| {
            let peer = Peer::start(place);
            let (tx, rx) = pipe::<u64>().unwrap();
            peer.ask(&Request::Keep(vec![tx], Vec::new()));
            let waiting = thread::spawn(move || rx.recv());
            peer.kill();
            assert!(matches!(waiting.join().unwrap(), Err(RecvError::Disconnected)));
        });
    }
}

fn a_death_is_noticed_by_who_sends() {
    for place in PLACES {
        for begins_full in [false, true] {
            leaves_nothing(|| {
                let peer = Peer::start(place);
                let (tx, rx) = pipe::<u64>().unwrap();
                peer.ask(&Request::Keep(Vec::new(), vec![rx]));
                while begins_full && tx.try_send(&1).is_ok() {}
                let waiting = thread::spawn(move || (0..100_000).try_for_each(|number| tx.send(&number)));
                peer.kill();
                assert!(matches!(waiting.join().unwrap(), Err(SendError::Disconnected)));
            });
        }
    }
}

fn what_the_dead_have_sent_is_received() {
    let peer = Peer::start(Place::Process);
    let (tx, rx) = pipe::<u64>().unwrap();
    let control = peer.control.clone();
    // It will wait for the end of this channel, and never look at what is behind that request.
    peer.tell(&Request::Echo(Value::Number(2)));
    peer.tell(&Request::Collect(rx));
    peer.tell(&Request::Forget);
    wait_any(&[&control]).unwrap();
    peer.kill();
    // The answer is there, and then the end, although the system tells first of messages that nobody took.
    assert_eq!(control.recv().unwrap(), Reply::Echo(Value::Number(2)));
    assert!(matches!(control.recv(), Err(RecvError::Disconnected)));
    assert!(matches!(control.send(&Request::Forget), Err(SendError::Disconnected)));
    drop(tx);
    // The same on one thread.
    let (here, there) = duplex::<u64, u64>().unwrap();
    here.send(&1).unwrap();
    there.send(&2).unwrap();
    drop(there);
    assert_eq!(here.try_recv().unwrap(), 2);
    assert!(matches!(here.try_recv(), Err(RecvError::Disconnected)));
}

fn handles_are_for_every_thread() {
    fn is<T: Clone + Send + Sync + Unpin + std::fmt::Debug + AsFd + Serialize + for<'de> Deserialize<'de> + 'static>() {
    }
    // Whatever the messages are.
    is::<Sender<*const ()>>();
    is::<Receiver<*const ()>>();
    is::<Duplex<*const (), std::cell::Cell<u8>>>();
    fn is_error<T: std::error::Error + Send + Sync + 'static>() {}
    is_error::<SendError>();
    is_error::<RecvError>();
    is_error::<NoChannel>();
    let (tx, rx) = pipe::<u64>().unwrap();
    assert_eq!(format!("{tx:?}"), format!("Sender {{ fd: {}, .. }}", number(&tx)));
    assert_eq!(format!("{rx:?}"), format!("Receiver {{ fd: {}, .. }}", number(&rx)));
}
