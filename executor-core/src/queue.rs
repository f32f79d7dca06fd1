//! [`Queue`]: the tasks that wait for a worker of this process.

use std::collections::VecDeque;
use std::fmt;

use crate::ageing::Ageing;
use crate::job_ref::JobRef;
use crate::task::Task;

const PRIORITIES: usize = 3;

/// Tasks that wait, for a backend whose jobs stay in this process: three priorities with [`Ageing`], first in first out within
/// each, and any of them can leave at once. It has no lock; its backend has.
///
/// It keeps the [place](JobRef::place) of each task itself: that is its [`Ticket`].
pub struct Queue {
    lanes: [Lane; PRIORITIES],
    ageing: Ageing,
    kind: u8,
    jobs: usize,
    tasks: usize,
}

/// The tasks of one priority. A submitter only writes at the end of it and a worker only reads at the start, so that no
/// line of memory goes back and forth between them for a task. A task that leaves from the middle leaves a hole.
#[derive(Default)]
struct Lane {
    entries: VecDeque<Entry>,
    /// The number of the first entry; the entries are numbered through.
    first: u64,
    holes: usize,
}

/// What is at one place of a lane. Small, because the lines of memory with the entries are those that go from the core of the submitter
/// to that of the worker.
enum Entry {
    /// A task that left from the middle was here.
    Hole,
    /// The task of one job.
    One(Task),
    /// A task of several jobs, and how many it was counted for.
    Chunk(Box<(Task, usize)>),
}

/// Where a task is in its queue, as a cell keeps it: the number of its entry, and in the lowest four bits its lane and what
/// kind of place it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(u64);

impl Ticket {
    /// So many of the lowest bits say what the others mean: two the lane, and two the kind.
    pub const TAG_BITS: u32 = 4;

    #[inline]
    fn new(number: u64, kind: u8, lane: usize) -> Self {
        Ticket(number << Self::TAG_BITS | u64::from(kind) << 2 | lane as u64)
    }

    /// The place of a job, as it was noted last. Its task may have left it.
    #[must_use]
    #[inline]
    pub fn of(job: &JobRef) -> Self {
        Ticket(job.place())
    }

    /// Which queue of the backend it is of: what [`Queue::new`] was given.
    #[must_use]
    #[inline]
    pub fn kind(self) -> u8 {
        (self.0 >> 2 & 3) as u8
    }

    #[inline]
    fn lane(self) -> usize {
        (self.0 & 3) as usize
    }

    #[inline]
    fn number(self) -> u64 {
        self.0 >> Self::TAG_BITS
    }
}

/// A task to be run now.
#[derive(Debug)]
pub struct Next {
    /// The task, or a share of it.
    pub task: Task,
    /// Where the rest of it still waits: a chunk stays in the queue, so that other workers find it too.
    pub stays: Option<Ticket>,
}

impl Entry {
    fn is_hole(&self) -> bool {
        matches!(self, Entry::Hole)
    }

    fn task(&self) -> Option<&Task> {
        match self {
            Entry::Hole => None,
            Entry::One(task) => Some(task),
            Entry::Chunk(chunk) => Some(&chunk.0),
        }
    }

    /// The task, and how many jobs it was counted for.
    #[inline]
    fn into_task(self) -> Option<(Task, usize)> {
        match self {
            Entry::Hole => None,
            Entry::One(task) => Some((task, 1)),
            Entry::Chunk(chunk) => Some(*chunk),
        }
    }

    /// A share of the chunk here, which stays, and by how many jobs its count was too high; `None` if this is no chunk.
    fn share(&mut self) -> Option<(Task, usize)> {
        let Entry::Chunk(chunk) = self else { return None };
        let (task, counted) = &mut **chunk;
        let share = task.share()?;
        let jobs = share.jobs().min(*counted);
        let fewer = *counted - jobs;
        *counted = jobs;
        Some((share, fewer))
    }
}

impl Lane {
    /// A lane of this many entries is kept when it runs empty: it is some 50 KiB.
    const KEPT: usize = 2048;

    #[inline]
    fn push(&mut self, task: Task, jobs: usize, kind: u8, lane: usize) {
        task.set_place(Ticket::new(self.first + self.entries.len() as u64, kind, lane).0);
        let entry = if task.job().is_some() { Entry::One(task) } else { Entry::Chunk(Box::new((task, jobs))) };
        self.entries.push_back(entry);
    }

    /// Takes out the first entry.
    #[inline]
    fn pop(&mut self, kind: u8, lane: usize) -> Option<(Task, usize)> {
        let entry = self.entries.pop_front()?;
        self.first += 1;
        if self.holes > 0 || self.entries.is_empty() {
            self.tidy(kind, lane);
        }
        entry.into_task()
    }

    fn entry(&mut self, ticket: Ticket) -> Option<&mut Entry> {
        let index = usize::try_from(ticket.number().checked_sub(self.first)?).ok()?;
        self.entries.get_mut(index)
    }

    /// Makes a hole at `ticket`, and gives what was there.
    fn take(&mut self, ticket: Ticket) -> Option<(Task, usize)> {
        let taken = std::mem::replace(self.entry(ticket)?, Entry::Hole).into_task()?;
        self.holes += 1;
        self.tidy(ticket.kind(), ticket.lane());
        Some(taken)
    }

    /// Sees to it that neither end is a hole, and that no more than half of a long lane is.
    fn tidy(&mut self, kind: u8, lane: usize) {
        while self.entries.front().is_some_and(Entry::is_hole) {
            self.entries.pop_front();
            self.first += 1;
            self.holes -= 1;
        }
        while self.entries.back().is_some_and(Entry::is_hole) {
            self.entries.pop_back();
            self.holes -= 1;
        }
        if self.holes > Self::KEPT && self.holes > self.entries.len() / 2 {
            // The numbers go on from the last one, so that an old place does not mean another task.
            self.first += self.entries.len() as u64;
            self.holes = 0;
            self.entries.retain(|entry| !entry.is_hole());
            for (number, entry) in (self.first..).zip(&self.entries) {
                if let Some(task) = entry.task() {
                    task.set_place(Ticket::new(number, kind, lane).0);
                }
            }
        }
        if self.entries.is_empty() && self.entries.capacity() > Self::KEPT {
            self.entries = VecDeque::new();
        }
    }
}

impl Queue {
    /// An empty queue. A backend with several has each of another `kind`, which is below 4 and a part of its tickets.
    #[must_use]
    pub fn new(kind: u8) -> Self {
        debug_assert!(kind < 4);
        Queue { lanes: Default::default(), ageing: Ageing::default(), kind, jobs: 0, tasks: 0 }
    }

    /// How many jobs wait. The jobs of a chunk are counted until the chunk leaves, or a worker looks at it again.
    #[must_use]
    #[inline]
    pub fn jobs(&self) -> usize {
        self.jobs
    }

    /// How many tasks wait.
    #[must_use]
    #[inline]
    pub fn tasks(&self) -> usize {
        self.tasks
    }

    /// Puts a task at the end of the lane of its priority, and notes its ticket. `jobs` is what [`Task::jobs`] said.
    #[inline]
    pub fn push(&mut self, task: Task, jobs: usize) {
        let lane = task.priority() as usize;
        self.lanes[lane].push(task, jobs, self.kind, lane);
        self.jobs += jobs;
        self.tasks += 1;
    }

    /// The task whose turn it is.
    #[inline]
    pub fn pop(&mut self) -> Option<Next> {
        let lane = self.peek()?;
        self.pass_over(lane);
        let entry = self.lanes[lane].entries.front_mut()?;
        let Some(share) = entry.share() else {
            return self.pop_from(lane).map(|task| Next { task, stays: None });
        };
        let ticket = Ticket::new(self.lanes[lane].first, self.kind, lane);
        Some(self.leave_rest(share, ticket))
    }

    /// The task of `job`, out of its turn, or a share of its chunk, if it is here.
    pub fn take_of(&mut self, job: &JobRef) -> Option<Next> {
        let ticket = self.ticket_of(job)?;
        let entry = self.lanes[ticket.lane()].entry(ticket)?;
        let Some(share) = entry.share() else {
            return self.remove(ticket).map(|task| Next { task, stays: None });
        };
        Some(self.leave_rest(share, ticket))
    }

    fn leave_rest(&mut self, (task, fewer): (Task, usize), ticket: Ticket) -> Next {
        self.jobs -= fewer;
        Next { task, stays: Some(ticket) }
    }

    /// Moves tasks whose turn it is, up to `most` and up to the next chunk.
    #[inline]
    pub fn pop_some(&mut self, most: usize, into: &mut VecDeque<Task>) {
        for _ in 0..most {
            let Some(lane) = self.peek() else { return };
            if !matches!(self.lanes[lane].entries.front(), Some(Entry::One(_))) {
                return;
            }
            self.pass_over(lane);
            into.extend(self.pop_from(lane));
        }
    }

    /// The lane whose turn it is: the highest that is not empty, unless it went before a lower one often enough.
    fn peek(&self) -> Option<usize> {
        self.ageing.choose(self.waits())
    }

    /// In which lanes something waits.
    fn waits(&self) -> [bool; PRIORITIES] {
        [0, 1, 2].map(|lane: usize| !self.lanes[lane].entries.is_empty())
    }

    /// Counts that a task of this lane goes before those that wait in the lower ones.
    fn pass_over(&mut self, chosen: usize) {
        self.ageing.passed(chosen, self.waits());
    }

    fn pop_from(&mut self, lane: usize) -> Option<Task> {
        let (task, jobs) = self.lanes[lane].pop(self.kind, lane)?;
        self.jobs -= jobs;
        self.tasks -= 1;
        Some(task)
    }

    /// Takes the task at `ticket` out, if it is still there.
    pub fn remove(&mut self, ticket: Ticket) -> Option<Task> {
        let (task, jobs) = self.lanes.get_mut(ticket.lane())?.take(ticket)?;
        self.jobs -= jobs;
        self.tasks -= 1;
        Some(task)
    }

    /// Takes the task of `job` out, if it is here and `condition` holds for it.
    pub fn remove_of(&mut self, job: &JobRef, condition: impl FnOnce(&Task) -> bool) -> Option<Task> {
        let ticket = self.ticket_of(job)?;
        let task = self.lanes[ticket.lane()].entry(ticket)?.task()?;
        if condition(task) { self.remove(ticket) } else { None }
    }

    /// Where the task of `job` is, if it is here. A ticket changes where many tasks have left from the middle.
    fn ticket_of(&mut self, job: &JobRef) -> Option<Ticket> {
        let ticket = Ticket::of(job);
        let task = self.lanes.get_mut(ticket.lane())?.entry(ticket)?.task()?;
        (ticket.kind() == self.kind && task.is_of(job)).then_some(ticket)
    }

    /// Takes everything out, first those of the highest priority.
    pub fn drain(&mut self) -> Vec<Task> {
        self.jobs = 0;
        self.tasks = 0;
        let lanes = self.lanes.iter_mut().rev();
        lanes
            .flat_map(|lane| {
                lane.first += lane.entries.len() as u64;
                lane.holes = 0;
                std::mem::take(&mut lane.entries)
            })
            .filter_map(|entry| entry.into_task().map(|(task, _)| task))
            .collect()
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("tasks", &self.tasks).field("jobs", &self.jobs).finish_non_exhaustive()
    }
}
