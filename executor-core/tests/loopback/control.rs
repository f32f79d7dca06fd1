//! What the futures of a pool's jobs ask of it.

use std::sync::atomic::Ordering;

use executor_core::backend::{Control, JobRef, Shutdown};
use executor_core::{JobError, JobId};

use crate::board::{Item, Spot};
use crate::dispatcher::wake;
use crate::pool::{Landing, Pool, Was};
use crate::wire::{Order, frame};

fn spot(job: &JobRef) -> Spot {
    (job.place(), job.item())
}

impl Control for Pool {
    /// No worker is in this process. The thread of the callbacks is taken for one, because it must not wait for the pool.
    fn is_own_worker(&self) -> bool {
        self.caller.is_this_thread()
    }

    fn may_block(&self) -> Result<(), JobError> {
        if self.caller.is_this_thread() {
            return Err(JobError::WouldBlock { advice: "callbacks of this executor must not wait for its jobs" });
        }
        Ok(())
    }

    fn help(&self, _: &JobRef) -> bool {
        false
    }

    fn cancel(&self, job: &JobRef) -> bool {
        let spot = spot(job);
        let mut board = self.lock();
        let mut wakers = Vec::new();
        let withdrawn = match board.item(spot) {
            Some(Item::Waiting) => {
                board.waiting -= 1;
                wakers = self.room_was_made(&mut board);
                true
            }
            Some(Item::Sent) => board.worker_of(spot).is_some_and(|worker| {
                let withdrawn = |number| worker.lane.withdraw(number);
                worker.run.as_ref().is_some_and(|run| run.claim.is_none() && withdrawn(run.number))
            }),
            Some(Item::Withdrawn) | None => true,
            Some(Item::Between(_) | Item::Ended) => false,
        };
        if withdrawn && let Some(item) = board.item(spot) {
            *item = Item::Withdrawn;
        }
        drop(board);
        let withdrawn = withdrawn && job.withdraw(|| self.withdrawn(job));
        wake(wakers);
        withdrawn
    }

    fn withdrawn(&self, job: &JobRef) {
        let mut board = self.lock();
        board.cancelled += 1;
        let parcel = board.end_item(spot(job));
        drop(board);
        drop(parcel);
        self.kick();
    }

    fn kill(&self, job: &JobRef) -> bool {
        let spot = spot(job);
        let mut board = self.lock();
        if let Some(claim) = board.take_between(spot) {
            drop(board);
            claim.fail(JobError::Killed, Some(&Landing { pool: self, from: Was::Between }));
            self.end_item(spot);
            return true;
        }
        if !self.settings.kills || !board.is_begun(spot) {
            return false;
        }
        let Some(worker) = board.worker_of(spot) else { return false };
        let Some(run) = &mut worker.run else { return false };
        if run.claim.is_none() {
            run.claim = job.claim();
        }
        job.decide_kill()
    }

    fn stop_requested(&self, job: &JobRef) {
        let spot = spot(job);
        let mut board = self.lock();
        if let Some(claim) = board.take_between(spot) {
            drop(board);
            return self.give_up(claim, spot);
        }
        if let Some(worker) = board.worker_of(spot)
            && let Some(run) = &worker.run
        {
            worker.orders.send(frame(&Order::Stop { number: run.number }));
        }
    }

    fn travels(&self) -> bool {
        true
    }

    fn begun_elsewhere(&self, job: JobId, place: u64) -> bool {
        let mut board = self.lock();
        board.item_of(job, place).is_some_and(|item| board.is_begun((place, item)))
    }

    fn progress_elsewhere(&self, job: &JobRef) -> Option<(u64, u64)> {
        let mut board = self.lock();
        board.worker_of(spot(job))?.run.as_ref()?.progress
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }
}

impl Pool {
    /// True if what waits is cancelled.
    pub(crate) fn cancels(mode: Option<Shutdown>) -> bool {
        mode.is_some_and(|mode| mode != Shutdown::Drain)
    }
}
