//! What the futures of a pool's jobs ask of it.

use executor_core::backend::{Control, JobRef, Ran, Tally};

use super::Pool;
use crate::sync::atomic::Ordering;
use crate::sync::now;
use crate::tally::Own;

impl Control for Pool {
    fn is_own_worker(&self) -> bool {
        self.own_worker().is_some()
    }

    fn help(&self, job: &JobRef) -> bool {
        let Some(worker) = self.own_worker() else { return false };
        let tally = Own(&self.counts[worker]);
        if let Some(claim) = job.claim() {
            let mut board = self.lock();
            let task = board.claimed(job);
            let woken = self.room_was_made(&mut board);
            drop(board);
            drop(task);
            woken.wake();
            finish_here(claim.run(&tally), &tally);
            return true;
        }
        // One that is not due yet stays: the waiter is nudged when it is.
        let retry = self.lock().take_due_retry(job);
        let Some(task) = retry else { return false };
        finish_here(task.run(&tally, now), &tally);
        true
    }

    fn withdrawn(&self, job: &JobRef) {
        let mut board = self.lock();
        let task = board.withdrawn(job);
        let woken = self.room_was_made(&mut board);
        drop(board);
        drop(task);
        woken.wake();
        self.end_if_over(self.lock());
    }

    /// A thread cannot be killed. A job between two attempts is on none.
    fn kill(&self, job: &JobRef) -> bool {
        let retry = self.lock().take_retry(job);
        let killed = retry.is_some_and(|task| self.with_tally(|tally| task.kill_retry(tally)));
        self.end_if_over(self.lock());
        killed
    }

    fn stop_requested(&self, job: &JobRef) {
        let retry = self.lock().take_retry(job);
        if let Some(task) = retry {
            self.with_tally(|tally| task.cancel(tally));
            self.end_if_over(self.lock());
        }
    }

    fn is_stopping(&self) -> bool {
        // Acquires what the thread did that ordered the stop.
        self.stopping.load(Ordering::Acquire)
    }
}

/// Ends what ran on the stack of a waiting worker: its next attempts run there too.
fn finish_here(ran: Ran, tally: &dyn Tally) {
    if let Ran::Again(retry) = ran {
        retry.run_here(tally);
    }
}
