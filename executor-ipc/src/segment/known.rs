//! The segments that this process has, so that one which comes again is not mapped again.
//!
//! The same handle may come in every message, or come back from where it was sent. It is then another handle of the memory
//! that is mapped already: it takes no addresses and no descriptor, and the pages have been touched.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::segment::{Inner, Segment, Shape};

/// Which file it is: device and inode. No other file has them as long as this one is mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Identity(u64, u64);

impl Identity {
    /// # Errors
    ///
    /// Those of the system.
    #[cfg(not(miri))]
    pub(super) fn of(file: &OwnedFd) -> io::Result<Identity> {
        let stat = nix::sys::stat::fstat(file)?;
        Ok(Identity(stat.st_dev, stat.st_ino))
    }

    /// Under Miri each segment has a descriptor of its own.
    #[cfg(miri)]
    pub(super) fn of(file: &OwnedFd) -> io::Result<Identity> {
        Ok(Identity(0, std::os::fd::AsRawFd::as_raw_fd(file) as u64))
    }
}

/// Nothing is mapped, unmapped or called under it.
static KNOWN: Mutex<BTreeMap<Identity, Weak<Inner>>> = Mutex::new(BTreeMap::new());

fn known() -> MutexGuard<'static, BTreeMap<Identity, Weak<Inner>>> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Segment {
    /// A segment that is there from now on. If another thread was quicker to receive the same, both are as good.
    pub(super) fn add(inner: Inner) -> Segment {
        let segment = Segment { inner: Arc::new(inner) };
        known().insert(segment.inner.identity, Arc::downgrade(&segment.inner));
        segment
    }

    /// The segment of this file, if it is there and an object of this shape with at least so many bytes. It was checked when it
    /// came first.
    pub(super) fn find(identity: Identity, shape: Shape, bytes_min: usize) -> Option<Segment> {
        let found = known().get(&identity).and_then(Weak::upgrade);
        // Without the lock, since to drop what does not fit may be to forget it.
        found.filter(|inner| inner.shape == shape && inner.bytes >= bytes_min).map(|inner| Segment { inner })
    }
}

/// Forgets a segment that is being dropped, unless another one has its place.
pub(super) fn forget(inner: &Inner) {
    let mut known = known();
    if known.get(&inner.identity).is_some_and(|known| std::ptr::eq(known.as_ptr(), inner)) {
        known.remove(&inner.identity);
    }
}
