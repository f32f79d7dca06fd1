//! The tasks that wait: three priorities, first in first out within each, and any of them can leave at once.

use executor_core::Priority;
use executor_core::backend::{JobRef, Task};

/// The end of a list.
const NONE: u32 = u32::MAX;

/// Tasks in three linked lists through one table of nodes. A task that was cancelled or claimed leaves from the middle,
/// and its node is free at once.
pub(crate) struct Queue {
    nodes: Vec<Node>,
    /// The first of the free nodes, which are linked through `next`.
    free: u32,
    lists: [List; PRIORITIES],
    /// How often a task of a higher priority went before one that waited in this list.
    passed_over: [u32; PRIORITIES],
    /// The generation of the latest push.
    generation: u32,
    jobs: usize,
    tasks: usize,
}

const PRIORITIES: usize = 3;

struct Node {
    task: Option<Task>,
    /// How many jobs the task was counted for.
    jobs: usize,
    list: u8,
    /// Which push put the task there, so that an old place does not mean a new task.
    generation: u32,
    next: u32,
    before: u32,
}

#[derive(Clone, Copy)]
struct List {
    first: u32,
    last: u32,
}

/// Where a task is: a node and its generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place(u64);

impl Place {
    fn new(node: u32, generation: u32) -> Self {
        Place(u64::from(generation) << 32 | u64::from(node))
    }

    fn node(self) -> u32 {
        self.0 as u32
    }

    fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// A task to be run now.
pub(crate) struct Next {
    pub(crate) task: Task,
    /// Where the rest of it still waits: a chunk stays in the queue, so that other workers find it too.
    pub(crate) stays: Option<Place>,
}

impl Queue {
    pub(crate) fn new() -> Self {
        Queue {
            nodes: Vec::new(),
            free: NONE,
            lists: [List { first: NONE, last: NONE }; PRIORITIES],
            passed_over: [0; PRIORITIES],
            generation: 0,
            jobs: 0,
            tasks: 0,
        }
    }

    /// How many jobs wait. The jobs of a chunk are counted until the chunk leaves, or a worker looks at it again.
    pub(crate) fn jobs(&self) -> usize {
        self.jobs
    }

    /// How many tasks wait.
    pub(crate) fn tasks(&self) -> usize {
        self.tasks
    }

    /// Puts a task at the end of the list of its priority, and notes its place in it.
    pub(crate) fn push(&mut self, task: Task) {
        let list = task.priority() as usize;
        let jobs = task.jobs();
        let index = self.free;
        let index = if index == NONE {
            // 2^32 tasks would take some hundred GiB of cells.
            self.nodes.push(Node { task: None, jobs: 0, list: 0, generation: 0, next: NONE, before: NONE });
            (self.nodes.len() - 1) as u32
        } else {
            self.free = self.nodes[index as usize].next;
            index
        };
        let last = std::mem::replace(&mut self.lists[list].last, index);
        self.generation = self.generation.wrapping_add(1);
        let generation = self.generation;
        task.set_place(Place::new(index, generation).0);
        self.nodes[index as usize] = Node { task: Some(task), jobs, list: list as u8, generation, next: NONE, before: last };
        match last {
            NONE => self.lists[list].first = index,
            last => self.nodes[last as usize].next = index,
        }
        self.jobs += jobs;
        self.tasks += 1;
    }

    /// The task whose turn it is.
    pub(crate) fn pop(&mut self) -> Option<Next> {
        let index = self.lists[self.choose()?].first;
        let node = &mut self.nodes[index as usize];
        let share = node.task.as_ref().and_then(Task::share);
        match share {
            Some(share) => {
                let jobs = share.jobs();
                self.jobs -= node.jobs - jobs.min(node.jobs);
                node.jobs = node.jobs.min(jobs);
                Some(Next { task: share, stays: Some(Place::new(index, node.generation)) })
            }
            None => self.unlink(index).map(|task| Next { task, stays: None }),
        }
    }

    /// The task whose turn it is, unless that is a chunk.
    pub(crate) fn pop_single(&mut self) -> Option<Task> {
        let first = self.lists[self.peek()?].first;
        let is_chunk = self.nodes[first as usize].task.as_ref().is_none_or(|task| task.job().is_none());
        if is_chunk { None } else { self.pop().map(|next| next.task) }
    }

    /// The list whose turn it is: the highest that is not empty, unless it went before a lower one often enough.
    fn peek(&self) -> Option<usize> {
        let highest = (0..PRIORITIES).rev().find(|&list| self.waits(list))?;
        let aged = |list: &usize| self.waits(*list) && self.passed_over[*list] >= Priority::AGEING;
        Some((0..highest).rev().find(aged).unwrap_or(highest))
    }

    fn waits(&self, list: usize) -> bool {
        self.lists[list].first != NONE
    }

    /// [`peek`](Queue::peek), and counts that the lower lists were passed over.
    fn choose(&mut self) -> Option<usize> {
        let chosen = self.peek()?;
        self.passed_over[chosen] = 0;
        for list in 0..chosen {
            if self.waits(list) {
                self.passed_over[list] += 1;
            }
        }
        Some(chosen)
    }

    /// Takes the task at `place` out, if it is still there.
    pub(crate) fn remove(&mut self, place: Place) -> Option<Task> {
        let node = self.nodes.get(place.node() as usize)?;
        if node.generation != place.generation() || node.task.is_none() {
            return None;
        }
        self.unlink(place.node())
    }

    /// Takes the task of `job` out, if it is here and `condition` holds for it.
    pub(crate) fn remove_of(&mut self, job: &JobRef, condition: impl FnOnce(&Task) -> bool) -> Option<Task> {
        let place = Place(job.place());
        let task = self.nodes.get(place.node() as usize)?.task.as_ref()?;
        if task.is_of(job) && condition(task) { self.remove(place) } else { None }
    }

    fn unlink(&mut self, index: u32) -> Option<Task> {
        let free = std::mem::replace(&mut self.free, index);
        let node = &mut self.nodes[index as usize];
        let task = node.task.take();
        let (before, next, list, jobs) = (node.before, node.next, node.list as usize, node.jobs);
        node.next = free;
        match before {
            NONE => self.lists[list].first = next,
            before => self.nodes[before as usize].next = next,
        }
        match next {
            NONE => self.lists[list].last = before,
            next => self.nodes[next as usize].before = before,
        }
        self.jobs -= jobs;
        self.tasks -= 1;
        self.release_memory();
        task
    }

    /// Gives the table back once a burst is over, so that a long queue does not stay in memory for ever.
    fn release_memory(&mut self) {
        /// A table of this many nodes is kept: it is some 60 KiB.
        const KEPT: usize = 1024;
        if self.tasks == 0 && self.nodes.len() > KEPT {
            self.nodes = Vec::new();
            self.free = NONE;
        }
    }

    /// Takes everything out, first those of the highest priority.
    pub(crate) fn drain(&mut self) -> Vec<Task> {
        let mut tasks = Vec::with_capacity(self.tasks);
        for list in (0..PRIORITIES).rev() {
            while self.lists[list].first != NONE {
                tasks.extend(self.unlink(self.lists[list].first));
            }
        }
        tasks
    }
}
