#![expect(unsafe_code, reason = "the calls on descriptors of processes have no safe wrapper")]
//! [`PidFd`].

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::Pid;

use crate::exit::Exit;

/// A descriptor of one process. It never means another, whatever becomes of the number of the process.
///
/// It is readable once the process has ended, also for a process that is not a child.
#[derive(Debug)]
pub(crate) struct PidFd(OwnedFd);

impl PidFd {
    /// The process that has this number now. The caller knows which one that is: a child that it has not reaped, or its
    /// parent, of which it asks afterwards whether it is still the parent.
    pub(crate) fn open(pid: Pid) -> io::Result<PidFd> {
        // SAFETY: the call takes two numbers and no memory of ours.
        let answer = unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), 0) };
        let fd = Errno::result(answer)?;
        let fd = RawFd::try_from(fd).expect("the number of a descriptor is a C int");
        // SAFETY: the system has just made this descriptor for us, and nobody else knows its number.
        Ok(PidFd(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Takes over a descriptor of a process that came from elsewhere.
    pub(crate) fn from_fd(fd: OwnedFd) -> PidFd {
        PidFd(fd)
    }

    /// Sends a signal. False if the process has ended and was reaped.
    pub(crate) fn signal(&self, number: i32) -> io::Result<bool> {
        let information = std::ptr::null::<libc::siginfo_t>();
        // SAFETY: the descriptor is open as long as `self` is, and a null pointer asks for the default information.
        let answer =
            unsafe { libc::syscall(libc::SYS_pidfd_send_signal, self.0.as_raw_fd(), number, information, 0_u32) };
        match Errno::result(answer) {
            Ok(_) => Ok(true),
            Err(Errno::ESRCH) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// True if the process ended within `limit`; a limit of zero looks and does not wait.
    pub(crate) fn wait_ended(&self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            // Rounded up, so that the last wait is not a spin.
            let left = PollTimeout::try_from(left + Duration::from_micros(999)).unwrap_or(PollTimeout::MAX);
            let left = if limit.is_zero() { PollTimeout::ZERO } else { left };
            match poll(&mut [PollFd::new(self.as_fd(), PollFlags::POLLIN)], left) {
                Ok(0) | Err(Errno::EINTR) if Instant::now() < deadline => {}
                Ok(0) | Err(_) => return false,
                Ok(_) => return true,
            }
        }
    }

    /// Takes the status of an ended child, which is then reaped. `None` if it has not ended. A child whose status is
    /// not to be had, because somebody else reaped it or the program ignores `SIGCHLD`, gives [`Exit::Unknown`].
    pub(crate) fn reap(&self) -> io::Result<Option<Exit>> {
        let mut information = MaybeUninit::<libc::siginfo_t>::zeroed();
        let id = libc::id_t::try_from(self.0.as_raw_fd()).expect("an open descriptor is not negative");
        // SAFETY: the system writes one `siginfo_t` at the most, and `information` has room for it.
        let answer =
            unsafe { libc::waitid(libc::P_PIDFD, id, information.as_mut_ptr(), libc::WEXITED | libc::WNOHANG) };
        match Errno::result(answer) {
            Ok(_) => {}
            Err(Errno::ECHILD) => return Ok(self.wait_ended(Duration::ZERO).then_some(Exit::Unknown)),
            Err(Errno::EINTR) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        // SAFETY: all of it was set to zero, which is a valid value of every field, and the system wrote over that.
        let information = unsafe { information.assume_init() };
        // SAFETY: for what `waitid` gives, and for all zeros, the field of the process is the one in use.
        let pid = unsafe { information.si_pid() };
        if pid == 0 {
            return Ok(None);
        }
        // SAFETY: as above; the status is in use wherever the process is.
        let status = unsafe { information.si_status() };
        Ok(Some(match information.si_code {
            libc::CLD_EXITED => Exit::Code(status),
            code => Exit::Signal { number: status, core_dumped: code == libc::CLD_DUMPED },
        }))
    }
}

impl AsFd for PidFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<PidFd> for OwnedFd {
    fn from(pidfd: PidFd) -> OwnedFd {
        pidfd.0
    }
}
