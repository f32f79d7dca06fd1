//! The dispatcher: one thread that has the workers of a pool.
//!
//! # A turn
//!
//! 1. Under the lock of the board: what has ended is taken off it, loads whose time has come join the queue, and what waits is
//!    [assigned](assign) to workers that have room in their windows; an idle worker takes what a busy one has not begun.
//! 2. Without it: what is to be sent is sent, workers whose running job is doomed are killed.
//! 3. It sleeps on the descriptors: its bell, the starter, each worker, and the [pipes] of those whose output is captured.
//!    Whoever puts something on the board while it sleeps rings the bell.
//! 4. It takes in what came: outcomes, lines, [starts and deaths](death) of workers.
//!
//! Where workers are to be replaced after a while, the first step also [sends off](recycle) those who have done their share.
//!
//! # Windows
//!
//! A worker has some jobs ahead, so that it need not wait for the dispatcher: as many as it does in about 1 ms, two at
//! least, and only one where the queue is bounded, because what is ahead counts nowhere. More would put short jobs behind
//! long ones. What a busy worker has ahead an idle one takes back.
//!
//! # Frames
//!
//! Items of a map go as they are in their parcel, many in one frame. Jobs that were submitted one by one go together too, where they
//! are of one type and their numbers follow one another. A job with descriptors goes alone, and to a worker that has nothing else: its
//! descriptors are open there, and the job before it might wait for the end of what they are an end of.
//!
//! # Ending one job by force
//!
//! A worker can only be killed whole. So that exactly one job ends with it, everything that it has not begun is taken back
//! first; and if the page says that this job still runs, the process is killed. What it had ended and not yet sent is found in its
//! [journal](crate::wire). If the job ended in between, nothing is killed. A process that comes into its place starts while it dies.

mod alarm;
mod assign;
mod death;
mod member;
mod news;
mod outcome;
mod outputs;
mod pipes;
mod recycle;

use std::io;
use std::sync::Arc;
use std::time::Instant;

use executor_core::Shutdown;
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use crate::board::{Board, Doom};
use crate::builder::Recipe;
use crate::load::Fate;
use crate::pool::Pool;
use crate::start::{Event, Starter};

use alarm::Alarm;
use member::Member;
use pipes::Capture;

pub(crate) use death::death_of;
pub(crate) use news::{Death, News, Ran, Told};

const BELL: u64 = 0;
const STARTER: u64 = 1;
const ALARM: u64 = 2;
const FIRST_MEMBER: u64 = 3;
/// Far behind the last member: two numbers for each.
const FIRST_PIPE: u64 = 1 << 32;

/// The thread that has the workers.
pub(crate) struct Dispatcher {
    pool: Arc<Pool>,
    recipe: Recipe,
    starter: Starter,
    poll: Epoll,
    alarm: Alarm,
    /// One for each worker; twice as many where workers are [recycled](recycle).
    members: Vec<Member>,
    /// Which of its members each worker is.
    serving: Vec<usize>,
    /// When a worker is to be examined for its age or its memory.
    next_wear: Option<Instant>,
    capture: Capture,
    /// Starts that failed one after another.
    failures: u32,
    /// No worker is started before this moment.
    not_before: Option<Instant>,
}

impl Dispatcher {
    /// # Errors
    ///
    /// If the system refuses a descriptor.
    pub(crate) fn new(pool: Arc<Pool>, recipe: Recipe, starter: Starter) -> io::Result<Self> {
        let poll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        poll.add(&pool.bell, EpollEvent::new(EpollFlags::EPOLLIN, BELL))?;
        poll.add(&starter, EpollEvent::new(EpollFlags::EPOLLIN, STARTER))?;
        let alarm = Alarm::new()?;
        poll.add(&alarm, EpollEvent::new(EpollFlags::EPOLLIN, ALARM))?;
        let jobs_max = recipe.recycling.jobs;
        let members = (0..pool.places).map(|_| Member::new(jobs_max)).collect();
        let serving = (0..pool.workers).collect();
        Ok(Dispatcher {
            pool,
            recipe,
            starter,
            poll,
            alarm,
            members,
            serving,
            next_wear: None,
            capture: Capture::default(),
            failures: 0,
            not_before: None,
        })
    }

    pub(crate) fn pool(&self) -> Arc<Pool> {
        Arc::clone(&self.pool)
    }

    /// Runs until the pool has ended.
    pub(crate) fn run(mut self) {
        loop {
            self.hold_output();
            self.start_missing();
            let pool = Arc::clone(&self.pool);
            let mut board = pool.lock();
            board.readmit_due(Instant::now());
            self.recycle(&mut board);
            let unsendable = self.assign(&mut board);
            self.doom(&mut board);
            let spares = self.spares_wanted(&board);
            let over = board.shutdown.is_some() && board.is_empty();
            let kills = over && board.shutdown == Some(Shutdown::Kill);
            let until = board.next_due();
            let may_sleep = self.pool.inbox.fall_asleep();
            drop(board);
            self.refuse(unsendable);
            if over && self.dismiss(kills) {
                break;
            }
            self.start_each(spares);
            self.start_successors();
            self.flush();
            let at_once = (!may_sleep).then(Instant::now);
            let until = [until, self.next_look(), at_once].into_iter().flatten().min();
            if let Err(error) = self.sleep(until) {
                self.pool.break_down(&format!("the dispatcher cannot wait for its workers: {error}"));
                self.fail_sent();
                break;
            }
            self.pool.inbox.wake();
        }
    }

    fn flush(&mut self) {
        for (worker, member) in (0..).zip(&mut self.members) {
            member.flush(&self.poll, FIRST_MEMBER + worker);
        }
    }

    /// Sleeps until something comes, and takes it in.
    fn sleep(&mut self, until: Option<Instant>) -> io::Result<()> {
        let timeout = match until {
            Some(until) if !self.alarm.set(until)? => EpollTimeout::ZERO,
            _ => EpollTimeout::NONE,
        };
        let mut ready = [EpollEvent::empty(); 64];
        let count = match self.poll.wait(&mut ready, timeout) {
            Ok(count) => count,
            Err(Errno::EINTR) => 0,
            Err(error) => return Err(error.into()),
        };
        let mut comes_or_goes = false;
        for event in &ready[..count] {
            match event.data() {
                BELL => drop(self.pool.bell.answer()),
                STARTER => comes_or_goes = true,
                ALARM => self.alarm.answer(),
                number if number >= FIRST_PIPE => self.hear(number - FIRST_PIPE, event.events()),
                number => self.drain((number - FIRST_MEMBER) as usize),
            }
        }
        // Last, because it may put another process into a place: what came for the one before is not for that.
        if comes_or_goes { self.take_events() } else { Ok(()) }
    }

    fn take_events(&mut self) -> io::Result<()> {
        let mut events = Vec::new();
        self.starter.drain(&mut events)?;
        self.handle(events);
        Ok(())
    }

    fn handle(&mut self, events: Vec<Event>) {
        for event in events {
            match event {
                Event::Started(process) => self.started(process),
                Event::Failed { ticket, error } => self.not_started(ticket, &error.to_string()),
                Event::Ended { ticket, exit } => self.died(ticket, exit),
            }
        }
    }

    /// Sees to the jobs that are to be ended by force.
    fn doom(&mut self, board: &mut Board) {
        for (worker, member) in (0..).zip(&mut self.members) {
            for (key, place) in member.limits_passed(&board.desks[worker]) {
                let decided = board.loads.get_mut(key).is_some_and(|load| load.decide(0, Fate::RunLimit));
                if decided {
                    board.dooms.push(Doom { worker, place, item: 0, fate: Fate::RunLimit });
                }
            }
        }
        for doom in std::mem::take(&mut board.dooms) {
            board.take_unbegun(doom.worker);
            self.members[doom.worker].doom(doom.place, doom.item, doom.fate);
        }
        let unheard = self.holds_output();
        for (member, desk) in self.members.iter_mut().zip(&board.desks) {
            member.execute(desk, unheard);
            member.see_off();
        }
    }

    /// Tells all workers to leave, or kills them; true once they have.
    fn dismiss(&mut self, kills: bool) -> bool {
        for member in &mut self.members {
            member.dismiss(kills);
        }
        self.members.iter().all(Member::is_vacant)
    }

    /// When something must be looked at that tells nothing by itself.
    fn next_look(&self) -> Option<Instant> {
        let looks = self.members.iter().filter_map(Member::next_look);
        looks.chain(self.not_before).chain(self.next_wear).min()
    }
}
