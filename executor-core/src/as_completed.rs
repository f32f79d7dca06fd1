//! [`as_completed`]: futures in the order in which they are done.

use std::fmt;
use std::iter::FusedIterator;
use std::pin::Pin;
use std::ptr;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_core::Stream;

use crate::backend::Control;
use crate::bells::Waiter;
use crate::completion::Completion;
use crate::drive::note_awaited;
use crate::error::{JobError, WaitTimeout};
use crate::future::JobFuture;
use crate::job_ref::JobRef;
use crate::state::JobState;
use crate::waiting::Limit;

/// Futures that are given back as they are done. The places of those that were given back are used again.
pub(crate) struct Members<T> {
    slots: Vec<Option<JobFuture<T>>>,
    free: Vec<u32>,
    open: usize,
    /// The pools of those that are open: nearly always one.
    pools: Vec<Share>,
    completion: Arc<Completion>,
}

/// The open members of one pool.
struct Share {
    control: Arc<dyn Control>,
    members: usize,
    /// No slot before this one has a job of this pool that a waiting worker could begin: jobs leave that state for good.
    first_pending: usize,
}

impl Share {
    fn has<T: 'static>(&self, future: &JobFuture<T>) -> bool {
        ptr::addr_eq(Arc::as_ptr(&self.control), Arc::as_ptr(future.control()))
    }
}

impl<T: 'static> Members<T> {
    pub(crate) fn new() -> Self {
        let completion = Arc::new(Completion::new());
        Members { slots: Vec::new(), free: Vec::new(), open: 0, pools: Vec::new(), completion }
    }

    /// How many were added and not given back.
    pub(crate) fn open(&self) -> usize {
        self.open
    }

    pub(crate) fn add(&mut self, future: JobFuture<T>) {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            // 2^32 futures would take some hundred GiB of cells.
            (self.slots.len() - 1) as u32
        });
        match self.pools.iter_mut().find(|share| share.has(&future)) {
            Some(share) => {
                share.members += 1;
                share.first_pending = share.first_pending.min(index as usize);
            }
            None => {
                let control = Arc::clone(future.control());
                self.pools.push(Share { control, members: 1, first_pending: index as usize });
            }
        }
        let job = future.job();
        self.slots[index as usize] = Some(future);
        self.open += 1;
        job.hang(Waiter::Member(Arc::clone(&self.completion), index));
    }

    /// A member is done: its pool is not waited for on its account any more.
    fn leave(&mut self, index: u32) {
        let Some(future) = &self.slots[index as usize] else { return };
        let Some(pool) = self.pools.iter().position(|share| share.has(future)) else { return };
        self.pools[pool].members -= 1;
        if self.pools[pool].members == 0 {
            self.pools.swap_remove(pool);
        }
    }

    fn give_back(&mut self, index: u32) -> Option<JobFuture<T>> {
        let future = self.slots[index as usize].take()?;
        self.free.push(index);
        self.open -= 1;
        Some(future)
    }

    /// The place of one that is done, each once; blocks until there is one. `None` if all are done, or the limit came
    /// first.
    ///
    /// A worker of the pool takes a done one first, else it runs one that nobody has begun, and looks again.
    pub(crate) fn next_place(&mut self, limit: Limit) -> Result<Option<u32>, JobError> {
        while !self.pools.is_empty() {
            if let Some(index) = self.completion.pop() {
                self.leave(index);
                return Ok(Some(index));
            }
            if limit.has_passed() {
                return Ok(None);
            }
            self.pools.iter().try_for_each(|share| share.control.may_block())?;
            if !(limit.may_help() && self.help()) {
                self.completion.park(limit.deadline());
            }
        }
        Ok(None)
    }

    /// One that is done, as [`next_place`](Members::next_place) finds it.
    pub(crate) fn next(&mut self, limit: Limit) -> Result<Option<JobFuture<T>>, JobError> {
        Ok(self.next_place(limit)?.and_then(|index| self.give_back(index)))
    }

    pub(crate) fn poll_next(&mut self, waker: &Waker) -> Poll<Option<JobFuture<T>>> {
        if self.open == 0 {
            return Poll::Ready(None);
        }
        if let Some(index) = self.completion.poll_pop(waker) {
            self.leave(index);
            return Poll::Ready(self.give_back(index));
        }
        for pool in 0..self.pools.len() {
            match self.pending(pool) {
                Some(job) => note_awaited(&job),
                None => self.with_retries(pool).for_each(|job| note_awaited(&job)),
            }
        }
        Poll::Pending
    }

    /// The member at `index`, which was not given back.
    pub(crate) fn get(&self, index: u32) -> Option<&JobFuture<T>> {
        self.slots[index as usize].as_ref()
    }

    /// Gives back all that were not, in the order in which they were added, and waits for none of them any more.
    pub(crate) fn release(self) -> impl Iterator<Item = JobFuture<T>> {
        let completion = self.completion;
        self.slots.into_iter().flatten().inspect(move |future| {
            if !future.is_done() {
                future.job().record().bells.forget_set(&completion);
            }
        })
    }

    /// The first job of a pool that nobody has begun.
    fn pending(&mut self, pool: usize) -> Option<JobRef> {
        let share = &mut self.pools[pool];
        let rest = self.slots.get(share.first_pending..)?;
        let is_pending = |future: &JobFuture<T>| share.has(future) && future.state() == JobState::Pending;
        let offset = rest.iter().position(|slot| slot.as_ref().is_some_and(is_pending));
        share.first_pending += offset.unwrap_or(rest.len());
        self.slots.get(share.first_pending)?.as_ref().map(JobFuture::job)
    }

    /// Runs one job that nobody has begun, or that waits for its next attempt, if this thread is a worker of its pool.
    fn help(&mut self) -> bool {
        let own = self.pools.iter().position(|share| share.control.is_own_worker());
        own.is_some_and(|own| self.help_with_pending(own) || self.help_with_retry(own))
    }

    fn help_with_pending(&mut self, pool: usize) -> bool {
        while let Some(job) = self.pending(pool) {
            if job.record().control.help(&job) {
                return true;
            }
            // It is not to be run here; or another worker was faster, and there may be a next one.
            if job.state() == JobState::Pending {
                return false;
            }
        }
        false
    }

    fn help_with_retry(&self, pool: usize) -> bool {
        self.with_retries(pool).any(|job| job.record().control.help(&job))
    }

    /// Those of a pool whose job may wait for its next attempt.
    fn with_retries(&self, pool: usize) -> impl Iterator<Item = JobRef> {
        let share = &self.pools[pool];
        let of_pool = self.slots.iter().flatten().filter(|future| share.has(future));
        of_pool.map(JobFuture::job).filter(|job| job.record().details().is_some())
    }

    /// Cancels those that have not begun.
    pub(crate) fn cancel(&self) {
        for future in self.slots.iter().flatten() {
            future.cancel();
        }
    }
}

/// Gives each of the futures once, as it is done: the finished, the failed and the cancelled alike, those that are done
/// already first.
///
/// # Examples
///
/// ```
/// use executor_core::{Executor, InlineExecutor, as_completed, job};
///
/// #[job]
/// fn square(n: u64) -> u64 {
///     n * n
/// }
///
/// let pool = InlineExecutor::new();
/// let futures: Vec<_> = (1..=3).map(|n| pool.submit(square::job(n))).collect();
/// let mut sum = 0;
/// for done in as_completed(futures) {
///     sum += done.result()?;
/// }
/// assert_eq!(sum, 14);
/// # Ok::<(), executor_core::JobError>(())
/// ```
pub fn as_completed<T: 'static>(futures: impl IntoIterator<Item = JobFuture<T>>) -> AsCompleted<T> {
    let mut members = Members::new();
    futures.into_iter().for_each(|future| members.add(future));
    AsCompleted { total: members.open(), members }
}

/// The iterator of [`as_completed`].
///
/// # Blocking
///
/// `next` blocks until one more is done. A worker of the same pool runs a job of the set meanwhile that no other has
/// begun. [`into_stream`](AsCompleted::into_stream) awaits instead.
#[must_use = "dropping it detaches the jobs that are not done: they still run, and their values are dropped"]
pub struct AsCompleted<T> {
    members: Members<T>,
    total: usize,
}

impl<T: 'static> AsCompleted<T> {
    /// The next one that is done, waiting for `limit` at most; `None` once all were given.
    ///
    /// # Errors
    ///
    /// If none is done in time: how many of how many are open. It can be asked again.
    ///
    /// # Panics
    ///
    /// On a thread that must not block: use [`into_stream`](AsCompleted::into_stream) there.
    pub fn next_timeout(&mut self, limit: Duration) -> Result<Option<JobFuture<T>>, WaitTimeout> {
        match self.members.next(Limit::after(limit)) {
            Ok(None) if self.members.open() > 0 => Err(WaitTimeout { open: self.members.open(), total: self.total }),
            Ok(next) => Ok(next),
            Err(error) => panic!("{error}"),
        }
    }

    /// The same futures as a stream, which awaits each instead of blocking.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future of one `next` loses nothing; dropping the stream detaches the jobs.
    pub fn into_stream(self) -> AsCompletedStream<T> {
        AsCompletedStream { set: self }
    }
}

impl<T: 'static> Iterator for AsCompleted<T> {
    type Item = JobFuture<T>;

    /// # Panics
    ///
    /// On a thread that must not block.
    fn next(&mut self) -> Option<JobFuture<T>> {
        match self.members.next(Limit::None) {
            Ok(next) => next,
            Err(error) => panic!("{error}"),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.members.open(), Some(self.members.open()))
    }
}

impl<T: 'static> ExactSizeIterator for AsCompleted<T> {}

impl<T: 'static> FusedIterator for AsCompleted<T> {}

impl<T> fmt::Debug for AsCompleted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsCompleted").field("open", &self.members.open).field("total", &self.total).finish()
    }
}

/// The futures of an [`AsCompleted`] as a stream.
#[must_use = "dropping it detaches the jobs that are not done: they still run, and their values are dropped"]
pub struct AsCompletedStream<T> {
    set: AsCompleted<T>,
}

impl<T: 'static> Stream for AsCompletedStream<T> {
    type Item = JobFuture<T>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<JobFuture<T>>> {
        self.set.members.poll_next(cx.waker())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.set.size_hint()
    }
}

impl<T> fmt::Debug for AsCompletedStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.set.fmt(f)
    }
}
