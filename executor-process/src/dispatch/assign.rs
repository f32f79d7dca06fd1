//! What is sent to whom.

use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use executor_core::JobError;
use executor_core::backend::{Claim, Parcel};

use super::Dispatcher;
use super::member::Member;
use crate::board::{Board, Desk};
use crate::carrier::descriptors;
use crate::frame::{Cargo, Frame};
use crate::load::{Key, Load};
use crate::wire::{ITEMS_MAX, Item, ItemOptions, Lane, PushError, Row};

impl Dispatcher {
    /// Hands out what waits, as far as there is room; true if something could not be sent and must be ended.
    pub(super) fn assign(&mut self, board: &mut Board) -> Vec<(Claim, JobError)> {
        let mut unsendable = Vec::new();
        board.make_way();
        self.take_from_behind_long_jobs(board);
        let waited = board.waiting;
        self.hand_out(board, &mut unsendable);
        while board.waiting == 0 && self.take_from_busy(board) {
            self.hand_out(board, &mut unsendable);
        }
        if board.waiting < waited {
            self.pool.room_was_made(board);
        }
        unsendable
    }

    fn hand_out(&mut self, board: &mut Board, unsendable: &mut Vec<(Claim, JobError)>) {
        let bounded = self.pool.capacity.is_some();
        loop {
            let desks = &board.desks;
            let rooms = (0..).zip(&self.members).map(|(worker, member)| (worker, member.room(&desks[worker], bounded)));
            let free = rooms.filter(|&(_, room)| room > 0);
            let Some((worker, room)) = free.min_by_key(|&(worker, _)| desks[worker].ahead) else { return };
            let ahead = desks[worker].ahead;
            // Where several workers are free, a long row is shared between them.
            let share = |open: u64| open.div_ceil(2 * self.pool.workers as u64).clamp(1, u64::from(room)) as u32;
            let Some((key, load)) = board.next_load() else { return };
            if load.is_alone() {
                let most = share(board.waiting);
                let jobs = board.take_alike(key, most);
                self.send_jobs(board, worker, jobs, unsendable);
                continue;
            }
            // The descriptors of a job are open where it was sent. There it must not wait behind another job, which may wait for the
            // end of what they are an end of.
            let most = match load.plain_next() {
                Some(0) if ahead > 0 => return,
                // With none that waits, it leaves the queue.
                Some(0) | None => 1,
                Some(plain) => share(load.open.into()).min(plain),
            };
            let items = board.take_items(key, most.min(u32::from(ITEMS_MAX)));
            if !items.is_empty() {
                self.send(board, worker, key, items, unsendable);
            }
        }
    }

    /// What was sent to a worker whose job proves to be long goes to others, before what waits: a queue that is never empty
    /// would leave it there for as long as that job runs.
    fn take_from_behind_long_jobs(&mut self, board: &mut Board) {
        let now = Instant::now();
        let held_up = (0..).zip(&mut self.members).zip(&board.desks);
        let held_up: Vec<usize> = held_up
            .filter_map(|((worker, member), desk)| member.look_for_long_job(desk, now).then_some(worker))
            .collect();
        let bounded = self.pool.capacity.is_some();
        let has_room = |(member, desk): (&Member, &Desk)| member.room(desk, bounded) > 0;
        if !held_up.is_empty() && self.members.iter().zip(&board.desks).any(has_room) {
            held_up.into_iter().for_each(|worker| board.take_unbegun(worker));
        }
    }

    /// An idle worker gets what a busy one has not begun: true if there is any. Each time one idle worker less is left.
    fn take_from_busy(&mut self, board: &mut Board) -> bool {
        let bounded = self.pool.capacity.is_some();
        let is_idle = |(member, desk): (&Member, &Desk)| desk.ahead == 0 && member.room(desk, bounded) > 0;
        if !self.members.iter().zip(&board.desks).any(is_idle) {
            return false;
        }
        let mut busy: Vec<_> = (0..board.desks.len()).filter(|&worker| board.desks[worker].ahead > 1).collect();
        busy.sort_unstable_by_key(|&worker| std::cmp::Reverse(board.desks[worker].ahead));
        busy.into_iter().any(|worker| {
            board.take_unbegun(worker);
            board.waiting > 0
        })
    }

    /// Sends jobs that are alike in one frame.
    fn send_jobs(&mut self, board: &mut Board, worker: usize, jobs: Vec<Key>, unsendable: &mut Vec<(Claim, JobError)>) {
        let &[first, _, ..] = &jobs[..] else {
            return jobs.into_iter().for_each(|key| self.send(board, worker, key, 0..1, unsendable));
        };
        let Some(present) = self.members[worker].present() else { return };
        let Some(Load { parcel, job, .. }) = board.loads.get(first) else { return };
        let (id, submitter_span) = (Some(parcel.first_id().as_u64()), parcel.submitter_span());
        let options = ItemOptions { id, submitter_span, ..ItemOptions::default() };
        let parcels = jobs.iter().filter_map(|&key| board.loads.get(key)).map(|load| &load.parcel);
        let item = |(number, parcel): (usize, _)| Item {
            argument: Parcel::arguments(parcel, 0).into(),
            options: (number == 0).then_some(&options),
            attachments: None,
        };
        let items: Vec<_> = parcels.map(Arc::as_ref).enumerate().map(item).collect();
        match present.lane.push_run(*job, &items) {
            Ok(place) => {
                let count = items.len() as u16;
                let sent = jobs.iter().filter_map(|&key| board.loads.get(key));
                sent.for_each(|load| load.parcel.note_worker(0..1, worker % self.pool.workers));
                self.sent(
                    board,
                    worker,
                    Frame { place, cargo: Cargo::Jobs(jobs.into()), items: count, received: 0, chunk: None },
                );
            }
            Err(PushError::NoCredit) => jobs.into_iter().rev().for_each(|key| board.give_back(key, 0..1)),
            // Together they are too long.
            Err(_) => jobs.into_iter().for_each(|key| self.send(board, worker, key, 0..1, unsendable)),
        }
    }

    fn send(
        &mut self,
        board: &mut Board,
        worker: usize,
        key: Key,
        items: Range<u32>,
        unsendable: &mut Vec<(Claim, JobError)>,
    ) {
        let Some(load) = board.loads.get_mut(key) else { return };
        let Some(present) = self.members[worker].present() else { return };
        let pushed = push(&mut present.lane, load, items.clone());
        match pushed {
            Ok(place) => {
                let chunk = load.is_of_map.then(|| Arc::clone(&load.parcel));
                let limit = load.options.as_ref().and_then(|options| options.run_limit_ns);
                load.parcel.note_worker(items.clone(), worker % self.pool.workers);
                if let Some(limit) = limit {
                    self.members[worker].limit(key, place, std::time::Duration::from_nanos(limit));
                }
                let cargo = Cargo::Items { load: key, first: items.start };
                self.sent(board, worker, Frame { place, cargo, items: items.len() as u16, received: 0, chunk });
            }
            Err(PushError::NoCredit) => board.give_back(key, items),
            Err(_) if items.len() > 1 => {
                let half = items.start + items.len() as u32 / 2;
                board.give_back(key, half..items.end);
                self.send(board, worker, key, items.start..half, unsendable);
            }
            Err(error) => {
                let what = format!("job `{}`", load.parcel.entry().name());
                if let Some(claim) = load.claim(items.start) {
                    unsendable.push((claim, JobError::Encode { what, cause: error.into() }));
                }
                board.arriving += 1;
                board.end_item(key);
            }
        }
    }

    /// Notes what a worker has been sent.
    fn sent(&mut self, board: &mut Board, worker: usize, frame: Frame) {
        let desk = &mut board.desks[worker];
        if desk.ahead == 0 {
            self.members[worker].begin();
        }
        desk.ahead += u32::from(frame.items);
        desk.frames.push_back(frame);
    }
}

/// Puts a frame of these items into the lane.
fn push(lane: &mut impl Lane, load: &Load, items: Range<u32>) -> Result<crate::wire::Place, PushError> {
    let parcel = &load.parcel;
    let mut options = load.options.as_deref().cloned().unwrap_or_default();
    options.id = Some(parcel.first_id().as_u64() + u64::from(items.start));
    options.stop = parcel.stop_requested(items.start);
    options.submitter_span = parcel.submitter_span();
    if let Some(pieces) = parcel.pieces(items.clone()) {
        // No more items are taken at once than a frame can have.
        return lane.push_row(Row { job: load.job, items: items.len() as u16, pieces, options: &options });
    }
    let argument = |number| match parcel.large_arguments() {
        Some(shared) => shared.into(),
        None => parcel.arguments(number).into(),
    };
    let item = |number| Item {
        argument: argument(number),
        options: (number == items.start).then_some(&options),
        attachments: parcel.attachments(number).and_then(descriptors),
    };
    if items.len() == 1 {
        return lane.push_run(load.job, &[item(items.start)]);
    }
    let list: Vec<_> = items.clone().map(item).collect();
    lane.push_run(load.job, &list)
}
