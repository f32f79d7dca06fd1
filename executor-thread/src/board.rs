//! What is under the one lock of a pool: the tasks that wait, which loops are awake, how far the pool has ended.

use std::collections::{BTreeMap, VecDeque};
use std::task::Waker;
use std::time::{Duration, Instant};

use executor_core::backend::{JobRef, Next, Queue, RoomTicket, Task, Ticket};
use executor_core::{JobError, Rejection, Shutdown};

use crate::sync::now;
use crate::sync::thread::Thread;

/// The state of a pool. Every method is a step of the protocol in [`pool`](crate::pool), and is called under the lock.
pub(crate) struct Board {
    queue: Queue,
    /// Jobs that wait for their next attempt, by the moment of it and a number that tells equal moments apart.
    delayed: BTreeMap<(Instant, u64), Task>,
    delayed_ever: u64,
    workers: usize,
    capacity: usize,
    /// How many loops do not sleep in rayon.
    awake: usize,
    /// How many of those that sleep there were called, and have not come.
    called: usize,
    /// How many of these calls the caller has not passed on.
    calls: usize,
    /// When it passed the last one on.
    passed_on: Option<Instant>,
    /// How many of them look for a task: the one that spins, and a sentinel that was called.
    looking: usize,
    /// How many of them run tasks so short that they come again within [`BATCH`](crate::buffer::BATCH).
    quick: usize,
    /// The one loop that sleeps here rather than in rayon.
    sentinel: Option<Sentinel>,
    watches: u64,
    /// How many callers from outside use the rayon pool directly, and want all of its workers.
    visitors: usize,
    shutdown: Option<Shutdown>,
    broken: Option<String>,
    /// Submitters that wait for room in the queue: threads, and async tasks.
    pub(crate) waiting_for_room: usize,
    room_wakers: BTreeMap<RoomTicket, Waker>,
    pub(crate) accepted: u64,
    pub(crate) cancelled: u64,
    pub(crate) threads: usize,
    pub(crate) timer_runs: bool,
    /// How many threads took out all that waited, and are not done with ending it.
    pub(crate) clearing: usize,
}

/// Whom the caller is to wake, after the lock, because a task was pushed.
#[must_use]
#[derive(Default)]
pub(crate) struct Call {
    /// The loop that sleeps here.
    pub(crate) sentinel: Option<Thread>,
    /// True if loops that sleep in rayon were called, so that the caller is to pass it on.
    pub(crate) rings: bool,
}

/// How long a loop that was called may take to come, before the caller calls another: it may be inside a long piece of
/// another job's parallel work.
const PATIENCE: Duration = Duration::from_micros(100);

/// How many jobs the loops that run short tasks are left alone with.
const QUICK_JOBS: usize = 256;

/// The loop that sleeps here, on its watch.
struct Sentinel {
    thread: Thread,
    number: u64,
}

/// One sleep of a sentinel.
#[derive(Clone, Copy)]
pub(crate) struct Watch {
    /// Tells it from the watch of another loop that came after it.
    number: u64,
    /// How many jobs had been accepted when it began.
    accepted: u64,
    /// Others run: it is for a moment, and then again as long as there are submits. Else it is until a submit calls.
    pub(crate) is_nap: bool,
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
    pub(crate) fn new(workers: usize, capacity: usize) -> Self {
        Board {
            queue: Queue::new(0),
            delayed: BTreeMap::new(),
            delayed_ever: 0,
            workers,
            capacity,
            awake: 0,
            called: 0,
            calls: 0,
            passed_on: None,
            looking: 0,
            quick: 0,
            sentinel: None,
            watches: 0,
            visitors: 0,
            shutdown: None,
            broken: None,
            waiting_for_room: 0,
            room_wakers: BTreeMap::new(),
            accepted: 0,
            cancelled: 0,
            threads: 0,
            timer_runs: false,
            clearing: 0,
        }
    }

    /// Whether a task of so many jobs is [taken in](Board::take_in) now.
    #[inline]
    pub(crate) fn may_enter(&self, jobs: usize, above_bound: bool) -> Result<(), Denied> {
        if let Some(cause) = &self.broken {
            return Err(Denied::Broken(cause.clone()));
        }
        if self.shutdown.is_some() {
            return Err(Denied::ShutDown);
        }
        if !above_bound && self.queue.jobs() + jobs > self.capacity {
            return Err(Denied::Full);
        }
        Ok(())
    }

    /// Takes in a task of so many jobs that may enter.
    #[inline]
    pub(crate) fn take_in(&mut self, task: Task, jobs: usize) -> Call {
        self.accepted += jobs as u64;
        self.queue.push(task, jobs);
        self.call(jobs)
    }

    /// Puts a job in for its next attempt. It was accepted long ago, so that no bound concerns it.
    ///
    /// # Errors
    ///
    /// Gives it back if the pool cancels what waits, or is broken: there is no next attempt.
    pub(crate) fn readmit(&mut self, task: Task) -> Result<Call, Task> {
        if self.gives_up() {
            return Err(task);
        }
        self.queue.push(task, 1);
        Ok(self.call(1))
    }

    /// True if what waits does not run any more.
    fn gives_up(&self) -> bool {
        self.broken.is_some() || self.shutdown.is_some_and(|mode| mode != Shutdown::Drain)
    }

    /// Calls loops for the jobs that wait, `most` at the most: none if one looks already, else first the sentinel.
    ///
    /// Where the loops that run come again within some µs, and the sentinel sees to it that they do, a short queue is
    /// theirs: to wake another would cost more than the jobs.
    pub(crate) fn call(&mut self, most: usize) -> Call {
        let waiting = self.queue.jobs();
        let is_theirs = self.quick > 0 && self.sentinel.is_some() && waiting <= QUICK_JOBS;
        if self.looking > 0 || waiting == 0 || is_theirs {
            return Call::default();
        }
        self.call_loops(most.min(waiting))
    }

    /// Calls one loop, unless one looks already, because tasks wait here or in a buffer.
    pub(crate) fn call_one(&mut self) -> Call {
        if self.looking > 0 { Call::default() } else { self.call_loops(1) }
    }

    /// Calls `wanted` loops: first the sentinel, then those that sleep in rayon, as far as there are such.
    fn call_loops(&mut self, wanted: usize) -> Call {
        let sentinel = self.wake_sentinel();
        let loops = (wanted - usize::from(sentinel.is_some())).min(self.workers - self.awake - self.called);
        self.called += loops;
        self.calls += loops;
        Call { sentinel, rings: loops > 0 }
    }

    /// One call for the caller to pass on: a new one, or a second one in place of a loop that does not come.
    pub(crate) fn take_call(&mut self) -> bool {
        let late = self.called > 0 && self.patience_ends().is_some_and(|ends| ends <= now());
        if self.calls == 0 && !late {
            return false;
        }
        self.calls = self.calls.saturating_sub(1);
        self.passed_on = Some(now());
        true
    }

    /// When the caller is to call another loop in place of one that did not come; `None` if all came.
    pub(crate) fn patience_ends(&self) -> Option<Instant> {
        Some(self.passed_on.filter(|_| self.called > 0)? + PATIENCE)
    }

    /// A loop comes back from rayon, called or not. False if it is to end, because the pool has.
    pub(crate) fn awake(&mut self) -> bool {
        if self.has_ended() {
            return false;
        }
        self.called = self.called.saturating_sub(1);
        // A call that nobody passed on is answered all the same.
        self.calls = self.calls.min(self.called);
        self.awake += 1;
        true
    }

    /// A loop goes to sleep in rayon.
    pub(crate) fn sleep(&mut self) {
        self.awake -= 1;
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

    /// Says whether a loop runs short tasks, in place of what it said `before`.
    pub(crate) fn set_quick(&mut self, before: bool, now: bool) {
        self.quick = self.quick - usize::from(before) + usize::from(now);
    }

    /// Becomes the sentinel, who stays awake in the eyes of the others and sleeps until it is called: one loop of a pool whose rayon side
    /// nobody else uses. The answer says for how long it may sleep.
    pub(crate) fn stand_sentinel(&mut self, me: &Thread) -> Option<Watch> {
        if self.sentinel.is_some() || self.visitors > 0 || self.shutdown.is_some() || self.broken.is_some() {
            return None;
        }
        self.watches += 1;
        self.sentinel = Some(Sentinel { thread: me.clone(), number: self.watches });
        Some(Watch { number: self.watches, accepted: self.accepted, is_nap: self.awake > 1 })
    }

    /// True while the sentinel of this watch has not been called.
    pub(crate) fn is_on(&self, watch: Watch) -> bool {
        self.sentinel.as_ref().is_some_and(|sentinel| sentinel.number == watch.number)
    }

    /// The sentinel leaves its post by itself: true if it is to look, because something was submitted meanwhile.
    pub(crate) fn end_nap(&mut self, watch: Watch) -> bool {
        self.sentinel = None;
        self.accepted != watch.accepted || self.queue.tasks() > 0
    }

    /// Takes the sentinel from its post. It looks from now on; the caller unparks it after the lock.
    fn wake_sentinel(&mut self) -> Option<Thread> {
        let sentinel = self.sentinel.take()?;
        self.looking += 1;
        Some(sentinel.thread)
    }

    /// A caller from outside uses the rayon pool directly: no worker may sleep here meanwhile.
    pub(crate) fn visit(&mut self) -> Option<Thread> {
        self.visitors += 1;
        self.wake_sentinel()
    }

    pub(crate) fn end_visit(&mut self) {
        self.visitors -= 1;
    }

    /// The task whose turn it is.
    pub(crate) fn pop(&mut self) -> Option<Next> {
        self.queue.pop()
    }

    /// Takes out a chunk of which no item waits any more. The caller drops it after the lock.
    pub(crate) fn remove(&mut self, ticket: Ticket) -> Option<Task> {
        self.queue.remove(ticket)
    }

    pub(crate) fn jobs_wait(&self) -> bool {
        self.queue.tasks() > 0
    }

    /// Moves tasks of one job each, whose turn it is, to `most` at the most and a fair share of what waits.
    pub(crate) fn pop_more(&mut self, most: usize, into: &mut VecDeque<Task>) {
        let share = self.queue.tasks() / self.awake.max(2);
        self.queue.pop_some(most.min(share), into);
    }

    pub(crate) fn queued_jobs(&self) -> usize {
        self.queue.jobs()
    }

    /// True if a loop that found nothing may look for a while before it goes to sleep.
    pub(crate) fn begin_look(&mut self) -> bool {
        let looks = self.shutdown.is_none() && self.looking == 0;
        self.looking += usize::from(looks);
        looks
    }

    pub(crate) fn end_look(&mut self) {
        self.looking -= 1;
    }

    /// Takes the task of a withdrawn job out, and a chunk whose last waiting item it was.
    pub(crate) fn withdrawn(&mut self, job: &JobRef) -> Option<Task> {
        self.cancelled += 1;
        // A chunk still counts this item, which is settled after this.
        self.queue.remove_of(job, |task| task.share().is_none() || task.jobs() <= 1)
    }

    /// Takes the task of a claimed job out, unless it is a chunk.
    pub(crate) fn claimed(&mut self, job: &JobRef) -> Option<Task> {
        self.queue.remove_of(job, |task| task.share().is_none())
    }

    /// Takes out the task of a job whose next attempt is due.
    pub(crate) fn take_due_retry(&mut self, job: &JobRef) -> Option<Task> {
        self.queue.remove_of(job, Task::is_retry)
    }

    /// Takes out the task of a job that waits for its next attempt, due or not.
    pub(crate) fn take_retry(&mut self, job: &JobRef) -> Option<Task> {
        self.take_due_retry(job).or_else(|| {
            let key = *self.delayed.iter().find(|(_, task)| task.is_of(job))?.0;
            self.delayed.remove(&key)
        })
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
        self.delayed_ever += 1;
        self.delayed.insert((until, self.delayed_ever), task);
        Ok(())
    }

    /// A job whose wait is over at `now`.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<Task> {
        let entry = self.delayed.first_entry()?;
        (entry.key().0 <= now).then(|| entry.remove())
    }

    /// All that wait for their next attempt.
    pub(crate) fn take_delayed(&mut self) -> Vec<Task> {
        std::mem::take(&mut self.delayed).into_values().collect()
    }

    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.delayed.first_key_value().map(|((until, _), _)| *until)
    }

    /// Refuses new tasks from now on; gives those that are to be cancelled, and the sentinel, to be unparked.
    pub(crate) fn shut_down(&mut self, mode: Shutdown) -> (Vec<Task>, Option<Thread>) {
        let mode = self.shutdown.map_or(mode, |before| before.max(mode));
        self.shutdown = Some(mode);
        self.clearing += 1;
        let cancelled = if mode == Shutdown::Drain { Vec::new() } else { self.take_all() };
        (cancelled, self.wake_sentinel())
    }

    /// Refuses new tasks from now on, because of `cause`; gives those that waited, to be failed.
    pub(crate) fn break_down(&mut self, cause: &str) -> Vec<Task> {
        self.broken.get_or_insert_with(|| cause.to_owned());
        self.clearing += 1;
        self.take_all()
    }

    fn take_all(&mut self) -> Vec<Task> {
        let mut tasks = self.queue.drain();
        tasks.extend(self.take_delayed());
        tasks
    }

    pub(crate) fn is_shut_down(&self) -> bool {
        self.shutdown.is_some()
    }

    /// True once the pool was shut down and nothing waits or runs.
    pub(crate) fn has_ended(&self) -> bool {
        self.shutdown.is_some()
            && self.awake == 0
            && self.clearing == 0
            && self.queue.tasks() == 0
            && self.delayed.is_empty()
    }
}
