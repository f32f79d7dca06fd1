//! Taking jobs in.

use std::sync::{MutexGuard, PoisonError};
use std::time::Instant;

use executor_core::backend::{Refused, Room, RoomTicket, Task, table};
use executor_core::{JobError, Priority, Rejection};

use super::Pool;
use crate::bell::Ring;
use crate::board::{Board, Denied};
use crate::load::Load;

impl Pool {
    pub(crate) fn accept(&self, task: Task, room: Room<'_>) -> Result<(), Refused> {
        let parcel = match task.into_parcel() {
            Ok(parcel) => parcel,
            Err(task) => {
                let option = "a task that cannot leave this process";
                return Err(Refused::new(task, JobError::Rejected(Rejection::Unsupported { option })));
            }
        };
        let Some(job) = table().index_of(parcel.entry()) else {
            let name = parcel.entry().name().to_owned();
            return Err(Refused::new(Task::from_parcel(parcel), JobError::UnknownJob { name }));
        };
        // Before the lock, which the dispatcher needs too.
        let load = Load::new(parcel, job);
        let jobs = u64::from(load.open);
        let is_normal = load.priority == Priority::Normal;
        let load = match if is_normal { self.inbox.put(load) } else { Err(load) } {
            Ok(sleeps) => {
                if sleeps {
                    self.bell.ring(Ring::Owner);
                }
                return Ok(());
            }
            Err(load) => load,
        };
        // A callback must not wait for room, because others wait for it.
        let above_bound = self.callbacks.is_current();
        let mut board = self.lock();
        if board.admits(jobs, self.capacity, above_bound).is_err() {
            board = match self.wait_for_room(board, jobs, room) {
                Ok(board) => board,
                Err(denied) => return Err(Refused::new(Task::from_parcel(load.parcel), denied.into_error())),
            };
        }
        if !is_normal {
            // Loads of several priorities are put in order on the board.
            self.close_inbox(&mut board);
        }
        board.admit(load);
        self.ring(board);
        Ok(())
    }

    #[cold]
    fn wait_for_room<'a>(
        &'a self,
        board: MutexGuard<'a, Board>,
        jobs: u64,
        room: Room<'_>,
    ) -> Result<MutexGuard<'a, Board>, Denied> {
        drop(board);
        // Cloning a waker is user code, so it comes before the lock.
        let waker = if let Room::Notify(waker, ticket) = room { Some((ticket, waker.clone())) } else { None };
        let mut board = self.lock();
        board.waiting_for_room += 1;
        loop {
            let Err(denied) = board.admits(jobs, self.capacity, false) else {
                board.waiting_for_room -= 1;
                return Ok(board);
            };
            let wait = match room {
                _ if !matches!(denied, Denied::Full) => None,
                Room::Wait => Some(None),
                Room::Until(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    (!left.is_zero()).then_some(Some(left))
                }
                _ => None,
            };
            board = match wait {
                Some(None) => self.room.wait(board).unwrap_or_else(PoisonError::into_inner),
                Some(Some(left)) => self.room.wait_timeout(board, left).unwrap_or_else(PoisonError::into_inner).0,
                None => {
                    board.waiting_for_room -= 1;
                    let full = matches!(denied, Denied::Full);
                    let replaced =
                        waker.filter(|_| full).and_then(|(ticket, waker)| board.room_wakers.insert(ticket, waker));
                    drop(board);
                    // Dropping a waker is user code too.
                    drop(replaced);
                    return Err(denied);
                }
            };
        }
    }

    /// An async submitter does not wait for room any more.
    pub(crate) fn forget_room(&self, ticket: RoomTicket) {
        let waker = self.lock().room_wakers.remove(&ticket);
        drop(waker);
    }

    /// Tells those who wait for room that there may be some. Their wakers are left to the callback thread.
    pub(crate) fn room_was_made(&self, board: &mut Board) {
        if board.waiting_for_room > 0 {
            self.room.notify_all();
        }
        for waker in std::mem::take(&mut board.room_wakers).into_values() {
            self.callbacks.wake(waker);
        }
    }
}
