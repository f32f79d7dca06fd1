//! The end of a pool.

use std::thread::Thread;
use std::time::Instant;

use executor_core::backend::Tally;
use executor_core::{JobError, Shutdown};

use super::Pool;
use crate::board::Board;
use crate::buffer::Buffer;
use crate::sync::MutexGuard;
use crate::sync::atomic::Ordering;
use crate::sync::now;
use crate::tally::Counts;

impl Pool {
    /// Ends the rayon pool if this pool was shut down and nothing is left.
    pub(super) fn end_if_over(&self, board: MutexGuard<'_, Board>) {
        let over = board.has_ended();
        drop(board);
        if over {
            // Dropping a rayon pool tells its threads to end, and does not wait for them. A loop that sleeps keeps the
            // pool of the caller until it has come.
            let pools = (self.rayon.lock().take(), self.caller.lock().take());
            drop(pools);
            self.bell.notify_all();
            self.timer.notify_all();
            self.ended.notify_all();
        }
    }

    pub(crate) fn begin_shutdown(&self, mode: Shutdown) {
        let mut board = self.lock();
        let (mut cancelled, sentinel) = board.shut_down(mode);
        if mode != Shutdown::Drain {
            cancelled.extend(self.buffers.iter().flat_map(Buffer::take_all));
        }
        let woken = self.room_was_made(&mut board);
        drop(board);
        if let Some(sentinel) = sentinel {
            sentinel.unpark();
        }
        self.room.notify_all();
        woken.wake();
        if mode == Shutdown::Kill {
            // Releases what this thread did, to the jobs that see the request.
            self.stopping.store(true, Ordering::Release);
            self.threads.lock().to_unpark.iter().for_each(Thread::unpark);
        }
        self.with_tally(|tally| cancelled.into_iter().for_each(|task| task.cancel(tally)));
        self.end_clearing();
    }

    /// All that this thread took out has ended: only now may the pool.
    fn end_clearing(&self) {
        let mut board = self.lock();
        board.clearing -= 1;
        self.end_if_over(board);
    }

    /// Fails every job that waits, and refuses those to come.
    pub(crate) fn break_down(&self, cause: &str) {
        let mut board = self.lock();
        let mut failed = board.break_down(cause);
        failed.extend(self.buffers.iter().flat_map(Buffer::take_all));
        let woken = self.room_was_made(&mut board);
        drop(board);
        self.room.notify_all();
        woken.wake();
        let unrun = Unrun(&self.outside);
        for task in failed {
            let tally: &dyn Tally = if task.is_retry() { &self.outside } else { &unrun };
            task.fail(JobError::Broken { cause: cause.to_owned() }, Some(tally));
        }
        self.end_clearing();
    }

    pub(crate) fn is_shut_down(&self) -> bool {
        self.lock().is_shut_down()
    }

    /// Waits until every thread has ended; gives how many jobs were left at `deadline`.
    pub(crate) fn wait_ended(&self, deadline: Option<Instant>) -> usize {
        let mut board = self.lock();
        while board.threads > 0 {
            if deadline.is_some_and(|deadline| now() >= deadline) {
                drop(board);
                let stats = self.stats();
                return usize::try_from(stats.queued + stats.running).unwrap_or(usize::MAX);
            }
            board = self.ended.wait_until(board, deadline);
        }
        drop(board);
        let to_join = std::mem::take(&mut self.threads.lock().to_join);
        for thread in to_join {
            // A panic there was reported by the panic hook, and the jobs were told.
            let _ = thread.join();
        }
        0
    }
}

/// Counts jobs that fail without having run: each is counted as begun too, so that the columns agree.
struct Unrun<'a>(&'a Counts);

impl Tally for Unrun<'_> {
    fn begun(&self) {}

    fn ended(&self, failed: bool) {
        self.0.begun();
        self.0.ended(failed);
    }
}
