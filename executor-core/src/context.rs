//! [`current`]: what a job can learn of itself, and tell.

use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use crate::handle::JobHandle;
use crate::job_ref::JobRef;
use crate::panic::drop_quietly;
use crate::state::{JobId, PoolId};
use crate::sync::{per_thread, thread};

per_thread! {
    static RUNNING: RefCell<Option<JobRef>> = const { RefCell::new(None) };
    static SEAT: RefCell<Option<Arc<Seat>>> = const { RefCell::new(None) };
}

/// What the polls of async jobs happen inside of, such as the context of a runtime: it calls what it is given, once.
pub type Surroundings = Arc<dyn Fn(&mut dyn FnMut()) + Send + Sync>;

/// The place of one worker: its pool, its number, the state that the initializer made for it, and what its async jobs are polled
/// inside of.
pub struct Seat {
    pool: PoolId,
    worker: usize,
    state: OnceLock<Arc<dyn Any + Send + Sync>>,
    surroundings: Option<Surroundings>,
}

impl Seat {
    /// A seat for worker number `worker` of `pool`.
    #[must_use]
    pub fn new(pool: PoolId, worker: usize) -> Arc<Self> {
        Seat::surrounded(pool, worker, None)
    }

    /// The same, where async jobs that are driven on the thread of this worker are polled inside of `surroundings`. A panic in them is one
    /// of the job.
    #[must_use]
    pub fn surrounded(pool: PoolId, worker: usize, surroundings: Option<Surroundings>) -> Arc<Self> {
        Arc::new(Seat { pool, worker, state: OnceLock::new(), surroundings })
    }

    /// The pool.
    #[must_use]
    pub fn pool(&self) -> PoolId {
        self.pool
    }

    /// The number of the worker, from 0.
    #[must_use]
    pub fn worker(&self) -> usize {
        self.worker
    }

    /// Makes the calling thread this worker until the guard is dropped; the seat it had comes back then.
    pub fn take(self: Arc<Self>) -> SeatGuard {
        SeatGuard { before: SEAT.with(|seat| seat.replace(Some(self))), not_send: PhantomData }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        // The state is the user's, and whoever leaves the seat last has other things to see to.
        drop_quietly(self.state.take());
    }
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seat").field("pool", &self.pool).field("worker", &self.worker).finish_non_exhaustive()
    }
}

/// Keeps a thread on its seat.
#[must_use = "dropping the guard leaves the seat"]
#[derive(Debug)]
pub struct SeatGuard {
    before: Option<Arc<Seat>>,
    /// The seat is this thread's, so the guard must not leave it.
    not_send: PhantomData<*const ()>,
}

impl Drop for SeatGuard {
    fn drop(&mut self) {
        let before = self.before.take();
        // A thread that is being torn down has no seat any more.
        let _ = SEAT.try_with(|seat| drop(seat.replace(before)));
    }
}

/// Calls `f` with the seat of the calling thread, if it is a worker.
pub fn current_seat<R>(f: impl FnOnce(Option<&Arc<Seat>>) -> R) -> R {
    let seat = SEAT.try_with(|seat| seat.borrow().clone()).ok().flatten();
    f(seat.as_ref())
}

/// What async jobs on the calling thread are polled inside of.
pub(crate) fn surroundings() -> Option<Surroundings> {
    current_seat(|seat| seat.and_then(|seat| seat.surroundings.clone()))
}

/// Runs `f` as a part of `job`: inside, [`current`] speaks of it.
#[inline]
pub(crate) fn enter<R>(job: JobRef, f: impl FnOnce() -> R) -> R {
    let _entered = Entered::new(job);
    f()
}

/// Until it is dropped, [`current`] speaks of one job, or of [one after another](turn_to) of a chunk.
pub(crate) struct Entered {
    before: Option<JobRef>,
    /// The context is this thread's, so that it must not leave it.
    not_send: PhantomData<*const ()>,
}

impl Entered {
    #[inline]
    pub(crate) fn new(job: JobRef) -> Self {
        let before = RUNNING.with(|running| running.replace(Some(job)));
        Entered { before, not_send: PhantomData }
    }
}

impl Drop for Entered {
    #[inline]
    fn drop(&mut self) {
        let before = self.before.take();
        let _ = RUNNING.try_with(|running| drop(running.replace(before)));
    }
}

/// The job that runs on this thread.
pub(crate) fn running() -> Option<JobRef> {
    RUNNING.try_with(|running| running.borrow().clone()).ok().flatten()
}

/// Says that the job running on this thread is now item `index` of the chunk that [`enter`] named.
#[inline]
pub(crate) fn turn_to(index: u32) {
    RUNNING.with(|running| {
        if let Some(job) = &mut *running.borrow_mut() {
            job.turn_to(index);
        }
    });
}

/// The job that runs on this thread now.
///
/// A job's function can also be called directly, outside of any executor. There the context is an empty one: it has no
/// number, is never asked to stop, and forgets what it is told.
///
/// # Examples
///
/// ```
/// use executor_core::{current, job};
///
/// #[job]
/// fn count_to(n: u64) -> u64 {
///     let job = current();
///     let mut counted = 0;
///     while counted < n && !job.should_stop() {
///         counted += 1;
///         job.progress(counted, n);
///     }
///     counted
/// }
///
/// assert_eq!(count_to(10), 10);
/// ```
#[must_use]
pub fn current() -> JobContext {
    JobContext { job: running(), seat: current_seat(|seat| seat.cloned()) }
}

/// What a job can learn of itself, and tell. Cheap to clone, and it may leave the thread of the job.
#[derive(Clone)]
pub struct JobContext {
    job: Option<JobRef>,
    seat: Option<Arc<Seat>>,
}

impl JobContext {
    /// The number of the job; `None` outside of a job.
    #[must_use]
    pub fn id(&self) -> Option<JobId> {
        self.job.as_ref().map(JobRef::id)
    }

    /// The name of the job; empty outside of a job.
    #[must_use]
    pub fn name(&self) -> &str {
        self.job.as_ref().map_or("", JobRef::name)
    }

    /// The number of the worker, from 0; `None` on a thread that is no worker.
    #[must_use]
    pub fn worker(&self) -> Option<usize> {
        self.seat.as_ref().map(|seat| seat.worker)
    }

    /// Which attempt of the job this is, from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        let details = self.job.as_ref().and_then(|job| job.record().details());
        details.map_or(1, |details| details.attempt())
    }

    /// True once the job was asked to stop: by [`request_stop`](crate::JobFuture::request_stop), by its run limit, or
    /// by [`Shutdown::Kill`](crate::Shutdown::Kill). A long job looks at it now and then; a look costs a few ns.
    #[must_use]
    pub fn should_stop(&self) -> bool {
        self.job.as_ref().is_some_and(JobRef::should_stop)
    }

    /// Waits until the job is asked to stop: for an async job, beside its work.
    ///
    /// # Cancel safety
    ///
    /// Dropping it loses nothing.
    #[must_use = "futures do nothing unless they are awaited"]
    pub fn stopped(&self) -> Stopped {
        Stopped { job: self.job.clone(), place: None }
    }

    /// How much of the run limit is left; `None` without one.
    #[must_use]
    pub fn time_left(&self) -> Option<Duration> {
        let deadline = self.job.as_ref().and_then(JobRef::deadline)?;
        Some(deadline.saturating_duration_since(Instant::now()))
    }

    /// Tells how far the job has come, in units of its own. [`JobHandle::progress`] reads it.
    pub fn progress(&self, done: u64, total: u64) {
        if let Some(job) = &self.job {
            job.record().bells.set_progress(done, total);
            job.record().control.progressed(job, done, total);
        }
    }

    /// The state of this worker, which its initializer made; `None` if there is none of this type.
    #[must_use]
    pub fn worker_state<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        let state = self.seat.as_ref()?.state.get()?;
        Arc::clone(state).downcast().ok()
    }

    /// Sets the state of this worker: for an initializer. False if the worker has one, or the thread is no worker.
    pub fn set_worker_state<T: Any + Send + Sync>(&self, state: T) -> bool {
        self.seat.as_ref().is_some_and(|seat| seat.state.set(Arc::new(state)).is_ok())
    }

    /// A handle to the job; `None` outside of a job.
    #[must_use]
    pub fn handle(&self) -> Option<JobHandle> {
        self.job.clone().map(JobHandle::new)
    }
}

impl fmt::Debug for JobContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobContext")
            .field("id", &self.id())
            .field("name", &self.name())
            .field("worker", &self.worker())
            .field("attempt", &self.attempt())
            .finish()
    }
}

/// The future of [`JobContext::stopped`].
#[must_use = "futures do nothing unless they are awaited"]
#[derive(Debug)]
pub struct Stopped {
    job: Option<JobRef>,
    /// Where its waker hangs.
    place: Option<u64>,
}

impl Future for Stopped {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Stopped { job, place } = self.get_mut();
        let Some(job) = job else { return Poll::Pending };
        if job.should_stop() {
            return Poll::Ready(());
        }
        job.record().bells.hang_stop(place, cx.waker());
        // Looked at again: the request may have come before the waker hung there.
        if job.should_stop() { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        if let (Some(job), Some(place)) = (&self.job, self.place) {
            job.record().bells.forget_stop(place);
        }
    }
}

/// A waker that unparks `thread`.
pub(crate) fn thread_waker(thread: thread::Thread) -> Waker {
    struct Unpark(thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
        fn wake_by_ref(self: &Arc<Self>) {
            self.0.unpark();
        }
    }
    Waker::from(Arc::new(Unpark(thread)))
}
