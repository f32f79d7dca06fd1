#![expect(unsafe_code, reason = "memory that two processes share is mapped and looked at by address")]
//! [`Region`]: the memory of a shared page and of a journal.
//!
//! It is a file without a name, made by the owner, mapped by both, and gone with the last of them. Its size is sealed
//! before anybody maps it, so that no access can fall behind its end. All that is ever read from it are atomic words: a
//! worker that writes nonsense there makes wrong numbers, and never undefined behaviour.

use std::ffi::c_void;
use std::io;
use std::num::NonZeroUsize;
use std::ops::Deref;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::slice;
use std::sync::atomic::AtomicU64;

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::mman::{MapFlags, MmapAdvise, ProtFlags, madvise, mmap, munmap};
use nix::sys::stat::fstat;
use nix::unistd::ftruncate;

/// How many words at the front are the shared page: 4096 bytes, the smallest page of any machine we run on.
pub(crate) const PAGE_WORDS: usize = 512;

/// How many words a region has. What is behind the page is the journal: as much as a worker tells at once. What of it nobody has
/// written to takes no memory.
pub(crate) const WORDS: usize = 8 << 10;

const BYTES: NonZeroUsize = NonZeroUsize::new(WORDS * size_of::<AtomicU64>()).expect("a region is not empty");
const FILE_BYTES: i64 = 64 << 10;
const _: () = assert!(BYTES.get() == FILE_BYTES as usize);
const _: () = assert!(size_of::<AtomicU64>() == size_of::<u64>() && align_of::<AtomicU64>() <= 4096);

/// A shared page of zeros, mapped.
#[derive(Debug)]
pub(crate) struct Region {
    /// The first of [`WORDS`] words. They stay mapped, for reading and writing, until the drop.
    words: NonNull<AtomicU64>,
}

// SAFETY: what the pointer leads to is mapped for the whole process, and consists of atomics only.
unsafe impl Send for Region {}
// SAFETY: as above; every access through a shared reference is an atomic one.
unsafe impl Sync for Region {}

impl Region {
    /// Makes a region of zeros, and the descriptor by which another process maps it. The descriptor closes on exec.
    ///
    /// # Errors
    ///
    /// Those of the system, when descriptors or memory have run out.
    pub(crate) fn create() -> io::Result<(Region, OwnedFd)> {
        let file = memfd_create(c"executor-page", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)?;
        ftruncate(&file, FILE_BYTES)?;
        let seals = SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SEAL;
        fcntl(&file, FcntlArg::F_ADD_SEALS(seals))?;
        Ok((Region::map_file(file.as_fd())?, file))
    }

    /// Maps the region that another process made. The descriptor is closed; the mapping stays.
    ///
    /// # Errors
    ///
    /// If the descriptor is no region: its size is another, or is not sealed. Else those of the system.
    pub(crate) fn map(file: OwnedFd) -> io::Result<Region> {
        let no_region = |what| io::Error::new(io::ErrorKind::InvalidInput, what);
        if fstat(&file)?.st_size != FILE_BYTES {
            return Err(no_region("the descriptor that was given as the shared page has another size"));
        }
        let seals = SealFlag::from_bits_retain(fcntl(&file, FcntlArg::F_GET_SEALS)?);
        if !seals.contains(SealFlag::F_SEAL_SHRINK) {
            return Err(no_region("the descriptor that was given as the shared page could shrink"));
        }
        Region::map_file(file.as_fd())
    }

    fn map_file(file: BorrowedFd<'_>) -> io::Result<Region> {
        // SAFETY: a new mapping, at an address of the kernel's choice, replaces no other; the file has the whole length,
        // and its seal keeps it so.
        let words =
            unsafe { mmap(None, BYTES, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE, MapFlags::MAP_SHARED, file, 0) }?;
        Ok(Region { words: words.cast() })
    }
}

impl Deref for Region {
    type Target = [AtomicU64];

    fn deref(&self) -> &[AtomicU64] {
        // SAFETY: `words` leads to WORDS words, aligned to a page, mapped until the drop, and every bit pattern of theirs is a
        // valid atomic; the other process reaches them by atomics only.
        unsafe { slice::from_raw_parts(self.words.as_ptr(), WORDS) }
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: the mapping is this region's own, of this length, and nobody borrows the region any more.
        let unmapped = unsafe { munmap(self.words.cast::<c_void>(), BYTES.get()) };
        debug_assert!(unmapped.is_ok(), "a mapping of our own can be unmapped");
    }
}

/// From this length on memory is asked to be in huge pages: below it there are few pages to fault in.
const HUGE_FROM_BYTES: usize = 4 << 20;

/// Asks the system to back what is reserved for a large body by huge pages, where it does so on request. To fault in 64 MiB
/// by small pages takes longer than to read as much from a socket.
pub(crate) fn prefer_huge_pages(body: &mut Vec<u8>) {
    let page = 1 << 12;
    let spare = body.spare_capacity_mut();
    let before = spare.as_ptr().align_offset(page);
    if spare.len() < HUGE_FROM_BYTES || before > page {
        return;
    }
    let inside = &mut spare[before..];
    let bytes = inside.len() / page * page;
    // SAFETY: the range is whole pages inside an allocation of ours, and the advice changes nothing that a program can see
    // in them. A system that has no huge pages refuses it, which does no harm either.
    let _ = unsafe { madvise(NonNull::from(inside).cast(), bytes, MmapAdvise::MADV_HUGEPAGE) };
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::sync::atomic::Ordering;

    use super::*;

    #[test]
    fn both_mappings_are_one_memory() {
        let (ours, file) = Region::create().unwrap();
        let theirs = Region::map(file).unwrap();
        assert_eq!(ours.len(), WORDS);
        assert!(ours.iter().all(|word| word.load(Ordering::Relaxed) == 0));
        for (place, word) in (0..).zip(theirs.iter()) {
            word.store(place, Ordering::Relaxed);
        }
        drop(theirs);
        assert!((0..).zip(ours.iter()).all(|(place, word)| word.load(Ordering::Relaxed) == place));
    }

    #[test]
    fn a_region_can_be_neither_cut_nor_stretched() {
        let (_region, file) = Region::create().unwrap();
        ftruncate(&file, 0).unwrap_err();
        ftruncate(&file, FILE_BYTES * 2).unwrap_err();
    }

    #[test]
    fn another_descriptor_is_refused() {
        Region::map(File::open("/dev/null").unwrap().into()).unwrap_err();
        let unsealed = memfd_create(c"", MFdFlags::MFD_CLOEXEC).unwrap();
        ftruncate(&unsealed, 64).unwrap();
        Region::map(unsealed.try_clone().unwrap()).unwrap_err();
        let open = memfd_create(c"", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING).unwrap();
        ftruncate(&open, FILE_BYTES).unwrap();
        assert!(Region::map(open).unwrap_err().to_string().contains("could shrink"));
    }

    #[test]
    fn the_descriptor_closes_on_exec() {
        let (_region, file) = Region::create().unwrap();
        let flags = nix::fcntl::FdFlag::from_bits_retain(fcntl(&file, FcntlArg::F_GETFD).unwrap());
        assert!(flags.contains(nix::fcntl::FdFlag::FD_CLOEXEC));
    }
}
