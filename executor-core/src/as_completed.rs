//! [`as_completed`]: futures in the order in which they are done.

use std::fmt;
use std::iter::FusedIterator;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_core::Stream;

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
    /// No slot before this one has a job that a waiting worker could begin: jobs leave that state for good.
    first_pending: usize,
    completion: Arc<Completion>,
}

impl<T: 'static> Members<T> {
    pub(crate) fn new() -> Self {
        Members {
            slots: Vec::new(),
            free: Vec::new(),
            open: 0,
            first_pending: 0,
            completion: Arc::new(Completion::new()),
        }
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
        let job = future.job();
        self.slots[index as usize] = Some(future);
        self.first_pending = self.first_pending.min(index as usize);
        self.open += 1;
        job.hang(Waiter::Member(Arc::clone(&self.completion), index));
    }

    fn give_back(&mut self, index: u32) -> Option<JobFuture<T>> {
        let future = self.slots[index as usize].take()?;
        self.free.push(index);
        self.open -= 1;
        Some(future)
    }

    /// One that is done; blocks until there is one. `None` if all were given back, or the limit came first.
    ///
    /// A worker of the pool takes a done one first, else it runs one that nobody has begun, and looks again.
    pub(crate) fn next(&mut self, limit: Limit) -> Result<Option<JobFuture<T>>, JobError> {
        while self.open > 0 {
            if let Some(index) = self.completion.pop() {
                return Ok(self.give_back(index));
            }
            if limit.has_passed() {
                return Ok(None);
            }
            self.may_block()?;
            if !(limit.may_help() && self.help()) {
                self.completion.park(limit.deadline());
            }
        }
        Ok(None)
    }

    pub(crate) fn poll_next(&mut self, waker: &Waker) -> Poll<Option<JobFuture<T>>> {
        if self.open == 0 {
            return Poll::Ready(None);
        }
        if let Some(index) = self.completion.poll_pop(waker) {
            return Poll::Ready(self.give_back(index));
        }
        match self.pending() {
            Some(pending) => note_awaited(&pending.job()),
            None => self.with_retries().for_each(|job| note_awaited(&job)),
        }
        Poll::Pending
    }

    fn may_block(&self) -> Result<(), JobError> {
        self.slots.iter().flatten().next().map_or(Ok(()), |future| future.job().record().control.may_block())
    }

    /// One whose job nobody has begun.
    fn pending(&mut self) -> Option<&JobFuture<T>> {
        let rest = self.slots.get(self.first_pending..)?;
        let offset =
            rest.iter().position(|slot| slot.as_ref().is_some_and(|future| future.state() == JobState::Pending));
        self.first_pending += offset.unwrap_or(rest.len());
        self.slots.get(self.first_pending)?.as_ref()
    }

    /// Runs one job that nobody has begun, if this thread is a worker of its pool.
    fn help(&mut self) -> bool {
        let Some(pending) = self.pending() else { return self.help_with_retry() };
        let job = pending.job();
        job.record().control.is_own_worker() && job.record().control.help(&job)
    }

    /// Runs a job that waits for its next attempt in the queue of this worker's pool.
    fn help_with_retry(&self) -> bool {
        self.with_retries().any(|job| {
            let control = &job.record().control;
            control.is_own_worker() && control.help(&job)
        })
    }

    /// Those whose job may wait for its next attempt.
    fn with_retries(&self) -> impl Iterator<Item = JobRef> {
        self.slots.iter().flatten().map(JobFuture::job).filter(|job| job.record().details().is_some())
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
