//! Contents that another process has filled, and the mappings that are kept of its arenas.

use std::io;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};

use nix::fcntl::SealFlag;
use nix::sys::stat::{FileStat, fstat};
use thiserror::Error;

use crate::arena::{seals, seals_of};
use crate::hold::is_hold;
use crate::mapping::{Held, Mapping};

/// How many mappings of arenas of other processes are kept, at most. One that has a Blob in it lives on without.
pub const MAPPINGS_MAX: usize = 32;

/// How many bytes of arenas of other processes are kept mapped, at most: 256 MiB, as much as one sender keeps idle. A
/// mapping that is kept keeps the memory too, even if its sender has given it up.
pub const MAPPED_BYTES_MAX: usize = 256 << 20;

/// Why descriptors that came with a message are no Blob.
#[derive(Debug, Error)]
pub(crate) enum NoBlob {
    #[error("the descriptor that came as its memory is none of an arena: {0}")]
    Memory(&'static str),
    #[error("the descriptor that came as its hold is no pipe")]
    Hold,
    #[error("{length} bytes from byte {offset} on are not within the {bytes} of its arena")]
    Bounds { offset: u64, length: u64, bytes: u64 },
    #[error("its memory cannot be mapped: {0}")]
    System(#[from] io::Error),
}

/// The arena of another process, in which at least one Blob of this process is.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) bytes: Held,
    file: Arc<OwnedFd>,
}

impl Received {
    /// Takes what came in a message, and where in it the contents are.
    ///
    /// # Errors
    ///
    /// If it is not what a process of ours sends, or the system cannot map it.
    pub(crate) fn new(
        file: Arc<OwnedFd>,
        hold: Arc<OwnedFd>,
        offset: u64,
        length: u64,
    ) -> Result<(Received, Range<usize>), NoBlob> {
        if !is_hold(&hold) {
            return Err(NoBlob::Hold);
        }
        let stat = fstat(&*file).map_err(io::Error::from)?;
        let bytes = u64::try_from(stat.st_size).unwrap_or(0);
        let end = offset.checked_add(length).filter(|&end| end <= bytes && length > 0);
        let range = end.and_then(|end| Some(usize::try_from(offset).ok()?..usize::try_from(end).ok()?));
        let kept = find(&stat);
        let (file, mapping) = match kept {
            Some(kept) => kept,
            None => map(file, &stat)?,
        };
        let range = range.ok_or(NoBlob::Bounds { offset, length, bytes })?;
        Ok((Received { bytes: Held::new(mapping, hold), file }, range))
    }

    /// What another process maps it by.
    pub(crate) fn file(&self) -> &Arc<OwnedFd> {
        &self.file
    }
}

/// A mapping that is kept.
struct Entry {
    /// Which file it is: device and inode. No other file has them as long as this one is mapped.
    identity: (u64, u64),
    file: Arc<OwnedFd>,
    mapping: Arc<Mapping>,
}

/// The one that was used last is at the end.
static MAPPED: Mutex<Vec<Entry>> = Mutex::new(Vec::new());

fn identity(stat: &FileStat) -> (u64, u64) {
    (stat.st_dev, stat.st_ino)
}

/// The mapping of this file, if it is kept. It was checked when it was made, and seals are for ever.
fn find(stat: &FileStat) -> Option<(Arc<OwnedFd>, Arc<Mapping>)> {
    let mut mapped = MAPPED.lock().unwrap_or_else(PoisonError::into_inner);
    let place = mapped.iter().rposition(|entry| entry.identity == identity(stat))?;
    let entry = mapped.remove(place);
    let found = (Arc::clone(&entry.file), Arc::clone(&entry.mapping));
    mapped.push(entry);
    Some(found)
}

/// Maps a file that was never seen, if it is an arena, and keeps the mapping.
fn map(file: Arc<OwnedFd>, stat: &FileStat) -> Result<(Arc<OwnedFd>, Arc<Mapping>), NoBlob> {
    let bytes = sealed_bytes(&file, stat)?;
    let mapping = Arc::new(Mapping::readable(&*file, bytes)?);
    let entry = Entry { identity: identity(stat), file: Arc::clone(&file), mapping: Arc::clone(&mapping) };
    let mut mapped = MAPPED.lock().unwrap_or_else(PoisonError::into_inner);
    mapped.push(entry);
    let mut kept_bytes: usize = mapped.iter().map(|entry| entry.mapping.bytes()).sum();
    let mut gone = Vec::new();
    while mapped.len() > MAPPINGS_MAX || kept_bytes > MAPPED_BYTES_MAX {
        let oldest = mapped.remove(0);
        kept_bytes -= oldest.mapping.bytes();
        gone.push(oldest);
    }
    // Memory is unmapped after the lock.
    drop(mapped);
    drop(gone);
    Ok((file, mapping))
}

/// How long an arena is.
///
/// # Errors
///
/// If the file could be cut, so that a read would fault, or be written to, so that contents could change.
fn sealed_bytes(file: &impl AsFd, stat: &FileStat) -> Result<NonZeroUsize, NoBlob> {
    let found = seals_of(file);
    if !found.contains(SealFlag::F_SEAL_SHRINK) {
        return Err(NoBlob::Memory("its size is not sealed"));
    }
    if !found.contains(seals()) {
        return Err(NoBlob::Memory("it is not sealed against writes"));
    }
    let bytes = usize::try_from(stat.st_size).ok().filter(|&bytes| isize::try_from(bytes).is_ok());
    bytes.and_then(NonZeroUsize::new).ok_or(NoBlob::Memory("it is empty, or longer than any memory"))
}
