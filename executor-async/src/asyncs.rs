//! [`Asyncs`]: the async jobs that wait, those that drivers have, and those that have a slot.

use std::collections::VecDeque;
use std::sync::Arc;

use executor_core::backend::{JobRef, Polled, Queue, Task};

use crate::board::Limits;
use crate::driver::BATCH_MAX;
use crate::order::Order;
use crate::parked::Parked;
use crate::place::{ASYNCS, Place};
use crate::slots::{SlotKey, Slots};

/// A part of the [`Board`](crate::board::Board): async jobs, and what they need.
pub(crate) struct Asyncs {
    /// How many are with the runtime at once, unless one is awaited.
    jobs_max: usize,
    drivers_max: usize,
    /// Whether the seat that they share is initialized.
    seat: Ready,
    queue: Queue,
    /// Drivers that are with the runtime.
    drivers: usize,
    /// How many jobs they have, which have neither ended nor a slot.
    driven: usize,
    pub(crate) slots: Slots,
    /// The runtime has ended.
    runtime_is_gone: bool,
}

/// Whether a seat is initialized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ready {
    No,
    Soon,
    Yes,
}

impl Asyncs {
    pub(crate) fn new(limits: &Limits) -> Self {
        Asyncs {
            jobs_max: limits.asyncs,
            drivers_max: limits.drivers,
            seat: if limits.prepares { Ready::No } else { Ready::Yes },
            queue: Queue::new(ASYNCS),
            drivers: 0,
            driven: 0,
            slots: Slots::default(),
            runtime_is_gone: false,
        }
    }

    /// How many more may go to the runtime.
    fn free_slots(&self) -> usize {
        if self.seat == Ready::Yes { self.jobs_max.saturating_sub(self.slots.len() + self.driven) } else { 0 }
    }

    /// How many wait because something else runs. One for which there is a slot is only on its way to it.
    pub(crate) fn waiting(&self) -> usize {
        self.queue.jobs().saturating_sub(self.free_slots())
    }

    /// True if there is a slot for one more.
    pub(crate) fn has_room(&self) -> bool {
        self.queue.jobs() < self.free_slots()
    }

    /// True if none is left, waiting or running.
    pub(crate) fn are_over(&self) -> bool {
        self.slots.len() == 0 && self.drivers == 0 && self.seat != Ready::Soon && self.queue.tasks() == 0
    }

    /// Takes the task in, to wait for a driver.
    pub(crate) fn push(&mut self, task: Task, jobs: usize) -> Order {
        self.queue.push(task, jobs);
        let prepares = self.seat == Ready::No;
        if prepares {
            self.seat = Ready::Soon;
        }
        Order { prepares, drivers: self.call_driver(), ..Order::default() }
    }

    /// The seat is initialized: those that wait may go.
    pub(crate) fn seat_is_ready(&mut self) -> Order {
        self.seat = Ready::Yes;
        Order { drivers: self.call_driver(), ..Order::default() }
    }

    /// Nobody initializes the seat any more.
    pub(crate) fn seat_is_given_up(&mut self) {
        if self.seat == Ready::Soon {
            self.seat = Ready::No;
        }
    }

    /// A driver for those that wait, if one more can begin any.
    pub(crate) fn call_driver(&mut self) -> usize {
        let is_needed = self.drivers < self.drivers_max && self.queue.tasks() > 0 && self.free_slots() > 0;
        self.drivers += usize::from(is_needed);
        usize::from(is_needed)
    }

    /// A driver has nothing more to begin, or was dropped.
    pub(crate) fn driver_leaves(&mut self) {
        self.drivers -= 1;
    }

    /// The next ones for a driver, as far as there is room for them.
    pub(crate) fn next(&mut self, begun: &mut VecDeque<Task>) {
        let share = self.queue.jobs() / (8 * self.drivers_max.max(1));
        self.queue.pop_some(share.clamp(1, BATCH_MAX).min(self.free_slots()), begun);
        self.driven += begun.len();
    }

    /// So many jobs that drivers had have ended.
    pub(crate) fn driven_ended(&mut self, jobs: usize) {
        self.driven -= jobs;
    }

    /// True if a job that waits, as far as its place tells, may be with a driver.
    pub(crate) fn may_be_driven(&self, job: &JobRef) -> bool {
        self.seat == Ready::Yes && self.driven > 0 && Place::of(job) == Place::Async
    }

    /// Somebody on a worker of the pool awaits this job, which waited when that was looked at: it goes to the runtime at once,
    /// above the limit.
    pub(crate) fn await_job(&mut self, job: &JobRef) -> Order {
        let poll = if self.seat == Ready::Yes { self.queue.remove_of(job, |_| true) } else { None };
        Order { poll, ..Order::default() }
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

    /// The runtime has ended: gives the jobs that lie outside of it.
    pub(crate) fn end_of_runtime(&mut self) -> Vec<(JobRef, Arc<Parked>)> {
        self.runtime_is_gone = true;
        self.slots.all()
    }

    pub(crate) fn runtime_is_gone(&self) -> bool {
        self.runtime_is_gone
    }

    /// Takes the task of a job out, if it waits.
    pub(crate) fn remove(&mut self, job: &JobRef, condition: impl FnOnce(&Task) -> bool) -> Option<Task> {
        self.queue.remove_of(job, condition)
    }

    /// All that wait.
    pub(crate) fn drain(&mut self) -> Vec<Task> {
        self.queue.drain()
    }
}
