//! The pool: what its handles, its workers and its futures share.
//!
//! # Tokens
//!
//! Jobs wait in our own queue. A *token* is the right to run a drain loop: a rayon job that takes tasks from the queue
//! until it is empty. There are at most as many tokens as workers, and all of it is decided under one lock:
//!
//! | who | under the lock | afterwards |
//! |---|---|---|
//! | submit | pushes; takes tokens, if there are more jobs than loops that look for one | spawns a loop for each token on rayon |
//! | loop | pops a task | runs it, comes again |
//! | loop, queue empty | says that it looks | looks at a hint for a bounded time, comes again |
//! | loop, queue still empty | gives its token back | returns to rayon, which sleeps |
//! | the last such loop | becomes the sentinel | sleeps until a submit calls it |
//!
//! *A task that is pushed is run:* the push sees, under the lock, either fewer tokens than workers, and adds a loop; or
//! all tokens out, and each loop comes to the lock again before it gives its token back, and finds the task; or enough
//! loops that look, which come to the lock again too.
//!
//! *The sentinel.* To wake a worker through rayon takes some 20 µs more than to unpark a thread. So the last loop of an
//! idle pool keeps its token and sleeps here. That takes a worker from rayon only while no job runs and nobody from
//! outside uses rayon ([`Pool::visit`]), when there is nothing for it to do there; a closure that a job left in rayon is
//! run before, or by the others.
//!
//! *Batches.* Where many short jobs wait, a loop takes some of them at one go, into a buffer of its own. What is in a
//! buffer can be stolen: a loop leaves only when, under the lock, all buffers are empty, and they are filled only under
//! the lock, and only while so many tasks wait that all tokens are out.
//!
//! *A loop on top of a job.* While a job waits inside rayon for its own parallel work, its worker runs whatever rayon
//! has, and that may be a drain loop. Such a loop takes nothing: a stranger's job on top of this one could want a lock
//! that this one holds. It gives its token back and, if jobs wait, asks every worker of rayon to look
//! (`spawn_broadcast`), because another one that is idle must take over.
//!
//! # Lock order
//!
//! The state of the pool has one lock, that of the [`Board`]. Tasks leave it before they are run, cancelled or dropped,
//! and wakers before they are woken, so that no user code runs under it. `rayon` and `threads` are locked alone.

use std::sync::Arc;
use std::thread::{JoinHandle, Thread};
use std::time::{Duration, Instant};

use executor_core::backend::{
    Capabilities, Control, JobRef, PoolId, Ran, Refused, Retry, Room, Tally, Task, current_seat,
};
use executor_core::{JobError, Shutdown, Stats};

use crate::board::{Board, Call, Denied};
use crate::buffer::{BatchSize, Buffer};
use crate::queue::{Next, Place};
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::sync::{Condvar, Mutex, MutexGuard, park_until, thread};
use crate::tally::{Counts, Own};

/// What the handles, the workers and the futures of one pool share. Aligned to two cache lines, so that the count of
/// its [`Arc`], which every submit changes, is not on the line of the lock, which every worker changes.
#[repr(align(128))]
pub(crate) struct Pool {
    pub(crate) id: PoolId,
    workers: usize,
    capacity: Option<usize>,
    board: Mutex<Board>,
    /// How many jobs wait, for loops that look; read without the lock, so that it may be a moment old.
    hint: AtomicUsize,
    /// How often a loop that found nothing looks at the hint before it gives its token back.
    looks: u32,
    room: Condvar,
    ended: Condvar,
    pub(crate) timer: Condvar,
    /// Every running job is asked to stop.
    stopping: AtomicBool,
    /// One for each worker.
    buffers: Box<[Buffer]>,
    counts: Box<[Counts]>,
    /// What is counted on threads that are no workers.
    outside: Counts,
    rayon: Mutex<Option<Arc<rayon::ThreadPool>>>,
    threads: Mutex<Threads>,
    /// The workers that no thread of the model is.
    #[cfg(executor_loom)]
    pub(crate) free_seats: Mutex<Vec<usize>>,
}

#[derive(Default)]
struct Threads {
    to_join: Vec<JoinHandle<()>>,
    to_unpark: Vec<Thread>,
}

impl Pool {
    pub(crate) fn new(id: PoolId, workers: usize, capacity: Option<usize>, looks: u32) -> Arc<Self> {
        Arc::new(Pool {
            id,
            workers,
            capacity,
            board: Mutex::new(Board::new(workers, capacity.unwrap_or(usize::MAX))),
            hint: AtomicUsize::new(0),
            looks,
            room: Condvar::new(),
            ended: Condvar::new(),
            timer: Condvar::new(),
            stopping: AtomicBool::new(false),
            buffers: (0..workers).map(|_| Buffer::new()).collect(),
            counts: (0..workers).map(|_| Counts::default()).collect(),
            outside: Counts::default(),
            rayon: Mutex::new(None),
            threads: Mutex::new(Threads::default()),
            #[cfg(executor_loom)]
            free_seats: Mutex::new((0..workers).collect()),
        })
    }

    pub(crate) fn set_rayon(&self, rayon: rayon::ThreadPool) {
        *self.rayon.lock() = Some(Arc::new(rayon));
    }

    /// The rayon pool; `None` once this pool has ended.
    pub(crate) fn rayon(&self) -> Option<Arc<rayon::ThreadPool>> {
        self.rayon.lock().clone()
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Board> {
        self.board.lock()
    }

    /// Tells the loops that look how many jobs wait. Called under the lock.
    fn update_hint(&self, board: &Board) {
        // A hint: what it hints at is read again under the lock.
        self.hint.store(board.queued_jobs(), Ordering::Relaxed);
    }

    /// The number of the calling thread among this pool's workers.
    pub(crate) fn own_worker(&self) -> Option<usize> {
        current_seat(|seat| seat.filter(|seat| seat.pool() == self.id).map(|seat| seat.worker()))
    }

    fn with_tally<R>(&self, f: impl FnOnce(&dyn Tally) -> R) -> R {
        match self.own_worker() {
            Some(worker) => f(&Own(&self.counts[worker])),
            None => f(&self.outside),
        }
    }

    // Submitting.

    pub(crate) fn accept(self: &Arc<Self>, task: Task, room: Room<'_>) -> Result<(), Refused> {
        let mut task = task;
        let mut waits = false;
        let mut above_bound = false;
        // Cloning a waker is user code, so it comes before the lock.
        let mut waker = if let Room::Notify(waker) = room { Some(waker.clone()) } else { None };
        let mut board = self.lock();
        loop {
            let denied = match board.admit(task, above_bound) {
                Ok(call) => {
                    self.update_hint(&board);
                    board.waiting_for_room -= usize::from(waits);
                    drop(board);
                    self.answer(call);
                    return Ok(());
                }
                Err((back, denied)) => {
                    task = back;
                    denied
                }
            };
            if matches!(denied, Denied::Full) {
                if self.own_worker().is_some() {
                    above_bound = true;
                    continue;
                }
                let deadline = match room {
                    Room::Wait => Some(None),
                    Room::Until(deadline) if Instant::now() < deadline => Some(Some(deadline)),
                    _ => None,
                };
                if let Some(deadline) = deadline {
                    board.waiting_for_room += usize::from(!waits);
                    waits = true;
                    board = self.room.wait_until(board, deadline);
                    continue;
                }
                board.room_wakers.extend(waker.take());
            }
            board.waiting_for_room -= usize::from(waits);
            drop(board);
            return Err(Refused::new(task, denied.into_error()));
        }
    }

    /// Wakes the loops that were called, and spawns those that are new.
    fn answer(self: &Arc<Self>, call: Call) {
        if let Some(sentinel) = call.sentinel {
            sentinel.unpark();
        }
        #[cfg(executor_loom)]
        crate::spawn::spawn_loops_in_model(self, call.loops);
        #[cfg(not(executor_loom))]
        if call.loops > 0
            && let Some(rayon) = self.rayon()
        {
            (0..call.loops).for_each(|_| crate::spawn::spawn_loop(self, &rayon));
        }
    }

    /// Asks every worker to look at the queue.
    pub(crate) fn broadcast(self: &Arc<Self>) {
        let Some(rayon) = self.rayon() else { return };
        let pool = Arc::clone(self);
        rayon.spawn_broadcast(move |_| crate::drain::answer_broadcast(&pool));
    }

    /// Lets a caller from outside use the rayon pool, with all of its workers; `None` once this pool has ended.
    pub(crate) fn visit<R>(&self, visit: impl FnOnce(&rayon::ThreadPool) -> R) -> Option<R> {
        struct Visit<'a>(&'a Pool);
        impl Drop for Visit<'_> {
            fn drop(&mut self) {
                self.0.lock().end_visit();
            }
        }
        let rayon = self.rayon()?;
        let sentinel = self.lock().visit();
        let _visit = Visit(self);
        if let Some(sentinel) = sentinel {
            sentinel.unpark();
        }
        Some(visit(&rayon))
    }

    // The loop's steps.

    /// The task whose turn it is, and more of the like into the worker's buffer. Drops the chunk at `finished`, of which
    /// no item waits.
    pub(crate) fn next(
        self: &Arc<Self>,
        worker: usize,
        finished: Option<Place>,
        batch: &mut BatchSize,
    ) -> Option<Next> {
        if let Some(task) = self.buffers[worker].pop() {
            return Some(Next { task, stays: None });
        }
        if batch.is_quick() {
            self.gather();
        }
        let mut board = self.lock();
        let over = finished.and_then(|place| board.remove(place));
        let next = board.pop();
        let mut taken = 1;
        // With a bound, what waits is counted in the queue alone.
        if next.is_some() && batch.tasks() > 1 && self.capacity.is_none() {
            self.buffers[worker].fill(|buffer| {
                board.pop_more(batch.tasks() - 1, buffer);
                taken += buffer.len();
            });
        }
        let backlog = board.queued_jobs() > 0;
        // One loop wakes the next, as long as there is more than those that are awake will do soon.
        let call = if next.is_some() { board.call(1) } else { Call::default() };
        let woken = self.room_was_made(&mut board);
        drop(board);
        drop(over);
        woken.wake();
        self.answer(call);
        if next.is_some() {
            let was_quick = batch.is_quick();
            batch.began(taken, backlog);
            self.say_quick(was_quick, batch.is_quick());
        }
        next
    }

    /// Says whether a loop runs short tasks, in place of what it said `before`.
    pub(crate) fn say_quick(&self, before: bool, now: bool) {
        if before != now {
            self.lock().set_quick(before, now);
        }
    }

    /// Takes some of what another loop took and has not begun.
    pub(crate) fn steal(&self, worker: usize) -> Option<Next> {
        let others = (1..self.workers).map(|offset| &self.buffers[(worker + offset) % self.workers]);
        let mut stolen = others.map(Buffer::steal).find(|stolen| !stolen.is_empty())?;
        let task = stolen.pop_front()?;
        if !stolen.is_empty() {
            // Under the lock of the board, as every filling.
            let _board = self.lock();
            self.buffers[worker].fill(|buffer| buffer.extend(stolen));
        }
        Some(Next { task, stays: None })
    }

    /// Looks for a task for a while, without the lock. False if it is time to leave.
    pub(crate) fn look(&self) -> bool {
        if self.looks == 0 || !self.lock().begin_look() {
            return false;
        }
        let found = (0..self.looks).any(|_| {
            std::hint::spin_loop();
            self.hint.load(Ordering::Relaxed) > 0
        });
        self.lock().end_look();
        found
    }

    /// Lets a few tasks gather before a loop that runs short ones comes to the lock again: to come for each of them costs
    /// more than they do, and holds up the submitter.
    pub(crate) fn gather(&self) {
        for _ in 0..GATHER_LOOKS {
            if self.hint.load(Ordering::Relaxed) >= GATHER_JOBS {
                return;
            }
            std::hint::spin_loop();
        }
    }

    /// Gives the token back, or sleeps as the sentinel until it is called. True if the loop is to go on.
    pub(crate) fn leave(&self) -> bool {
        let mut board = self.lock();
        if board.jobs_wait() || !self.buffers.iter().all(Buffer::is_empty) {
            return true;
        }
        let Some(watch) = board.stand_sentinel(&thread::current()) else {
            board.give_token_back();
            self.end_if_over(board);
            return false;
        };
        let nap_ends = watch.is_nap.then(|| Instant::now() + NAP);
        while board.is_on(watch) {
            if nap_ends.is_some_and(|ends| Instant::now() >= ends) {
                if board.end_nap(watch) {
                    return true;
                }
                board.give_token_back();
                self.end_if_over(board);
                return false;
            }
            drop(board);
            park_until(nap_ends);
            board = self.lock();
        }
        board.end_look();
        true
    }

    /// Gives back the token of a loop that began on top of a job; true if every worker is to be asked to look.
    pub(crate) fn leave_nested(&self) -> bool {
        let mut board = self.lock();
        board.give_token_back();
        let asks = board.begin_broadcast();
        self.end_if_over(board);
        asks
    }

    pub(crate) fn tally(&self, worker: usize) -> Own<'_> {
        Own(&self.counts[worker])
    }

    /// Sees to the next attempt of a job.
    pub(crate) fn again(self: &Arc<Self>, retry: Retry) {
        let delay = retry.delay();
        if delay.is_zero() {
            self.readmit(retry.into_task());
        } else {
            crate::timer::delay(self, retry);
        }
    }

    /// Puts a job in for its next attempt, and wakes workers that wait for it, because they can run it.
    pub(crate) fn readmit(self: &Arc<Self>, task: Task) {
        let job = task.job().cloned();
        let mut board = self.lock();
        let call = board.readmit(task);
        self.update_hint(&board);
        drop(board);
        self.answer(call);
        if let Some(job) = job {
            job.nudge();
        }
    }

    /// Called whenever the queue became shorter.
    fn room_was_made(&self, board: &mut Board) -> Woken<'_> {
        self.update_hint(board);
        let room = (board.waiting_for_room > 0).then_some(&self.room);
        Woken { room, wakers: std::mem::take(&mut board.room_wakers) }
    }

    // Ending.

    /// Ends the rayon pool if this pool was shut down and nothing is left.
    fn end_if_over(&self, board: MutexGuard<'_, Board>) {
        let over = board.has_ended();
        drop(board);
        if over {
            // Dropping the rayon pool tells its threads to end, and does not wait for them.
            let rayon = self.rayon.lock().take();
            drop(rayon);
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
        self.end_if_over(self.lock());
    }

    /// Fails every job that waits, and refuses those to come.
    pub(crate) fn break_down(&self, cause: &str) {
        let mut board = self.lock();
        let mut failed = board.break_down(cause);
        failed.extend(self.buffers.iter().flat_map(Buffer::take_all));
        // Counted before they are failed, so that who sees the failure sees it counted.
        board.failed_unrun += failed.iter().filter(|task| !task.is_retry()).map(|task| task.jobs() as u64).sum::<u64>();
        let woken = self.room_was_made(&mut board);
        drop(board);
        self.room.notify_all();
        woken.wake();
        failed.into_iter().for_each(|task| task.fail(JobError::Broken { cause: cause.to_owned() }));
        self.end_if_over(self.lock());
    }

    pub(crate) fn is_shut_down(&self) -> bool {
        self.lock().is_shut_down()
    }

    /// Waits until every thread has ended; gives how many jobs were left at `deadline`.
    pub(crate) fn wait_ended(&self, deadline: Option<Instant>) -> usize {
        let mut board = self.lock();
        while board.threads > 0 {
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
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

    pub(crate) fn thread_started(&self, thread: JoinHandle<()>) {
        self.lock().threads += 1;
        let mut threads = self.threads.lock();
        threads.to_unpark.push(thread.thread().clone());
        threads.to_join.push(thread);
    }

    pub(crate) fn thread_ended(&self) {
        self.lock().threads -= 1;
        self.ended.notify_all();
    }

    pub(crate) fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::in_process();
        capabilities.queue_capacity = self.capacity;
        capabilities
    }

    pub(crate) fn stats(&self) -> Stats {
        let sums = Counts::sum(self.counts.iter().chain([&self.outside]));
        let board = self.lock();
        let mut stats = Stats::default();
        stats.workers = self.workers;
        stats.queued = board.accepted - sums.begun - board.cancelled - board.failed_unrun;
        stats.running = sums.begun - sums.finished - sums.failed;
        stats.finished = sums.finished;
        stats.failed = sums.failed + board.failed_unrun;
        stats.cancelled = board.cancelled;
        stats
    }
}

/// Submitters who are to be told, after the lock, that there may be room.
#[must_use]
struct Woken<'a> {
    room: Option<&'a Condvar>,
    wakers: Vec<std::task::Waker>,
}

impl Woken<'_> {
    fn wake(self) {
        if let Some(room) = self.room {
            room.notify_all();
        }
        for waker in self.wakers {
            crate::drain::quietly(|| waker.wake());
        }
    }
}

impl Control for Pool {
    fn is_own_worker(&self) -> bool {
        self.own_worker().is_some()
    }

    fn help(&self, job: &JobRef) -> bool {
        let Some(worker) = self.own_worker() else { return false };
        let tally = Own(&self.counts[worker]);
        if let Some(claim) = job.claim() {
            let mut board = self.lock();
            let task = board.claimed(job);
            let woken = self.room_was_made(&mut board);
            drop(board);
            drop(task);
            woken.wake();
            finish_here(claim.run(&tally), &tally);
            return true;
        }
        let retry = self.lock().take_retry(job);
        let Some(task) = retry else { return false };
        finish_here(task.run(&tally, Instant::now), &tally);
        true
    }

    fn withdrawn(&self, job: &JobRef) {
        let mut board = self.lock();
        let task = board.withdrawn(job);
        let woken = self.room_was_made(&mut board);
        drop(board);
        drop(task);
        woken.wake();
        self.end_if_over(self.lock());
    }

    /// A thread cannot be killed. A job between two attempts is on none.
    fn kill(&self, job: &JobRef) -> bool {
        let retry = self.lock().take_retry(job);
        let killed = retry.is_some_and(|task| self.with_tally(|tally| task.kill_retry(tally)));
        self.end_if_over(self.lock());
        killed
    }

    fn stop_requested(&self, job: &JobRef) {
        let retry = self.lock().take_retry(job);
        if let Some(task) = retry {
            self.with_tally(|tally| task.cancel(tally));
            self.end_if_over(self.lock());
        }
    }

    fn is_stopping(&self) -> bool {
        // Acquires what the thread did that ordered the stop.
        self.stopping.load(Ordering::Acquire)
    }
}

/// Ends what ran on the stack of a waiting worker: its next attempts run there too.
fn finish_here(ran: Ran, tally: &dyn Tally) {
    if let Ran::Again(retry) = ran {
        retry.run_here(tally);
    }
}

/// How long a sentinel naps while other workers run. So long, at the most, waits a job behind one that is slow where the
/// ones before it were quick, and parallel work of a job for the help of this worker. Long enough that the waking
/// costs a few per cent of a core.
const NAP: Duration = Duration::from_micros(100);

/// For how many jobs a loop that runs short ones waits, and how often it looks: some µs.
const GATHER_JOBS: usize = 32;
const GATHER_LOOKS: u32 = 200;

/// How long a chunk may keep a worker before it looks at the queue again, for a job of a higher priority.
pub(crate) const TURN: Duration = Duration::from_micros(500);
