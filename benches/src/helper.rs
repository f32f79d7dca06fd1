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
    socket: UnixStream,
}

impl Helper {
    /// Starts a helper that is told `words`. With nothing to do before the `exec`, the standard library uses
    /// `posix_spawn`, which is the quickest way to start a program.
    pub(crate) fn start(words: &[&str]) -> Outcome<Self> {
        let (socket, theirs) = UnixStream::pair()?;
        let child = Command::new(env::current_exe()?)
            .arg(HELPER)
            .args(words)
            .stdin(OwnedFd::from(theirs))
            .stdout(Stdio::null())
            .spawn()?;
        Ok(Self { child, socket })
    }

    /// Sends bytes; waits until the helper reads, if there are many.
    pub(crate) fn send(&self, bytes: &[u8]) -> Outcome<()> {
        Ok((&self.socket).write_all(bytes)?)
    }

    /// Receives as many bytes as `buffer` has.
    pub(crate) fn receive(&self, buffer: &mut [u8]) -> Outcome<()> {
        Ok((&self.socket).read_exact(buffer)?)
    }

    /// Receives `length` bytes into a vector that was not there before.
    pub(crate) fn receive_new(&self, length: usize) -> Outcome<Vec<u8>> {
        Ok(receive_new(&self.socket, length)?)
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        // A helper that has ended already is as good as one that is told to.
        self.socket.shutdown(Shutdown::Both).ok();
        self.child.wait().ok();
    }
}

/// Is the helper that `words` ask for.
pub(crate) fn run(words: &[String]) -> Result<(), Box<dyn Error>> {
    let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
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
