//! The end of a pool.

use std::sync::PoisonError;
use std::time::Instant;

use executor_core::{JobError, Shutdown};

use super::Pool;
use super::control::Ended;
use crate::board::{Board, Doom};
use crate::load::{Fate, Load};

impl Pool {
    pub(crate) fn begin_shutdown(&self, mode: Shutdown) {
        let mut board = self.lock();
        self.close_inbox(&mut board);
        let mode = board.shutdown.map_or(mode, |before| before.max(mode));
        board.shutdown = Some(mode);
        board.clearing += 1;
        let loads = if mode == Shutdown::Drain { Vec::new() } else { take_waiting(&mut board) };
        if mode == Shutdown::Kill {
            doom_all(&mut board);
        }
        self.room_was_made(&mut board);
        self.room.notify_all();
        self.ring(board);
        for (load, items) in loads {
            self.cancel_load(load, &items);
        }
        let mut board = self.lock();
        board.clearing -= 1;
        self.ring(board);
    }

    /// Cancels items that were taken out; a job between two attempts ends with what came of the last.
    fn cancel_load(&self, claimed: LoadEnd, items: &[u32]) {
        match claimed {
            LoadEnd::Claimed(mut load) => {
                if let Some(claim) = load.claim(0) {
                    claim.give_up(&Ended(self));
                }
            }
            LoadEnd::Waiting(parcel) => {
                for &item in items {
                    parcel.job(item).withdraw(|| self.lock().cancelled += 1);
                }
            }
        }
    }

    /// Fails every job that waits, and refuses those to come.
    pub(crate) fn break_down(&self, cause: &str) {
        let mut board = self.lock();
        self.close_inbox(&mut board);
        board.broken.get_or_insert_with(|| cause.to_owned());
        board.clearing += 1;
        let loads = take_waiting(&mut board);
        self.room_was_made(&mut board);
        self.room.notify_all();
        drop(board);
        let error = || JobError::Broken { cause: cause.to_owned() };
        let mut callbacks = Vec::new();
        for (load, items) in loads {
            match load {
                LoadEnd::Claimed(mut load) => {
                    let claim = load.claim(0);
                    callbacks.extend(claim.and_then(|claim| claim.fail_quietly(error(), Some(&Ended(self)))));
                }
                LoadEnd::Waiting(parcel) => {
                    let claims = items.iter().filter_map(|&item| parcel.job(item).claim());
                    callbacks.extend(claims.filter_map(|claim| claim.fail_quietly(error(), Some(&Ended(self)))));
                }
            }
        }
        // The loads are gone, so that it is the callback thread which lets go of the jobs last.
        callbacks.into_iter().for_each(|callbacks| self.callbacks.take(Some(callbacks)));
        self.lock().clearing -= 1;
    }

    /// Lets go of every job that is left, for a dispatcher that panicked: they end as lost.
    pub(crate) fn lose_sent(&self) {
        let mut board = self.lock();
        let loads = std::mem::take(&mut board.loads);
        let desks: Vec<_> = board.desks.iter_mut().map(std::mem::take).collect();
        drop(board);
        // The frames of a map hold its jobs too.
        drop(desks);
        drop(loads);
    }

    /// Waits until the dispatcher has ended, and all workers before it; gives how many jobs were left at `deadline`.
    pub(crate) fn wait_ended(&self, deadline: Option<Instant>) -> usize {
        let mut board = self.lock();
        while !board.ended {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            board = match left {
                None => self.ended.wait(board).unwrap_or_else(PoisonError::into_inner),
                Some(left) if left.is_zero() => {
                    drop(board);
                    let stats = self.stats();
                    return usize::try_from(stats.queued + stats.running).unwrap_or(usize::MAX);
                }
                Some(left) => self.ended.wait_timeout(board, left).unwrap_or_else(PoisonError::into_inner).0,
            };
        }
        drop(board);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // A panic there was reported by the panic hook, and the jobs were told.
            let _ = thread.join();
        }
        self.callbacks.end();
        if let Some(output) = self.output.as_ref().filter(|_| !self.callbacks.is_current()) {
            output.end(deadline);
        }
        0
    }
}

/// What waited, on its way out.
enum LoadEnd {
    /// A job between two attempts.
    Claimed(Load),
    /// Items that never began.
    Waiting(std::sync::Arc<executor_core::backend::Parcel>),
}

/// Takes out all that has not begun, from the queue and from the workers.
fn take_waiting(board: &mut Board) -> Vec<(LoadEnd, Vec<u32>)> {
    for worker in 0..board.desks.len() {
        board.take_unbegun(worker);
    }
    let keys: Vec<_> = board.loads.keys().collect();
    let mut taken = Vec::new();
    for key in keys {
        if let Some(load) = board.take_retry(key) {
            taken.push((LoadEnd::Claimed(load), Vec::new()));
            continue;
        }
        let Some(load) = board.loads.get_mut(key) else { continue };
        let parcel = std::sync::Arc::clone(&load.parcel);
        let mut items = Vec::new();
        loop {
            let range = load.take(u32::MAX);
            if range.is_empty() {
                break;
            }
            items.extend(range);
        }
        board.waiting -= items.len() as u64;
        for _ in &items {
            board.end_item(key);
        }
        taken.push((LoadEnd::Waiting(parcel), items));
    }
    taken
}

/// Every job that runs is to be killed.
fn doom_all(board: &mut Board) {
    let mut dooms = Vec::new();
    for (worker, desk) in (0..).zip(&board.desks) {
        let Some(page) = &desk.page else { continue };
        page.ask_stop_all();
        for frame in &desk.frames {
            let begun = page.reach(frame.place).map_or(0, |reach| reach.begun);
            let doom = |item| Doom { worker, place: frame.place, item, fate: Fate::Killed };
            let jobs = (frame.received..begun).filter_map(|item| Some((frame.cargo.at(item)?, doom(item))));
            dooms.extend(jobs);
        }
    }
    for ((key, item), doom) in dooms {
        if board.loads.get_mut(key).is_some_and(|load| load.decide(item, Fate::Killed)) {
            board.dooms.push(doom);
        }
    }
}
