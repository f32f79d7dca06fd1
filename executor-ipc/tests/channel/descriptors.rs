//! Descriptors in messages, and what strangers send.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

use executor_ipc::attach::{ATTACHMENTS_MAX, collect, supply};
use executor_ipc::{Blob, Duplex, NoChannel, Receiver, RecvError, Sender, duplex, pipe};
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, send, socket, socketpair};

use crate::channels::{PLACES, Peer, Request, leaves_nothing, number};

pub(crate) const TESTS: &[(&str, fn())] = &[
    ("high_numbers_of_descriptors_are_as_good", high_numbers_of_descriptors_are_as_good),
    ("a_message_has_no_more_descriptors_than_go_with_it", a_message_has_no_more_descriptors_than_go_with_it),
    ("where_no_descriptors_go_an_end_is_an_error", where_no_descriptors_go_an_end_is_an_error),
    ("other_descriptors_are_no_ends", other_descriptors_are_no_ends),
    ("packets_of_strangers_cost_no_message", packets_of_strangers_cost_no_message),
    (
        "without_room_for_descriptors_only_their_message_is_lost",
        without_room_for_descriptors_only_their_message_is_lost,
    ),
];

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

pub(crate) fn source(error: &dyn std::error::Error) -> String {
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
