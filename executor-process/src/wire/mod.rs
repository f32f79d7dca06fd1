//! The wire: what passes between the owner of a pool and one of its worker processes.
//!
//! Two things connect them. A *socket* carries frames both ways: batches of jobs to the worker, their outcomes back. A
//! *shared page* carries what must be known at once and without the help of a worker that is busy: how far it has come,
//! and what it may still begin. Frames say what the jobs are; the page alone decides which of them begin.
//!
//! ```text
//!   owner                                                   worker
//!   ─────                                                   ──────
//!   Lane::push_row ─► Outgoing ══ frames ══► Incoming ─► PortReader::next
//!        │ post                                               │ begin, end
//!        └────────────► Page: a word per frame, status ◄──────┘
//!   Lane::drain  ◄── Incoming ◄══ frames ══ Outgoing ◄── PortWriter::outcome, passed
//! ```
//!
//! The parts, in reading order:
//!
//! * [`place`] and [`head`]: what a frame begins with. [`piece`]: what its body is made of.
//! * [`options`], [`order`] and [`report`]: the frames to the worker and those from it, as types.
//! * [`incoming`] and [`outgoing`]: bytes to pieces, and pieces to bytes. [`fd_queue`] and [`fd_room`]: the descriptors beside them.
//! * [`page`] with [`word`], [`region`] and [`verdict`]: the shared page, and what it tells of a worker that died.
//! * [`journal`]: outcomes that were not sent yet, where a death does not reach them.
//! * [`window`]: the frames that a worker has not passed. [`lane`]: the owner's end. [`port`]: the worker's end.
//!
//! Both processes run the same executable, so there is one version of all this, and the handshake proves it. Bytes that
//! come in are trusted no more for that: a job with a wild pointer may have written them. No length, index or number of
//! theirs is used before it was checked, and whatever they are, the answer is an error and never a panic.

mod error;
mod head;
mod place;

mod piece;

mod options;
mod order;
mod report;

mod fd_queue;
mod fd_room;
mod incoming;
mod outgoing;

mod page;
#[cfg(not(executor_loom))]
mod region;
#[cfg(executor_loom)]
#[path = "loom_region.rs"]
mod region;
mod verdict;
mod word;

mod journal;

mod lane;
mod port;
mod window;

#[cfg(all(feature = "fuzzing", not(executor_loom)))]
pub(crate) mod fuzzing;
#[cfg(all(test, executor_loom))]
mod loom;
#[cfg(all(test, not(executor_loom)))]
mod tests;

/// The version of the frames and of the page. Whoever changes either raises it.
pub(crate) const VERSION: u32 = 5;

/// How long the body of a frame may be, unless the pool says otherwise: 4 GiB, which holds the largest payloads that
/// anybody sends in one piece, and is far below what a length of random bytes says.
pub(crate) const FRAME_BYTES_MAX: u64 = 4 << 30;

/// What a limit on the body of a frame cannot be set below: an error always fits.
pub(crate) const FRAME_BYTES_MIN: u64 = 4 << 10;

/// The limit that holds where `frame_bytes_max` was asked for.
pub(crate) fn agreed_frame_bytes(frame_bytes_max: u64) -> u64 {
    frame_bytes_max.clamp(FRAME_BYTES_MIN, piece::PIECE_BYTES_MAX)
}

/// How many items a frame may have: as many as the counts in the page can tell.
pub(crate) const ITEMS_MAX: u16 = u16::MAX;

pub(crate) use error::{FrameError, LaneError, PushError};
pub(crate) use incoming::Payload;
pub(crate) use journal::Journal;
pub(crate) use lane::{Drained, Flushed, Lane, SocketLane};
pub(crate) use options::ItemOptions;
pub(crate) use order::{Assigned, AssignedRow, Item, Order, Row, Setup};
pub(crate) use page::Page;
pub(crate) use place::Place;
pub(crate) use port::{PortReader, PortWriter, open_port};
pub(crate) use region::Region;
pub(crate) use report::{ErrorKind, Outcome, Report, Text};
pub(crate) use verdict::Verdict;
pub(crate) use word::Activity;
