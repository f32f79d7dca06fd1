//! [`wait_any`]: waiting for whichever of several things happens first.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// Waits until at least one of these is ready, and gives the places of all that are, in their order.
///
/// A receiver or a duplex end is ready when a receive would not wait: there is a message, or the end of the stream.
/// Whoever else receives from it may be quicker, so that `try_recv` is what to ask it then. A sender is ready when nobody
/// can receive any more. A process is ready when it has ended: a `Process` of `executor-process` or its `ProcessHandle`, or a
/// descriptor of the system (`pidfd_open(2)`). Anything else that has a descriptor is ready when it can be read from.
///
/// One source may be there several times. Without any there is nothing to wait for, and the answer comes at once.
///
/// # Errors
///
/// Those of the system, when there are more sources than this process may have descriptors, or no memory.
///
/// # Blocking
///
/// For any time. See [`wait_any_timeout`].
///
/// # Examples
///
/// ```
/// use executor_ipc::{pipe, wait_any};
///
/// let (news, newspaper) = pipe::<String>()?;
/// let (numbers, sums) = pipe::<u64>()?;
/// numbers.send(&7)?;
/// assert_eq!(wait_any(&[&newspaper, &sums])?, [1]);
/// drop(news);
/// assert_eq!(wait_any(&[&newspaper, &sums])?, [0, 1]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn wait_any(sources: &[&dyn AsFd]) -> io::Result<Vec<usize>> {
    ready(sources, Patience::Endless)
}

/// [`wait_any`] with a time limit: no places if none was ready within it. A limit of zero looks and does not wait.
///
/// # Errors
///
/// As [`wait_any`].
///
/// # Blocking
///
/// Up to the time limit.
pub fn wait_any_timeout(sources: &[&dyn AsFd], timeout: Duration) -> io::Result<Vec<usize>> {
    ready(sources, Patience::for_as_long_as(timeout))
}

fn ready(sources: &[&dyn AsFd], patience: Patience) -> io::Result<Vec<usize>> {
    if sources.is_empty() {
        return Ok(Vec::new());
    }
    let mut polled: Vec<PollFd<'_>> =
        sources.iter().map(|source| PollFd::from_borrowed_fd(source.as_fd(), PollFlags::IN)).collect();
    wait(&mut polled, patience)?;
    let is_ready = |(place, polled): (usize, &PollFd<'_>)| (!polled.revents().is_empty()).then_some(place);
    Ok(polled.iter().enumerate().filter_map(is_ready).collect())
}

/// How long somebody waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Not at all.
    None,
    Until(Instant),
    Endless,
}

impl Patience {
    /// A limit that no clock reaches is none.
    pub(crate) fn for_as_long_as(timeout: Duration) -> Patience {
        Instant::now().checked_add(timeout).map_or(Patience::Endless, Patience::Until)
    }
}

/// Waits until this descriptor can be used so, or its other end is closed. False if that was not within the limit.
pub(crate) fn wait_for(descriptor: BorrowedFd<'_>, purpose: PollFlags, patience: Patience) -> io::Result<bool> {
    wait(&mut [PollFd::from_borrowed_fd(descriptor, purpose)], patience)
}

/// True if this descriptor is so at this moment.
pub(crate) fn is_now(descriptor: BorrowedFd<'_>, state: PollFlags) -> bool {
    let mut polled = [PollFd::from_borrowed_fd(descriptor, state)];
    wait(&mut polled, Patience::None).is_ok_and(|_| polled[0].revents().intersects(state))
}

fn wait(polled: &mut [PollFd<'_>], patience: Patience) -> io::Result<bool> {
    loop {
        let left = match patience {
            Patience::None => Some(Timespec::default()),
            Patience::Until(deadline) => {
                let left = deadline.saturating_duration_since(Instant::now());
                // What does not fit is longer than any machine runs.
                Timespec::try_from(left).ok()
            }
            Patience::Endless => None,
        };
        match poll(polled, left.as_ref()) {
            // A signal was handled meanwhile.
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
            Ok(ready) => return Ok(ready > 0),
        }
    }
}
