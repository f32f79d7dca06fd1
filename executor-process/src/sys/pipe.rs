#![expect(unsafe_code, reason = "how much is in a pipe, and the streams of C, have no safe wrapper")]
//! Pipes, and what C programs write to them.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use nix::errno::Errno;

/// How many bytes are in a pipe, seen from either end.
pub(crate) fn bytes_in(pipe: impl AsFd) -> io::Result<usize> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the system writes one int, and `bytes` is one; the descriptor is open while it is borrowed.
    let answer = unsafe { libc::ioctl(pipe.as_fd().as_raw_fd(), libc::FIONREAD, &raw mut bytes) };
    Errno::result(answer)?;
    Ok(usize::try_from(bytes).unwrap_or(0))
}

/// Writes what the C library keeps back of all its output streams.
pub(crate) fn flush_c_streams() {
    // SAFETY: a null pointer stands for all streams, which the library locks itself. What cannot be written stays there.
    unsafe { libc::fflush(std::ptr::null_mut()) };
}
