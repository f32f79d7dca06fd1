//! The dispatcher, which sends jobs and takes their outcomes in, and the [`Caller`], on whose thread callbacks run.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::task::Waker;
use std::thread::{self, Builder, ThreadId};
use std::time::Instant;

use executor_core::JobError;
use executor_core::backend::{Arrived, Callbacks, JobRef, Landed, Retry, Slice, quietly};

use crate::board::{Item, Spot};
use crate::pool::{Landing, Pool, Was};
use crate::wire::{News, Order, Report, frame, open};
use crate::worker::Threads;

/// The life of the dispatcher.
pub(crate) fn dispatch(pool: &Arc<Pool>) {
    loop {
        let due = pool.lock().next_due();
        if let Some(frame) = pool.reports.receive_until(due) {
            take_in(pool, frame);
        }
        let mut board = pool.lock();
        board.wake_due();
        // What waits when a shutdown cancels is cancelled by who began that.
        let made_room = !Pool::cancels(board.mode) && board.assign();
        let wakers = if made_room { pool.room_was_made(&mut board) } else { Vec::new() };
        let over = board.mode.is_some() && board.open() == 0;
        drop(board);
        pool.call_wakers(wakers);
        if over {
            break;
        }
    }
    let mut board = pool.lock();
    board.workers.iter().for_each(|worker| worker.orders.send(frame(&Order::End)));
    let wakers = pool.room_was_made(&mut board);
    drop(board);
    pool.call_wakers(wakers);
    pool.caller.close();
    pool.threads.join();
    pool.lock().ended = true;
    pool.changed.notify_all();
}

fn take_in(pool: &Arc<Pool>, frame: Vec<u8>) {
    let (Report { worker, news }, rest) = open(&frame);
    match news {
        News::Kick => {}
        News::Ready => pool.lock().workers[worker].ready = true,
        News::Broken(cause) => pool.fail_all(cause),
        News::Skipped { number } => {
            let mut board = pool.lock();
            let run = &mut board.workers[worker].run;
            drop(run.take_if(|run| run.number == number));
        }
        News::Progress { number, done, total } => {
            let mut board = pool.lock();
            if let Some(run) = board.workers[worker].run.as_mut().filter(|run| run.number == number) {
                run.progress = Some((done, total));
            }
        }
        News::Output { number } => {
            let failed = frame.last() == Some(&1);
            let range = rest..frame.len() - 1;
            land(pool, worker, number, Arrived::Output { bytes: Slice::new(Arc::new(frame), range), failed });
        }
        News::Failed { number, why } => land(pool, worker, number, Arrived::Failed(why.into())),
    }
}

/// Ends the run of a worker.
fn land(pool: &Arc<Pool>, worker: usize, number: u64, outcome: Arrived) {
    let mut board = pool.lock();
    let run = board.workers[worker].run.as_mut().expect("a worker runs what it was sent");
    assert_eq!(run.number, number, "a worker runs one job after another");
    let (spot, progress, claim) = (run.spot, run.progress, run.claim.take());
    let job = board.job(spot).expect("an open job has its parcel");
    let claim = claim.or_else(|| job.claim()).expect("a job that has begun elsewhere is nobody else's");
    drop(board);
    if let Some((done, total)) = progress {
        job.set_progress(done, total);
    }
    drop(job);
    let Landed { retry, callbacks } = claim.arrive(outcome, &Landing { pool, from: Was::Worker(worker) });
    match retry {
        Some(retry) => pool.put_aside(worker, spot, retry),
        None => pool.finish(spot, callbacks),
    }
}

impl Pool {
    /// Takes a failed job from its worker until its next attempt is due, if there is to be one.
    fn put_aside(self: &Arc<Self>, worker: usize, spot: Spot, retry: Retry) {
        let due = Instant::now() + retry.delay();
        let claim = retry.into_claim();
        let mut board = self.lock();
        board.workers[worker].run = None;
        board.between += 1;
        // Asked here again, under the lock: who asks after this finds the job put aside.
        let stops = claim.job().is_none_or(JobRef::stop_requested);
        if !stops && board.broken.is_none() && !Pool::cancels(board.mode) {
            return board.put_between(spot, claim, due);
        }
        drop(board);
        let callbacks = claim.give_up_quietly(&Landing { pool: self, from: Was::Between });
        self.finish(spot, callbacks);
    }

    /// Fails what waits, because no job can be run any more.
    fn fail_all(self: &Arc<Self>, cause: String) {
        let mut board = self.lock();
        board.broken.get_or_insert_with(|| cause.clone());
        let mut claims = Vec::new();
        for spot in board.spots(|item| matches!(item, Item::Waiting)) {
            let claim = board.job(spot).and_then(|job| job.claim());
            if let Some(item) = board.item(spot) {
                *item = Item::Ended;
            }
            claims.extend(claim.map(|claim| (spot, claim)));
        }
        let between: Vec<_> = board.spots(|item| matches!(item, Item::Between(_)));
        let given_up: Vec<_> = between.into_iter().filter_map(|spot| Some((spot, board.take_between(spot)?))).collect();
        let wakers = self.room_was_made(&mut board);
        drop(board);
        for (spot, claim) in claims {
            let error = JobError::Broken { cause: cause.clone() };
            let callbacks = claim.fail_quietly(error, Some(&Landing { pool: self, from: Was::Queue }));
            self.finish(spot, callbacks);
        }
        for (spot, claim) in given_up {
            let callbacks = claim.give_up_quietly(&Landing { pool: self, from: Was::Between });
            self.finish(spot, callbacks);
        }
        self.call_wakers(wakers);
    }

    /// After the end of a job: the parcel goes first, so that the callbacks have the job last.
    fn finish(self: &Arc<Self>, spot: Spot, callbacks: Option<Callbacks>) {
        self.end_item(spot);
        if let Some(callbacks) = callbacks {
            self.caller.call(Call::Callbacks(callbacks), &self.threads);
        }
    }

    fn call_wakers(&self, wakers: Vec<Waker>) {
        if !wakers.is_empty() {
            self.caller.call(Call::Wakers(wakers), &self.threads);
        }
    }
}

/// Wakes those who wait for room; they are the user's.
pub(crate) fn wake(wakers: Vec<Waker>) {
    for waker in wakers {
        // A waker that panics harms nobody else.
        quietly(|| waker.wake());
    }
}

/// Code of the user's that the dispatcher must not run.
pub(crate) enum Call {
    Callbacks(Callbacks),
    Wakers(Vec<Waker>),
}

/// The thread of the callbacks. It starts with the first.
#[derive(Clone, Default)]
pub(crate) struct Caller(Arc<Calls>);

#[derive(Default)]
struct Calls {
    queue: Mutex<Queue>,
    arrived: Condvar,
    thread: OnceLock<ThreadId>,
}

#[derive(Default)]
struct Queue {
    calls: VecDeque<Call>,
    started: bool,
    closed: bool,
}

impl Caller {
    pub(crate) fn is_this_thread(&self) -> bool {
        self.0.thread.get() == Some(&thread::current().id())
    }

    fn call(&self, call: Call, threads: &Threads) {
        let mut queue = self.0.queue.lock().unwrap();
        queue.calls.push_back(call);
        if !mem::replace(&mut queue.started, true) {
            let caller = self.clone();
            let thread = Builder::new().name("loop-call".to_owned()).spawn(move || caller.serve());
            threads.add([thread.expect("a thread can be started for the callbacks")]);
        }
        self.0.arrived.notify_one();
    }

    /// No call comes after this.
    fn close(&self) {
        self.0.queue.lock().unwrap().closed = true;
        self.0.arrived.notify_one();
    }

    fn serve(&self) {
        self.0.thread.get_or_init(|| thread::current().id());
        while let Some(call) = self.next() {
            match call {
                Call::Callbacks(callbacks) => callbacks.call(),
                Call::Wakers(wakers) => wake(wakers),
            }
        }
    }

    fn next(&self) -> Option<Call> {
        let waits = |queue: &mut Queue| queue.calls.is_empty() && !queue.closed;
        self.0.arrived.wait_while(self.0.queue.lock().unwrap(), waits).unwrap().calls.pop_front()
    }
}
