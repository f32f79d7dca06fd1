//! Taking in what workers tell.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use executor_core::JobError;
use executor_core::backend::{Arrived, Claim, JobRef, Landed, Parcel, RowClaim, Tally};

use super::Dispatcher;
use super::news::{News, Ran, Row, Told, run_limit};
use crate::board::Board;
use crate::frame::Cargo;
use crate::load::{Fate, Key, Load};
use crate::pool::Pool;
use crate::wire::{Drained, Lane, LaneError, Place};

impl Board {
    /// Takes an item that was sent off the board, with what came of it.
    pub(super) fn end_sent(&mut self, key: Key, item: u32, ran: Ran) -> Option<Ending> {
        let ending = Ending::of(self.loads.get_mut(key)?, item, ran)?;
        self.arriving += 1;
        self.end_items(key, 1);
        Some(ending)
    }

    /// Counts outcomes of items that follow one another, and says which items of which load they are.
    fn receive(&mut self, worker: usize, place: Place, items: u16) -> Option<Cargo> {
        let desk = &mut self.desks[worker];
        let frame = desk.frames.iter_mut().find(|frame| frame.place == place)?;
        frame.received += items;
        desk.ahead -= u32::from(items);
        desk.ended += u64::from(items);
        Some(frame.cargo.clone())
    }

    /// Takes items off the board that gave outputs, and counts them as finished; `None` if each is to be looked at.
    fn end_row(&mut self, key: Key, first: u32, items: u16) -> Option<RowClaim> {
        let load = self.loads.get(key).filter(|load| load.is_plain())?;
        let claim = load.parcel.claim_row(first, items.into());
        self.finished += u64::from(items);
        self.landing += u64::from(items);
        self.end_items(key, u32::from(items));
        Some(claim)
    }
}

/// What is to be ended in its cells.
pub(super) enum Landing {
    One(Ending),
    /// Items that gave outputs, and are counted already.
    Row {
        claim: RowClaim,
        row: Row,
    },
}

/// One attempt that has ended.
pub(super) struct Ending {
    claim: Claim,
    fate: Option<Fate>,
    ran: Ran,
    parcel: Arc<Parcel>,
    job: u32,
}

impl Ending {
    /// Takes an item out of its load.
    fn of(load: &mut Load, item: u32, ran: Ran) -> Option<Ending> {
        let fate = load.fate(item);
        let claim = load.claim(item)?;
        Some(Ending { claim, fate, ran, parcel: Arc::clone(&load.parcel), job: load.job })
    }
}

impl Dispatcher {
    /// Reads what a worker has told.
    pub(super) fn drain(&mut self, worker: usize) {
        let Some(present) = self.members[worker].present().filter(|present| !present.is_silent) else { return };
        let mut news = News::default();
        let drained = present.lane.drain(&mut |report| news.add(report));
        self.take_in(worker, news);
        match drained {
            Ok(Drained::Dry | Drained::More) => {}
            Ok(Drained::Ended) => self.members[worker].silence(&self.poll),
            Err(error) => self.distrust(worker, &error),
        }
    }

    /// Ends a worker that cannot be listened to any more. What it has is judged by its page.
    fn distrust(&mut self, worker: usize, _: &LaneError) {
        self.members[worker].silence(&self.poll);
        if let Some(present) = self.members[worker].present() {
            present.kill();
        }
    }

    pub(super) fn take_in(&mut self, worker: usize, news: News) {
        let (told, outputs) = news.into_parts();
        if told.is_empty() {
            return;
        }
        self.end_lines(worker, &told);
        let (outputs, parts) = outputs.into_parts();
        let pool = Arc::clone(&self.pool);
        let mut landings = Vec::new();
        let mut board = pool.lock();
        for told in told {
            match told {
                Told::Ready { failure: None } => {
                    self.failures = 0;
                    if let Some(present) = self.members[worker].present() {
                        present.is_ready = true;
                    }
                }
                Told::Ready { failure: Some(failure) } => {
                    drop(board);
                    self.members[worker].dismiss(false);
                    pool.break_down(&failure);
                    board = pool.lock();
                }
                Told::Row(row) => {
                    let Some(cargo) = board.receive(worker, row.place, row.items()) else { continue };
                    let mut rest = row.parts.clone();
                    for (key, items) in cargo.spans(row.first..row.first + row.items()) {
                        let parts_now = rest.start..rest.start + items.len();
                        rest.start = parts_now.end;
                        let row = Row { parts: parts_now, ..row };
                        if let Some(claim) = board.end_row(key, items.start, row.items()) {
                            landings.push(Landing::Row { claim, row });
                            continue;
                        }
                        for (item, ran) in items.zip(row.outcomes(&parts)) {
                            landings.extend(board.end_sent(key, item, ran).map(Landing::One));
                        }
                    }
                }
                Told::Outcome { place, item, outcome } => {
                    let cargo = board.receive(worker, place, 1);
                    let Some((key, item)) = cargo.and_then(|cargo| cargo.at(item)) else { continue };
                    landings.extend(board.end_sent(key, item, outcome).map(Landing::One));
                }
                Told::Done { outcomes, busy_ns, passed } => {
                    self.members[worker].learn(outcomes, busy_ns);
                    let chunk = board.desks[worker].frames.front().and_then(|frame| frame.chunk.as_ref());
                    if let Some(chunk) = chunk.filter(|_| outcomes > 0) {
                        chunk.learn(u32::from(outcomes), Duration::from_nanos(busy_ns.into()));
                    }
                    if passed {
                        board.desks[worker].frames.pop_front();
                    }
                }
                Told::Progress { place, item, done, total } => {
                    let frame = board.desks[worker].frames.iter().find(|frame| frame.place == place);
                    let job = frame.and_then(|frame| {
                        let (key, item) = frame.cargo.at(item)?;
                        Some(board.loads.get(key)?.parcel.job(item))
                    });
                    if let Some(job) = job {
                        job.set_progress(done, total);
                    }
                }
            }
        }
        drop(board);
        self.land(landings, &outputs, &parts);
    }

    /// Ends the attempts of jobs, and sees to the next ones.
    pub(super) fn land(&mut self, landings: Vec<Landing>, outputs: &[Arc<Vec<u8>>], parts: &[Range<u32>]) {
        let pool = &*self.pool;
        let mut landed = 0;
        for landing in landings {
            let Ending { claim, fate, ran, parcel, job } = match landing {
                Landing::One(ending) => ending,
                Landing::Row { claim, row } => {
                    landed += u64::from(row.items());
                    let called = claim.arrive(&outputs[row.buffer], &parts[row.parts], &Arriving(pool));
                    called.into_iter().for_each(|callbacks| pool.callbacks.take(Some(callbacks)));
                    continue;
                }
            };
            let outcome = match (fate, claim.job()) {
                (Some(Fate::RunLimit), Some(job)) => Arrived::Failed(run_limit(job)),
                // The cell says so by itself.
                (Some(Fate::Killed), _) => Arrived::Failed(JobError::Killed),
                (_, Some(job)) => ran.into_arrived(job, outputs),
                (_, None) => continue,
            };
            let Landed { retry, callbacks } = claim.arrive(outcome, &Arriving(pool));
            let Some(retry) = retry else {
                // Whoever lets go of a job last reports a failure that nobody read, and that is to be the callback thread.
                drop(parcel);
                pool.callbacks.take(callbacks);
                continue;
            };
            pool.callbacks.take(callbacks);
            let delay = retry.delay();
            let claim = retry.into_claim();
            let mut board = pool.lock();
            // Whoever asks for a stop or kills the job does so under this lock, and finds it on the board or leaves word.
            if claim.job().is_some_and(JobRef::is_kill_decided) {
                drop(board);
                drop(parcel);
                pool.callbacks.take(claim.fail_quietly(JobError::Killed, Some(&Arriving(pool))));
                continue;
            }
            if board.gives_up() || claim.job().is_some_and(JobRef::stop_requested) {
                drop(board);
                drop(parcel);
                pool.callbacks.take(claim.give_up_quietly(&Arriving(pool)));
                continue;
            }
            board.arriving -= 1;
            let load = Load::again(parcel, job, claim);
            match Instant::now().checked_add(delay).filter(|_| !delay.is_zero()) {
                Some(until) => board.delay(load, until),
                None => board.enqueue(load),
            }
        }
        if landed > 0 {
            pool.lock().landing -= landed;
        }
    }

    /// Ends jobs that could not be sent.
    pub(super) fn refuse(&self, unsendable: Vec<(Claim, JobError)>) {
        for (claim, error) in unsendable {
            self.pool.callbacks.take(claim.fail_quietly(error, Some(&Arriving(&self.pool))));
        }
    }
}

/// Counts the ends of jobs whose outcome has come.
struct Arriving<'a>(&'a Pool);

impl Tally for Arriving<'_> {
    fn begun(&self) {}

    fn ended(&self, failed: bool) {
        let mut board = self.0.lock();
        board.arriving -= 1;
        if failed {
            board.failed += 1;
        } else {
            board.finished += 1;
        }
    }

    fn overruled(&self) {
        let mut board = self.0.lock();
        board.finished -= 1;
        board.failed += 1;
    }
}
