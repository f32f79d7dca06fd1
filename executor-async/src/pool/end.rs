//! The end of a pool.

use std::sync::atomic::Ordering;
use std::thread::Thread;
use std::time::Instant;

use executor_core::backend::{Control, Tally};
use executor_core::{JobError, Shutdown};
use tokio::runtime::Runtime;

use super::Pool;
use crate::board::Board;
use crate::parked::Stop;
use crate::sync::MutexGuard;
use crate::tally::Unrun;

impl Pool {
    /// Ends the pool if it was shut down and nothing is left.
    pub(super) fn end_if_over(&self, mut board: MutexGuard<'_, Board>) {
        if !board.ends_now() {
            return;
        }
        let (watch, runtime) = (board.watch.take(), board.runtime.take());
        drop(board);
        self.ended.notify_all();
        self.ended_async.notify_waiters();
        self.timer.notify_all();
        if let Some(watch) = watch {
            watch.wake();
        }
        if let Some(runtime) = runtime {
            // This may be one of its threads, which cannot wait for itself.
            runtime.shutdown_background();
        }
    }

    /// Leaves the runtime to the pool, which ends it when nothing is left.
    pub(crate) fn leave_runtime(&self, runtime: Runtime) {
        let mut board = self.lock();
        if board.over {
            drop(board);
            runtime.shutdown_background();
        } else {
            board.runtime = Some(runtime);
        }
    }

    pub(crate) fn begin_shutdown(&self, mode: Shutdown) {
        let mut board = self.lock();
        let (mode, cancelled, unawaited) = board.shut_down(mode);
        let in_slots = if mode == Shutdown::Drain { Vec::new() } else { board.asyncs.slots.all() };
        let seated = board.functions.seated();
        let woken = self.room_was_made(&mut board);
        if mode != Shutdown::Drain {
            self.gives_up.store(true, Ordering::Relaxed);
        }
        if mode == Shutdown::Kill {
            // Releases what this thread did, to the jobs that see the request.
            self.stopping.store(true, Ordering::Release);
        }
        drop(board);
        drop(unawaited);
        self.room.notify_all();
        woken.wake();
        if mode == Shutdown::Kill {
            // Some may drive a future that awaits this.
            seated.iter().for_each(Thread::unpark);
        }
        cancelled.into_iter().for_each(|task| task.cancel(&self.counts));
        for (job, parked) in in_slots {
            // Those that have a task and were not polled yet have not begun.
            if !self.cancel(&job) && mode == Shutdown::Kill && job.decide_kill() {
                parked.stop(Stop::Asked);
            }
        }
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
        let (failed, unawaited) = board.break_down(cause);
        let woken = self.room_was_made(&mut board);
        drop(board);
        drop(unawaited);
        self.room.notify_all();
        woken.wake();
        let unrun = Unrun(&self.counts);
        for task in failed {
            let tally: &dyn Tally = if task.is_retry() { &self.counts } else { &unrun };
            task.fail(JobError::Broken { cause: cause.to_owned() }, Some(tally));
        }
        self.end_clearing();
    }

    pub(crate) fn is_shut_down(&self) -> bool {
        self.lock().is_shut_down()
    }

    /// Waits until nothing is left; gives how many jobs were left at `deadline`.
    pub(crate) fn wait_ended(&self, deadline: Option<Instant>) -> usize {
        let mut board = self.lock();
        while !board.over || board.timer_runs {
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                drop(board);
                let stats = self.stats();
                return usize::try_from(stats.queued + stats.running).unwrap_or(usize::MAX);
            }
            board = self.ended.wait_until(board, deadline);
        }
        drop(board);
        let timer = self.timer_thread.lock().take();
        if let Some(timer) = timer {
            // A panic there was reported by the panic hook.
            let _ = timer.join();
        }
        0
    }

    /// [`wait_ended`](Pool::wait_ended), awaited and without a limit.
    pub(crate) async fn until_ended(&self) {
        loop {
            let notified = self.ended_async.notified();
            let mut notified = std::pin::pin!(notified);
            notified.as_mut().enable();
            {
                let board = self.lock();
                if board.over && !board.timer_runs {
                    return;
                }
            }
            notified.await;
        }
    }
}
