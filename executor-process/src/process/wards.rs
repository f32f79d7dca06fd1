//! [`Wards`]: the children, as the thread of the keeper has them.

use std::collections::HashMap;
use std::io;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags, EpollTimeout};

use super::keeper::Keeper;
use super::ward::Ward;
use crate::exit::Exit;
use crate::start::Starter;

/// The number of the keeper's bell in the poll.
pub(super) const BELL: u64 = 0;
const SPARE: u64 = 1;

/// The loop of the keeper, and what only its thread touches.
pub(super) struct Wards<'a> {
    keeper: &'a Keeper,
    poll: &'a Epoll,
    wards: HashMap<u64, Ward>,
    /// The number of the last child; each has its own.
    last: u64,
    /// Holds the fork server that the next child will need.
    spare: Option<Starter>,
}

impl<'a> Wards<'a> {
    pub(super) fn new(keeper: &'a Keeper, poll: &'a Epoll) -> Self {
        Wards { keeper, poll, wards: HashMap::new(), last: SPARE, spare: None }
    }

    /// Sees to the children, for as long as the program runs.
    ///
    /// # Errors
    ///
    /// If the system fails where it does not.
    pub(super) fn run(mut self) -> io::Result<()> {
        loop {
            for number in self.sleep()? {
                match number {
                    BELL => self.take_arrived(),
                    SPARE => self.look_after_spare(),
                    _ => self.turn(number),
                }
            }
        }
    }

    /// Sleeps until something comes, and gives the numbers of what it is about.
    fn sleep(&self) -> io::Result<Vec<u64>> {
        let mut ready = [EpollEvent::empty(); 64];
        match self.poll.wait(&mut ready, EpollTimeout::NONE) {
            Ok(count) => Ok(ready[..count].iter().map(EpollEvent::data).collect()),
            Err(Errno::EINTR) => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }

    fn take_arrived(&mut self) {
        // Before the look, so that who comes behind it rings anew.
        self.keeper.bell.answer();
        for ward in self.keeper.arrived() {
            self.last += 1;
            if ward.watch(self.poll, self.last).is_ok() {
                self.wards.insert(self.last, ward);
                // There is something to be written.
                self.turn(self.last);
            } else {
                // It is dropped, which ends it.
                self.keeper.forget(ward.life());
            }
        }
    }

    fn turn(&mut self, number: u64) {
        // Two descriptors of one child may have been ready, and the first has told of its end.
        let Some(ward) = self.wards.get_mut(&number) else { return };
        let turn = ward.turn(self.poll, number);
        if matches!(turn, Ok(None)) {
            return;
        }
        let Some(ward) = self.wards.remove(&number) else { return };
        self.keeper.forget(ward.life());
        // One whose starter fails is dropped, which ends it.
        if let Ok(Some(exit)) = turn {
            self.end(ward, exit);
        }
    }

    fn end(&mut self, ward: Ward, exit: Exit) {
        let (starter, callbacks) = ward.end(self.poll, exit);
        let event = &mut EpollEvent::new(EpollFlags::EPOLLIN, SPARE);
        if let Some(starter) = starter.filter(|starter| self.poll.modify(starter, event).is_ok()) {
            self.spare = Some(starter);
        }
        self.keeper.callbacks.take(callbacks);
    }

    /// A fork server that was killed is reaped here. The next child starts another.
    fn look_after_spare(&mut self) {
        if self.spare.as_mut().is_some_and(|starter| starter.drain(&mut Vec::new()).is_err()) {
            self.spare = None;
        }
    }
}
