//! The tasks that wait: three priorities, first in first out within each, and any of them can leave at once.

use std::collections::VecDeque;

use executor_core::Priority;
use executor_core::backend::{Ageing, JobRef, Task};

const PRIORITIES: usize = 3;

/// Tasks in three lanes.
pub(crate) struct Queue {
    lanes: [Lane; PRIORITIES],
    ageing: Ageing,
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

struct Entry {
    /// `None` is a hole.
    task: Option<Task>,
    /// How many jobs the task was counted for.
    jobs: usize,
}

/// Where a task is: the number of its entry, and its lane in the lowest two bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place(u64);

impl Place {
    fn new(number: u64, lane: usize) -> Self {
        Place(number << 2 | lane as u64)
    }

    fn lane(self) -> usize {
        (self.0 & 3) as usize
    }

    fn number(self) -> u64 {
        self.0 >> 2
    }
}

/// A task to be run now.
pub(crate) struct Next {
    pub(crate) task: Task,
    /// Where the rest of it still waits: a chunk stays in the queue, so that other workers find it too.
    pub(crate) stays: Option<Place>,
}

impl Lane {
    /// A lane of this many entries is kept when it runs empty: it is some 100 KiB.
    const KEPT: usize = 2048;

    fn push(&mut self, task: &mut Option<Task>, jobs: usize, lane: usize) {
        if let Some(task) = task {
            task.set_place(Place::new(self.first + self.entries.len() as u64, lane).0);
        }
        self.entries.push_back(Entry { task: task.take(), jobs });
    }

    /// Takes out the first entry.
    fn pop(&mut self, lane: usize) -> Option<(Task, usize)> {
        let entry = self.entries.pop_front()?;
        self.first += 1;
        if self.holes > 0 || self.entries.is_empty() {
            self.tidy(lane);
        }
        Some((entry.task?, entry.jobs))
    }

    fn entry(&mut self, place: Place) -> Option<&mut Entry> {
        let index = usize::try_from(place.number().checked_sub(self.first)?).ok()?;
        self.entries.get_mut(index)
    }

    /// Makes a hole at `place`, and gives what was there.
    fn take(&mut self, place: Place) -> Option<(Task, usize)> {
        let entry = self.entry(place)?;
        let taken = (entry.task.take()?, std::mem::take(&mut entry.jobs));
        self.holes += 1;
        self.tidy(place.lane());
        Some(taken)
    }

    /// Sees to it that neither end is a hole, and that no more than half of a long lane is.
    fn tidy(&mut self, lane: usize) {
        while self.entries.front().is_some_and(|entry| entry.task.is_none()) {
            self.entries.pop_front();
            self.first += 1;
            self.holes -= 1;
        }
        while self.entries.back().is_some_and(|entry| entry.task.is_none()) {
            self.entries.pop_back();
            self.holes -= 1;
        }
        if self.holes > Self::KEPT && self.holes > self.entries.len() / 2 {
            // The numbers go on from the last one, so that an old place does not mean another task.
            self.first += self.entries.len() as u64;
            self.holes = 0;
            self.entries.retain(|entry| entry.task.is_some());
            for (number, entry) in (self.first..).zip(&self.entries) {
                if let Some(task) = &entry.task {
                    task.set_place(Place::new(number, lane).0);
                }
            }
        }
        if self.entries.is_empty() && self.entries.capacity() > Self::KEPT {
            self.entries = VecDeque::new();
        }
    }
}

impl Queue {
    pub(crate) fn new() -> Self {
        Queue { lanes: Default::default(), ageing: Ageing::default(), jobs: 0, tasks: 0 }
    }

    /// How many jobs wait. The jobs of a chunk are counted until the chunk leaves, or a worker looks at it again.
    pub(crate) fn jobs(&self) -> usize {
        self.jobs
    }

    /// How many tasks wait.
    pub(crate) fn tasks(&self) -> usize {
        self.tasks
    }

    /// Moves a task to the end of the lane of its priority, and notes its place in it. It comes by reference because it is
    /// on every submit's way, and each move of it costs.
    pub(crate) fn push(&mut self, task: &mut Option<Task>, jobs: usize) {
        let lane = task.as_ref().map_or(Priority::Normal, Task::priority) as usize;
        self.lanes[lane].push(task, jobs, lane);
        self.jobs += jobs;
        self.tasks += 1;
    }

    /// The task whose turn it is.
    pub(crate) fn pop(&mut self) -> Option<Next> {
        let lane = self.peek()?;
        self.pass_over(lane);
        let place = Place::new(self.lanes[lane].first, lane);
        let entry = self.lanes[lane].entries.front_mut()?;
        let Some(share) = entry.task.as_ref().and_then(Task::share) else {
            return self.pop_from(lane).map(|task| Next { task, stays: None });
        };
        let jobs = share.jobs().min(entry.jobs);
        self.jobs -= entry.jobs - jobs;
        entry.jobs = jobs;
        Some(Next { task: share, stays: Some(place) })
    }

    /// Moves tasks whose turn it is, up to `most` and up to the next chunk.
    pub(crate) fn pop_some(&mut self, most: usize, into: &mut VecDeque<Task>) {
        for _ in 0..most {
            let Some(lane) = self.peek() else { return };
            let front = self.lanes[lane].entries.front();
            if front.and_then(|entry| entry.task.as_ref()).is_none_or(|task| task.job().is_none()) {
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
        let (task, jobs) = self.lanes[lane].pop(lane)?;
        self.jobs -= jobs;
        self.tasks -= 1;
        Some(task)
    }

    /// Takes the task at `place` out, if it is still there.
    pub(crate) fn remove(&mut self, place: Place) -> Option<Task> {
        let (task, jobs) = self.lanes.get_mut(place.lane())?.take(place)?;
        self.jobs -= jobs;
        self.tasks -= 1;
        Some(task)
    }

    /// Takes the task of `job` out, if it is here and `condition` holds for it.
    pub(crate) fn remove_of(&mut self, job: &JobRef, condition: impl FnOnce(&Task) -> bool) -> Option<Task> {
        let place = Place(job.place());
        let task = self.lanes.get_mut(place.lane())?.entry(place)?.task.as_ref()?;
        if task.is_of(job) && condition(task) { self.remove(place) } else { None }
    }

    /// Takes everything out, first those of the highest priority.
    pub(crate) fn drain(&mut self) -> Vec<Task> {
        self.jobs = 0;
        self.tasks = 0;
        let lanes = self.lanes.iter_mut().rev();
        lanes
            .flat_map(|lane| {
                lane.first += lane.entries.len() as u64;
                lane.holes = 0;
                std::mem::take(&mut lane.entries)
            })
            .filter_map(|entry| entry.task)
            .collect()
    }
}
