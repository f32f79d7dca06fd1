//! Waiting for room in a bounded queue.

use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Waker;
use std::time::Instant;

use crate::backend::Backend;

/// How long a submit waits for room in a bounded queue.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Room<'a> {
    /// Not at all.
    Now,
    /// Until there is room.
    Wait,
    /// Until there is room or the moment has come.
    Until(Instant),
    /// Not at all; but if there is none, the waker is woken when there may be. It takes the place of the one that came with
    /// the same ticket before, and [`Backend::forget`] takes it out.
    Notify(&'a Waker, RoomTicket),
}

/// One async submitter that waits for room, however often it is polled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoomTicket(u64);

/// The wait of one async submitter. Whoever has it calls [`end`](RoomWait::end) when it is dropped.
#[derive(Debug, Default)]
pub(crate) struct RoomWait(Option<RoomTicket>);

impl RoomWait {
    /// No room is no reason to wait, but `waker` is to be told.
    pub(crate) fn notify<'a>(&mut self, waker: &'a Waker) -> Room<'a> {
        // A plain count: nothing is published by it, so no ordering is needed.
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Room::Notify(waker, *self.0.get_or_insert_with(|| RoomTicket(NEXT.fetch_add(1, Ordering::Relaxed))))
    }

    /// Nobody waits any more.
    pub(crate) fn end(&mut self, backend: &(impl Backend + ?Sized)) {
        if let Some(ticket) = self.0.take() {
            backend.forget(ticket);
        }
    }
}
