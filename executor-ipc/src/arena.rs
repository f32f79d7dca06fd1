//! [`Arena`]: memory to be filled by this process and read by others.

use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::unistd::ftruncate;

use crate::forks;
use crate::mapping::Filling;

/// What an arena promises to whoever gets it: its size stays, and whoever maps it from now on only reads. The last is
/// known to Linux since 5.1.
pub(crate) fn seals() -> SealFlag {
    SealFlag::F_SEAL_SHRINK
        | SealFlag::F_SEAL_GROW
        | SealFlag::F_SEAL_SEAL
        | SealFlag::from_bits_retain(libc::F_SEAL_FUTURE_WRITE)
}

/// The seals of a file; none if it can have none.
pub(crate) fn seals_of(file: &impl AsFd) -> SealFlag {
    fcntl(file, FcntlArg::F_GET_SEALS).map_or(SealFlag::empty(), SealFlag::from_bits_retain)
}

/// Memory of this process, filled or to be filled.
#[derive(Debug)]
pub(crate) struct Arena {
    pub(crate) bytes: Filling,
    file: Arc<OwnedFd>,
    /// The forks before it was made.
    forks: Option<u64>,
}

impl Arena {
    /// An arena of zeros.
    ///
    /// # Errors
    ///
    /// Those of the system, when descriptors, addresses or memory have run out.
    pub(crate) fn new(bytes: NonZeroUsize) -> io::Result<Arena> {
        let forks = forks::count();
        let file = memfd_create(c"executor-blob", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)?;
        let length = i64::try_from(bytes.get()).map_err(|_| io::ErrorKind::FileTooLarge)?;
        ftruncate(&file, length)?;
        let filling = Filling::new(&file, bytes)?;
        // Only now, since the seal against writes keeps this process from mapping it too.
        fcntl(&file, FcntlArg::F_ADD_SEALS(seals()))?;
        Ok(Arena { bytes: filling, file: Arc::new(file), forks })
    }

    /// What another process maps it by.
    pub(crate) fn file(&self) -> &Arc<OwnedFd> {
        &self.file
    }

    /// False if a forked process may have it mapped too.
    pub(crate) fn is_ours_alone(&self) -> bool {
        self.forks.is_some() && self.forks == forks::count()
    }
}

#[cfg(test)]
mod tests {
    use nix::sys::mman::{MapFlags, ProtFlags, mmap};
    use nix::unistd::write;

    use super::*;

    fn arena() -> Arena {
        Arena::new(NonZeroUsize::new(8192).unwrap()).unwrap()
    }

    #[test]
    fn whoever_gets_an_arena_can_only_read() {
        let mut arena = arena();
        arena.bytes[0] = 1;
        let copy = arena.file().try_clone().unwrap();
        assert!(seals_of(&copy).contains(seals()));
        ftruncate(&copy, 0).unwrap_err();
        ftruncate(&copy, 1 << 20).unwrap_err();
        write(&copy, b"x").unwrap_err();
        let bytes = NonZeroUsize::new(8192).unwrap();
        #[expect(unsafe_code, reason = "the system is to refuse it")]
        // SAFETY: it is a new mapping, if it is one at all.
        unsafe { mmap(None, bytes, ProtFlags::PROT_WRITE, MapFlags::MAP_SHARED, &copy, 0) }.unwrap_err();
        assert_eq!(arena.bytes[0], 1);
    }

    #[test]
    fn an_arena_from_before_a_fork_is_known() {
        let arena = arena();
        assert!(arena.is_ours_alone());
        // A program that is started by way of a fork.
        #[expect(unsafe_code, reason = "a command with code of its own in the child forks")]
        let status = {
            use std::os::unix::process::CommandExt;
            let mut command = std::process::Command::new("true");
            // SAFETY: the child does nothing there.
            unsafe { command.pre_exec(|| Ok(())) }.status()
        };
        assert!(status.unwrap().success());
        assert!(!arena.is_ours_alone());
    }
}
