//! Taking in what workers tell.

use std::sync::Arc;
use std::time::{Duration, Instant};

use executor_core::JobError;
use executor_core::backend::{Arrived, Claim, JobRef, Landed, Parcel, Tally, table};

use super::Dispatcher;
use super::outputs::{Output, Outputs};
use crate::board::Board;
use crate::load::{Fate, Key, Load};
use crate::pool::Pool;
use crate::wire::{Drained, ErrorKind, Lane, LaneError, Outcome, Place, Report, VERSION};

/// What a worker told, apart from the buffer in which it came.
pub(super) enum Told {
    Ready { failure: Option<String> },
    Outcome { place: Place, item: u16, outcome: Ran },
    Done { outcomes: u16, busy_ns: u32, passed: bool },
    Progress { place: Place, item: u16, done: u64, total: u64 },
}

/// What came of an item.
pub(super) enum Ran {
    Output {
        bytes: Output,
        failed: bool,
    },
    Panicked {
        message: String,
        location: Option<String>,
    },
    Error {
        kind: ErrorKind,
        what: String,
        cause: String,
    },
    RunLimit,
    /// It ran to its end, and what came of it went with the worker.
    Lost(Death),
    /// The worker died while it ran.
    Died(Death),
}

/// How a worker died.
#[derive(Clone)]
pub(super) struct Death {
    pub(super) pid: u32,
    pub(super) how: executor_core::WorkerDeath,
}

impl Board {
    /// Takes an item that was sent off the board, with what came of it.
    pub(super) fn end_sent(&mut self, key: Key, item: u32, ran: Ran) -> Option<Ending> {
        let ending = Ending::of(self.loads.get_mut(key)?, item, ran)?;
        self.arriving += 1;
        self.end_item(key);
        Some(ending)
    }
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
        let (mut told, mut outputs) = (Vec::new(), Outputs::default());
        let drained = present.lane.drain(&mut |report| told.push(Told::of(report, &mut outputs)));
        self.take_in(worker, told, outputs);
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

    pub(super) fn take_in(&mut self, worker: usize, told: Vec<Told>, outputs: Outputs) {
        if told.is_empty() {
            return;
        }
        let pool = Arc::clone(&self.pool);
        let mut endings = Vec::new();
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
                Told::Outcome { place, item, outcome } => {
                    let desk = &mut board.desks[worker];
                    let Some(frame) = desk.frames.iter_mut().find(|frame| frame.place == place) else { continue };
                    frame.received += 1;
                    desk.ahead -= 1;
                    let (key, item) = (frame.load, frame.first + u32::from(item));
                    endings.extend(board.end_sent(key, item, outcome));
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
                        let load = board.loads.get(frame.load)?;
                        Some(load.parcel.job(frame.first + u32::from(item)))
                    });
                    if let Some(job) = job {
                        job.set_progress(done, total);
                    }
                }
            }
        }
        drop(board);
        self.land(endings, &outputs.shared());
    }

    /// Ends the attempts of jobs, and sees to the next ones.
    pub(super) fn land(&mut self, endings: Vec<Ending>, outputs: &[Arc<Vec<u8>>]) {
        let pool = &*self.pool;
        for Ending { claim, fate, ran, parcel, job } in endings {
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
}

fn run_limit(job: &JobRef) -> JobError {
    JobError::RunLimit { job: job.name().to_owned(), limit: job.run_limit().unwrap_or_default() }
}

impl Told {
    pub(super) fn of(report: Report<'_>, outputs: &mut Outputs) -> Told {
        match report {
            Report::Ready { version, digest, failure, .. } => {
                let same = version == VERSION && digest == u128::from(table().digest());
                let replaced = "the executable was replaced while the program runs; start the program anew";
                let failure = failure.map(|text| text.into_owned());
                Told::Ready { failure: failure.or_else(|| (!same).then(|| replaced.to_owned())) }
            }
            Report::Outcome { place, item, outcome } => {
                Told::Outcome { place, item, outcome: Ran::of(outcome, outputs) }
            }
            Report::Done { outcomes, busy_ns, passed, .. } => Told::Done { outcomes, busy_ns, passed },
            Report::Progress { place, item, done, total } => Told::Progress { place, item, done, total },
        }
    }
}

impl Ran {
    fn of(outcome: Outcome<'_>, outputs: &mut Outputs) -> Ran {
        match outcome {
            Outcome::Output { failed, bytes } => Ran::Output { bytes: outputs.add(bytes), failed },
            Outcome::Panicked { message, location } => {
                Ran::Panicked { message: message.into_owned(), location: location.map(|text| text.into_owned()) }
            }
            Outcome::Error { kind, what, cause } => {
                Ran::Error { kind, what: what.into_owned(), cause: cause.into_owned() }
            }
            Outcome::RunLimit => Ran::RunLimit,
        }
    }

    fn into_arrived(self, job: &JobRef, outputs: &[Arc<Vec<u8>>]) -> Arrived {
        let name = || job.name().to_owned();
        Arrived::Failed(match self {
            Ran::Output { bytes, failed } => return Arrived::Output { bytes: bytes.into_slice(outputs), failed },
            Ran::Panicked { message, location } => JobError::panicked_elsewhere(name(), message, location),
            Ran::Error { kind: ErrorKind::Encode, what, cause } => JobError::Encode { what, cause: cause.into() },
            Ran::Error { kind: ErrorKind::Decode, what, cause } => JobError::Decode { what, cause: cause.into() },
            Ran::Error { kind: ErrorKind::UnknownJob, .. } => JobError::UnknownJob { name: name() },
            Ran::RunLimit => run_limit(job),
            Ran::Lost(Death { pid, how }) => JobError::OutcomeLost { job: name(), pid, death: how },
            Ran::Died(Death { pid, how }) => JobError::WorkerDied { job: name(), pid, death: how },
        })
    }
}
