//! The timer: a thread that sees to further attempts and to run limits when their moment has come, and looks for jobs that block.
//!
//! It is a thread of its own, so that neither needs a runtime with a clock, nor one that is not busy.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use executor_core::backend::Retry;

use crate::agenda::Due;
use crate::board::Board;
use crate::parked::Stop;
use crate::pool::Pool;
use crate::slots::SlotKey;
use crate::sync::MutexGuard;

impl Pool {
    /// Keeps the job until its delay has passed. If the system has no thread for the timer, the next attempt comes at once,
    /// which loses nothing but the delay.
    pub(crate) fn delay(&self, retry: Retry) {
        let until = Instant::now() + retry.delay();
        let mut board = self.lock();
        if let Err(task) = board.delay(retry.into_task(), until) {
            drop(board);
            return self.give_up(task);
        }
        if !self.wake_timer(board) {
            let tasks = self.lock().agenda.take_retries();
            tasks.into_iter().for_each(|task| self.readmit(task));
        }
    }

    /// Stops the job in the slot when `limit` has passed, unless it has a limit already. If the system has no thread for the timer, the job is not stopped,
    /// and its end is judged by the limit all the same.
    pub(crate) fn limit(&self, slot: SlotKey, limit: Duration) {
        let Some(at) = Instant::now().checked_add(limit) else { return };
        let mut board = self.lock();
        let Board { agenda, asyncs, .. } = &mut *board;
        asyncs.slots.set_limit(slot, || agenda.add(at, Due::Limit(slot)));
        self.wake_timer(board);
    }

    /// Sees to what is `due` at a moment, if the system has a thread for the timer.
    #[cfg(feature = "tracing")]
    pub(crate) fn remind(&self, at: Instant, due: Due) {
        let mut board = self.lock();
        board.agenda.add(at, due);
        self.wake_timer(board);
    }

    /// False if there is no timer, and none can be started.
    fn wake_timer(&self, mut board: MutexGuard<'_, Board>) -> bool {
        let starts = !std::mem::replace(&mut board.timer_runs, true);
        drop(board);
        self.timer.notify_all();
        let Some(pool) = self.me.upgrade().filter(|_| starts) else { return true };
        let started = thread::Builder::new().name("executor-timer".to_owned()).spawn(move || run(&pool));
        match started {
            Ok(thread) => {
                *self.timer_thread.lock() = Some(thread);
                true
            }
            Err(_) => {
                self.lock().timer_runs = false;
                self.ended.notify_all();
                false
            }
        }
    }
}

/// Lives from the first moment that is noted to the end of the pool.
fn run(pool: &Arc<Pool>) {
    let mut board = pool.lock();
    while !board.over {
        match board.agenda.take_due(Instant::now()) {
            Some(Due::Retry(task)) => {
                drop(board);
                pool.readmit(task);
                board = pool.lock();
            }
            Some(Due::Limit(slot)) => {
                let parked = board.asyncs.slots.parked(slot);
                drop(board);
                if let Some(parked) = parked {
                    parked.stop(Stop::Limit);
                }
                board = pool.lock();
            }
            #[cfg(feature = "tracing")]
            Some(Due::Look) => {
                drop(board);
                pool.look_for_blocked();
                board = pool.lock();
            }
            None => {
                let next = board.agenda.next_at();
                board = pool.timer.wait_until(board, next);
            }
        }
    }
    board.timer_runs = false;
    drop(board);
    pool.ended.notify_all();
    pool.ended_async.notify_waiters();
}
