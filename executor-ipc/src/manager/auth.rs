//! How two peers prove to one another that they have the same key, before anything else is said.
//!
//! ```text
//!   client                                              server
//!   ──────                                              ──────
//!                                                ◄──    MAGIC, nonce of the server
//!   nonce of the client, proof of the client     ──►
//!                                                ◄──    1, proof of the server; or 0, zeros: wrong key; or 2, zeros: full
//! ```
//!
//! A proof is HMAC-SHA-256 of the key over the magic, the length of the key, who proves (`client` or `server`), and both nonces. All parts
//! have fixed lengths, so that nothing can be read in two ways and nothing is allocated for a stranger.
//!
//! * *Both prove*: a server without the key learns nothing that would let it answer, and a client sees that.
//! * *Nothing can be played back*: both nonces, of 32 random bytes each, are in both proofs.
//! * *Nothing can be reflected*: a peer that sends a challenge back, here or over a second connection, gets the proof of a client where it needs
//!   that of a server, or the other way round.
//! * *Nothing is learned from how long it takes*: proofs are compared in constant time, by the `hmac` crate.
//! * *Nobody takes the place of others*: there is one deadline for the whole, and a limit to how many are at it.
//!
//! The bytes behind it are neither encrypted nor signed. Whoever can change what is on its way can take a connection over. So it is for
//! networks that are trusted, or for a tunnel.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::TcpStream;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit, Mac};
use rustix::io::{Errno, retry_on_intr};
use rustix::net::{self, AddressFamily, SocketAddrUnix, SocketFlags, SocketType, socket_with, sockopt};
use sha2::Sha256;

use super::address::Address;
use super::error::ManagerError;
use super::random;
use super::stream::Stream;

/// What a server says first: a name, and the version of what follows.
const MAGIC: &[u8; 16] = b"executor-mgr/1\r\n";

const NONCE_BYTES: usize = 32;

const PROOF_BYTES: usize = 32;

const ACCEPTED: u8 = 1;
const WRONG_KEY: u8 = 0;
const FULL: u8 = 2;

/// Idle time after which the system asks whether a remote peer is still there. One that vanished without a word is gone after that, and five
/// times ten seconds.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);

/// The secret that both sides of a remote manager have.
///
/// It says who may connect, and nothing more: what is sent is **not encrypted**, and can be read and changed on its way. Whoever has the key can
/// call every object and make objects of every [service](macro@crate::manager::service) of the server's program.
///
/// Take [`random`](AuthKey::random) bytes, or as good ones: a peer that can listen can try short words without asking anybody.
///
/// # Examples
///
/// ```
/// use executor_ipc::manager::AuthKey;
///
/// let key = AuthKey::new("out of a file that only we can read")?;
/// assert_eq!(format!("{key:?}"), "AuthKey(..)");
/// assert!(AuthKey::new("").is_err());
/// # Ok::<(), executor_ipc::manager::EmptyKey>(())
/// ```
#[derive(Clone)]
pub struct AuthKey(Vec<u8>);

/// A key without a byte keeps nobody out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key of a manager is empty, and would keep nobody out; take 32 random bytes")]
pub struct EmptyKey;

impl AuthKey {
    /// A key of these bytes.
    ///
    /// # Errors
    ///
    /// [`EmptyKey`] if there are none.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<AuthKey, EmptyKey> {
        let bytes = bytes.into();
        if bytes.is_empty() { Err(EmptyKey) } else { Ok(AuthKey(bytes)) }
    }

    /// A key of 32 random bytes.
    #[must_use]
    pub fn random() -> AuthKey {
        AuthKey(random::bytes::<32>().to_vec())
    }

    /// The bytes, to be given to the other side by a way that nobody else can see.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// What is proved.
    fn mac(&self, who: Who, nonces: &Nonces) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of every length");
        mac.update(MAGIC);
        // To HMAC a short key is the same as with zeros behind it, and a long one as its digest.
        mac.update(&(self.0.len() as u64).to_le_bytes());
        mac.update(match who {
            Who::Client => b"client",
            Who::Server => b"server",
        });
        mac.update(&nonces.server);
        mac.update(&nonces.client);
        mac
    }

    fn prove(&self, who: Who, nonces: &Nonces) -> [u8; PROOF_BYTES] {
        self.mac(who, nonces).finalize().into_bytes().into()
    }

    /// Compares in constant time.
    fn is_proved(&self, who: Who, nonces: &Nonces, proof: &[u8; PROOF_BYTES]) -> bool {
        self.mac(who, nonces).verify_slice(proof).is_ok()
    }
}

impl fmt::Debug for AuthKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuthKey(..)")
    }
}

#[derive(Clone, Copy)]
enum Who {
    Client,
    Server,
}

struct Nonces {
    server: [u8; NONCE_BYTES],
    client: [u8; NONCE_BYTES],
}

/// On the server: has the peer prove that it has the key, and proves it.
pub(crate) fn challenge(stream: &Stream, key: &AuthKey, deadline: Instant) -> io::Result<()> {
    let mut nonces = Nonces { server: random::bytes(), client: [0; NONCE_BYTES] };
    stream.send_all(&[&MAGIC[..], &nonces.server].concat())?;
    stream.receive_exact(&mut nonces.client, deadline)?;
    let mut proof = [0; PROOF_BYTES];
    stream.receive_exact(&mut proof, deadline)?;
    if !key.is_proved(Who::Client, &nonces, &proof) {
        // Whether it gets there or not, the peer is refused.
        let _ = stream.send_all(&[&[WRONG_KEY][..], &[0; PROOF_BYTES]].concat());
        return Err(io::Error::new(ErrorKind::PermissionDenied, "it has not proved that it has the key"));
    }
    stream.send_all(&[&[ACCEPTED][..], &key.prove(Who::Server, &nonces)].concat())
}

/// On the server: sends a peer away because there are too many. It says so in place of a nonce and the rest.
pub(crate) fn turn_away(stream: &Stream) {
    let said = [&MAGIC[..], &[0; NONCE_BYTES], &[FULL], &[0; PROOF_BYTES]].concat();
    // A socket that was just accepted has room for it.
    let _ = stream.send_now(&said);
}

/// On the client: proves that it has the key, and has the server do so.
fn respond(stream: &Stream, key: &AuthKey, deadline: Instant) -> Result<(), Failed> {
    let mut magic = [0; MAGIC.len()];
    stream.receive_exact(&mut magic, deadline)?;
    if magic != *MAGIC {
        return Err(Failed::Io(io::Error::new(ErrorKind::InvalidData, "what answered is no manager's server")));
    }
    let mut nonces = Nonces { server: [0; NONCE_BYTES], client: random::bytes() };
    stream.receive_exact(&mut nonces.server, deadline)?;
    // Where one was turned away, what was said about it can be read though nobody listens.
    let sent = stream.send_all(&[&nonces.client[..], &key.prove(Who::Client, &nonces)].concat());
    let mut verdict = [0];
    let mut proof = [0; PROOF_BYTES];
    let read = stream.receive_exact(&mut verdict, deadline).and_then(|()| stream.receive_exact(&mut proof, deadline));
    read.map_err(|error| sent.err().unwrap_or(error))?;
    match verdict {
        [ACCEPTED] if key.is_proved(Who::Server, &nonces, &proof) => Ok(()),
        [FULL] => Err(Failed::Full),
        _ => Err(Failed::WrongKey),
    }
}

/// Why there is no connection.
enum Failed {
    Io(io::Error),
    WrongKey,
    Full,
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Failed::Io(error)
    }
}

/// Connects to a server that listens, and proves that it has the key.
pub(crate) fn connect(address: &Address, key: &AuthKey, deadline: Instant) -> Result<Stream, ManagerError> {
    let unreached = |cause| ManagerError::Connect { address: Some(address.to_string()), cause };
    let limit = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
    let socket: OwnedFd = match address {
        Address::Tcp(at) => TcpStream::connect_timeout(at, limit).map_err(unreached)?.into(),
        Address::Unix(path) => connect_unix(path, limit).map_err(unreached)?,
    };
    prepare(&socket);
    let stream = Stream::from(socket);
    match respond(&stream, key, deadline) {
        Ok(()) => Ok(stream),
        Err(Failed::Io(cause)) => Err(unreached(cause)),
        Err(Failed::WrongKey) => Err(ManagerError::WrongKey { address: address.to_string() }),
        Err(Failed::Full) => {
            let why = "it has as many connections as it allows; drop some, or allow more with `connections_max`".into();
            Err(ManagerError::Refused { address: Some(address.to_string()), why })
        }
    }
}

/// Connects to a Unix socket. Where as many wait to be accepted as it lets wait, this waits too, for so long.
fn connect_unix(path: &Path, limit: Duration) -> io::Result<OwnedFd> {
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    // The limit of sends is that of the connect; see `socket(7)` and `unix(7)`.
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Send, Some(limit))?;
    match retry_on_intr(|| net::connect(&socket, &SocketAddrUnix::new(path)?)) {
        Ok(()) => {}
        Err(Errno::AGAIN) => {
            return Err(io::Error::new(ErrorKind::TimedOut, "the server does not accept the connection"));
        }
        Err(error) => return Err(error.into()),
    }
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Send, None)?;
    Ok(socket)
}

/// Sends what is written at once, and notices when the other machine is gone.
pub(crate) fn prepare(socket: impl AsFd) {
    // On a Unix socket these mean nothing, and are refused.
    let _ = sockopt::set_tcp_nodelay(&socket, true);
    let _ = sockopt::set_socket_keepalive(&socket, true);
    let _ = sockopt::set_tcp_keepidle(&socket, KEEPALIVE_IDLE);
    let _ = sockopt::set_tcp_keepintvl(&socket, KEEPALIVE_IDLE / 3);
    let _ = sockopt::set_tcp_keepcnt(&socket, 5);
}

#[cfg(test)]
mod tests;
