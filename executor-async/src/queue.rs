//! The tasks that wait: three priorities, first in first out within each, and any of them can leave at once.

use std::collections::BTreeMap;

use executor_core::Priority;
use executor_core::backend::{Ageing, JobRef, Task};

/// Tasks in three lanes. Each has a number that no other task of the queue ever has.
#[derive(Default)]
pub(crate) struct Queue {
    lanes: [BTreeMap<u64, Entry>; 3],
    ageing: Ageing,
    ever: u64,
    jobs: usize,
}

struct Entry {
    task: Task,
    /// How many jobs the task was counted for.
    jobs: usize,
}

/// Where a task is in its queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket {
    pub(crate) lane: usize,
    pub(crate) number: u64,
}

/// A task to be run now.
pub(crate) struct Next {
    pub(crate) task: Task,
    /// Where the rest of it still waits: a chunk stays in the queue, so that other workers find it too.
    pub(crate) stays: Option<Ticket>,
}

impl Queue {
    /// How many jobs wait. The jobs of a chunk are counted until the chunk leaves, or a worker looks at it again.
    pub(crate) fn jobs(&self) -> usize {
        self.jobs
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lanes.iter().all(BTreeMap::is_empty)
    }

    /// Where the next task of this priority will be.
    pub(crate) fn next_ticket(&self, priority: Priority) -> Ticket {
        Ticket { lane: priority as usize, number: self.ever }
    }

    pub(crate) fn push(&mut self, task: Task) {
        let Ticket { lane, number } = self.next_ticket(task.priority());
        self.ever += 1;
        let jobs = task.jobs();
        self.jobs += jobs;
        self.lanes[lane].insert(number, Entry { task, jobs });
    }

    /// The task whose turn it is.
    pub(crate) fn pop(&mut self) -> Option<Next> {
        let lane = self.ageing.choose(self.waits())?;
        self.ageing.passed(lane, self.waits());
        let (&number, _) = self.lanes[lane].first_key_value()?;
        self.take(Ticket { lane, number })
    }

    /// In which lanes something waits.
    fn waits(&self) -> [bool; 3] {
        [0, 1, 2].map(|lane: usize| !self.lanes[lane].is_empty())
    }

    /// The task at `ticket`, or a share of the chunk there.
    pub(crate) fn take(&mut self, ticket: Ticket) -> Option<Next> {
        let entry = self.lanes.get_mut(ticket.lane)?.get_mut(&ticket.number)?;
        let Some(share) = entry.task.share() else {
            return self.remove(ticket).map(|task| Next { task, stays: None });
        };
        let jobs = share.jobs().min(entry.jobs);
        self.jobs -= entry.jobs - jobs;
        entry.jobs = jobs;
        Some(Next { task: share, stays: Some(ticket) })
    }

    /// Takes the task at `ticket` out, if it is still there.
    pub(crate) fn remove(&mut self, ticket: Ticket) -> Option<Task> {
        let Entry { task, jobs } = self.lanes.get_mut(ticket.lane)?.remove(&ticket.number)?;
        self.jobs -= jobs;
        Some(task)
    }

    /// Takes the task of `job` out, if it is at `ticket` and `condition` holds for it.
    pub(crate) fn remove_of(
        &mut self,
        job: &JobRef,
        ticket: Ticket,
        condition: impl FnOnce(&Task) -> bool,
    ) -> Option<Task> {
        let task = &self.lanes.get(ticket.lane)?.get(&ticket.number)?.task;
        if task.is_of(job) && condition(task) { self.remove(ticket) } else { None }
    }

    /// Takes everything out, first those of the highest priority.
    pub(crate) fn drain(&mut self) -> Vec<Task> {
        self.jobs = 0;
        let lanes = self.lanes.iter_mut().rev();
        lanes.flat_map(|lane| std::mem::take(lane).into_values().map(|entry| entry.task)).collect()
    }
}
