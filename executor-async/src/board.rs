//! What is under the one lock of a pool: the jobs that wait, those that are with the runtime, the seats, how far the pool
//! has ended.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::Waker;
#[cfg(feature = "tracing")]
use std::time::Duration;
use std::time::Instant;

use executor_core::backend::{JobRef, PoolId, RoomTicket, Task};
use executor_core::{JobError, Rejection, Shutdown};
use tokio::runtime::Runtime;

use crate::agenda::{Agenda, Due};
use crate::asyncs::Asyncs;
use crate::functions::Functions;
use crate::order::Order;
use crate::parked::Parked;
use crate::place::Place;
use crate::slots::{Left, SlotKey};

/// The state of a pool. Every method is called under the lock; what it gives is carried out or dropped after it.
pub(crate) struct Board {
    /// How many jobs wait at most.
    waiting_max: usize,
    pub(crate) functions: Functions,
    pub(crate) asyncs: Asyncs,
    pub(crate) agenda: Agenda,
    shutdown: Option<Shutdown>,
    broken: Option<String>,
    /// It was shut down, and nothing is left.
    pub(crate) over: bool,
    /// Submitters that wait for room in the queue: threads, and async tasks.
    pub(crate) waiting_for_room: usize,
    room_wakers: BTreeMap<RoomTicket, Waker>,
    pub(crate) accepted: u64,
    pub(crate) cancelled: u64,
    pub(crate) timer_runs: bool,
    /// How many threads took out all that waited, and are not done with ending it.
    pub(crate) clearing: usize,
    /// Wakes the task that notices the end of the runtime.
    pub(crate) watch: Option<Waker>,
    /// The runtime, once no handle is left that could end it.
    pub(crate) runtime: Option<Runtime>,
}

/// What the builder set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// How many functions run at once.
    pub(crate) functions: usize,
    /// How many async jobs run at once.
    pub(crate) asyncs: usize,
    /// How many drivers begin them.
    pub(crate) drivers: usize,
    /// How many jobs wait.
    pub(crate) waiting: usize,
    /// True if there is an initializer.
    pub(crate) prepares: bool,
    /// How long a poll takes before it is told of.
    #[cfg(feature = "tracing")]
    pub(crate) blocked: Duration,
}

/// Why a task was not admitted.
pub(crate) enum Denied {
    Full,
    ShutDown,
    Broken(String),
}

impl Denied {
    pub(crate) fn into_error(self) -> JobError {
        match self {
            Denied::Full => JobError::Rejected(Rejection::QueueFull),
            Denied::ShutDown => JobError::Rejected(Rejection::ShutDown),
            Denied::Broken(cause) => JobError::Broken { cause },
        }
    }
}

impl Board {
    pub(crate) fn new(pool: PoolId, limits: Limits) -> Self {
        Board {
            waiting_max: limits.waiting,
            functions: Functions::new(pool, &limits),
            asyncs: Asyncs::new(&limits),
            agenda: Agenda::default(),
            shutdown: None,
            broken: None,
            over: false,
            waiting_for_room: 0,
            room_wakers: BTreeMap::new(),
            accepted: 0,
            cancelled: 0,
            timer_runs: false,
            clearing: 0,
            watch: None,
            runtime: None,
        }
    }

    /// Whether the task is [taken in](Board::take_in) now.
    pub(crate) fn may_enter(&self, task: &Task, above_bound: bool) -> Result<(), Denied> {
        if let Some(cause) = &self.broken {
            return Err(Denied::Broken(cause.clone()));
        }
        if self.shutdown.is_some() {
            return Err(Denied::ShutDown);
        }
        let is_bounded = !above_bound && self.waiting_max != usize::MAX;
        if is_bounded {
            let goes_at_once = task.is_async() && self.asyncs.has_room();
            if !goes_at_once && self.functions.waiting() + self.asyncs.waiting() + task.jobs() > self.waiting_max {
                return Err(Denied::Full);
            }
        }
        Ok(())
    }

    /// Takes in a task that may enter.
    pub(crate) fn take_in(&mut self, task: Task) -> Order {
        let (jobs, is_async) = (task.jobs(), task.is_async());
        self.accepted += jobs as u64;
        self.put(task, jobs, is_async)
    }

    /// Puts a job in for its next attempt. It was accepted long ago, so that no bound concerns it.
    ///
    /// # Errors
    ///
    /// Gives it back if the pool cancels what waits, or is broken: there is no next attempt.
    pub(crate) fn readmit(&mut self, task: Task) -> Result<Order, Task> {
        if self.gives_up() {
            return Err(task);
        }
        let is_async = task.is_async();
        Ok(self.put(task, 1, is_async))
    }

    /// Puts a task where it waits.
    fn put(&mut self, task: Task, jobs: usize, is_async: bool) -> Order {
        if is_async { self.asyncs.push(task, jobs) } else { self.functions.push(task, jobs) }
    }

    /// True if jobs that wait for something are to end, because the pool kills what runs or the runtime is gone.
    pub(crate) fn ends_parked(&self) -> bool {
        self.asyncs.runtime_is_gone() || self.shutdown == Some(Shutdown::Kill)
    }

    /// An async job left its slot; gives what is to be dropped after the lock.
    pub(crate) fn leave_slot(&mut self, slot: SlotKey) -> Option<Left> {
        let left = self.asyncs.slots.leave(slot)?;
        if let Some(limit) = &left.limit {
            self.agenda.remove(**limit);
        }
        Some(left)
    }

    /// Somebody on a worker of the pool awaits `job`, which goes above the limits if it must.
    pub(crate) fn await_job(&mut self, job: &JobRef) -> Order {
        match Place::of(job) {
            Place::Function => self.functions.await_job(job),
            Place::Async => self.asyncs.await_job(job),
            Place::Slot(_) => Order::default(),
        }
    }

    /// True if what waits does not run any more.
    fn gives_up(&self) -> bool {
        self.broken.is_some() || self.shutdown.is_some_and(|mode| mode != Shutdown::Drain)
    }

    /// Keeps the waker until there may be room; gives the one that it replaces.
    pub(crate) fn notify_of_room(&mut self, ticket: RoomTicket, waker: Waker) -> Option<Waker> {
        self.room_wakers.insert(ticket, waker)
    }

    /// Somebody does not wait for room any more.
    pub(crate) fn forget_room(&mut self, ticket: RoomTicket) -> Option<Waker> {
        self.room_wakers.remove(&ticket)
    }

    /// All that wait for room without a thread.
    pub(crate) fn take_room_wakers(&mut self) -> BTreeMap<RoomTicket, Waker> {
        std::mem::take(&mut self.room_wakers)
    }

    /// A job was withdrawn: gives its task, if it waited, or the way to take it from the runtime.
    pub(crate) fn withdrawn(&mut self, job: &JobRef) -> (Option<Task>, Option<Arc<Parked>>) {
        self.cancelled += 1;
        // A chunk still counts this item, which is settled after this.
        (self.remove(job, |task| task.share().is_none() || task.jobs() <= 1), self.parked_of(job))
    }

    /// The way to stop a job that has a slot.
    pub(crate) fn parked_of(&mut self, job: &JobRef) -> Option<Arc<Parked>> {
        if let Place::Slot(slot) = Place::of(job) { self.asyncs.slots.parked_of(slot, job) } else { None }
    }

    /// Takes the task of a claimed job out, unless it is a chunk.
    pub(crate) fn claimed(&mut self, job: &JobRef) -> Option<Task> {
        self.remove(job, |task| task.share().is_none())
    }

    /// Takes out the task of a job whose next attempt is due.
    pub(crate) fn take_due_retry(&mut self, job: &JobRef) -> Option<Task> {
        self.remove(job, Task::is_retry)
    }

    /// Takes out the task of a job that waits for its next attempt, due or not.
    pub(crate) fn take_retry(&mut self, job: &JobRef) -> Option<Task> {
        self.take_due_retry(job).or_else(|| self.agenda.take_retry_of(job))
    }

    fn remove(&mut self, job: &JobRef, condition: impl FnOnce(&Task) -> bool) -> Option<Task> {
        match Place::of(job) {
            Place::Function => self.functions.remove(job, condition),
            Place::Async => self.asyncs.remove(job, condition),
            Place::Slot(_) => None,
        }
    }

    /// Keeps the task until its next attempt is due.
    ///
    /// # Errors
    ///
    /// As [`readmit`](Board::readmit).
    pub(crate) fn delay(&mut self, task: Task, until: Instant) -> Result<(), Task> {
        if self.gives_up() {
            return Err(task);
        }
        self.agenda.add(until, Due::Retry(task));
        Ok(())
    }

    /// Refuses new tasks from now on; gives those that are to be cancelled, and what is to be dropped after the lock.
    pub(crate) fn shut_down(&mut self, mode: Shutdown) -> (Shutdown, Vec<Task>, Vec<JobRef>) {
        let mode = self.shutdown.map_or(mode, |before| before.max(mode));
        self.shutdown = Some(mode);
        self.clearing += 1;
        let (tasks, unawaited) = if mode == Shutdown::Drain { Default::default() } else { self.take_all() };
        (mode, tasks, unawaited)
    }

    /// Refuses new tasks from now on, because of `cause`; gives those that waited, to be failed, and what is to be dropped after the
    /// lock.
    pub(crate) fn break_down(&mut self, cause: &str) -> (Vec<Task>, Vec<JobRef>) {
        self.broken.get_or_insert_with(|| cause.to_owned());
        self.clearing += 1;
        self.asyncs.seat_is_given_up();
        self.take_all()
    }

    fn take_all(&mut self) -> (Vec<Task>, Vec<JobRef>) {
        let mut tasks = self.functions.drain();
        tasks.extend(self.asyncs.drain());
        tasks.extend(self.agenda.take_retries());
        (tasks, self.functions.take_awaited())
    }

    pub(crate) fn is_shut_down(&self) -> bool {
        self.shutdown.is_some()
    }

    /// True once, when the pool was shut down and nothing waits or runs any more.
    pub(crate) fn ends_now(&mut self) -> bool {
        let ended = self.shutdown.is_some()
            && self.clearing == 0
            && self.functions.are_over()
            && self.asyncs.are_over()
            && self.agenda.retries() == 0;
        ended && !std::mem::replace(&mut self.over, true)
    }
}
