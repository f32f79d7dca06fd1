//! What the futures of a pool's jobs ask of it.

use std::sync::atomic::Ordering;
use std::time::Instant;

use executor_core::JobError;
use executor_core::backend::{Control, JobRef, Ran};

use super::Pool;
use crate::blocking;
use crate::parked::Stop;
use crate::worker;

impl Control for Pool {
    fn is_own_worker(&self) -> bool {
        Pool::is_own_worker(self)
    }

    fn may_block(&self) -> Result<(), JobError> {
        if !blocking::is_allowed() {
            return Err(JobError::WouldBlock {
                advice: "it belongs to an async runtime; `.await` the future, use `into_stream` or `shutdown_wait`, or \
                         block inside `spawn_blocking`",
            });
        }
        if worker::note_blocked(self.id) {
            let order = self.lock().functions.block();
            self.carry_out(order);
        }
        Ok(())
    }

    fn help(&self, job: &JobRef) -> bool {
        if !self.is_own_worker() {
            return false;
        }
        if job.is_async() || !worker::is_thread_of(self.id) {
            let mut board = self.lock();
            let order = board.await_job(job);
            let may_be_driven = order.poll.is_none() && board.asyncs.may_be_driven(job);
            let woken = self.room_was_made(&mut board);
            drop(board);
            woken.wake();
            self.carry_out(order);
            if may_be_driven {
                self.take_from_driver(job);
            }
            return false;
        }
        if let Some(claim) = job.claim() {
            let mut board = self.lock();
            let task = board.claimed(job);
            let woken = self.room_was_made(&mut board);
            drop(board);
            drop(task);
            woken.wake();
            self.finish_here(claim.run(&self.counts));
            return true;
        }
        // One that is not due yet stays: the waiter is nudged when it is.
        let retry = self.lock().take_due_retry(job);
        let Some(task) = retry else { return false };
        self.finish_here(task.run(&self.counts, Instant::now));
        true
    }

    fn withdrawn(&self, job: &JobRef) {
        let mut board = self.lock();
        let (task, parked) = board.withdrawn(job);
        let woken = self.room_was_made(&mut board);
        self.end_if_over(board);
        drop(task);
        if let Some(parked) = parked {
            parked.stop(Stop::Asked);
        }
        woken.wake();
    }

    /// A job that is polled is dropped at its next await, and one between two attempts runs nowhere. A thread cannot be
    /// killed.
    fn kill(&self, job: &JobRef) -> bool {
        if self.kill_retry(job) {
            return true;
        }
        let decided = job.is_async() && job.decide_kill();
        if decided {
            self.carry_out_kill(job);
        }
        decided
    }

    fn stop_requested(&self, job: &JobRef) {
        self.stop_retry(job);
    }

    fn polls(&self) -> bool {
        true
    }

    fn is_stopping(&self) -> bool {
        // Acquires what the thread did that ordered the stop.
        self.stopping.load(Ordering::Acquire)
    }
}

impl Pool {
    /// Gives an async job that a driver has taken and not begun a task of its own: the job that the driver polls may be the one that
    /// waits for it.
    fn take_from_driver(&self, job: &JobRef) {
        if let Some(me) = self.me.upgrade()
            && let Some(claim) = job.claim()
        {
            me.hand_over(claim.into());
        }
    }

    /// Ends what ran on the stack of a waiting worker: its next attempts run there too.
    fn finish_here(&self, ran: Ran) {
        if let Ran::Again(retry) = ran {
            retry.run_here(&self.counts);
        }
    }

    /// Stops a job by force that is decided to end as killed, wherever it is now. One that is on its way to its next attempt is
    /// seen there.
    pub(super) fn carry_out_kill(&self, job: &JobRef) {
        if self.kill_retry(job) {
            return;
        }
        // One that a driver has finds that out when it waits.
        let parked = self.lock().parked_of(job);
        if let Some(parked) = parked {
            parked.stop(Stop::Asked);
        }
    }

    /// Ends a job between two attempts as killed; true if it was one.
    pub(super) fn kill_retry(&self, job: &JobRef) -> bool {
        let retry = self.lock().take_retry(job);
        let killed = retry.is_some_and(|task| task.kill_retry(&self.counts));
        self.end_if_over(self.lock());
        killed
    }

    /// Ends a job between two attempts with what came of the last one.
    pub(super) fn stop_retry(&self, job: &JobRef) {
        let retry = self.lock().take_retry(job);
        if let Some(task) = retry {
            task.cancel(&self.counts);
            self.end_if_over(self.lock());
        }
    }
}
