//! [`InlineExecutor`]: runs each job at submit, on the caller. The reference implementation, and a debugging aid.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use crate::backend::{
    Backend, Capabilities, Carrier, Control, JobRef, PoolId, Ran, Refused, Room, Seat, Shutdown, Tally, Task,
    current_seat, linked_carrier, prepare,
};
use crate::error::BuildError;
use crate::stats::Stats;

/// Runs each job at submit, on the thread that submits it.
///
/// For tests and for debugging: nothing runs beside anything else, a breakpoint in a job has its submitter on the stack,
/// and [`encode(true)`](InlineExecutorBuilder::encode) finds a job that would not survive the way to another process.
/// It is also the reference for what a backend does. A handle; clones share the executor.
///
/// # Examples
///
/// ```
/// use executor_core::{Executor, InlineExecutor, job};
///
/// #[job]
/// fn greet(name: &str) -> String {
///     format!("hello, {name}")
/// }
///
/// let pool = InlineExecutor::new();
/// assert_eq!(pool.submit(greet::job("you")).result()?, "hello, you");
/// # Ok::<(), executor_core::JobError>(())
/// ```
#[derive(Clone)]
pub struct InlineExecutor {
    control: Arc<dyn Control>,
    inner: Arc<Inner>,
}

impl InlineExecutor {
    /// An executor with the defaults of its builder.
    ///
    /// # Panics
    ///
    /// If two jobs of this program have the same explicit name; [`builder`](InlineExecutor::builder) gives that as an
    /// error.
    #[must_use]
    #[expect(
        clippy::new_without_default,
        reason = "every backend is made by `new`, most of them with a number of workers"
    )]
    pub fn new() -> Self {
        match InlineExecutor::builder().build() {
            Ok(executor) => executor,
            Err(error) => panic!("{error}"),
        }
    }

    /// A builder.
    pub fn builder() -> InlineExecutorBuilder {
        InlineExecutorBuilder { encode: false }
    }
}

/// Builds an [`InlineExecutor`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct InlineExecutorBuilder {
    encode: bool,
}

impl InlineExecutorBuilder {
    /// Passes every job and every output through the codec, as on the way to another process. Default: `false`.
    ///
    /// What is not written into bytes, such as a lock or the end of a channel of `executor-ipc`, passes beside them where a backend that
    /// carries it, such as `executor-process`, is linked into the program; where none is, it is the error of its job.
    pub fn encode(mut self, encode: bool) -> Self {
        self.encode = encode;
        self
    }

    /// Builds the executor.
    ///
    /// # Errors
    ///
    /// [`BuildError::DuplicateJobName`] if two jobs of this program have the same explicit name.
    pub fn build(self) -> Result<InlineExecutor, BuildError> {
        prepare()?;
        let pool = PoolId::new();
        let inner = Arc::new(Inner {
            pool,
            seat: Seat::new(pool, 0),
            encode: self.encode,
            shut_down: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            counts: Counts::default(),
        });
        Ok(InlineExecutor { control: Arc::clone(&inner) as Arc<dyn Control>, inner })
    }
}

struct Inner {
    pool: PoolId,
    seat: Arc<Seat>,
    encode: bool,
    shut_down: AtomicBool,
    stopping: AtomicBool,
    counts: Counts,
}

/// Counts of jobs. A snapshot reads the latest stage first, and each change is released and acquired, so that no job is
/// seen at a later stage and not at the earlier ones.
#[derive(Default)]
struct Counts {
    accepted: AtomicU64,
    begun: AtomicU64,
    finished: AtomicU64,
    failed: AtomicU64,
    cancelled: AtomicU64,
}

impl Tally for Counts {
    fn begun(&self) {
        self.begun.fetch_add(1, Ordering::Release);
    }

    fn ended(&self, failed: bool) {
        let count = if failed { &self.failed } else { &self.finished };
        count.fetch_add(1, Ordering::Release);
    }
}

impl Backend for InlineExecutor {
    fn id(&self) -> PoolId {
        self.inner.pool
    }

    fn control(&self) -> &Arc<dyn Control> {
        &self.control
    }

    fn accept(&self, task: Task, _: Room<'_>) -> Result<(), Refused> {
        let inner = &*self.inner;
        // Acquires what the thread did that shut the executor down.
        if inner.shut_down.load(Ordering::Acquire) {
            return Err(Refused::shut_down(task));
        }
        inner.counts.accepted.fetch_add(task.jobs() as u64, Ordering::Release);
        let _seat = Arc::clone(&inner.seat).take();
        let mut next = Some(task);
        while let Some(task) = next.take() {
            let rest = task.share();
            match task.run(&inner.counts, Instant::now) {
                Ran::Done => {}
                Ran::Again(retry) => retry.run_here(&inner.counts),
                Ran::Yielded => next = rest,
            }
        }
        Ok(())
    }

    fn begin_shutdown(&self, mode: Shutdown) {
        // Releases what this thread did, to those whose submits are refused.
        self.inner.shut_down.store(true, Ordering::Release);
        if mode == Shutdown::Kill {
            self.inner.stopping.store(true, Ordering::Release);
        }
    }

    /// Jobs of other threads that are inside a submit are theirs to wait for.
    fn wait_ended(&self, _: Option<Instant>) -> usize {
        0
    }

    fn snapshot(&self) -> Stats {
        let counts = &self.inner.counts;
        let [finished, failed, cancelled, begun, accepted] =
            [&counts.finished, &counts.failed, &counts.cancelled, &counts.begun, &counts.accepted]
                .map(|count| count.load(Ordering::Acquire));
        Stats {
            workers: 1,
            queued: accepted - begun - cancelled,
            running: begun - finished - failed,
            finished,
            failed,
            cancelled,
            ..Stats::default()
        }
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { concurrent: false, encodes: self.inner.encode, ..Capabilities::in_process() }
    }
}

impl Control for Inner {
    fn is_own_worker(&self) -> bool {
        current_seat(|seat| seat.is_some_and(|seat| seat.pool() == self.pool))
    }

    fn help(&self, _: &JobRef) -> bool {
        false
    }

    fn withdrawn(&self, _: &JobRef) {
        self.counts.cancelled.fetch_add(1, Ordering::Release);
    }

    fn kill(&self, _: &JobRef) -> bool {
        false
    }

    fn stop_requested(&self, _: &JobRef) {}

    fn encodes(&self) -> bool {
        self.encode
    }

    fn carrier(&self) -> Option<&'static dyn Carrier> {
        linked_carrier().filter(|_| self.encode)
    }

    fn is_stopping(&self) -> bool {
        // Acquires what the thread did that ordered the stop.
        self.stopping.load(Ordering::Acquire)
    }
}

impl fmt::Debug for InlineExecutor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InlineExecutor").field("encode", &self.inner.encode).field("stats", &self.snapshot()).finish()
    }
}
