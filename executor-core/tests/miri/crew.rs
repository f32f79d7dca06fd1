//! A backend made of the standard library alone: some threads, and one queue behind a mutex.
//!
//! It is written from outside, with what `executor_core::backend` offers to everybody, so it also answers what a backend
//! has to do. A crew of 0 workers runs nothing by itself; a test then takes each step with [`Crew::run_next`].
//!
//! There is one lock. No task is run, cancelled or dropped under it, and no waker is woken under it, because all of
//! that may be user code.

use std::collections::VecDeque;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::task::Waker;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use executor_core::backend::{
    Backend, Capabilities, Control, JobRef, PoolId, Ran, Refused, Retry, Room, Seat, Tally, Task, closure_task,
    current_seat, prepare,
};
use executor_core::{BuildError, JobError, JobFuture, Shutdown, Stats};

/// How long a chunk of a map may keep a worker before others have their turn.
const TURN: Duration = Duration::from_millis(1);

/// A handle; clones share the pool. Dropping the last one drains it.
#[derive(Clone)]
pub(crate) struct Crew {
    owner: Arc<Owner>,
}

struct Owner {
    pool: Arc<Pool>,
    control: Arc<dyn Control>,
}

/// What the handles, the workers and the futures share.
struct Pool {
    id: PoolId,
    workers: usize,
    capacity: Option<usize>,
    state: Mutex<State>,
    /// Told of all that somebody may wait for: a task, room, the end of a worker.
    changed: Condvar,
    stopping: AtomicBool,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Task>,
    stats: Stats,
    shut_down: bool,
    /// Workers that have not ended.
    living: usize,
    /// Submitters that await room.
    room_wakers: Vec<Waker>,
}

impl Crew {
    /// A crew of `workers` threads, in whose queue `capacity` jobs may wait.
    pub(crate) fn new(workers: usize, capacity: Option<usize>) -> Result<Self, BuildError> {
        prepare()?;
        let pool = Arc::new(Pool {
            id: PoolId::new(),
            workers,
            capacity,
            state: Mutex::new(State { living: workers, ..State::default() }),
            changed: Condvar::new(),
            stopping: AtomicBool::new(false),
            threads: Mutex::default(),
        });
        let threads = (0..workers).map(|worker| {
            let pool = Arc::clone(&pool);
            thread::spawn(move || pool.work(worker))
        });
        let threads = threads.collect();
        *pool.threads.lock().unwrap() = threads;
        Ok(Crew { owner: Arc::new(Owner { control: Arc::clone(&pool) as Arc<dyn Control>, pool }) })
    }

    /// Runs a closure, which may capture anything that can cross threads.
    pub(crate) fn spawn<T: Send + 'static>(&self, closure: impl FnOnce() -> T + Send + 'static) -> JobFuture<T> {
        let (task, future) = closure_task(self, closure);
        if let Err(refused) = self.accept(task, Room::Wait) {
            refused.fail();
        }
        future
    }

    /// Takes the first task and runs it on this thread, as worker 0; false if there was none.
    pub(crate) fn run_next(&self) -> bool {
        let _seat = Seat::new(self.id(), 0).take();
        let next = self.take_next();
        next.map(|task| self.owner.pool.run(task)).is_some()
    }

    /// Takes the first task without running it.
    pub(crate) fn take_next(&self) -> Option<Task> {
        self.owner.pool.lock().queue.pop_front()
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.pool.begin_shutdown(if thread::panicking() { Shutdown::CancelPending } else { Shutdown::Drain });
        if !self.pool.is_own_worker() {
            self.pool.wait_ended(None);
        }
        // A crew of 0 workers leaves tasks behind, which have the pool for their control: this breaks the circle.
        let left = mem::take(&mut self.pool.lock().queue);
        drop(left);
    }
}

impl Pool {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn work(&self, worker: usize) {
        let seat = Seat::new(self.id, worker).take();
        while let Some(task) = self.next() {
            self.run(task);
        }
        drop(seat);
        self.lock().living -= 1;
        self.changed.notify_all();
    }

    /// The next task; `None` once the pool is shut down and nothing waits. What runs then may still be tried again, but
    /// the worker that runs it comes back here.
    fn next(&self) -> Option<Task> {
        let mut state = self.lock();
        loop {
            if let Some(task) = state.queue.pop_front() {
                return Some(task);
            }
            if state.shut_down {
                return None;
            }
            state = self.changed.wait(state).unwrap();
        }
    }

    fn run(&self, task: Task) {
        let rest = task.share();
        match task.run(self, || Instant::now() + TURN) {
            Ran::Done => {}
            Ran::Again(retry) => self.again(retry),
            Ran::Yielded => {
                self.lock().queue.extend(rest);
                self.changed.notify_all();
            }
        }
    }

    /// Sees to the next attempt of a job: at once it is a task like others, later this thread waits for it.
    fn again(&self, retry: Retry) {
        if !retry.delay().is_zero() {
            return retry.run_here(self);
        }
        let task = retry.into_task();
        let job = task.job().cloned();
        self.lock().queue.push_back(task);
        self.changed.notify_all();
        // A worker that waits for this very job can run it.
        if let Some(job) = job {
            job.nudge();
        }
    }

    /// Changes the counts, and then tells those who wait for room.
    fn count(&self, change: impl FnOnce(&mut Stats)) {
        let mut state = self.lock();
        change(&mut state.stats);
        let wakers = mem::take(&mut state.room_wakers);
        drop(state);
        self.changed.notify_all();
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Takes the task of `job` out of the queue: one of a later attempt, or one of the first.
    fn take(&self, job: &JobRef, retry: bool) -> Option<Task> {
        let queue = &mut self.lock().queue;
        let place = queue.iter().position(|task| {
            // A chunk stays: its other items need it.
            task.job().is_some() && task.is_of(job) && task.is_retry() == retry
        });
        queue.remove(place?)
    }

    fn begin_shutdown(&self, mode: Shutdown) {
        let mut state = self.lock();
        state.shut_down = true;
        let cancelled = if mode == Shutdown::Drain { VecDeque::new() } else { mem::take(&mut state.queue) };
        drop(state);
        if mode == Shutdown::Kill {
            self.stopping.store(true, Ordering::Release);
        }
        cancelled.into_iter().for_each(|task| task.cancel(self));
        self.count(|_| {});
    }

    fn wait_ended(&self, deadline: Option<Instant>) -> usize {
        let mut state = self.lock();
        while state.living > 0 {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            state = match left {
                Some(Duration::ZERO) => return (state.stats.queued + state.stats.running) as usize,
                Some(left) => self.changed.wait_timeout(state, left).unwrap().0,
                None => self.changed.wait(state).unwrap(),
            };
        }
        drop(state);
        let threads = mem::take(&mut *self.threads.lock().unwrap());
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        0
    }
}

impl Backend for Crew {
    fn id(&self) -> PoolId {
        self.owner.pool.id
    }

    fn control(&self) -> &Arc<dyn Control> {
        &self.owner.control
    }

    fn accept(&self, task: Task, room: Room<'_>) -> Result<(), Refused> {
        let pool = &*self.owner.pool;
        let jobs = task.jobs();
        // A worker is never made to wait, because it might wait for itself.
        let above_bound = pool.is_own_worker();
        let waker = if let Room::Notify(waker, _) = room { Some(waker.clone()) } else { None };
        let mut state = pool.lock();
        loop {
            if state.shut_down {
                drop(state);
                return Err(Refused::shut_down(task));
            }
            if above_bound || pool.capacity.is_none_or(|most| state.stats.queued as usize + jobs <= most) {
                state.stats.queued += jobs as u64;
                // Each worker may take a part in a chunk.
                let shares: Vec<_> = (1..jobs.min(pool.workers)).filter_map(|_| task.share()).collect();
                state.queue.push_back(task);
                state.queue.extend(shares);
                drop(state);
                pool.changed.notify_all();
                return Ok(());
            }
            state = match room {
                Room::Wait => pool.changed.wait(state).unwrap(),
                Room::Until(deadline) if Instant::now() < deadline => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    pool.changed.wait_timeout(state, left).unwrap().0
                }
                _ => {
                    state.room_wakers.extend(waker);
                    drop(state);
                    return Err(Refused::full(task));
                }
            };
        }
    }

    fn begin_shutdown(&self, mode: Shutdown) {
        self.owner.pool.begin_shutdown(mode);
    }

    fn wait_ended(&self, deadline: Option<Instant>) -> usize {
        self.owner.pool.wait_ended(deadline)
    }

    fn snapshot(&self) -> Stats {
        let mut stats = self.owner.pool.lock().stats;
        stats.workers = self.owner.pool.workers;
        stats
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::in_process();
        capabilities.kill = true;
        capabilities.priorities = false;
        capabilities.queue_capacity = self.owner.pool.capacity;
        capabilities
    }
}

impl Tally for Pool {
    fn begun(&self) {
        self.count(|stats| {
            stats.queued -= 1;
            stats.running += 1;
        });
    }

    fn ended(&self, failed: bool) {
        self.count(|stats| {
            stats.running -= 1;
            *(if failed { &mut stats.failed } else { &mut stats.finished }) += 1;
        });
    }
}

impl Control for Pool {
    fn is_own_worker(&self) -> bool {
        current_seat(|seat| seat.is_some_and(|seat| seat.pool() == self.id))
    }

    fn help(&self, job: &JobRef) -> bool {
        if !self.is_own_worker() {
            return false;
        }
        let ran = if let Some(claim) = job.claim() {
            drop(self.take(job, false));
            claim.run(self)
        } else if let Some(task) = self.take(job, true) {
            task.run(self, Instant::now)
        } else {
            return false;
        };
        if let Ran::Again(retry) = ran {
            retry.run_here(self);
        }
        true
    }

    fn withdrawn(&self, job: &JobRef) {
        drop(self.take(job, false));
        self.count(|stats| {
            stats.queued -= 1;
            stats.cancelled += 1;
        });
    }

    /// A thread cannot be ended by force. This ends the outcome: the job runs on, and nobody gets what it returns.
    fn kill(&self, job: &JobRef) -> bool {
        match self.take(job, true) {
            Some(task) => task.kill_retry(self),
            None => job.decide_kill(),
        }
    }

    fn stop_requested(&self, job: &JobRef) {
        if let Some(task) = self.take(job, true) {
            task.cancel(self);
        }
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }
}

/// Completes `task` as a backend does that cannot run it.
pub(crate) fn break_task(task: Task) {
    task.fail(JobError::Broken { cause: "on purpose".to_owned() }, None);
}
