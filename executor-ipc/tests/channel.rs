//! Channels between threads and between processes: each law is checked in both places.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod channels;

use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use channels::{
    PLACES, Peer, Place, Reply, Request, Value, arena_descriptors, close_stdin, leaves_nothing, number, role, run,
    serve,
};
use executor_ipc::attach::{ATTACHMENTS_MAX, collect, supply};
use executor_ipc::{
    Blob, Duplex, MESSAGE_BYTES_MAX, NoChannel, Receiver, RecvError, SHARED_FROM_BYTES, SendError, Sender, duplex,
    pipe, wait_any, wait_any_timeout,
};
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::sys::pthread::{pthread_kill, pthread_self};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, send, setsockopt, socket, socketpair, sockopt};
use nix::sys::time::{TimeVal, TimeValLike};
use serde::{Deserialize, Serialize};

const TESTS: &[(&str, fn())] = &[
    ("messages_come_back_as_they_were", messages_come_back_as_they_were),
    ("the_end_comes_after_the_last_message", the_end_comes_after_the_last_message),
    ("time_limits_are_kept", time_limits_are_kept),
    ("a_message_that_is_too_long_is_an_error_of_its_own", a_message_that_is_too_long_is_an_error_of_its_own),
    ("whoever_gave_an_end_away_may_close_its_own", whoever_gave_an_end_away_may_close_its_own),
    ("the_stream_ends_with_the_last_copy", the_stream_ends_with_the_last_copy),
    ("ends_travel_in_messages", ends_travel_in_messages),
    ("high_numbers_of_descriptors_are_as_good", high_numbers_of_descriptors_are_as_good),
    ("a_message_has_no_more_descriptors_than_go_with_it", a_message_has_no_more_descriptors_than_go_with_it),
    ("where_no_descriptors_go_an_end_is_an_error", where_no_descriptors_go_an_end_is_an_error),
    ("other_descriptors_are_no_ends", other_descriptors_are_no_ends),
    ("waiting_for_any_gives_all_that_are_ready", waiting_for_any_gives_all_that_are_ready),
    ("waiting_for_any_ends_with_the_first", waiting_for_any_ends_with_the_first),
    ("a_full_channel_has_room_again", a_full_channel_has_room_again),
    ("long_messages_do_not_pile_up", long_messages_do_not_pile_up),
    ("long_messages_leave_nothing", long_messages_leave_nothing),
    ("a_death_is_noticed_by_who_receives", a_death_is_noticed_by_who_receives),
    ("a_death_is_noticed_by_who_sends", a_death_is_noticed_by_who_sends),
    ("what_the_dead_have_sent_is_received", what_the_dead_have_sent_is_received),
    ("each_message_is_received_once", each_message_is_received_once),
    ("a_message_of_another_type_costs_no_other", a_message_of_another_type_costs_no_other),
    ("what_cannot_be_encoded_is_not_sent", what_cannot_be_encoded_is_not_sent),
    ("packets_of_strangers_cost_no_message", packets_of_strangers_cost_no_message),
    (
        "without_room_for_descriptors_only_their_message_is_lost",
        without_room_for_descriptors_only_their_message_is_lost,
    ),
    ("signals_end_no_wait", signals_end_no_wait),
    ("without_arenas_long_messages_cross", without_arenas_long_messages_cross),
    ("what_others_set_on_the_socket_does_not_matter", what_others_set_on_the_socket_does_not_matter),
    ("handles_are_for_every_thread", handles_are_for_every_thread),
];

fn main() {
    if let Some((_, socket)) = role() {
        close_stdin();
        return serve(&Duplex::try_from(socket).unwrap());
    }
    run(TESTS);
}

fn text(len: usize) -> Value {
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

/// Law 265, law 271: a wait lasts as long as it is told, and one of zero does not wait.
fn time_limits_are_kept() {
    let limit = Duration::from_millis(30);
    for place in PLACES {
        let peer = Peer::start(place);
        let (tx, rx) = pipe::<u64>().unwrap();
        peer.ask(&Request::Keep(vec![tx.clone()], vec![rx.clone()]));
        assert!(matches!(rx.try_recv(), Err(RecvError::Empty)));
        assert!(matches!(rx.recv_timeout(Duration::ZERO), Err(RecvError::Timeout)));
        let begin = Instant::now();
        assert!(matches!(rx.recv_timeout(limit), Err(RecvError::Timeout)));
        assert!(begin.elapsed() >= limit);
        let begin = Instant::now();
        assert!(wait_any_timeout(&[&rx], limit).unwrap().is_empty());
        assert!(begin.elapsed() >= limit);
        // What was waited for in vain is not lost.
        tx.send(&1).unwrap();
        assert_eq!(rx.recv_timeout(Duration::MAX).unwrap(), 1);
        while tx.try_send(&2).is_ok() {}
        assert!(matches!(tx.try_send(&2), Err(SendError::Full)));
        assert!(matches!(tx.send_timeout(&2, Duration::ZERO), Err(SendError::Timeout)));
        let begin = Instant::now();
        assert!(matches!(tx.send_timeout(&2, limit), Err(SendError::Timeout)));
        assert!(begin.elapsed() >= limit);
        peer.end();
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

/// Law 269: numbers of descriptors above 255 are like others, and no program that is started inherits one.
fn high_numbers_of_descriptors_are_as_good() {
    for place in PLACES {
        leaves_nothing(|| {
            let peer = Peer::start(place);
            let ends: Vec<_> = (0..200).map(|_| pipe::<u64>().unwrap()).collect();
            let (tx, rx) = pipe::<u64>().unwrap();
            assert!(number(&tx) > 255);
            peer.tell(&Request::Count(tx, 3));
            assert_eq!(rx.iter().map(Result::unwrap).collect::<Vec<_>>(), [0, 1, 2]);
            drop(ends);
            peer.end();
        });
    }
    let (tx, rx) = pipe::<Sender<u64>>().unwrap();
    tx.send(&pipe().unwrap().0).unwrap();
    let arrived = rx.recv().unwrap();
    for handle in [tx.as_fd(), rx.as_fd(), arrived.as_fd()] {
        let flags = FdFlag::from_bits_retain(fcntl(handle, FcntlArg::F_GETFD).unwrap());
        assert!(flags.contains(FdFlag::FD_CLOEXEC));
    }
}

/// Law 269: as many go with one message as the system takes, also with one that is long itself; more are a clear error.
fn a_message_has_no_more_descriptors_than_go_with_it() {
    leaves_nothing(|| {
        let (tx, rx) = pipe::<(Vec<Sender<u64>>, String)>().unwrap();
        for len in [1, 1 << 20] {
            let mut ends: Vec<_> = (0..ATTACHMENTS_MAX).map(|_| pipe().unwrap().0).collect();
            // One end is one descriptor, however often it is there.
            ends.push(ends[0].clone());
            let message = (ends, "x".repeat(len));
            tx.send(&message).unwrap();
            let (arrived, text) = rx.recv().unwrap();
            assert_eq!((arrived.len(), text.len()), (ATTACHMENTS_MAX + 1, len));
            let (mut ends, text) = message;
            ends.push(pipe().unwrap().0);
            let error = tx.send(&(ends, text)).unwrap_err();
            assert!(source(&error).contains("more descriptors than go with one message"), "{error:?}");
        }
    });
}

fn source(error: &dyn std::error::Error) -> String {
    error.source().map(ToString::to_string).unwrap_or_default()
}

/// Law 269: data without its descriptor is an error.
fn where_no_descriptors_go_an_end_is_an_error() {
    let (tx, rx) = pipe::<u64>().unwrap();
    let (here, there) = duplex::<u64, String>().unwrap();
    let texts = [
        serde_json::to_string(&tx).unwrap_err(),
        serde_json::to_string(&rx).unwrap_err(),
        serde_json::to_string(&here).unwrap_err(),
        serde_json::from_str::<Duplex<String, u64>>("{\"socket\":0,\"message_bytes_max\":1}").unwrap_err(),
    ];
    for text in texts {
        assert!(text.to_string().contains("an end of a channel is a descriptor of a process"), "{text}");
    }
    postcard::to_stdvec(&there).unwrap_err();
    let (bytes, attachments) = collect(|| postcard::to_stdvec(&tx).unwrap());
    assert_eq!(attachments.len(), 1);
    postcard::from_bytes::<Sender<u64>>(&bytes).unwrap_err();
    supply(Default::default(), || postcard::from_bytes::<Sender<u64>>(&bytes)).unwrap_err();
    let copy: Sender<u64> = supply(attachments, || postcard::from_bytes(&bytes)).unwrap();
    copy.send(&3).unwrap();
    assert_eq!(rx.recv().unwrap(), 3);
}

/// Law 275: wrong descriptors are errors.
fn other_descriptors_are_no_ends() {
    let unconnected = socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::empty(), None).unwrap();
    let datagrams = socketpair(AddressFamily::Unix, SockType::Datagram, None, SockFlag::empty()).unwrap();
    let wrong: Vec<OwnedFd> = vec![
        std::fs::File::open("/dev/null").unwrap().into(),
        std::io::pipe().unwrap().0.into(),
        UnixStream::pair().unwrap().0.into(),
        std::net::TcpListener::bind("127.0.0.1:0").unwrap().into(),
        datagrams.0,
        unconnected,
    ];
    let (tx, rx) = pipe::<u64>().unwrap();
    let (bytes, _) = collect(|| postcard::to_stdvec(&tx).unwrap());
    for descriptor in wrong {
        let attachments = [descriptor.try_clone().unwrap()].into_iter().collect();
        supply(attachments, || postcard::from_bytes::<Sender<u64>>(&bytes)).unwrap_err();
        let error: NoChannel = Receiver::<u64>::try_from(descriptor).unwrap_err();
        assert!(error.to_string().contains("no end of a channel"), "{error}");
        assert!(!source(&error).is_empty());
    }
    let copy = Receiver::<u64>::try_from(rx.as_fd().try_clone_to_owned().unwrap()).unwrap();
    tx.send(&1).unwrap();
    assert_eq!(copy.recv().unwrap(), 1);
}

/// Law 271: channels, other sockets and processes are waited for together, and all that are ready are told.
fn waiting_for_any_gives_all_that_are_ready() {
    for place in PLACES {
        // Before the channels, of which it would have copies for the moment until it is another program.
        let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let peer = Peer::start(place);
        let (tx, rx) = pipe::<u64>().unwrap();
        let (here, there) = duplex::<u64, u64>().unwrap();
        let (gone, end) = pipe::<u64>().unwrap();
        let (mut socket, other) = UnixStream::pair().unwrap();
        let process = pidfd(&child);
        let sources: [&dyn AsFd; 7] = [&rx, &here, &end, &other, &process, &tx, &rx];
        let ready = || wait_any_timeout(&sources, Duration::ZERO).unwrap();
        assert!(ready().is_empty());
        peer.ask(&Request::Keep(vec![tx.clone()], Vec::new()));
        tx.send(&1).unwrap();
        assert_eq!(ready(), [0, 6]);
        there.send(&1).unwrap();
        assert_eq!(ready(), [0, 1, 6]);
        drop(gone);
        assert_eq!(ready(), [0, 1, 2, 6]);
        socket.write_all(b"x").unwrap();
        drop(child.stdin.take());
        child.wait().unwrap();
        assert_eq!(ready(), [0, 1, 2, 3, 4, 6]);
        assert_eq!(wait_any(&sources).unwrap(), [0, 1, 2, 3, 4, 6]);
        // A look takes nothing.
        assert_eq!(rx.recv().unwrap(), 1);
        assert_eq!(ready(), [1, 2, 3, 4]);
        drop(rx);
        assert_eq!(wait_any(&[&tx]).unwrap(), [0]);
        peer.end();
    }
    assert!(wait_any(&[]).unwrap().is_empty());
    assert!(wait_any_timeout(&[], Duration::MAX).unwrap().is_empty());
}

fn pidfd(child: &std::process::Child) -> OwnedFd {
    let pid = rustix::process::Pid::from_child(child);
    rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).unwrap()
}

/// Law 271: a wait without a limit ends with the first that happens, also if that is far away.
fn waiting_for_any_ends_with_the_first() {
    for place in PLACES {
        let peer = Peer::start(place);
        let quiet: Vec<_> = (0..100).map(|_| pipe::<u64>().unwrap()).collect();
        let (tx, rx) = pipe::<u64>().unwrap();
        let mut sources: Vec<&dyn AsFd> = quiet.iter().map(|(_, rx)| rx as &dyn AsFd).collect();
        sources.push(&rx);
        for _ in 0..20 {
            peer.tell(&Request::Count(tx.clone(), 1));
            assert_eq!(wait_any(&sources).unwrap(), [100]);
            assert_eq!(rx.recv().unwrap(), 0);
        }
        // A death is one too.
        let (here, there) = pipe::<u64>().unwrap();
        peer.ask(&Request::Keep(vec![here], Vec::new()));
        peer.kill();
        assert_eq!(wait_any(&[&rx, &there]).unwrap(), [1]);
    }
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

/// Law 275: what another process sends into the socket is an error of one receive, and nothing of it stays open.
fn packets_of_strangers_cost_no_message() {
    let arena_of = |bytes: &[u8]| {
        let (_, attachments) = collect(|| postcard::to_stdvec(&Blob::with_len(1 << 20, |all| all.fill(1))).unwrap());
        let copies: Vec<OwnedFd> = attachments.iter().map(|fd| fd.try_clone_to_owned().unwrap()).collect();
        (bytes.to_vec(), copies)
    };
    let in_arena = |count: u8, length: u64| [&[1, count][..], &length.to_le_bytes()].concat();
    let null = || OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
    leaves_nothing(|| {
        let (tx, rx) = pipe::<Vec<u8>>().unwrap();
        let packets: Vec<(Vec<u8>, Vec<OwnedFd>, &str)> = vec![
            (vec![], vec![], "no head"),
            (vec![], vec![null()], "no head"),
            (vec![0], vec![], "no head"),
            (vec![2, 0, 1], vec![], "of kind 2"),
            (vec![0, 1, 0], vec![], "0 of its 1 descriptors came"),
            (vec![0, 0, 0], vec![null(), null()], "does not tell of"),
            (vec![1, 0], vec![], "tells of no memory"),
            (in_arena(0, 5), vec![], "tells of no memory"),
            (in_arena(1, 5), vec![null()], "tells of no memory"),
            (in_arena(2, 5), vec![null(), null()], "no pipe"),
            (vec![0; 70_000], vec![], "too long"),
        ];
        let (short, over) = (arena_of(&in_arena(2, 0)), arena_of(&in_arena(2, (1 << 20) + 1)));
        let all = packets.into_iter().chain([
            (short.0, short.1, "0 bytes from byte 0 on are not within"),
            (over.0, over.1, "not within the 1048576"),
        ]);
        for (bytes, descriptors, why) in all {
            send_raw(&tx, &bytes, &descriptors);
            drop(descriptors);
            tx.send(&vec![7]).unwrap();
            let error = rx.recv().unwrap_err();
            assert!(source(&error).contains(why), "{error:?} instead of {why}");
            assert_eq!(rx.recv().unwrap(), [7]);
        }
        send_raw(&tx, &in_arena(2, u64::MAX), &[null(), null()]);
        assert!(matches!(rx.recv(), Err(RecvError::TooLarge { bytes: u64::MAX, .. })));
        // A message that is right may come with descriptors that nobody asks for.
        send_raw(&tx, &[0, 1, 1, 9], &[null()]);
        assert_eq!(rx.recv().unwrap(), [9]);
    });
}

fn send_raw(socket: &impl AsFd, bytes: &[u8], descriptors: &[OwnedFd]) {
    use nix::sys::socket::{ControlMessage, UnixAddr, sendmsg};
    let numbers: Vec<i32> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
    if numbers.is_empty() {
        assert_eq!(send(number(socket), bytes, MsgFlags::empty()).unwrap(), bytes.len());
        return;
    }
    let rights = [ControlMessage::ScmRights(&numbers)];
    let bytes = [std::io::IoSlice::new(bytes)];
    sendmsg::<UnixAddr>(number(socket), &bytes, &rights, MsgFlags::empty(), None).unwrap();
}

/// Law 269: what a process has no room for is an error of its message, and nothing of it stays open.
fn without_room_for_descriptors_only_their_message_is_lost() {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    leaves_nothing(|| {
        let (tx, rx) = pipe::<(String, Vec<Sender<u64>>)>().unwrap();
        let ends: Vec<_> = (0..5).map(|_| pipe().unwrap().0).collect();
        for len in [1, 200_000] {
            let text = "x".repeat(len);
            tx.send(&(text.clone(), ends.clone())).unwrap();
            tx.send(&("next".to_owned(), Vec::new())).unwrap();
            // There is room for one or two of them.
            let lowest = number(&tx.as_fd().try_clone_to_owned().unwrap()) as u64;
            setrlimit(Resource::RLIMIT_NOFILE, lowest + 2, hard).unwrap();
            let received = rx.recv();
            setrlimit(Resource::RLIMIT_NOFILE, soft, hard).unwrap();
            let error = received.unwrap_err();
            let came = if len == 1 { "of its 5 descriptors came" } else { "of its 7 descriptors came" };
            assert!(source(&error).contains(came), "{error:?}");
            assert_eq!(rx.recv().unwrap().0, "next");
            tx.send(&(text.clone(), ends.clone())).unwrap();
            assert!(rx.recv().unwrap().0 == text);
        }
    });
}

fn signals_end_no_wait() {
    static HANDLED: AtomicUsize = AtomicUsize::new(0);
    extern "C" fn handle(_: i32) {
        HANDLED.fetch_add(1, Ordering::SeqCst);
    }
    // Without `SA_RESTART` a call of the system ends with an error when a signal was handled.
    let action = SigAction::new(SigHandler::Handler(handle), SaFlags::empty(), SigSet::empty());
    #[expect(unsafe_code, reason = "a handler is what is tested")]
    // SAFETY: it does no more than add to an atomic.
    let before = unsafe { sigaction(Signal::SIGUSR1, &action) }.unwrap();
    type Wait = fn(&Receiver<u64>) -> Result<u64, RecvError>;
    let waits: [Wait; 3] = [
        |rx| rx.recv(),
        |rx| rx.recv_timeout(Duration::MAX),
        |rx| wait_any(&[rx]).map_err(RecvError::System).and_then(|_| rx.try_recv()),
    ];
    for (value, wait) in (0..).zip(waits) {
        let (tx, rx) = pipe().unwrap();
        let (me, thread) = std::sync::mpsc::channel();
        let waiting = thread::spawn(move || {
            me.send(pthread_self()).unwrap();
            wait(&rx)
        });
        let target = thread.recv().unwrap();
        for round in 1..=20 {
            let handled = HANDLED.load(Ordering::SeqCst);
            pthread_kill(target, Signal::SIGUSR1).unwrap();
            channels::eventually("the signal is handled", || HANDLED.load(Ordering::SeqCst) > handled);
            assert!(!waiting.is_finished(), "signal {round}");
        }
        tx.send(&value).unwrap();
        assert_eq!(waiting.join().unwrap().unwrap(), value);
    }
    #[expect(unsafe_code, reason = "what was there is put back")]
    // SAFETY: it is what was there.
    unsafe { sigaction(Signal::SIGUSR1, &before) }.unwrap();
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

/// Law 275: what was set on a socket that is shared with others does not leak in.
fn what_others_set_on_the_socket_does_not_matter() {
    for place in PLACES {
        let peer = Peer::start(place);
        let (tx, rx) = pipe::<u64>().unwrap();
        peer.ask(&Request::Keep(vec![tx.clone()], vec![rx.clone()]));
        for round in 0..2 {
            for handle in [tx.as_fd(), rx.as_fd()] {
                if round == 0 {
                    fcntl(handle, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
                } else {
                    fcntl(handle, FcntlArg::F_SETFL(OFlag::empty())).unwrap();
                    setsockopt(&handle, sockopt::ReceiveTimeout, &TimeVal::milliseconds(1)).unwrap();
                    setsockopt(&handle, sockopt::SendTimeout, &TimeVal::milliseconds(1)).unwrap();
                }
            }
            let receiver = rx.clone();
            let receiving = thread::spawn(move || receiver.recv());
            channels::eventually("a thread waits to receive", || is_waiting(&receiving));
            tx.send(&5).unwrap();
            assert_eq!(receiving.join().unwrap().unwrap(), 5);
            while tx.try_send(&6).is_ok() {}
            let sender = tx.clone();
            let sending = thread::spawn(move || sender.send(&7));
            channels::eventually("a thread waits to send", || is_waiting(&sending));
            while rx.recv().unwrap() != 7 {}
            sending.join().unwrap().unwrap();
        }
        peer.end();
    }
}

/// True if the thread sleeps in a call of the system.
fn is_waiting<T>(thread: &thread::JoinHandle<T>) -> bool {
    // It has nothing else to do there than to wait for the socket, for longer than any time limit that is set above.
    thread::sleep(Duration::from_millis(5));
    !thread.is_finished()
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
