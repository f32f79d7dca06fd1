//! [`Member`]: one worker, as the dispatcher has it.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};
use nix::time::{ClockId, clock_gettime};

use super::pipes::Pipes;
use super::recycle::Wear;
use crate::bell::Bell;
use crate::board::Desk;
use crate::frame::Frame;
use crate::load::{Fate, Key};
use crate::start::{Ticket, Worker};
use crate::wire::{Activity, Flushed, Lane, Order, Page, Place, SocketLane};

/// How much work a worker has ahead: long enough that a turn of the dispatcher fits in, short enough that what an idle
/// worker must take back is little.
const AHEAD_NS: u64 = 1_000_000;

/// The most items ahead, and the fewest.
const WINDOW_MAX: u32 = 16384;
const WINDOW_MIN: u32 = 2;

/// After so long without news from a worker its job counts as long. A worker keeps its outcomes back for 1 ms at most.
const LONG: Duration = Duration::from_millis(5);

/// How long a doomed job that has ended is waited for while nothing is read of what its worker prints.
const DOOM_PATIENCE: Duration = Duration::from_millis(20);

/// How long a worker that was told to end may take for it, while it drops its state and runs its exit hooks.
const LEAVE_PATIENCE: Duration = Duration::from_secs(5);

/// One worker, or the place for one.
#[derive(Default)]
pub(super) struct Member {
    pub(super) state: State,
    /// What comes into this place when the process that was killed is gone.
    pub(super) successor: Option<Successor>,
    /// It gets no jobs: it waits to replace another worker, or is to be replaced.
    pub(super) stands_by: bool,
    /// How many jobs it may run in the life of a process.
    jobs_max: Option<u64>,
    /// How many items it may have ahead.
    window: u32,
    /// A moving average, at least 1; 0 until something was measured.
    item_ns: u64,
    limits: Vec<Limit>,
    doomed: Option<Doomed>,
    /// When it last told that jobs had ended, or got the first after it had none.
    heard: Option<Instant>,
    /// Its job has proved to be long, as of this turn.
    is_held_up: bool,
}

#[derive(Default)]
pub(super) enum State {
    /// There is no process, and none on its way.
    #[default]
    Vacant,
    /// A process was ordered.
    Ordered(Awaited),
    /// There is a process.
    Present(Box<Present>),
}

/// A process that was ordered.
pub(super) struct Awaited {
    /// The order.
    pub(super) ticket: Ticket,
    pub(super) page: Arc<Page>,
    pub(super) ear: Arc<Bell>,
}

/// A process that starts while the one before it dies, which takes about as long.
pub(super) enum Successor {
    /// It was ordered.
    Ordered(Awaited),
    /// It is there, and has its setup.
    Arrived(Box<Present>, Arc<Bell>),
}

impl Successor {
    fn has_ticket(&self, ticket: Ticket) -> bool {
        match self {
            Successor::Ordered(awaited) => awaited.ticket == ticket,
            Successor::Arrived(present, _) => present.process.ticket == ticket,
        }
    }
}

/// A worker process.
pub(super) struct Present {
    pub(super) process: Worker,
    pub(super) lane: SocketLane,
    /// It has read the setup and run the initializer.
    pub(super) is_ready: bool,
    /// It was told to end.
    pub(super) is_leaving: bool,
    /// When it is killed for not leaving.
    leaves_by: Option<Instant>,
    /// What it prints, if that is captured.
    pub(super) pipes: Option<Pipes>,
    /// How worn it is, if it may be recycled.
    pub(super) wear: Option<Wear>,
    /// The poll tells when it can be written to.
    watches_room: bool,
    /// Nothing comes from it any more.
    pub(super) is_silent: bool,
    /// It was killed for a job that was to be ended by force.
    is_killed: bool,
}

/// A job with a run limit, which may have begun.
struct Limit {
    key: Key,
    place: Place,
    limit: Duration,
    /// When to look: at its end, if it has begun by then.
    look: Instant,
}

/// A running job that is to be ended by force.
#[derive(Clone, Copy)]
struct Doomed {
    place: Place,
    item: u16,
    fate: Fate,
    patience_ends: Instant,
}

impl Present {
    pub(super) fn new(process: Worker, lane: SocketLane) -> Self {
        Present {
            process,
            lane,
            is_ready: false,
            is_leaving: false,
            leaves_by: None,
            pipes: None,
            wear: None,
            watches_room: false,
            is_silent: false,
            is_killed: false,
        }
    }

    /// Ends the process; its end is told like any other.
    pub(super) fn kill(&self) {
        // It fails only if the process has ended.
        let _ = self.process.kill();
    }
}

impl Member {
    pub(super) fn new(jobs_max: Option<u64>) -> Self {
        Member { jobs_max, ..Member::default() }
    }

    pub(super) fn present(&mut self) -> Option<&mut Present> {
        match &mut self.state {
            State::Present(present) => Some(present),
            State::Vacant | State::Ordered(_) => None,
        }
    }

    /// The process, if there is one.
    pub(super) fn here(&self) -> Option<&Present> {
        match &self.state {
            State::Present(present) => Some(present),
            State::Vacant | State::Ordered(_) => None,
        }
    }

    /// It can run jobs.
    pub(super) fn is_ready(&self) -> bool {
        self.here().is_some_and(|present| present.is_ready && !present.is_leaving && !present.is_silent)
    }

    /// It was told to end.
    pub(super) fn is_leaving(&self) -> bool {
        self.here().is_some_and(|present| present.is_leaving)
    }

    /// What was learned of the jobs.
    pub(super) fn measured(&self) -> (u32, u64) {
        (self.window, self.item_ns)
    }

    /// Takes over what another has learned of the jobs.
    pub(super) fn take_over(&mut self, window: u32, item_ns: u64) {
        (self.window, self.item_ns) = (window, item_ns);
    }

    /// For what its running job is to be ended, if it is.
    pub(super) fn fate(&self) -> Option<Fate> {
        self.doomed.map(|doomed| doomed.fate)
    }

    pub(super) fn is_vacant(&self) -> bool {
        matches!(self.state, State::Vacant)
    }

    pub(super) fn has_ticket(&self, ticket: Ticket) -> bool {
        match &self.state {
            State::Vacant => false,
            State::Ordered(awaited) => awaited.ticket == ticket,
            State::Present(present) => present.process.ticket == ticket,
        }
    }

    /// A process of this order is to come into this place next.
    pub(super) fn awaits(&self, ticket: Ticket) -> bool {
        self.successor.as_ref().is_some_and(|successor| successor.has_ticket(ticket))
    }

    /// Its process was killed, and none was ordered in its place.
    pub(super) fn lacks_successor(&self) -> bool {
        self.here().is_some_and(|present| present.is_killed && !present.is_leaving) && self.successor.is_none()
    }

    /// How many more items it takes now.
    pub(super) fn room(&self, desk: &Desk, bounded: bool) -> u32 {
        let State::Present(present) = &self.state else { return 0 };
        let takes = present.is_ready && !present.is_leaving && !present.is_silent && self.doomed.is_none();
        if !takes || self.stands_by || self.is_held_up || present.lane.credits() == 0 {
            return 0;
        }
        let window = if bounded { 1 } else { self.window.max(WINDOW_MIN) };
        let left = self.jobs_max.map_or(u64::MAX, |jobs| jobs.saturating_sub(desk.ended));
        window.min(u32::try_from(left).unwrap_or(u32::MAX)).saturating_sub(desk.ahead)
    }

    /// Looks whether a long job runs, behind which nothing should be put; true if something is behind it.
    pub(super) fn look_for_long_job(&mut self, desk: &Desk, now: Instant) -> bool {
        self.is_held_up = desk.ahead > 0 && self.heard.is_some_and(|heard| now - heard > LONG);
        self.is_held_up && desk.ahead > 1
    }

    /// It gets its first job after it had none.
    pub(super) fn begin(&mut self) {
        self.heard = Some(Instant::now());
    }

    /// Takes in how long items took.
    pub(super) fn learn(&mut self, items: u16, busy_ns: u32) {
        self.heard = Some(Instant::now());
        let Some(mean) = u64::from(busy_ns).checked_div(u64::from(items)) else { return };
        let mean = mean.max(1);
        self.item_ns = if self.item_ns == 0 { mean } else { (self.item_ns * 7 + mean) / 8 }.max(1);
        let fits = u32::try_from(AHEAD_NS / self.item_ns).unwrap_or(u32::MAX).clamp(WINDOW_MIN, WINDOW_MAX);
        // It grows as jobs prove to be short, and shrinks at once.
        self.window = fits.min(self.window.max(WINDOW_MIN) * 2);
    }

    /// A job was sent that has a run limit.
    pub(super) fn limit(&mut self, key: Key, place: Place, limit: Duration) {
        if let Some(look) = Instant::now().checked_add(limit) {
            self.limits.push(Limit { key, place, limit, look });
        }
    }

    /// The running jobs whose run limit has passed.
    pub(super) fn limits_passed(&mut self, desk: &Desk) -> Vec<(Key, Place)> {
        let now = Instant::now();
        if self.limits.iter().all(|limit| limit.look > now) {
            return Vec::new();
        }
        let Some(page) = &desk.page else { return Vec::new() };
        let mut passed = Vec::new();
        self.limits.retain_mut(|limit| {
            if limit.look > now {
                return true;
            }
            if !desk.frames.iter().any(|frame| frame.place == limit.place && frame.received == 0) {
                return false;
            }
            match page.activity_since() {
                Some((Activity::Running(place, 0), since)) if place == limit.place => {
                    let ran = Duration::from_nanos(now_ns().saturating_sub(since));
                    if ran >= limit.limit {
                        passed.push((limit.key, limit.place));
                        return false;
                    }
                    limit.look = now + (limit.limit - ran);
                }
                // It has not begun, or has just ended.
                Some(_) => limit.look = now + limit.limit,
                None => {}
            }
            true
        });
        passed
    }

    /// A job of this worker is to be ended by force.
    pub(super) fn doom(&mut self, place: Place, item: u16, fate: Fate) {
        self.doomed = Some(Doomed { place, item, fate, patience_ends: Instant::now() + DOOM_PATIENCE });
    }

    /// Kills the process, if it has a doomed job that still runs. `unheard` says that nothing is read of what workers print.
    pub(super) fn execute(&mut self, desk: &Desk, unheard: bool) {
        let Some(doomed) = self.doomed else { return };
        let (Some(page), State::Present(present)) = (&desk.page, &mut self.state) else {
            self.doomed = None;
            return;
        };
        if page.activity() != Activity::Running(doomed.place, doomed.item) {
            let open = |frame: &Frame| frame.place == doomed.place && frame.received <= doomed.item;
            if !desk.frames.iter().any(open) {
                self.doomed = None;
            } else if unheard && Instant::now() >= doomed.patience_ends {
                // It has ended, and its worker waits until somebody reads what it printed.
                present.kill();
            }
            // Else its outcome is on its way.
            return;
        }
        present.is_killed = true;
        present.kill();
    }

    /// When something must be looked at that tells nothing by itself.
    pub(super) fn next_look(&self) -> Option<Instant> {
        let limits = self.limits.iter().map(|limit| limit.look);
        let leaves_by = self.here().and_then(|present| present.leaves_by);
        limits.chain(self.doomed.map(|doomed| doomed.patience_ends)).chain(leaves_by).min()
    }

    /// Sends what waits, as far as there is room.
    pub(super) fn flush(&mut self, poll: &Epoll, number: u64) {
        let Some(present) = self.present() else { return };
        if present.is_silent || !present.lane.wants_write() {
            return;
        }
        match present.lane.flush() {
            Ok(flushed) => {
                let waits = flushed == Flushed::Waiting;
                if waits != present.watches_room {
                    present.watches_room = waits;
                    let room = if waits { EpollFlags::EPOLLOUT } else { EpollFlags::empty() };
                    let mut event = EpollEvent::new(EpollFlags::EPOLLIN | room, number);
                    // It is there as long as the worker is not silent.
                    let _ = poll.modify(present.lane.pollable_fd(), &mut event);
                }
            }
            Err(_) => present.kill(),
        }
    }

    /// Tells the worker to end, once; or kills it.
    pub(super) fn dismiss(&mut self, kills: bool) {
        let Some(present) = self.present() else { return };
        if !std::mem::replace(&mut present.is_leaving, true) {
            if present.lane.push(Order::Exit).is_err() || present.lane.flush().is_err() {
                present.kill();
            }
            // One that is not ready may be in its initializer, and takes as long as that does.
            present.leaves_by = present.is_ready.then(|| Instant::now() + LEAVE_PATIENCE);
        }
        if kills {
            present.kill();
        }
    }

    /// Kills the process, if it was told to end and does not.
    pub(super) fn see_off(&mut self) {
        let Some(present) = self.present() else { return };
        if present.leaves_by.is_some_and(|leaves_by| Instant::now() >= leaves_by) {
            present.leaves_by = None;
            present.kill();
        }
    }

    /// The process is gone: the place is free.
    pub(super) fn vacate(&mut self) -> State {
        let Member { window, item_ns, jobs_max, .. } = *self;
        let successor = self.successor.take();
        // What was learned of the jobs holds for the next process too.
        let before = std::mem::replace(self, Member { successor, window, item_ns, jobs_max, ..Member::default() });
        before.state
    }

    /// Stops to listen to a worker from which nothing comes any more.
    pub(super) fn silence(&mut self, poll: &Epoll) {
        if let Some(present) = self.present()
            && !std::mem::replace(&mut present.is_silent, true)
        {
            let _ = poll.delete(present.lane.pollable_fd().as_fd());
        }
    }
}

/// The time by the clock that the workers read, in ns.
fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from).unwrap_or_default();
    u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)
}
