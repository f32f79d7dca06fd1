//! [`Ward`]: a running child, as the keeper has it.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;

use executor_core::backend::{Arrived, Callbacks, Claim, Landed, Tally};
use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};

use super::life::Life;
use crate::dispatch::{Death, News, Ran, Told, death_of};
use crate::exit::Exit;
use crate::start::{Event, StartMethod, Starter};
use crate::wire::{Drained, Flushed, Lane, SocketLane};

/// A child whose job runs. Dropping it kills the child; whoever waits for it learns that nobody knows how it ended, and its
/// job is lost.
pub(super) struct Ward {
    starter: Option<Starter>,
    method: StartMethod,
    lane: SocketLane,
    life: Arc<Life>,
    claim: Option<Claim>,
    outcome: Option<Arrived>,
    /// The poll tells when the lane can be written to.
    watches_room: bool,
    /// Nothing comes over the lane any more.
    is_silent: bool,
}

impl Ward {
    /// A child that is ready, and in whose lane a job waits, of which `claim` is the right to end it. Nobody else can have
    /// taken that, so that there is one.
    pub(super) fn new(
        starter: Starter,
        lane: SocketLane,
        life: Arc<Life>,
        claim: Option<Claim>,
        method: StartMethod,
    ) -> Self {
        Ward { starter: Some(starter), method, lane, life, claim, outcome: None, watches_room: false, is_silent: false }
    }

    pub(super) fn life(&self) -> &Arc<Life> {
        &self.life
    }

    /// Has the poll tell of it by this number.
    ///
    /// # Errors
    ///
    /// If descriptors cannot be watched.
    pub(super) fn watch(&self, poll: &Epoll, number: u64) -> io::Result<()> {
        let Some(starter) = &self.starter else { return Ok(()) };
        poll.add(starter, EpollEvent::new(EpollFlags::EPOLLIN, number))?;
        poll.add(self.lane.pollable_fd(), EpollEvent::new(EpollFlags::EPOLLIN, number))?;
        Ok(())
    }

    /// Writes and reads what there is; gives how the process ended, if it has.
    ///
    /// # Errors
    ///
    /// If the starter is of no use any more.
    pub(super) fn turn(&mut self, poll: &Epoll, number: u64) -> io::Result<Option<Exit>> {
        self.flush(poll, number);
        self.drain(poll);
        let mut events = Vec::new();
        if let Some(starter) = &mut self.starter {
            starter.drain(&mut events)?;
        }
        Ok(events.into_iter().find_map(|event| match event {
            Event::Ended { exit, .. } => Some(exit),
            // It was ready, so that it had failed at nothing.
            Event::Failed { .. } => Some(Exit::Unknown),
            Event::Started(_) => None,
        }))
    }

    fn flush(&mut self, poll: &Epoll, number: u64) {
        if self.is_silent || !self.lane.wants_write() {
            return;
        }
        match self.lane.flush() {
            Ok(flushed) => {
                let waits = flushed == Flushed::Waiting;
                if waits != self.watches_room {
                    self.watches_room = waits;
                    let room = if waits { EpollFlags::EPOLLOUT } else { EpollFlags::empty() };
                    let mut event = EpollEvent::new(EpollFlags::EPOLLIN | room, number);
                    // It is there as long as the lane is not silent.
                    let _ = poll.modify(self.lane.pollable_fd(), &mut event);
                }
            }
            Err(_) => self.kill(),
        }
    }

    /// Reads what the child has told; true if there may be more at once.
    fn drain(&mut self, poll: &Epoll) -> bool {
        if self.is_silent {
            return false;
        }
        let mut news = News::default();
        let drained = self.lane.drain(&mut |report| news.add(report));
        self.take_in(news);
        match drained {
            Ok(Drained::Dry) => return false,
            Ok(Drained::More) => return true,
            Ok(Drained::Ended) => {}
            // It tells nonsense, and cannot be listened to any more.
            Err(_) => self.kill(),
        }
        self.is_silent = true;
        // It is in the set as long as the lane is not silent.
        let _ = poll.delete(self.lane.pollable_fd().as_fd());
        false
    }

    /// Takes in what the child told of its job.
    fn take_in(&mut self, news: News) {
        let (told, outputs) = news.into_parts();
        let (outputs, parts) = outputs.into_parts();
        let job = self.claim.as_ref().and_then(Claim::job);
        for told in told {
            match (told, job) {
                (Told::Row(row), Some(job)) => {
                    self.outcome = row.outcomes(&parts).next().map(|ran| ran.into_arrived(job, &outputs));
                }
                (Told::Outcome { outcome, .. }, Some(job)) => self.outcome = Some(outcome.into_arrived(job, &outputs)),
                (Told::Progress { done, total, .. }, Some(job)) => job.set_progress(done, total),
                _ => {}
            }
        }
    }

    fn kill(&self) {
        // It fails only if the process has ended.
        let _ = self.life.signal(libc::SIGKILL);
    }

    /// The process has ended: tells so, and what came of its job. Gives the starter back if it has a shared server, and what is
    /// left to be done on a thread where code of the user's may run.
    pub(super) fn end(mut self, poll: &Epoll, exit: Exit) -> (Option<Starter>, Option<Callbacks>) {
        while self.drain(poll) {}
        let mut news = News::default();
        self.lane.recover(&mut |report| news.add(report));
        self.take_in(news);
        // Before the job is done, so that whoever has its outcome finds the process ended.
        self.life.note_end(exit);
        let callbacks = self.claim.take().and_then(|claim| {
            let arrived = match self.outcome.take() {
                Some(arrived) => arrived,
                None => self.death(exit).into_arrived(claim.job()?, &[]),
            };
            // There are no retries.
            let Landed { callbacks, .. } = claim.arrive(arrived, &Uncounted);
            callbacks
        });
        let starter = if self.method == StartMethod::ForkServer { self.starter.take() } else { None };
        (starter, callbacks)
    }

    /// What came of the job if its outcome did not come.
    fn death(&mut self, exit: Exit) -> Ran {
        let death = Death { pid: self.life.pid, how: death_of(Some(exit)) };
        let had_ended = self.lane.verdicts().iter().any(|(_, verdict)| !verdict.lost.is_empty());
        if had_ended { Ran::Lost(death) } else { Ran::Died(death, None) }
    }
}

impl Drop for Ward {
    fn drop(&mut self) {
        // Dropped first, so that the process has ended.
        drop(self.starter.take());
        self.life.note_end(Exit::Unknown);
    }
}

/// Nobody counts these jobs.
struct Uncounted;

impl Tally for Uncounted {
    fn begun(&self) {}

    fn ended(&self, _: bool) {}
}
