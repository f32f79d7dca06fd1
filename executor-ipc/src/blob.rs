//! [`Blob`]: bytes that are shared between threads and processes.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::io;
use std::ops::{Bound, Deref, Range, RangeBounds};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use crate::blob_mut::BlobMut;
use crate::filled::Filled;
use crate::received::Received;

/// From this length on contents are in an arena: 256 KiB, about as much as a socket holds at once. A round trip of a job with
/// 128 KiB of plain bytes took 53 µs, with 256 KiB 540 µs, and 81 µs out of an arena (2 vCPU, Linux 6.18, busy).
pub const SHARED_FROM_BYTES: usize = 256 << 10;

/// Immutable bytes, shared by all clones, in this process and in others.
///
/// A clone costs what one of an [`Arc`] costs. Contents of [`SHARED_FROM_BYTES`] or more are in memory that other processes can
/// map, so that they cross without a copy on either side. To have none before that either, fill them where they stay:
/// with [`with_len`](Blob::with_len) or a [`BlobMut`]. `From` copies large contents once.
///
/// Everything that a slice of bytes can do, it can do. It compares by its bytes, wherever they are.
///
/// # Encoding
///
/// Inside [`attach::collect`](crate::attach::collect), which a backend calls around the encoding of a job, large contents
/// are attached as descriptors. In every other place, and always in formats for people such as JSON, they are plain bytes: a Blob can be
/// stored like any value. What was encoded with descriptors can be decoded only where they arrived, else that is an error that says so.
///
/// # Memory
///
/// It is given back, or used again for the next Blob, when the last clone in the last process is gone, also if that process
/// was killed. A slice keeps the whole.
///
/// # Examples
///
/// ```
/// use std::fs::File;
/// use std::io::Read;
/// use executor_ipc::{Blob, BlobMut};
///
/// // Small or large, from what is there.
/// let greeting = Blob::from(*b"hello");
/// assert_eq!(&greeting[1..], b"ello");
///
/// // Read into memory that every process can map.
/// let mut buffer = BlobMut::with_len(1 << 20);
/// File::open("/dev/zero")?.read_exact(&mut buffer)?;
/// let zeros = buffer.freeze();
/// assert_eq!(zeros.slice(..4), Blob::from(vec![0; 4]));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct Blob {
    source: Source,
    /// Within the source.
    range: Range<usize>,
}

/// Where the bytes are.
#[derive(Clone)]
enum Source {
    Heap(Arc<Vec<u8>>),
    Filled(Arc<Filled>),
    Received(Arc<Received>),
}

impl Blob {
    /// Contents of `len` bytes, written by `fill` where they stay.
    ///
    /// What the slice holds at first is not said: zeros, or bytes of an earlier Blob of this process. Fill all of it.
    ///
    /// # Panics
    ///
    /// As `fill`.
    #[must_use]
    pub fn with_len(len: usize, fill: impl FnOnce(&mut [u8])) -> Self {
        let mut contents = BlobMut::with_len(len);
        fill(&mut contents);
        contents.freeze()
    }

    /// A part of the contents, which keeps the whole alive.
    ///
    /// # Panics
    ///
    /// If the range is not within the contents.
    #[must_use]
    pub fn slice(&self, range: impl RangeBounds<usize>) -> Self {
        let begin = match range.start_bound() {
            Bound::Included(&begin) => begin,
            Bound::Excluded(&before) => before.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(&last) => last.saturating_add(1),
            Bound::Excluded(&end) => end,
            Bound::Unbounded => self.len(),
        };
        assert!(begin <= end && end <= self.len(), "a slice {begin}..{end} of a Blob of {} bytes", self.len());
        Blob { source: self.source.clone(), range: self.range.start + begin..self.range.start + end }
    }

    /// True if the contents cross to other processes without a copy: they are large, and the system had memory of the kind.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        !matches!(self.source, Source::Heap(_))
    }

    /// Bytes that stay where they are.
    pub(crate) fn of_heap(bytes: Vec<u8>) -> Self {
        let range = 0..bytes.len();
        Blob { source: Source::Heap(Arc::new(bytes)), range }
    }

    /// The first `len` bytes of an arena.
    pub(crate) fn of_filled(filled: Filled, len: usize) -> Self {
        Blob { source: Source::Filled(Arc::new(filled)), range: 0..len }
    }

    pub(crate) fn of_received(received: Received, range: Range<usize>) -> Self {
        Blob { source: Source::Received(Arc::new(received)), range }
    }

    /// What is sent of it: the descriptor of the memory, that of the hold, and where in the memory the contents are;
    /// `None` if there is nothing to attach.
    pub(crate) fn descriptors(&self) -> Option<io::Result<[&Arc<OwnedFd>; 2]>> {
        if self.len() < SHARED_FROM_BYTES {
            // Also a short slice of something long is sent in less time by itself.
            return None;
        }
        match &self.source {
            Source::Heap(_) => None,
            Source::Filled(filled) => Some(filled.descriptors()),
            Source::Received(received) => Some(Ok([received.file(), received.bytes.hold()])),
        }
    }

    /// Where in its memory the contents begin.
    pub(crate) fn offset(&self) -> usize {
        self.range.start
    }
}

impl Deref for Blob {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        let whole = match &self.source {
            Source::Heap(bytes) => &bytes[..],
            Source::Filled(filled) => filled.bytes(),
            Source::Received(received) => &received.bytes[..],
        };
        &whole[self.range.clone()]
    }
}

impl AsRef<[u8]> for Blob {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Default for Blob {
    /// No bytes.
    fn default() -> Self {
        Blob::of_heap(Vec::new())
    }
}

impl From<Vec<u8>> for Blob {
    /// Keeps few bytes where they are, and copies many to where other processes can map them.
    fn from(bytes: Vec<u8>) -> Self {
        if bytes.len() < SHARED_FROM_BYTES { Blob::of_heap(bytes) } else { Blob::from(&bytes[..]) }
    }
}

impl From<&[u8]> for Blob {
    fn from(bytes: &[u8]) -> Self {
        Blob::with_len(bytes.len(), |contents| contents.copy_from_slice(bytes))
    }
}

impl<const N: usize> From<[u8; N]> for Blob {
    fn from(bytes: [u8; N]) -> Self {
        Blob::from(&bytes[..])
    }
}

impl PartialEq for Blob {
    fn eq(&self, other: &Self) -> bool {
        self[..] == other[..]
    }
}

impl Eq for Blob {}

impl Hash for Blob {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self[..].hash(state);
    }
}

impl fmt::Debug for Blob {
    /// Tells how many bytes there are, and not what they are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blob").field("bytes", &self.len()).field("is_shared", &self.is_shared()).finish()
    }
}
