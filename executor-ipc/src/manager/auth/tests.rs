use std::io::Read as _;
use std::thread;

use super::*;

fn key(text: &str) -> AuthKey {
    AuthKey::new(text).unwrap()
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

/// What came of a handshake on either side.
fn shake(client: &AuthKey, server: &AuthKey) -> (Result<(), Failed>, io::Result<()>) {
    let (ours, theirs) = Stream::pair().unwrap();
    thread::scope(|scope| {
        let challenged = scope.spawn(move || challenge(&theirs, server, soon()));
        (respond(&ours, client, soon()), challenged.join().unwrap())
    })
}

#[test]
fn one_key_on_both_sides_is_right() {
    let (responded, challenged) = shake(&key("secret"), &key("secret"));
    assert!(responded.is_ok() && challenged.is_ok());
}

/// Law 274: another key is wrong, on both sides, also one that begins alike or has zeros behind it that HMAC would add itself.
#[test]
fn another_key_is_one_error_on_both_sides() {
    for other in ["Secret", "secret\0", "s", "secre"] {
        let (responded, challenged) = shake(&key(other), &key("secret"));
        assert!(matches!(responded, Err(Failed::WrongKey)));
        assert_eq!(challenged.unwrap_err().kind(), ErrorKind::PermissionDenied);
    }
}

/// Law 274: the empty key is none.
#[test]
fn the_empty_key_is_refused() {
    assert_eq!(AuthKey::new(Vec::new()).unwrap_err(), EmptyKey);
    assert_ne!(AuthKey::random().as_bytes(), AuthKey::random().as_bytes());
}

/// Law 273: a server that does not have the key cannot say that all is well.
#[test]
fn a_bogus_verdict_is_seen() {
    for verdict in [[ACCEPTED; 1 + PROOF_BYTES], [77; 1 + PROOF_BYTES]] {
        let (ours, theirs) = Stream::pair().unwrap();
        thread::scope(|scope| {
            scope.spawn(move || {
                theirs.send_all(&[&MAGIC[..], &[9; NONCE_BYTES]].concat()).unwrap();
                theirs.receive_exact(&mut [0; NONCE_BYTES + PROOF_BYTES], soon()).unwrap();
                theirs.send_all(&verdict).unwrap();
            });
            assert!(matches!(respond(&ours, &key("secret"), soon()), Err(Failed::WrongKey)));
        });
    }
}

/// Law 273: who has no key and sends back what it gets, as its own or by way of another connection, proves nothing.
#[test]
fn what_is_reflected_proves_nothing() {
    // To a server: the nonce that it sent, and a proof that another handshake with it, as a server, gave.
    let (ours, theirs) = Stream::pair().unwrap();
    thread::scope(|scope| {
        let secret = key("secret");
        let challenged = scope.spawn(move || challenge(&theirs, &secret, soon()));
        let mut said = [0; MAGIC.len() + NONCE_BYTES];
        ours.receive_exact(&mut said, soon()).unwrap();
        let nonce: [u8; NONCE_BYTES] = said[MAGIC.len()..].try_into().unwrap();
        // The best that a reflection could yield: the proof of a server over the very same nonces.
        let nonces = Nonces { server: nonce, client: nonce };
        let reflected = key("secret").prove(Who::Server, &nonces);
        ours.send_all(&[nonce, reflected].concat()).unwrap();
        assert_eq!(challenged.join().unwrap().unwrap_err().kind(), ErrorKind::PermissionDenied);
    });
    // To a client: its own proof, with which a server would have to answer.
    let (ours, theirs) = Stream::pair().unwrap();
    thread::scope(|scope| {
        scope.spawn(move || {
            theirs.send_all(&[&MAGIC[..], &[9; NONCE_BYTES]].concat()).unwrap();
            let mut said = [0; NONCE_BYTES + PROOF_BYTES];
            theirs.receive_exact(&mut said, soon()).unwrap();
            theirs.send_all(&[&[ACCEPTED], &said[NONCE_BYTES..]].concat()).unwrap();
        });
        assert!(matches!(respond(&ours, &key("secret"), soon()), Err(Failed::WrongKey)));
    });
}

#[test]
fn proofs_differ_by_side_nonce_and_key() {
    let nonces = || Nonces { server: [1; NONCE_BYTES], client: [2; NONCE_BYTES] };
    let swapped = Nonces { server: [2; NONCE_BYTES], client: [1; NONCE_BYTES] };
    let proofs = [
        key("a").prove(Who::Client, &nonces()),
        key("a").prove(Who::Server, &nonces()),
        key("a").prove(Who::Client, &swapped),
        key("b").prove(Who::Client, &nonces()),
    ];
    for (place, proof) in proofs.iter().enumerate() {
        assert!(proofs[place + 1..].iter().all(|other| other != proof));
    }
    assert!(key("a").is_proved(Who::Client, &nonces(), &proofs[0]));
    assert!(!key("a").is_proved(Who::Server, &nonces(), &proofs[0]));
}

/// A server that is stopped, so that nobody accepts those who wait, is waited for until the deadline, and no longer.
#[test]
fn a_connect_that_nobody_accepts_ends_in_time() {
    let path = std::env::temp_dir().join(format!("executor-manager-{}-backlog", std::process::id()));
    let listener = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap();
    net::bind(&listener, &SocketAddrUnix::new(&path).unwrap()).unwrap();
    net::listen(&listener, 0).unwrap();
    let mut waiting = Vec::new();
    let error = loop {
        match connect_unix(&path, Duration::from_millis(10)) {
            Ok(socket) => waiting.push(socket),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    assert!(!waiting.is_empty());
    let address = Address::Unix(path.clone());
    let error = connect(&address, &key("secret"), Instant::now() + Duration::from_millis(50)).unwrap_err();
    let is_late = |cause: &io::Error| cause.kind() == ErrorKind::TimedOut;
    assert!(matches!(&error, ManagerError::Connect { cause, .. } if is_late(cause)), "{error}");
    std::fs::remove_file(path).unwrap();
}

/// A peer that says its part byte by byte is given no more time for it.
#[test]
fn there_is_one_deadline_for_the_whole() {
    let (ours, theirs) = Stream::pair().unwrap();
    let mut ours = std::os::unix::net::UnixStream::from(ours.into_descriptor());
    thread::scope(|scope| {
        let challenged =
            scope.spawn(move || challenge(&theirs, &key("secret"), Instant::now() + Duration::from_millis(50)));
        ours.read_exact(&mut [0; MAGIC.len() + NONCE_BYTES]).unwrap();
        // Until the other side has gone.
        while io::Write::write_all(&mut ours, &[1]).is_ok() && !challenged.is_finished() {
            thread::yield_now();
        }
        let error = challenged.join().unwrap().unwrap_err();
        // On a slow machine the bytes may all be there before; then they prove nothing.
        assert!(matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::PermissionDenied), "{error}");
    });
}
