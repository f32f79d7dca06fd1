//! Whoever waits for a job: threads, wakers, sets of futures, callbacks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::Waker;

use once_cell::race::OnceBox;

use crate::completion::Completion;
use crate::job_ref::JobRef;
use crate::panic::quietly;
use crate::put_off::put_off;
use crate::record::Details;
use crate::sync::{Mutex, MutexGuard, thread};

/// One that waits for a job to be done.
pub(crate) enum Waiter {
    /// A thread that is parked, or about to be.
    Thread(thread::Thread),
    /// An async task. A future has at most one, the latest.
    Task(Waker),
    /// A set of futures, and the place of this one in it.
    Member(Arc<Completion>, u32),
    /// A callback on one item of the record, shown the job.
    Callback(u32, Box<dyn FnOnce(&JobRef) + Send>),
}

impl Waiter {
    pub(crate) fn ring(self, job: &JobRef) {
        let of_users = match self {
            Waiter::Thread(thread) => return thread.unpark(),
            Waiter::Member(set, index) => set.push(index).map(Waiter::Task),
            other => Some(other),
        };
        match of_users.and_then(|waiter| put_off(job, waiter)) {
            Some(Waiter::Task(waker)) => quietly(|| waker.wake()),
            Some(Waiter::Callback(_, callback)) => quietly(|| callback(job)),
            _ => {}
        }
    }
}

/// The bells of a job: rung once, when it is done, in the order in which they were hung.
pub(crate) struct Bells {
    /// The one waiter that most jobs have, without an allocation.
    first: Mutex<Option<Waiter>>,
    /// What few jobs have, so that it costs the others one word: none of it, where that is empty.
    extra: OnceBox<Extra>,
}

struct Extra {
    /// There from the beginning, where any option is set.
    details: Option<Details>,
    /// Locked alone, or after `first`.
    more: Mutex<More>,
}

#[derive(Default)]
struct More {
    /// Those that came while there was a first.
    waiters: Vec<Waiter>,
    /// Those that wait to be asked to stop, by a number of theirs.
    stop: BTreeMap<u64, Waker>,
    stop_ever: u64,
    /// How far the job has come, as it told.
    progress: Option<(u64, u64)>,
}

/// All that hang, under their locks.
struct Hung<'a> {
    first: MutexGuard<'a, Option<Waiter>>,
    more: Option<MutexGuard<'a, More>>,
}

impl Bells {
    #[inline]
    pub(crate) fn new(details: Option<Details>) -> Self {
        let extra = match details {
            None => OnceBox::new(),
            details => OnceBox::with_value(Extra::new(details)),
        };
        Bells { first: Mutex::new(None), extra }
    }

    /// The options of the job, and how far its attempts have come, if it has any that are not the default ones.
    #[inline]
    pub(crate) fn details(&self) -> Option<&Details> {
        self.extra.get()?.details.as_ref()
    }

    fn lock(&self) -> Hung<'_> {
        let first = self.first.lock();
        Hung { first, more: self.more_if_any() }
    }

    fn more_if_any(&self) -> Option<MutexGuard<'_, More>> {
        Some(self.extra.get()?.more.lock())
    }

    fn more(&self) -> MutexGuard<'_, More> {
        self.extra.get_or_init(|| Extra::new(None)).more.lock()
    }

    /// Hangs a waiter in. The caller then sets WAITED, and rings if the job is done.
    pub(crate) fn hang(&self, mut waiter: Waiter) {
        let mut hung = self.lock();
        if let Waiter::Task(new) = &mut waiter
            && let Some(old) = hung.task_mut()
        {
            std::mem::swap(old, new);
            drop(hung);
            // Dropping a waker is user code, so it comes after the lock.
            quietly(|| drop(waiter));
        } else if hung.first.is_none() && hung.more.as_ref().is_none_or(|more| more.waiters.is_empty()) {
            *hung.first = Some(waiter);
        } else {
            hung.more.get_or_insert_with(|| self.more()).waiters.push(waiter);
        }
    }

    /// Rings those that are threads, and gives the others, which are code of the user's.
    pub(crate) fn ring_threads(&self, item: u32) -> Vec<Waiter> {
        let mut others = Vec::new();
        for waiter in self.take(item) {
            match waiter {
                Waiter::Thread(thread) => thread.unpark(),
                Waiter::Member(set, index) => others.extend(set.push(index).map(Waiter::Task)),
                other => others.push(other),
            }
        }
        others
    }

    /// Rings all, in order.
    pub(crate) fn ring(&self, job: &JobRef) {
        for waiter in self.take(job.item()) {
            waiter.ring(job);
        }
    }

    /// Takes all that wait for `item`. Whoever looks for itself which item is done is among them; a callback on another item of
    /// the same chunk stays.
    fn take(&self, item: u32) -> impl Iterator<Item = Waiter> {
        let mut hung = self.lock();
        let stays = |waiter: &mut Waiter| matches!(waiter, Waiter::Callback(other, _) if *other != item);
        let first = hung.first.take_if(|waiter| !stays(waiter));
        let more = hung.more.as_mut().map(|more| {
            let mut taken = std::mem::take(&mut more.waiters);
            if taken.iter_mut().any(stays) {
                more.waiters = taken.extract_if(.., stays).collect();
            }
            taken
        });
        first.into_iter().chain(more.into_iter().flatten())
    }

    /// Wakes those that wait, without having anything to tell, so that they look at the pool again. An async task hangs
    /// itself in again when it is polled.
    pub(crate) fn nudge(&self) {
        let mut threads = Vec::new();
        let mut sets = Vec::new();
        let task = {
            let mut hung = self.lock();
            for waiter in hung.iter_mut() {
                match waiter {
                    Waiter::Thread(thread) => threads.push(thread.clone()),
                    Waiter::Member(set, _) => sets.push(Arc::clone(set)),
                    Waiter::Task(_) | Waiter::Callback(..) => {}
                }
            }
            hung.take_task()
        };
        threads.iter().for_each(thread::Thread::unpark);
        sets.iter().for_each(|set| set.nudge());
        if let Some(waiter) = task {
            quietly(|| waiter.wake());
        }
    }

    /// Takes the calling thread out, after a wait that ended early.
    pub(crate) fn forget_thread(&self) {
        let me = thread::current().id();
        self.forget(|waiter| matches!(waiter, Waiter::Thread(thread) if thread.id() == me));
    }

    /// Takes a set out, after a wait that ended early.
    pub(crate) fn forget_set(&self, set: &Arc<Completion>) {
        self.forget(|waiter| matches!(waiter, Waiter::Member(member, _) if Arc::ptr_eq(member, set)));
    }

    fn forget(&self, leaves: impl Fn(&Waiter) -> bool) {
        let mut hung = self.lock();
        hung.first.take_if(|waiter| leaves(waiter));
        if let Some(more) = &mut hung.more {
            more.waiters.retain(|waiter| !leaves(waiter));
        }
    }

    /// Wakes `waker` when the job is asked to stop, in place of the one that hangs at `place`. The caller then looks
    /// whether it was asked already.
    pub(crate) fn hang_stop(&self, place: &mut Option<u64>, waker: &Waker) {
        // Cloning and dropping a waker are user code, so they come outside the lock.
        let new = waker.clone();
        let mut more = self.more();
        let number = *place.get_or_insert_with(|| {
            more.stop_ever += 1;
            more.stop_ever
        });
        let old = more.stop.insert(number, new);
        drop(more);
        quietly(|| drop(old));
    }

    /// Takes out what hangs at `place`.
    pub(crate) fn forget_stop(&self, place: u64) {
        let old = self.more_if_any().and_then(|mut more| more.stop.remove(&place));
        quietly(|| drop(old));
    }

    pub(crate) fn set_progress(&self, done: u64, total: u64) {
        self.more().progress = Some((done, total));
    }

    pub(crate) fn progress(&self) -> Option<(u64, u64)> {
        self.more_if_any()?.progress
    }

    /// Tells those who wait to be asked to stop.
    pub(crate) fn ring_stop(&self) {
        let wakers = self.more_if_any().map(|mut more| std::mem::take(&mut more.stop));
        for waker in wakers.into_iter().flat_map(BTreeMap::into_values) {
            quietly(|| waker.wake());
        }
    }
}

impl Extra {
    fn new(details: Option<Details>) -> Box<Self> {
        Box::new(Extra { details, more: Mutex::new(More::default()) })
    }
}

impl Hung<'_> {
    fn take_task(&mut self) -> Option<Waker> {
        let is_task = |waiter: &mut Waiter| matches!(waiter, Waiter::Task(_));
        let first = self.first.take_if(is_task);
        let more = || self.more.as_mut()?.waiters.extract_if(.., is_task).next();
        match first.or_else(more) {
            Some(Waiter::Task(waker)) => Some(waker),
            _ => None,
        }
    }

    fn task_mut(&mut self) -> Option<&mut Waker> {
        self.iter_mut().find_map(|waiter| match waiter {
            Waiter::Task(waker) => Some(waker),
            _ => None,
        })
    }

    fn iter_mut(&mut self) -> impl Iterator<Item = &mut Waiter> {
        self.first.iter_mut().chain(self.more.iter_mut().flat_map(|more| more.waiters.iter_mut()))
    }
}
