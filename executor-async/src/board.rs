//! What is under the one lock of a pool: the jobs that wait, those that are with the runtime, the seats, how far the pool
//! has ended.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::task::Waker;
use std::thread::{self, Thread};
#[cfg(feature = "tracing")]
use std::time::Duration;
use std::time::Instant;

use executor_core::backend::{JobRef, Next, Polled, PoolId, Queue, RoomTicket, Seat, Task, Ticket};
use executor_core::{JobError, Rejection, Shutdown};
use tokio::runtime::Runtime;

use crate::agenda::{Agenda, Due};
use crate::driver::BATCH_MAX;
use crate::parked::Parked;
use crate::place::{ASYNCS, FUNCTIONS, Place};
use crate::slots::{Left, SlotKey, Slots};

/// The state of a pool. Every method is called under the lock; what it gives is carried out or dropped after it.
pub(crate) struct Board {
    pool: PoolId,
    pub(crate) limits: Limits,
    functions: Queue,
    asyncs: Queue,
    pub(crate) slots: Slots,
    pub(crate) agenda: Agenda,
    /// Functions that async jobs await, by the number of the job. They were in the queue when that was noted.
    awaited: BTreeMap<u64, JobRef>,
    /// The seats that no thread has taken.
    seats: BTreeMap<usize, Seating>,
    seats_made: usize,
    /// The threads on the others, by the number of the seat.
    seated: BTreeMap<usize, Thread>,
    /// Threads that run functions, or are about to.
    threads: usize,
    /// Those of them whose job waits, or waited, for another job.
    blocked: usize,
    async_seat: Ready,
    /// Drivers that are with the runtime.
    drivers: usize,
    /// How many async jobs they have, which have neither ended nor a slot.
    driven: usize,
    /// The runtime has ended.
    runtime_is_gone: bool,
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

/// Whether the seat that async jobs share is initialized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ready {
    No,
    Soon,
    Yes,
}

/// A worker's seat.
pub(crate) struct Seating {
    pub(crate) seat: Arc<Seat>,
    /// The initializer ran there.
    pub(crate) ready: bool,
}

/// What a step leads to, after the lock.
#[must_use]
#[derive(Default)]
pub(crate) struct Order {
    /// An async job goes to the runtime, above the limit.
    pub(crate) poll: Option<Task>,
    /// So many drivers go to the runtime, and begin the async jobs that wait.
    pub(crate) drivers: usize,
    /// A thread takes this seat, and runs this first.
    pub(crate) thread: Option<(Seating, Option<Next>)>,
    /// The seat of the async jobs is to be initialized.
    pub(crate) prepares: bool,
    /// No more looked at; only dropped after the lock.
    pub(crate) unawaited: Vec<JobRef>,
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
            pool,
            limits,
            functions: Queue::new(FUNCTIONS),
            asyncs: Queue::new(ASYNCS),
            slots: Slots::default(),
            agenda: Agenda::default(),
            awaited: BTreeMap::new(),
            seats: BTreeMap::new(),
            seats_made: 0,
            seated: BTreeMap::new(),
            threads: 0,
            blocked: 0,
            drivers: 0,
            driven: 0,
            runtime_is_gone: false,
            async_seat: if limits.prepares { Ready::No } else { Ready::Yes },
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

    /// How many jobs wait because something else runs. An async job for which there is a slot is only on its way to it.
    fn waiting(&self) -> usize {
        self.functions.jobs() + self.asyncs.jobs().saturating_sub(self.free_slots())
    }

    /// Takes the task in, or leaves it where it is.
    pub(crate) fn admit(&mut self, task: &mut Option<Task>, above_bound: bool) -> Result<Order, Denied> {
        if let Some(cause) = &self.broken {
            return Err(Denied::Broken(cause.clone()));
        }
        if self.shutdown.is_some() {
            return Err(Denied::ShutDown);
        }
        let Some((jobs, is_async)) = task.as_ref().map(|task| (task.jobs(), task.is_async())) else {
            return Ok(Order::default());
        };
        let is_bounded = !above_bound && self.limits.waiting != usize::MAX;
        if is_bounded {
            let goes_at_once = is_async && self.asyncs.jobs() < self.free_slots();
            if !goes_at_once && self.waiting() + jobs > self.limits.waiting {
                return Err(Denied::Full);
            }
        }
        self.accepted += jobs as u64;
        Ok(task.take().map(|task| self.put(task, jobs, is_async)).unwrap_or_default())
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
        if !is_async {
            self.functions.push(task, jobs);
            return Order { thread: self.call_thread(), ..Order::default() };
        }
        self.asyncs.push(task, jobs);
        let prepares = self.async_seat == Ready::No;
        if prepares {
            self.async_seat = Ready::Soon;
        }
        Order { prepares, drivers: self.call_driver(), ..Order::default() }
    }

    /// How many more async jobs may go to the runtime.
    fn free_slots(&self) -> usize {
        if self.async_seat == Ready::Yes {
            self.limits.asyncs.saturating_sub(self.slots.len() + self.driven)
        } else {
            0
        }
    }

    /// A driver for the async jobs that wait, if one more can begin any.
    pub(crate) fn call_driver(&mut self) -> usize {
        let is_needed = self.drivers < self.limits.drivers && self.asyncs.tasks() > 0 && self.free_slots() > 0;
        self.drivers += usize::from(is_needed);
        usize::from(is_needed)
    }

    /// A driver has nothing more to begin, or was dropped.
    pub(crate) fn driver_leaves(&mut self) {
        self.drivers -= 1;
    }

    /// So many jobs that drivers had have ended.
    pub(crate) fn driven_ended(&mut self, jobs: usize) {
        self.driven -= jobs;
    }

    /// A job that a driver had waits, and has a slot from now on.
    pub(crate) fn park(&mut self, job: &JobRef, parked: &Arc<Parked>, polled: &Polled) -> SlotKey {
        self.driven -= 1;
        self.give_slot(job, parked, polled)
    }

    /// A slot for a job that is with the runtime.
    pub(crate) fn give_slot(&mut self, job: &JobRef, parked: &Arc<Parked>, polled: &Polled) -> SlotKey {
        let slot = self.slots.take(job.clone(), Arc::clone(parked));
        polled.set_place(slot.to_place());
        slot
    }

    /// True if jobs that wait for something are to end, because the pool kills what runs or the runtime is gone.
    pub(crate) fn ends_parked(&self) -> bool {
        self.runtime_is_gone || self.shutdown == Some(Shutdown::Kill)
    }

    /// The runtime has ended: gives the jobs that lie outside of it.
    pub(crate) fn end_of_runtime(&mut self) -> Vec<(JobRef, Arc<Parked>)> {
        self.runtime_is_gone = true;
        self.slots.all()
    }

    /// The next async jobs for a driver, as far as there is room for them.
    pub(crate) fn next_asyncs(&mut self, begun: &mut VecDeque<Task>) {
        let share = self.asyncs.jobs() / (8 * self.limits.drivers.max(1));
        self.asyncs.pop_some(share.clamp(1, BATCH_MAX).min(self.free_slots()), begun);
        self.driven += begun.len();
    }

    /// The seat of the async jobs is initialized: those that wait may go.
    pub(crate) fn async_seat_is_ready(&mut self) -> Order {
        self.async_seat = Ready::Yes;
        Order { drivers: self.call_driver(), ..Order::default() }
    }

    /// An async job left its slot; gives what is to be dropped after the lock.
    pub(crate) fn leave_slot(&mut self, slot: SlotKey) -> Option<Left> {
        let left = self.slots.leave(slot)?;
        if let Some(limit) = &left.limit {
            self.agenda.remove(**limit);
        }
        Some(left)
    }

    /// A thread for the functions that wait, if there may be one more.
    fn call_thread(&mut self) -> Option<(Seating, Option<Next>)> {
        if self.functions.tasks() == 0 || self.threads >= self.limits.functions {
            return None;
        }
        Some((self.take_seat(), None))
    }

    fn take_seat(&mut self) -> Seating {
        self.threads += 1;
        if let Some((_, seating)) = self.seats.pop_first() {
            return seating;
        }
        // The number after the last worker is that of the async jobs.
        if self.seats_made == self.limits.functions {
            self.seats_made += 1;
        }
        let seat = Seat::new(self.pool, self.seats_made);
        self.seats_made += 1;
        Seating { seat, ready: !self.limits.prepares }
    }

    /// A thread above the limit for a function that an async job awaits, if every other thread waits for a job too: else
    /// neither might ever come to its end.
    fn call_thread_above(&mut self) -> Order {
        let mut order = Order::default();
        if self.threads < self.limits.functions || self.blocked < self.threads {
            return order;
        }
        while let Some((_, job)) = self.awaited.pop_first() {
            let next = self.functions.take_of(&job);
            order.unawaited.push(job);
            if next.is_some() {
                order.thread = Some((self.take_seat(), next));
                break;
            }
        }
        order
    }

    /// The job of a thread is about to wait for another job.
    pub(crate) fn block(&mut self) -> Order {
        self.blocked += 1;
        self.call_thread_above()
    }

    /// The job of a thread that waited has ended.
    pub(crate) fn unblock(&mut self) {
        self.blocked -= 1;
    }

    /// True if a job that waits, as far as its place tells, may be with a driver.
    pub(crate) fn may_be_driven(&self, job: &JobRef) -> bool {
        self.async_seat == Ready::Yes && self.driven > 0 && Place::of(job) == Place::Async
    }

    /// Somebody on a worker of the pool awaits `job`: an async one goes to the runtime at once, above the limit.
    pub(crate) fn await_job(&mut self, job: &JobRef) -> Order {
        match Place::of(job) {
            Place::Function => {
                self.awaited.entry(job.id().as_u64()).or_insert_with(|| job.clone());
                self.call_thread_above()
            }
            Place::Async if self.async_seat == Ready::Yes => {
                Order { poll: self.asyncs.remove_of(job, |_| true), ..Order::default() }
            }
            Place::Async | Place::Slot(_) => Order::default(),
        }
    }

    /// The function whose turn it is, for a thread that goes on; `None` if it is to end. Drops nothing: the chunk at
    /// `finished`, of which no item waits, comes back.
    pub(crate) fn next_function(&mut self, finished: Option<Ticket>) -> (Option<Next>, Option<Task>, Order) {
        let over = finished.and_then(|ticket| self.functions.remove(ticket));
        let is_above = self.threads - self.blocked > self.limits.functions;
        let next = if is_above { None } else { self.functions.pop() };
        let unawaited = if self.functions.tasks() == 0 { self.take_awaited() } else { Vec::new() };
        let thread = if next.is_some() { self.call_thread() } else { None };
        (next, over, Order { thread, unawaited, ..Order::default() })
    }

    /// The calling thread takes its seat, so that it can be woken.
    pub(crate) fn sit_down(&mut self, seating: &Seating) {
        self.seated.insert(seating.seat.worker(), thread::current());
    }

    /// The threads that run functions.
    pub(crate) fn seated(&self) -> Vec<Thread> {
        self.seated.values().cloned().collect()
    }

    /// A thread leaves its seat. What was pushed since it looked for a function needs another.
    pub(crate) fn leave_seat(&mut self, seating: Seating) -> Order {
        self.threads -= 1;
        self.seated.remove(&seating.seat.worker());
        self.seats.insert(seating.seat.worker(), seating);
        Order { thread: self.call_thread(), ..Order::default() }
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
        if let Place::Slot(slot) = Place::of(job) { self.slots.parked_of(slot, job) } else { None }
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
            Place::Function => self.functions.remove_of(job, condition),
            Place::Async => self.asyncs.remove_of(job, condition),
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
        if self.async_seat == Ready::Soon {
            self.async_seat = Ready::No;
        }
        self.take_all()
    }

    fn take_all(&mut self) -> (Vec<Task>, Vec<JobRef>) {
        let mut tasks = self.functions.drain();
        tasks.extend(self.asyncs.drain());
        tasks.extend(self.agenda.take_retries());
        (tasks, self.take_awaited())
    }

    fn take_awaited(&mut self) -> Vec<JobRef> {
        std::mem::take(&mut self.awaited).into_values().collect()
    }

    pub(crate) fn is_shut_down(&self) -> bool {
        self.shutdown.is_some()
    }

    /// True once, when the pool was shut down and nothing waits or runs any more.
    pub(crate) fn ends_now(&mut self) -> bool {
        let ended = self.shutdown.is_some()
            && self.threads == 0
            && self.slots.len() == 0
            && self.drivers == 0
            && self.clearing == 0
            && self.async_seat != Ready::Soon
            && self.functions.tasks() == 0
            && self.asyncs.tasks() == 0
            && self.agenda.retries() == 0;
        ended && !std::mem::replace(&mut self.over, true)
    }
}
