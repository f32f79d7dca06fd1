//! The role of a helper: the other process of a peer that has no worker processes of its own.
//!
//! A helper is this program, started again with a socket as its standard input. It ends with that socket.

use std::env;
use std::error::Error;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};

use crate::options::HELPER;
use crate::outcome::Outcome;
use crate::peers::processes::{ipc, mapping, socketpair};

/// A helper, seen from the process that started it. Dropping it waits for its end.
pub(crate) struct Helper {
    child: Child,
    /// `None` if somebody else has it.
    socket: Option<UnixStream>,
}

impl Helper {
    /// Starts a helper that is told `words`. With nothing to do before the `exec`, the standard library uses
    /// `posix_spawn`, which is the quickest way to start a program.
    pub(crate) fn start(words: &[&str]) -> Outcome<Self> {
        let (socket, theirs) = UnixStream::pair()?;
        Ok(Self { child: spawn(words, theirs.into())?, socket: Some(socket) })
    }

    /// The same with a socket of the caller's, who closes the other end of it before the helper is dropped.
    #[cfg(feature = "ipc")]
    pub(crate) fn start_on(words: &[&str], theirs: OwnedFd) -> Outcome<Self> {
        Ok(Self { child: spawn(words, theirs)?, socket: None })
    }

    fn socket(&self) -> io::Result<&UnixStream> {
        self.socket.as_ref().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Sends bytes; waits until the helper reads, if there are many.
    pub(crate) fn send(&self, bytes: &[u8]) -> Outcome<()> {
        Ok(self.socket()?.write_all(bytes)?)
    }

    /// Receives as many bytes as `buffer` has.
    pub(crate) fn receive(&self, buffer: &mut [u8]) -> Outcome<()> {
        Ok(self.socket()?.read_exact(buffer)?)
    }

    /// Receives `length` bytes into a vector that was not there before.
    pub(crate) fn receive_new(&self, length: usize) -> Outcome<Vec<u8>> {
        Ok(receive_new(self.socket()?, length)?)
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        // A helper that has ended already is as good as one that is told to.
        self.socket.take().map(|socket| socket.shutdown(Shutdown::Both));
        self.child.wait().ok();
    }
}

fn spawn(words: &[&str], socket: OwnedFd) -> io::Result<Child> {
    Command::new(env::current_exe()?).arg(HELPER).args(words).stdin(socket).stdout(Stdio::null()).spawn()
}

/// Is the helper that `words` ask for.
pub(crate) fn run(words: &[String]) -> Result<(), Box<dyn Error>> {
    let socket = io::stdin().as_fd().try_clone_to_owned()?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    #[cfg(feature = "ipc")]
    if words == ["channel"] {
        return crate::peers::ipc::ours::serve(socket);
    }
    #[cfg(feature = "ipc")]
    if words == ["queue"] {
        return crate::peers::ipc::ours::produce(socket);
    }
    let socket = UnixStream::from(socket);
    match words[..] {
        ["echo"] => socketpair::echo(&socket)?,
        ["payload", length] => socketpair::payload(&socket, length.parse()?)?,
        ["payload-kept", length] => socketpair::payload_kept(&socket, length.parse()?)?,
        ["mapping", path, length] => mapping::serve(&socket, path, length.parse()?)?,
        ["ipc-numbers", server] => ipc::serve_numbers(server)?,
        ["ipc-bytes", server] => ipc::serve_bytes(server)?,
        _ => return Err(format!("there is no helper {words:?}").into()),
    }
    Ok(())
}

/// Receives `length` bytes into a new vector, without writing zeros to it first.
pub(crate) fn receive_new(socket: impl Read, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(length);
    match socket.take(length as u64).read_to_end(&mut bytes)? {
        read if read == length => Ok(bytes),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}
