//! Workers that come and go.

use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use executor_core::WorkerDeath;
use executor_core::backend::table;
use nix::sys::epoll::{EpollEvent, EpollFlags};

use super::member::{Awaited, Present, State, Successor};
use super::news::{Death, News, Ran};
use super::outcome::Landing;
use super::pipes::Pipes;
use super::recycle::Wear;
use super::{Dispatcher, FIRST_MEMBER};
use crate::bell::Bell;
use crate::board::Desk;
use crate::exit::Exit;
use crate::load::Fate;
use crate::start::{Ticket, Worker};
use crate::wire::{Drained, FRAME_BYTES_MAX, Lane, Order, Page, Region, Setup, SocketLane, VERSION};

/// After so many starts in a row that failed the pool is broken: with the waits between them, after about 0.6 s.
const FAILURES_MAX: u32 = 6;

/// The wait after the first of them; each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(10);

impl Dispatcher {
    /// Orders a worker for each place that has none.
    pub(super) fn start_missing(&mut self) {
        let is_free = |place: usize| self.members[place].is_vacant() && !self.has_twin(place);
        let missing: Vec<_> = self.serving.iter().copied().filter(|&place| is_free(place)).collect();
        self.start_each(missing);
    }

    /// Something is in the other place of the worker that has this one, or about to be.
    fn has_twin(&self, place: usize) -> bool {
        self.twin(place).is_some_and(|other| self.members[other].is_here())
    }

    /// Orders workers for these places, unless it is not the time for it.
    pub(super) fn start_each(&mut self, places: Vec<usize>) {
        // What they print could not be taken, and would be too much if they died of it.
        if places.is_empty() || self.holds_output() {
            return;
        }
        if self.not_before.is_some_and(|not_before| Instant::now() < not_before) {
            return;
        }
        self.not_before = None;
        if self.pool.lock().is_over() {
            return;
        }
        for place in places {
            if (self.members[place].is_vacant() || self.members[place].lacks_successor())
                && self.not_before.is_none()
                && let Err(error) = self.order(place)
            {
                self.failed_start(&error.to_string());
            }
        }
    }

    /// Orders a worker for each place whose process was killed, so that it starts while that one dies.
    pub(super) fn start_successors(&mut self) {
        let is_due = |&place: &usize| self.members[place].lacks_successor() && !self.has_twin(place);
        let places = (0..self.members.len()).filter(is_due).collect();
        self.start_each(places);
    }

    fn order(&mut self, worker: usize) -> std::io::Result<()> {
        let (region, file) = Region::create()?;
        let (page, ear) = (Arc::new(Page::new(region)), Arc::new(Bell::new()?));
        let mut events = Vec::new();
        let ticket = self.starter.start(worker % self.pool.workers, &[file.as_fd(), ear.as_fd()], &mut events)?;
        let (awaited, member) = (Awaited { ticket, page, ear }, &mut self.members[worker]);
        match member.is_vacant() {
            true => member.state = State::Ordered(awaited),
            false => member.successor = Some(Successor::Ordered(awaited)),
        }
        self.handle(events);
        Ok(())
    }

    fn place_of(&self, ticket: Ticket) -> Option<usize> {
        self.members.iter().position(|member| member.has_ticket(ticket) || member.awaits(ticket))
    }

    /// There is a process.
    pub(super) fn started(&mut self, process: Worker) {
        let Some(worker) = self.place_of(process.ticket) else { return };
        let member = &mut self.members[worker];
        if member.awaits(process.ticket) {
            let Some(Successor::Ordered(Awaited { page, ear, .. })) = member.successor.take() else { return };
            if let Some(mut present) = self.greet(worker, process, page) {
                // It can be at its setup meanwhile. What it does not take now it gets when it is in its place.
                let _ = present.lane.flush();
                self.members[worker].successor = Some(Successor::Arrived(present, ear));
            }
            return;
        }
        let State::Ordered(Awaited { page, ear, .. }) = std::mem::take(&mut member.state) else { return };
        if let Some(present) = self.greet(worker, process, page) {
            self.install(worker, present, ear);
        }
    }

    /// Opens the lane of a process, and puts its setup into that.
    fn greet(&mut self, worker: usize, mut process: Worker, page: Arc<Page>) -> Option<Box<Present>> {
        let lane = process
            .channel
            .try_clone()
            .and_then(|channel| SocketLane::new(UnixStream::from(channel), page, FRAME_BYTES_MAX));
        let lane = match lane {
            Ok(lane) => lane,
            Err(error) => {
                let _ = process.kill();
                self.failed_start(&error.to_string());
                return None;
            }
        };
        let pipes = Pipes::of(&mut process, worker % self.pool.workers);
        let wear = self.recipe.recycling.is_on().then(|| Wear::of(&process, &self.recipe.recycling));
        let mut present = Present::new(process, lane);
        (present.pipes, present.wear) = (pipes, wear);
        let initializer = self.recipe.initializer.as_ref().map(|(job, bytes)| (*job, bytes.as_slice().into()));
        let setup = Setup {
            version: VERSION,
            digest: u128::from(table().digest()),
            frame_bytes_max: FRAME_BYTES_MAX,
            initializer,
        };
        if present.lane.push(Order::Setup(setup)).is_err() {
            present.kill();
        }
        Some(Box::new(present))
    }

    /// Puts a process into its place.
    fn install(&mut self, worker: usize, present: Box<Present>, ear: Arc<Bell>) {
        let page = Arc::clone(present.lane.page());
        let event = EpollEvent::new(EpollFlags::EPOLLIN, FIRST_MEMBER + worker as u64);
        if let Err(error) = self.poll.add(present.lane.pollable_fd(), event) {
            present.kill();
            return self.failed_start(&error.to_string());
        }
        self.members[worker].state = State::Present(present);
        self.watch_pipes(worker);
        let mut board = self.pool.lock();
        board.desks[worker] = Desk { page: Some(page), ear: Some(ear), ..Desk::default() };
    }

    /// An order came to nothing.
    pub(super) fn not_started(&mut self, ticket: Ticket, cause: &str) {
        if let Some(worker) = self.place_of(ticket) {
            match self.members[worker].awaits(ticket) {
                true => self.members[worker].successor = None,
                false => self.clear(worker, None),
            }
        }
        self.failed_start(cause);
    }

    fn failed_start(&mut self, cause: &str) {
        // Workers that fail together, as those of a server that is gone, are one failure.
        if self.not_before.is_some() {
            return;
        }
        self.failures += 1;
        if self.failures >= FAILURES_MAX {
            self.pool.break_down(&format!("worker processes cannot be started: {cause}"));
        } else {
            self.not_before = Some(Instant::now() + FIRST_WAIT * 2u32.pow(self.failures - 1));
        }
    }

    /// A process has ended.
    pub(super) fn died(&mut self, ticket: Ticket, exit: Exit) {
        let Some(worker) = self.place_of(ticket) else { return };
        if self.members[worker].awaits(ticket) {
            self.members[worker].successor = None;
            return self.failed_start(&format!("a worker ended before it was ready: {exit}"));
        }
        self.hear_pipes_out(worker);
        self.hear_out(worker);
        self.recover(worker);
        let member = &mut self.members[worker];
        let (was_ready, was_leaving) =
            member.present().map_or((false, false), |present| (present.is_ready, present.is_leaving));
        if was_ready && !was_leaving {
            // Before its jobs end, so that whoever learns of their end finds it counted.
            let fate = member.fate();
            let restarts = &mut self.pool.lock().restarts;
            match fate {
                Some(Fate::Killed) => restarts.killed += 1,
                Some(Fate::RunLimit) => restarts.run_limit += 1,
                None => restarts.crashed += 1,
            }
        }
        let pipes = member.here().and_then(|present| present.pipes.as_ref());
        let words = pipes.and_then(|pipes| pipes.last_words(None));
        self.clear(worker, Some(exit));
        if !was_ready && !was_leaving {
            let words =
                words.map(|words| format!("; it last wrote to its standard error: {words}")).unwrap_or_default();
            self.failed_start(&format!("a worker ended before it was ready: {exit}{words}"));
        }
    }

    /// Reads what a worker wrote before its end.
    fn hear_out(&mut self, worker: usize) {
        loop {
            let Some(present) = self.members[worker].present().filter(|present| !present.is_silent) else { return };
            let mut news = News::default();
            let drained = present.lane.drain(&mut |report| news.add(report));
            self.take_in(worker, news);
            if !matches!(drained, Ok(Drained::More)) {
                return self.members[worker].silence(&self.poll);
            }
        }
    }

    /// Takes in what a worker had not sent when it ended.
    fn recover(&mut self, worker: usize) {
        let Some(present) = self.members[worker].present() else { return };
        let mut news = News::default();
        present.lane.recover(&mut |report| news.add(report));
        self.take_in(worker, news);
    }

    /// Frees the place of a worker, and sees to what it had.
    fn clear(&mut self, worker: usize, exit: Option<Exit>) {
        if let State::Present(present) = self.members[worker].vacate() {
            self.settle(*present, worker, exit);
        }
        match self.members[worker].successor.take() {
            None => {}
            Some(Successor::Ordered(awaited)) => self.members[worker].state = State::Ordered(awaited),
            Some(Successor::Arrived(present, ear)) => self.install(worker, present, ear),
        }
    }

    /// Sees to what a process had that is gone.
    fn settle(&mut self, mut present: Present, worker: usize, exit: Option<Exit>) {
        let death = Death { pid: present.process.pid, how: death_of(exit) };
        let words = |place, item| present.pipes.as_ref().and_then(|pipes| pipes.last_words(Some((place, item))));
        let verdicts = present.lane.verdicts();
        let mut board = self.pool.lock();
        let desk = std::mem::take(&mut board.desks[worker]);
        let mut endings = Vec::new();
        let mut back = Vec::new();
        for (place, verdict) in verdicts {
            let Some(frame) = desk.frames.iter().find(|frame| frame.place == place) else { continue };
            for number in verdict.lost.clone().chain(verdict.blamed) {
                let Some((key, item)) = frame.cargo.at(number) else { continue };
                let blamed = verdict.blamed == Some(number);
                let ran =
                    if blamed { Ran::Died(death.clone(), words(place, number)) } else { Ran::Lost(death.clone()) };
                endings.extend(board.end_sent(key, item, ran));
            }
            for number in verdict.claimed {
                let Some((key, item)) = frame.cargo.at(number) else { continue };
                // None of its code has run. But if its end was decided, it is not to run elsewhere.
                if board.loads.get(key).is_some_and(|load| load.fate(item).is_some()) {
                    endings.extend(board.end_sent(key, item, Ran::Died(death.clone(), None)));
                } else {
                    back.push((key, item..item + 1));
                }
            }
            back.extend(frame.cargo.spans(verdict.unbegun));
        }
        for (key, items) in back.into_iter().rev() {
            board.give_back(key, items);
        }
        let broken = board.broken.clone();
        drop(board);
        self.land(endings.into_iter().map(Landing::One).collect(), &[], &[]);
        if let Some(cause) = broken {
            // Nobody will run what has come back.
            self.pool.break_down(&cause);
        }
    }

    /// The dispatcher cannot go on: what was sent is lost.
    pub(super) fn fail_sent(&mut self) {
        for worker in 0..self.members.len() {
            if let Some(Successor::Arrived(successor, _)) = self.members[worker].successor.take() {
                successor.kill();
            }
            if let Some(present) = self.members[worker].present() {
                present.kill();
            }
            self.clear(worker, None);
        }
        self.pool.break_down("the dispatcher of the pool has ended");
    }
}

pub(crate) fn death_of(exit: Option<Exit>) -> WorkerDeath {
    match exit {
        Some(Exit::Code(code)) => WorkerDeath::Exited(code),
        Some(exit @ Exit::Signal { number, .. }) => {
            WorkerDeath::Signalled { number, name: exit.signal_name().unwrap_or_default() }
        }
        Some(Exit::Unknown) | None => WorkerDeath::Unknown,
    }
}
