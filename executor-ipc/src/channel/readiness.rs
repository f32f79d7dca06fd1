//! [`Readiness`]: an end of a channel that is awaited.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::OnceLock;

use async_io::Async;

/// Tells a task when a socket can be used, in any runtime: the thread of `async-io` looks at it, which begins with the
/// first socket that is awaited.
///
/// It has a copy of the socket, since one descriptor can be looked at once only, and a process may have an end of a
/// channel more than once. The copy is made when it is first awaited.
#[derive(Debug, Default)]
pub(super) struct Readiness(OnceLock<Async<OwnedFd>>);

impl Readiness {
    pub(super) async fn readable(&self, socket: &OwnedFd) -> io::Result<()> {
        self.of(socket)?.readable().await
    }

    pub(super) async fn writable(&self, socket: &OwnedFd) -> io::Result<()> {
        self.of(socket)?.writable().await
    }

    fn of(&self, socket: &OwnedFd) -> io::Result<&Async<OwnedFd>> {
        if let Some(watched) = self.0.get() {
            return Ok(watched);
        }
        // All calls on the socket say by themselves that they must not wait, so that it is left as it is.
        let new = Async::new_nonblocking(socket.try_clone()?)?;
        Ok(self.0.get_or_init(|| new))
    }
}
