//! [`Functions`]: the functions that wait, the threads that run them, and the seats of those threads.

use std::collections::BTreeMap;
use std::thread::{self, Thread};

use executor_core::backend::{JobRef, Next, PoolId, Queue, Seat, Task, Ticket};

use crate::board::Limits;
use crate::order::{Order, Seating};
use crate::place::FUNCTIONS;

/// A part of the [`Board`](crate::board::Board): jobs that are functions, and what they need.
pub(crate) struct Functions {
    pool: PoolId,
    /// How many threads run functions at once, unless one is awaited.
    threads_max: usize,
    /// True if there is an initializer.
    prepares: bool,
    queue: Queue,
    /// Those that async jobs await, by the number of the job. They were in the queue when that was noted.
    awaited: BTreeMap<u64, JobRef>,
    /// Threads that run functions, or are about to.
    threads: usize,
    /// Those of them whose job waits, or waited, for another job.
    blocked: usize,
    /// The seats that no thread has taken.
    seats: BTreeMap<usize, Seating>,
    seats_made: usize,
    /// The threads on the others, by the number of the seat.
    seated: BTreeMap<usize, Thread>,
}

impl Functions {
    pub(crate) fn new(pool: PoolId, limits: &Limits) -> Self {
        Functions {
            pool,
            threads_max: limits.functions,
            prepares: limits.prepares,
            queue: Queue::new(FUNCTIONS),
            awaited: BTreeMap::new(),
            threads: 0,
            blocked: 0,
            seats: BTreeMap::new(),
            seats_made: 0,
            seated: BTreeMap::new(),
        }
    }

    /// How many wait.
    pub(crate) fn waiting(&self) -> usize {
        self.queue.jobs()
    }

    /// True if none waits, and no thread is there to run one.
    pub(crate) fn are_over(&self) -> bool {
        self.threads == 0 && self.queue.tasks() == 0
    }

    /// Takes the task in, to wait for a thread.
    pub(crate) fn push(&mut self, task: Task, jobs: usize) -> Order {
        self.queue.push(task, jobs);
        Order { thread: self.call_thread(), ..Order::default() }
    }

    /// The function whose turn it is, for a thread that goes on; `None` if it is to end. Drops nothing: the chunk at
    /// `finished`, of which no item waits, comes back.
    pub(crate) fn next(&mut self, finished: Option<Ticket>) -> (Option<Next>, Option<Task>, Order) {
        let over = finished.and_then(|ticket| self.queue.remove(ticket));
        let is_above = self.threads - self.blocked > self.threads_max;
        let next = if is_above { None } else { self.queue.pop() };
        let unawaited = if self.queue.tasks() == 0 { self.take_awaited() } else { Vec::new() };
        let thread = if next.is_some() { self.call_thread() } else { None };
        (next, over, Order { thread, unawaited, ..Order::default() })
    }

    /// An async job awaits this function, which waited when that was looked at.
    pub(crate) fn await_job(&mut self, job: &JobRef) -> Order {
        self.awaited.entry(job.id().as_u64()).or_insert_with(|| job.clone());
        self.call_thread_above()
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

    /// Takes the task of a job out, if it waits.
    pub(crate) fn remove(&mut self, job: &JobRef, condition: impl FnOnce(&Task) -> bool) -> Option<Task> {
        self.queue.remove_of(job, condition)
    }

    /// All that wait.
    pub(crate) fn drain(&mut self) -> Vec<Task> {
        self.queue.drain()
    }

    /// Those that async jobs await, when none of them waits any more.
    pub(crate) fn take_awaited(&mut self) -> Vec<JobRef> {
        std::mem::take(&mut self.awaited).into_values().collect()
    }

    /// A thread for the functions that wait, if there may be one more.
    fn call_thread(&mut self) -> Option<(Seating, Option<Next>)> {
        if self.queue.tasks() == 0 || self.threads >= self.threads_max {
            return None;
        }
        Some((self.take_seat(), None))
    }

    /// A thread above the limit for a function that an async job awaits, if every other thread waits for a job too: else
    /// neither might ever come to its end.
    fn call_thread_above(&mut self) -> Order {
        let mut order = Order::default();
        if self.threads < self.threads_max || self.blocked < self.threads {
            return order;
        }
        while let Some((_, job)) = self.awaited.pop_first() {
            let next = self.queue.take_of(&job);
            order.unawaited.push(job);
            if next.is_some() {
                order.thread = Some((self.take_seat(), next));
                break;
            }
        }
        order
    }

    fn take_seat(&mut self) -> Seating {
        self.threads += 1;
        if let Some((_, seating)) = self.seats.pop_first() {
            return seating;
        }
        // The number after the last worker is that of the async jobs.
        if self.seats_made == self.threads_max {
            self.seats_made += 1;
        }
        let seat = Seat::new(self.pool, self.seats_made);
        self.seats_made += 1;
        Seating { seat, ready: !self.prepares }
    }
}
