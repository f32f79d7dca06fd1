//! The descriptors of a new worker: [`Ends`] stay with the owner, and a [`Kit`] travels.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use nix::fcntl::{FcntlArg, OFlag, fcntl};

use super::launch::{Settings, Stream};

/// How many descriptors of the pool's own a worker can get. It keeps what is on its way within the limits of the
/// system, which counts descriptors in messages for each user.
pub(crate) const EXTRA_FDS_MAX: usize = 16;

/// The owner's ends. None of them ever blocks.
#[derive(Debug)]
pub(crate) struct Ends {
    /// Carries jobs.
    pub(crate) channel: OwnedFd,
    /// Where the worker's standard output is to be read, if it is piped.
    pub(crate) stdout: Option<OwnedFd>,
    /// Where its standard error is.
    pub(crate) stderr: Option<OwnedFd>,
}

/// The worker's ends.
#[derive(Debug)]
pub(crate) struct Kit {
    /// Carries jobs.
    pub(crate) channel: OwnedFd,
    /// What becomes standard output, if it is piped.
    pub(crate) stdout: Option<OwnedFd>,
    /// What becomes standard error.
    pub(crate) stderr: Option<OwnedFd>,
    /// What else the pool hands over.
    pub(crate) extra: Vec<OwnedFd>,
}

/// Makes both, with copies of `extra` in the kit.
pub(crate) fn ends(settings: &Settings, extra: &[BorrowedFd<'_>]) -> io::Result<(Ends, Kit)> {
    if extra.len() > EXTRA_FDS_MAX {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("a worker cannot get {} descriptors; {EXTRA_FDS_MAX} are the most", extra.len()),
        ));
    }
    let extra = extra.iter().map(BorrowedFd::try_clone_to_owned).collect::<io::Result<_>>()?;
    let (ours, theirs) = UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    let (stdout_read, stdout) = pipe(settings.stdout)?.unzip();
    let (stderr_read, stderr) = pipe(settings.stderr)?.unzip();
    let kit = Kit { channel: theirs.into(), stdout, stderr, extra };
    Ok((Ends { channel: ours.into(), stdout: stdout_read, stderr: stderr_read }, kit))
}

fn pipe(stream: Stream) -> io::Result<Option<(OwnedFd, OwnedFd)>> {
    if stream != Stream::Piped {
        return Ok(None);
    }
    let (reader, writer) = io::pipe()?;
    fcntl(reader.as_fd(), FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    Ok(Some((reader.into(), writer.into())))
}

impl Kit {
    /// As they travel.
    pub(crate) fn into_fds(self) -> Vec<OwnedFd> {
        let Kit { channel, stdout, stderr, extra } = self;
        [Some(channel), stdout, stderr].into_iter().flatten().chain(extra).collect()
    }

    /// As they arrive; `None` if there are not as many as the settings say.
    pub(crate) fn from_fds(settings: &Settings, fds: Vec<OwnedFd>) -> Option<Kit> {
        let mut fds = fds.into_iter();
        let channel = fds.next()?;
        let stdout = if settings.stdout == Stream::Piped { Some(fds.next()?) } else { None };
        let stderr = if settings.stderr == Stream::Piped { Some(fds.next()?) } else { None };
        Some(Kit { channel, stdout, stderr, extra: fds.collect() })
    }
}
