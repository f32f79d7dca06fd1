//! [`Executor`]: what users call.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::backend::{Backend, Force, JobRef, Refused, Room, Shutdown, Task};
use crate::error::{JobError, OptionError, Rejection, ShutdownError, TrySubmitError};
use crate::future::JobFuture;
use crate::job::Job;
use crate::map::{Map, MapOptions, MapUnordered};
use crate::options::{JobOptions, Priority, Retries};
use crate::payload::JobPayload;
use crate::put_off::callbacks_after;
use crate::single::Single;
use crate::stats::Stats;
use crate::submission::Submission;
use crate::submit_wait::SubmitWait;
use crate::trace::Submitter;

/// An executor: give it jobs, get futures.
///
/// Every [`Backend`] is one, and so are references to one, boxes, and [`Arc`]s. A function that takes any pool takes
/// `&impl Executor`, or `&dyn Backend` where one compiled copy of it should do:
///
/// ```
/// use executor_core::{Backend, Executor, InlineExecutor, JobError, job};
///
/// #[job]
/// fn double(n: u64) -> u64 {
///     2 * n
/// }
///
/// fn generic(pool: &impl Executor) -> Result<u64, JobError> {
///     pool.submit(double::job(4)).result()
/// }
///
/// fn dynamic(pool: &dyn Backend) -> Result<u64, JobError> {
///     pool.submit(double::job(4)).result()
/// }
///
/// let pool = InlineExecutor::new();
/// assert_eq!(generic(&pool)?, dynamic(&pool)?);
/// # Ok::<(), JobError>(())
/// ```
pub trait Executor: Backend {
    /// Hands `job` over and gives the future of its output.
    ///
    /// It never fails by itself: a refusal, such as after a shutdown, is the future's error.
    ///
    /// # Blocking
    ///
    /// With a bounded queue that is full, until there is room. A worker of the same pool does not wait for room, and a thread
    /// that must not block is refused: the future is [`Rejected`](JobError::Rejected).
    fn submit<J: Job>(&self, job: J) -> JobFuture<J::Output> {
        let control = self.control();
        if control.travels() {
            return submit_encoded(self, job);
        }
        // Spelled out, because each move of a task on this way costs some ns.
        let cell = Single::new(JobPayload(job), None, Arc::clone(control), &Submitter::here());
        if let Err(refused) = self.accept(Task::pending(JobRef::new(Arc::clone(&cell), 0)), Room::Wait) {
            refused.fail();
        }
        JobFuture::new(cell)
    }

    /// [`submit`](Executor::submit) with options. One that the backend cannot honour is the future's error, and names
    /// the option.
    ///
    /// # Blocking
    ///
    /// As [`submit`](Executor::submit).
    fn submit_with<J: Job>(&self, job: J, options: JobOptions) -> JobFuture<J::Output> {
        let unsupported = unsupported(self, &options);
        let control = Arc::clone(self.control());
        let Submission { task, cell } = Submission::new(JobPayload(job), Some(options), control, &Submitter::here());
        let refused = match (task, unsupported) {
            (Some(task), Some(option)) => {
                Err(Refused::new(task, JobError::Rejected(Rejection::Unsupported { option })))
            }
            (Some(task), None) => self.accept(task, Room::Wait),
            (None, _) => Ok(()),
        };
        if let Err(refused) = refused {
            refused.fail();
        }
        JobFuture::new(cell)
    }

    /// Hands `job` over if there is room now.
    ///
    /// # Errors
    ///
    /// If the queue is full or the executor takes no more jobs; the error has the job.
    fn try_submit<J: Job>(&self, job: J) -> Result<JobFuture<J::Output>, TrySubmitError<J>> {
        let control = Arc::clone(self.control());
        let payload = JobPayload(job);
        let (kept, submission) = if control.travels() {
            let submission = Submission::encoded(&payload, None, control, &Submitter::here());
            (Some(payload), submission)
        } else {
            (None, Submission::new(payload, None, control, &Submitter::here()))
        };
        let Submission { task, cell } = submission;
        let Some(Err(refused)) = task.map(|task| self.accept(task, Room::Now)) else {
            crate::panic::drop_quietly(kept);
            return Ok(JobFuture::new(cell));
        };
        let (task, error) = refused.into_parts();
        let job = kept.or_else(|| cell.reclaim());
        // What was encoded is withdrawn with its task; a job that was taken back is in it no more.
        task.withdraw();
        match job {
            Some(JobPayload(job)) => Err(TrySubmitError::new(job, error)),
            // A backend that refuses a task and has begun it breaks its contract; the future still tells the outcome.
            None => Ok(JobFuture::new(cell)),
        }
    }

    /// Hands `job` over as soon as there is room, and awaits that room.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it is ready submits nothing, and drops the job.
    fn submit_wait<J: Job>(&self, job: J) -> impl Future<Output = JobFuture<J::Output>> + Send
    where
        Self: Sync,
    {
        let control = Arc::clone(self.control());
        SubmitWait::new(self, Submission::new(JobPayload(job), None, control, &Submitter::here()))
    }

    /// Runs the job `to_job(item)` for each item, and gives the results in the order of the items.
    ///
    /// It is lazy: it pulls its first window before it returns, and is never more than its window ahead of the reader;
    /// see [`MapOptions::window`]. So an endless input does. It goes on after an error. Dropping it cancels what has
    /// not begun.
    ///
    /// # Examples
    ///
    /// ```
    /// use executor_core::{Executor, InlineExecutor, job};
    ///
    /// #[job]
    /// fn power(base: u64, exponent: u32) -> u64 {
    ///     base.pow(exponent)
    /// }
    ///
    /// let pool = InlineExecutor::new();
    /// let powers: Result<Vec<_>, _> = pool.map(|(b, e)| power::job(b, e), [(2, 10), (10, 2)]).collect();
    /// assert_eq!(powers?, [1024, 100]);
    /// # Ok::<(), executor_core::JobError>(())
    /// ```
    fn map<F, I, J>(&self, to_job: F, items: I) -> Map<&Self, F, I::IntoIter, J>
    where
        F: FnMut(I::Item) -> J,
        I: IntoIterator,
        J: Job,
    {
        map(self, to_job, items)
    }

    /// [`map`](Executor::map) with options.
    ///
    /// # Errors
    ///
    /// If an option asks for something impossible, such as a window of 0 items.
    fn map_with<F, I, J>(
        &self,
        to_job: F,
        items: I,
        options: MapOptions,
    ) -> Result<Map<&Self, F, I::IntoIter, J>, OptionError>
    where
        F: FnMut(I::Item) -> J,
        I: IntoIterator,
        J: Job,
    {
        check(self, &options)?;
        Map::new(self, to_job, items.into_iter(), options)
    }

    /// [`map`](Executor::map), with the results in the order in which the jobs end.
    fn map_unordered<F, I, J>(&self, to_job: F, items: I) -> MapUnordered<&Self, F, I::IntoIter, J>
    where
        F: FnMut(I::Item) -> J,
        I: IntoIterator,
        J: Job,
    {
        map_unordered(self, to_job, items)
    }

    /// [`map_unordered`](Executor::map_unordered) with options.
    ///
    /// # Errors
    ///
    /// As [`map_with`](Executor::map_with).
    fn map_unordered_with<F, I, J>(
        &self,
        to_job: F,
        items: I,
        options: MapOptions,
    ) -> Result<MapUnordered<&Self, F, I::IntoIter, J>, OptionError>
    where
        F: FnMut(I::Item) -> J,
        I: IntoIterator,
        J: Job,
    {
        check(self, &options)?;
        MapUnordered::new(self, to_job, items.into_iter(), options)
    }

    /// Refuses new jobs, treats the old ones by `mode`, and waits until every worker has ended.
    ///
    /// # Errors
    ///
    /// [`ShutdownError::OwnWorker`] if called from one of the executor's own jobs, and [`ShutdownError::WouldBlock`] on a
    /// thread that must not block; nothing was begun then.
    ///
    /// # Blocking
    ///
    /// As long as the jobs that `mode` leaves take.
    fn shutdown(&self, mode: Shutdown) -> Result<(), ShutdownError> {
        end(self, mode, None)
    }

    /// [`shutdown`](Executor::shutdown), waiting for `limit` at most.
    ///
    /// # Errors
    ///
    /// [`ShutdownError::TimedOut`] if jobs were left when the limit passed. They go on, and dropping the last handle does
    /// not wait for them again.
    fn shutdown_timeout(&self, mode: Shutdown, limit: Duration) -> Result<(), ShutdownError> {
        end(self, mode, Instant::now().checked_add(limit))
    }

    /// Counts of this moment. Each accepted job is in exactly one column of every snapshot.
    fn stats(&self) -> Stats {
        self.snapshot()
    }
}

impl<B: Backend + ?Sized> Executor for B {}

/// [`Executor::map`] on a pool that the map owns, such as a clone of a handle: for a map that outlives its caller.
pub fn map<B, F, I, J>(pool: B, to_job: F, items: I) -> Map<B, F, I::IntoIter, J>
where
    B: Backend,
    F: FnMut(I::Item) -> J,
    I: IntoIterator,
    J: Job,
{
    Map::with_defaults(pool, to_job, items.into_iter())
}

/// [`Executor::map_unordered`] on a pool that the map owns.
pub fn map_unordered<B, F, I, J>(pool: B, to_job: F, items: I) -> MapUnordered<B, F, I::IntoIter, J>
where
    B: Backend,
    F: FnMut(I::Item) -> J,
    I: IntoIterator,
    J: Job,
{
    MapUnordered::with_defaults(pool, to_job, items.into_iter())
}

/// Submits a job that leaves this process.
#[inline(never)]
fn submit_encoded<B: Backend + ?Sized, J: Job>(backend: &B, job: J) -> JobFuture<J::Output> {
    let control = Arc::clone(backend.control());
    let Submission { task, cell } = Submission::new(JobPayload(job), None, control, &Submitter::here());
    if let Some(task) = task
        && let Err(refused) = backend.accept(task, Room::Wait)
    {
        refused.fail();
    }
    JobFuture::new(cell)
}

fn end(backend: &(impl Backend + ?Sized), mode: Shutdown, deadline: Option<Instant>) -> Result<(), ShutdownError> {
    if backend.control().is_own_worker() {
        return Err(ShutdownError::OwnWorker);
    }
    if let Err(JobError::WouldBlock { advice }) = backend.control().may_block() {
        return Err(ShutdownError::WouldBlock { advice });
    }
    callbacks_after(|| backend.begin_shutdown(mode));
    match backend.wait_ended(deadline) {
        0 => Ok(()),
        jobs => Err(ShutdownError::TimedOut { jobs }),
    }
}

/// The name of the first option that the backend does not honour.
fn unsupported(backend: &(impl Backend + ?Sized), options: &JobOptions) -> Option<&'static str> {
    if options.is_plain() && options.priority == Priority::Normal {
        return None;
    }
    let capabilities = backend.capabilities();
    let honours_limit = matches!(capabilities.run_limit, Some(Force::Enforced | Force::Asked));
    if options.run_limit.is_some() && !honours_limit {
        Some("run_limit")
    } else if options.priority != Priority::Normal && !capabilities.priorities {
        Some("priority")
    } else if options.retries != Retries::default() && !capabilities.retries {
        Some("retries")
    } else {
        None
    }
}

fn check(backend: &(impl Backend + ?Sized), options: &MapOptions) -> Result<(), OptionError> {
    match unsupported(backend, &options.job) {
        Some(option) => Err(OptionError { what: Rejection::Unsupported { option }.to_string() }),
        None => Ok(()),
    }
}
