//! How long somebody waits, and for what.

use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use executor_ipc::{Receiver, RecvError, SendError, duplex, pipe, wait_any, wait_any_timeout};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::pthread::{pthread_kill, pthread_self};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::sys::socket::{setsockopt, sockopt};
use nix::sys::time::{TimeVal, TimeValLike};

use crate::channels::{PLACES, Peer, Request, eventually};

pub(crate) const TESTS: &[(&str, fn())] = &[
    ("time_limits_are_kept", time_limits_are_kept),
    ("waiting_for_any_gives_all_that_are_ready", waiting_for_any_gives_all_that_are_ready),
    ("waiting_for_any_ends_with_the_first", waiting_for_any_ends_with_the_first),
    ("signals_end_no_wait", signals_end_no_wait),
    ("what_others_set_on_the_socket_does_not_matter", what_others_set_on_the_socket_does_not_matter),
];

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
            eventually("the signal is handled", || HANDLED.load(Ordering::SeqCst) > handled);
            assert!(!waiting.is_finished(), "signal {round}");
        }
        tx.send(&value).unwrap();
        assert_eq!(waiting.join().unwrap().unwrap(), value);
    }
    #[expect(unsafe_code, reason = "what was there is put back")]
    // SAFETY: it is what was there.
    unsafe { sigaction(Signal::SIGUSR1, &before) }.unwrap();
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
            eventually("a thread waits to receive", || is_waiting(&receiving));
            tx.send(&5).unwrap();
            assert_eq!(receiving.join().unwrap().unwrap(), 5);
            while tx.try_send(&6).is_ok() {}
            let sender = tx.clone();
            let sending = thread::spawn(move || sender.send(&7));
            eventually("a thread waits to send", || is_waiting(&sending));
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
