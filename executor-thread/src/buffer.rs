//! What a loop took from the queue at one go, open to the other loops.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use executor_core::backend::Task;

use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Mutex, now};

/// How much work a loop takes at one go: some hundred times what the taking costs, and so little that a job of a higher
/// priority does not notice.
pub(crate) const BATCH: Duration = Duration::from_micros(20);

/// The most tasks that a loop takes at one go.
const BATCH_TASKS_MAX: usize = 64;

/// Tasks that a loop took from the queue and has not begun. While it runs the first of them, an idle loop may steal the
/// others, so that no task waits behind a slow neighbour. Aligned to two cache lines, because x86-64 fetches them in pairs.
#[repr(align(128))]
pub(crate) struct Buffer {
    tasks: Mutex<VecDeque<Task>>,
    /// How many there are, for a look without the lock. It is raised under the lock of the board, which orders it
    /// for a loop that is about to leave; elsewhere it is a hint.
    len: AtomicUsize,
}

impl Buffer {
    pub(crate) fn new() -> Self {
        Buffer { tasks: Mutex::new(VecDeque::new()), len: AtomicUsize::new(0) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len.load(Ordering::Relaxed) == 0
    }

    /// Lets `fill` add tasks. Called under the lock of the board.
    pub(crate) fn fill(&self, fill: impl FnOnce(&mut VecDeque<Task>)) {
        let mut tasks = self.tasks.lock();
        fill(&mut tasks);
        self.len.store(tasks.len(), Ordering::Relaxed);
    }

    /// The next task, for the loop that has the buffer.
    pub(crate) fn pop(&self) -> Option<Task> {
        if self.is_empty() {
            return None;
        }
        let mut tasks = self.tasks.lock();
        let task = tasks.pop_front();
        self.len.store(tasks.len(), Ordering::Relaxed);
        task
    }

    /// The older half of the tasks, for another loop.
    pub(crate) fn steal(&self) -> VecDeque<Task> {
        if self.is_empty() {
            return VecDeque::new();
        }
        let mut tasks = self.tasks.lock();
        let stolen = tasks.len().div_ceil(2);
        let kept = tasks.split_off(stolen);
        self.len.store(kept.len(), Ordering::Relaxed);
        std::mem::replace(&mut tasks, kept)
    }

    pub(crate) fn take_all(&self) -> VecDeque<Task> {
        let mut tasks = self.tasks.lock();
        self.len.store(0, Ordering::Relaxed);
        std::mem::take(&mut tasks)
    }
}

/// How many tasks a loop takes at one go: more, as long as they prove to be short.
pub(crate) struct BatchSize {
    tasks: usize,
    taken: usize,
    since: Option<Instant>,
}

impl BatchSize {
    pub(crate) fn new() -> Self {
        BatchSize { tasks: 1, taken: 0, since: None }
    }

    /// The most tasks of the next batch.
    pub(crate) fn tasks(&self) -> usize {
        self.tasks
    }

    /// True if the tasks prove to be so short that the loop comes again within [`BATCH`].
    pub(crate) fn is_quick(&self) -> bool {
        self.tasks >= BATCH_TASKS_MAX / 8
    }

    /// A batch of `taken` tasks begins. `backlog` says that more wait, so that it is worth while to know how long they
    /// take; the clock is not read otherwise.
    pub(crate) fn began(&mut self, taken: usize, backlog: bool) {
        let now = (backlog || self.since.is_some()).then(now);
        if let (Some(now), Some(since)) = (now, self.since) {
            let mean = (now - since) / u32::try_from(self.taken).unwrap_or(u32::MAX).max(1);
            let fits = BATCH.as_nanos() / mean.as_nanos().max(1);
            let fits = usize::try_from(fits).unwrap_or(usize::MAX).clamp(1, BATCH_TASKS_MAX);
            self.tasks = fits.min(2 * self.tasks);
        }
        self.taken = taken;
        self.since = now.filter(|_| backlog);
    }
}
