//! Back-off: jobs that wait for the moment of their next attempt.

use std::sync::Arc;
use std::thread;
use std::time::Instant;

use executor_core::backend::Retry;

use crate::pool::Pool;

/// Keeps the job until its delay has passed. A thread does so for all of them; it starts with the first and ends with
/// the last. If the system has no thread for it, the next attempt comes at once, which loses nothing but the delay.
pub(crate) fn delay(pool: &Arc<Pool>, retry: Retry) {
    let until = Instant::now() + retry.delay();
    let mut board = pool.lock();
    if let Err(task) = board.delay(retry.into_task(), until) {
        drop(board);
        return pool.give_up(task);
    }
    let starts = !std::mem::replace(&mut board.timer_runs, true);
    board.threads += usize::from(starts);
    drop(board);
    pool.timer.notify_all();
    if starts {
        let timer = Arc::clone(pool);
        if thread::Builder::new().name("executor-retry".to_owned()).spawn(move || run(&timer)).is_err() {
            let mut board = pool.lock();
            board.timer_runs = false;
            let tasks = board.take_delayed();
            drop(board);
            tasks.into_iter().for_each(|task| pool.readmit(task));
            pool.thread_ended();
        }
    }
}

fn run(pool: &Arc<Pool>) {
    let mut board = pool.lock();
    loop {
        if let Some(task) = board.take_due(Instant::now()) {
            drop(board);
            pool.readmit(task);
            board = pool.lock();
            continue;
        }
        match board.next_due() {
            Some(due) => board = pool.timer.wait_until(board, Some(due)),
            None => {
                board.timer_runs = false;
                drop(board);
                return pool.thread_ended();
            }
        }
    }
}
