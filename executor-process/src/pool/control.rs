//! What the futures of a pool's jobs ask of it.

use executor_core::backend::{Carrier, Control, JobRef};
use executor_core::{JobError, JobId, Shutdown};

use super::Pool;
use crate::bell::Ring;
use crate::board::Doom;
use crate::carrier;
use crate::load::Fate;
use crate::output::OutputThread;

impl Control for Pool {
    /// The workers are other processes. But like one of them, the thread that takes their output must not wait for them to end.
    fn is_own_worker(&self) -> bool {
        self.output.as_ref().is_some_and(OutputThread::is_current)
    }

    fn may_block(&self) -> Result<(), JobError> {
        if self.callbacks.is_current() {
            return Err(JobError::WouldBlock {
                advice: "it is the thread that runs the callbacks of this pool; hand the wait to another thread",
            });
        }
        Ok(())
    }

    fn help(&self, _: &JobRef) -> bool {
        false
    }

    fn cancel(&self, job: &JobRef) -> bool {
        let mut board = self.lock();
        let withdrawn = board.load_of(job).and_then(|key| board.withdraw(key, job.item()));
        if withdrawn.is_some() {
            board.clearing += 1;
            self.room_was_made(&mut board);
        }
        self.ring(board);
        if withdrawn.is_none() {
            return job.state() == executor_core::JobState::Cancelled;
        }
        // Nobody else can begin or withdraw it any more.
        let cancelled = job.withdraw(|| self.lock().cancelled += 1);
        drop(withdrawn);
        let mut board = self.lock();
        board.clearing -= 1;
        self.ring(board);
        cancelled
    }

    fn withdrawn(&self, _: &JobRef) {}

    fn kill(&self, job: &JobRef) -> bool {
        let mut board = self.lock();
        // An attempt that has just ended is in no place; who sees to the next one looks at what is decided here.
        let Some(key) = board.load_of(job) else { return job.decide_kill() };
        if let Some(mut load) = board.take_retry(key) {
            board.clearing += 1;
            drop(board);
            if let Some(claim) = load.claim(0) {
                claim.fail(JobError::Killed, Some(&Ended(self)));
            }
            let mut board = self.lock();
            board.clearing -= 1;
            self.ring(board);
            return true;
        }
        let Some(sent) = board.sent(key, job.item()).filter(|&sent| board.has_begun(sent)) else { return false };
        if !board.loads.get_mut(key).is_some_and(|load| load.decide(job.item(), Fate::Killed)) {
            return false;
        }
        board.dooms.push(Doom { worker: sent.worker, place: sent.place, item: sent.item, fate: Fate::Killed });
        self.ring(board);
        true
    }

    fn stop_requested(&self, job: &JobRef) {
        let mut board = self.lock();
        let Some(key) = board.load_of(job) else { return };
        if let Some(mut load) = board.take_retry(key) {
            board.clearing += 1;
            drop(board);
            if let Some(claim) = load.claim(0) {
                claim.give_up(&Ended(self));
            }
            let mut board = self.lock();
            board.clearing -= 1;
            return self.ring(board);
        }
        let Some(sent) = board.sent(key, job.item()) else { return };
        let taken = board.take_tail(sent.worker, sent.place, sent.item..sent.items);
        // What has not begun is sent again, and told.
        board.give_back_sent(sent.worker, sent.place, taken.clone());
        let desk = &board.desks[sent.worker];
        if let (false, Some(page), Some(ear)) = (taken.contains(&sent.item), &desk.page, &desk.ear) {
            page.ask_stop(sent.place, sent.item);
            ear.ring(Ring::Owner);
        }
        self.ring(board);
    }

    fn travels(&self) -> bool {
        true
    }

    fn carrier(&self) -> Option<&'static dyn Carrier> {
        Some(carrier::DESCRIPTORS)
    }

    fn begun_elsewhere(&self, job: JobId, place: u64) -> bool {
        let board = self.lock();
        let sent = board.find(job, place).and_then(|(key, item)| board.sent(key, item));
        sent.is_some_and(|sent| board.has_begun(sent))
    }

    fn is_stopping(&self) -> bool {
        self.lock().shutdown == Some(Shutdown::Kill)
    }
}

/// Counts the ends of jobs.
pub(crate) struct Ended<'a>(pub(crate) &'a Pool);

impl executor_core::backend::Tally for Ended<'_> {
    fn begun(&self) {}

    fn ended(&self, failed: bool) {
        let mut board = self.0.lock();
        if failed {
            board.failed += 1;
        } else {
            board.finished += 1;
        }
    }
}
