//! [`Lane`]: the owner's end of one worker, and [`SocketLane`], which is one over a socket.
//!
//! The dispatcher owns its lanes and is the only one that calls them; what other threads may do to the jobs of a worker
//! goes through its [`Page`]. No call blocks. A turn of the dispatcher is: push what there is credit for, `flush`, `arm`,
//! sleep on the descriptors, `drain`.
//!
//! # The end of a worker
//!
//! A worker that died may have told much that was not read yet. So the owner drains until the answer is
//! [`Drained::Ended`], or, if the exit status is known already, [`Drained::Dry`]: whatever the worker wrote is there by
//! then, and the end of the socket may never come, if a program that a job started has inherited it. Then `recover` gives
//! what it had not sent, and behind that `verdicts` tells what became of the frames that were open.
//!
//! A write to a worker that is gone is no error: what waits is forgotten, and the reading end tells the rest.

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use crate::wire::fd_room::{is_scarce, is_scarce_for};
use crate::wire::incoming::{Filled, Then};
use crate::wire::journal::frames;
use crate::wire::order::{Row, put_order, put_row, put_run, run_bytes};
use crate::wire::outgoing::{Outgoing, Written, widen};
use crate::wire::report::Reports;
use crate::wire::window::Window;
use crate::wire::{
    FrameError, Item, LaneError, Order, Outcome, Page, Place, PushError, Report, Verdict, agreed_frame_bytes,
};

/// How much one drain reads, so that a worker which never ceases to tell does not keep the others waiting.
const DRAIN_BYTES: usize = 4 << 20;

/// What became of a flush.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flushed {
    /// Everything is on its way.
    All,
    /// The lane is full: flush again once its descriptor can be written to.
    Waiting,
    /// The worker reads no more. Everything that waited is forgotten.
    Closed,
}

/// What became of a drain.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Drained {
    /// There is nothing more at this moment.
    Dry,
    /// There may be more at once; others may have their turn first.
    More,
    /// There is nothing more, and never will be.
    Ended,
}

/// The owner's end of one worker. Frames are taken in the order in which they are pushed.
pub(crate) trait Lane: Send {
    /// How many more frames of jobs it takes now.
    fn credits(&self) -> usize;

    /// Posts a frame of jobs of one type, and has it wait for the next flush. `job` is the index of their type.
    ///
    /// # Errors
    ///
    /// If it cannot be sent. Nothing has happened then.
    fn push_run(&mut self, job: u32, items: &[Item<'_>]) -> Result<Place, PushError>;

    /// As [`push_run`](Lane::push_run), for jobs whose arguments are together as pieces.
    ///
    /// # Errors
    ///
    /// As there.
    fn push_row(&mut self, row: Row<'_>) -> Result<Place, PushError>;

    /// Has another frame wait for the next flush. Items are not sent so, but by [`push_run`](Lane::push_run).
    ///
    /// # Errors
    ///
    /// If it cannot be sent. Nothing has happened then.
    fn push(&mut self, order: Order<'_>) -> Result<(), PushError>;

    /// Sends what waits, as far as there is room. It wakes the worker once at most, unless there was more than the lane
    /// holds.
    ///
    /// # Errors
    ///
    /// Those of the system, except that the worker is gone.
    fn flush(&mut self) -> Result<Flushed, LaneError>;

    /// True if something waits to be sent: the descriptor is to be watched for room.
    fn wants_write(&self) -> bool;

    /// Reads what the worker has told, and gives it to `sink`, report by report, with every claim of theirs checked. That
    /// there is no more is told by a call of its own, for which the descriptor is readable.
    ///
    /// # Errors
    ///
    /// If the worker told nonsense; what was given before it is good. Else those of the system.
    fn drain(&mut self, sink: &mut dyn FnMut(Report<'_>)) -> Result<Drained, LaneError>;

    /// Gives `sink` what a worker that has died had not sent. To be asked once, behind the last drain.
    fn recover(&mut self, sink: &mut dyn FnMut(Report<'_>));

    /// What becomes readable when there is something to drain.
    fn pollable_fd(&self) -> BorrowedFd<'_>;

    /// The page that the worker shares: its activity, and the jobs that can be taken back.
    fn page(&self) -> &Arc<Page>;

    /// What became of the frames that were open when the worker died, the oldest first. To be asked once, behind the
    /// last drain.
    fn verdicts(&mut self) -> Vec<(Place, Verdict)>;
}

/// A lane over one end of a pair of sockets.
#[derive(Debug)]
pub(crate) struct SocketLane {
    socket: UnixStream,
    page: Arc<Page>,
    window: Window,
    outgoing: Outgoing,
    reports: Reports,
    frame_bytes_max: u64,
    /// The worker reads no more.
    closed: bool,
    /// The worker was told to send plain bytes, because there is little room for descriptors here.
    sparing: bool,
}

impl SocketLane {
    /// A lane over a socket whose other end the worker has, with the page that it maps.
    ///
    /// # Errors
    ///
    /// If the socket cannot be made one that does not block.
    pub(crate) fn new(socket: UnixStream, page: Arc<Page>, frame_bytes_max: u64) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        widen(&socket);
        let frame_bytes_max = agreed_frame_bytes(frame_bytes_max);
        Ok(SocketLane {
            socket,
            page,
            window: Window::default(),
            outgoing: Outgoing::default(),
            reports: Reports::new(frame_bytes_max),
            frame_bytes_max,
            closed: false,
            sparing: false,
        })
    }

    /// Gives every report that is complete to `sink`.
    fn tell(&mut self, sink: &mut dyn FnMut(Report<'_>)) -> Result<(), FrameError> {
        while let Some(report) = self.reports.next()? {
            if self.window.note(&report, &self.page)? {
                if let Report::Outcome { outcome: Outcome::Output { attachments: Some(arrived), .. }, .. } = &report
                    && !self.sparing
                    && is_scarce_for(arrived)
                {
                    self.sparing = true;
                    self.page.spare_descriptors(true);
                }
                sink(report);
            }
        }
        Ok(())
    }

    /// How many frames the worker has and has not passed.
    #[cfg(all(test, not(executor_loom)))]
    pub(crate) fn open_frames(&self) -> usize {
        self.window.len()
    }
}

impl Lane for SocketLane {
    fn credits(&self) -> usize {
        self.window.credits()
    }

    fn push_run(&mut self, job: u32, items: &[Item<'_>]) -> Result<Place, PushError> {
        let (count, body_bytes) = run_bytes(items, self.frame_bytes_max)?;
        let place = self.window.open(count).ok_or(PushError::NoCredit)?;
        self.page.post(place, count);
        put_run(&mut self.outgoing, place, job, items, body_bytes);
        Ok(place)
    }

    fn push_row(&mut self, row: Row<'_>) -> Result<Place, PushError> {
        let place = self.window.next_place().ok_or(PushError::NoCredit)?;
        put_row(&mut self.outgoing, place, row, self.frame_bytes_max)?;
        // Nothing is sent before the flush.
        self.window.open(row.items);
        self.page.post(place, row.items);
        Ok(place)
    }

    fn push(&mut self, order: Order<'_>) -> Result<(), PushError> {
        put_order(&mut self.outgoing, order, self.frame_bytes_max)
    }

    fn flush(&mut self) -> Result<Flushed, LaneError> {
        if !self.closed {
            match self.outgoing.write_to(self.socket.as_fd()) {
                Ok(Written::All) => return Ok(Flushed::All),
                Ok(Written::Some) => return Ok(Flushed::Waiting),
                Err(error) if is_gone(&error) => self.closed = true,
                Err(error) => return Err(LaneError::Io(error)),
            }
        }
        self.outgoing.clear();
        Ok(Flushed::Closed)
    }

    fn wants_write(&self) -> bool {
        !self.outgoing.is_empty()
    }

    fn drain(&mut self, sink: &mut dyn FnMut(Report<'_>)) -> Result<Drained, LaneError> {
        if self.sparing && !is_scarce(&self.socket) {
            self.sparing = false;
            self.page.spare_descriptors(false);
        }
        let (mut left, mut dry) = (DRAIN_BYTES, false);
        loop {
            if let Err(error) = self.tell(sink) {
                // What comes behind nonsense cannot be read.
                self.reports.incoming.fail(error);
                return Err(LaneError::Frame(error));
            }
            if dry {
                return Ok(Drained::Dry);
            }
            if left == 0 {
                return Ok(Drained::More);
            }
            let Reports { incoming, descriptors, .. } = &mut self.reports;
            match descriptors.fill(incoming, &self.socket, left) {
                Ok(Filled { then: Then::End, .. }) => return Ok(Drained::Ended),
                Ok(Filled { bytes, then }) => {
                    left = left.saturating_sub(bytes);
                    // A read that came back short has emptied the socket, and need not be tried again.
                    dry = then == Then::Nothing;
                }
                // The worker died with orders unread. All that it told comes before this.
                Err(error) if is_gone(&error) => return Ok(Drained::Ended),
                Err(error) => return Err(LaneError::Io(error)),
            }
        }
    }

    fn recover(&mut self, sink: &mut dyn FnMut(Report<'_>)) {
        let frames = frames(self.page.journal());
        let mut source = &frames[..];
        let mut reports = Reports::new(self.frame_bytes_max);
        // A worker that wrote over its journal has told what came before.
        while matches!(reports.incoming.fill(&mut source, usize::MAX), Ok(Filled { bytes: 1.., .. })) {
            while let Ok(Some(report)) = reports.next() {
                let Some(known) = self.window.known(&report) else { continue };
                let report = report.behind(known);
                match self.window.note(&report, &self.page) {
                    Ok(true) => sink(report),
                    Ok(false) => {}
                    Err(_) => return,
                }
            }
        }
    }

    fn pollable_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    fn page(&self) -> &Arc<Page> {
        &self.page
    }

    fn verdicts(&mut self) -> Vec<(Place, Verdict)> {
        self.window.close(&self.page)
    }
}

/// True if the error says that the other end is closed.
fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset)
}
