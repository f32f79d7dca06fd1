#![expect(unsafe_code, reason = "only a mapping lets two processes use the same memory")]
//! The floor of bytes that are shared: memory that both processes keep mapped, and a socket to ring the other side.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::num::NonZeroUsize;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::process;
use std::ptr::NonNull;
use std::slice;

use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::mman::{MapFlags, ProtFlags, mmap};

use super::{Payload, Processes, check_pattern, median_ms, pattern};
use crate::helper::Helper;
use crate::outcome::Outcome;
use crate::peers::{Open, Peer};

/// One piece of memory in two halves, of which each side writes one.
pub(crate) const PEER: Peer = Peer {
    name: "shared-mapping",
    package: "benches",
    how: "the floor of shared bytes: copied into a kept mapping, copied by the helper into its other half, and looked at",
    open: Open::Processes(|_workers| Ok(Box::new(Mapping))),
};

struct Mapping;

impl Processes for Mapping {
    /// What is kept is the mapping: each side copies all bytes once, as a job does that gets bytes and makes others of them.
    fn payload(&self, bytes: usize, times: usize) -> Outcome<Payload> {
        let sent = pattern(bytes);
        let memory = File::from(memfd_create(c"benches", MFdFlags::MFD_CLOEXEC)?);
        memory.set_len(2 * bytes as u64)?;
        let mut both = Shared::map(&memory, 2 * bytes)?;
        // The helper opens the same memory by this process's descriptor.
        let path = format!("/proc/{}/fd/{}", process::id(), memory.as_raw_fd());
        let helper = Helper::start(&["mapping", &path, &bytes.to_string()])?;
        let mut bell = [0];
        let mut back = || {
            both.bytes()[..bytes].copy_from_slice(&sent);
            helper.send(&bell)?;
            helper.receive(&mut bell)?;
            check_pattern(&both.bytes()[bytes..], bytes)
        };
        back()?;
        Ok(Payload { fresh_ms: None, kept_ms: Some(median_ms(times, back)?) })
    }
}

/// In the helper: copies the first half to the second at each ring, until the socket is closed.
pub(crate) fn serve(mut socket: &UnixStream, path: &str, length: usize) -> io::Result<()> {
    let memory = OpenOptions::new().read(true).write(true).open(path)?;
    let mut both = Shared::map(&memory, 2 * length)?;
    let mut bell = [0];
    while socket.read_exact(&mut bell).is_ok() {
        both.bytes().copy_within(..length, length);
        socket.write_all(&bell)?;
    }
    Ok(())
}

/// Memory that two processes have mapped. It stays mapped to the end of the process.
struct Shared {
    start: NonNull<u8>,
    length: usize,
}

impl Shared {
    fn map(memory: &File, length: usize) -> io::Result<Self> {
        let size = NonZeroUsize::new(length).ok_or(io::ErrorKind::InvalidInput)?;
        let rights = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: the system chooses a free place, so that nothing else of this process is replaced.
        let start = unsafe { mmap(None, size, rights, MapFlags::MAP_SHARED, memory, 0) }?;
        Ok(Self { start: start.cast(), length })
    }

    /// All of it. The two sides take turns: each writes and reads only between the ring that it got and the ring that it gives,
    /// and the system calls of the socket order the two.
    fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: the memory is mapped for ever, has been written by the system, and this is its only borrow in this
        // process; the other process does not touch it during this side's turn.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), self.length) }
    }
}
