//! The stand-in of [`Region`] in models: the same words on the heap, and few of them.

use std::io;
use std::ops::Deref;
use std::os::fd::OwnedFd;

use crate::sync::atomic::AtomicU64;

/// The four words at the front, and two slots, so that a model comes to use one again.
pub(crate) const PAGE_WORDS: usize = 6;

/// The words of a page. There is no journal behind them: nobody reads it while somebody writes.
#[derive(Debug)]
pub(crate) struct Region(Vec<AtomicU64>);

impl Region {
    #[cfg(test)]
    pub(crate) fn zeros() -> Region {
        Region((0..PAGE_WORDS).map(|_| AtomicU64::new(0)).collect())
    }

    pub(crate) fn create() -> io::Result<(Region, OwnedFd)> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn map(_: OwnedFd) -> io::Result<Region> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl Deref for Region {
    type Target = [AtomicU64];

    fn deref(&self) -> &[AtomicU64] {
        &self.0
    }
}

pub(crate) fn prefer_huge_pages(_: &mut Vec<u8>) {}
