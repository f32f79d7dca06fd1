//! What runs jobs: the [`Backend`] trait, and the [`Control`] through which a future reaches it.
//!
//! Users need nothing of this module; the author of a backend does. A backend
//!
//! 1. implements [`Backend`], of which every method can be called through `dyn`;
//! 2. gives each pool one [`Control`], which core hangs on every task;
//! 3. sets a [`Seat`] on each thread that runs jobs, and runs each task that it accepted with [`Task::run`];
//! 4. proves itself with the law suite of the `executor-testkit` crate.
//!
//! A task that is dropped without having run completes as [`JobError::Lost`], so that nobody hangs on a fault of a backend.

pub mod pieces;

use std::sync::Arc;
use std::time::Instant;

use crate::error::{BuildError, DuplicateJobName, JobError, Rejection};
use crate::state::JobId;
use crate::stats::Stats;

pub use crate::ageing::Ageing;
pub use crate::carrier::{ASIDE_FROM_BYTES, Attachments, Carrier, linked_carrier};
pub use crate::context::{Seat, SeatGuard, Surroundings, current_seat};
pub use crate::guest::{Guests, Reception, Returned};
pub use crate::initializer::Initializer;
pub use crate::job_ref::{Claim, JobRef};
pub use crate::panic::{catch_hook, quietly};
pub use crate::parcel::{Arrived, Callbacks, Landed, Parcel, RunOptions, Slice};

pub use crate::polled::Polled;
pub use crate::put_off::callbacks_after;
pub use crate::queue::{Next, Queue, Ticket};
pub use crate::registry::{Table, table};
pub use crate::room::{Room, RoomTicket};
pub use crate::row::RowClaim;
pub use crate::run::{Ran, Retry, Tally};
pub use crate::state::PoolId;
pub use crate::task::{Task, closure_task, future_task};

/// A pool of workers that accepts tasks. Users call it through [`Executor`](crate::Executor).
pub trait Backend: Send + Sync {
    /// The number of the pool; handles to one pool share it.
    fn id(&self) -> PoolId;

    /// What the futures of this pool's jobs reach it through.
    fn control(&self) -> &Arc<dyn Control>;

    /// Takes the task in, to run it once.
    ///
    /// # Errors
    ///
    /// Gives the task back if the pool is shut down or broken, or if its queue is full and `room` does not wait.
    ///
    /// # Blocking
    ///
    /// Only with [`Room::Wait`] and [`Room::Until`], and only while the queue is full. A worker of the same pool is
    /// never made to wait: its task is admitted above the bound. Nor is a thread that [must not](Control::may_block) block:
    /// its task is refused.
    fn accept(&self, task: Task, room: Room<'_>) -> Result<(), Refused>;

    /// An async submitter that was [to be told](Room::Notify) of room does not wait any more: its waker is dropped. The
    /// default does nothing, which is right for a queue without a bound.
    fn forget(&self, _ticket: RoomTicket) {}

    /// Refuses new tasks from now on, and treats the old ones by `mode`. Does not wait. A second call can only make
    /// the mode harsher.
    fn begin_shutdown(&self, mode: Shutdown);

    /// Waits until every worker has ended, and gives the number of jobs that were left when `deadline` passed.
    fn wait_ended(&self, deadline: Option<Instant>) -> usize;

    /// Counts of this moment, for [`Executor::stats`](crate::Executor::stats).
    fn snapshot(&self) -> Stats;

    /// What the backend can do. It never changes.
    fn capabilities(&self) -> Capabilities;
}

/// How a future reaches the pool that has its job. There is one per pool, hung on every task.
///
/// No method may block for long, and none is called under a lock of core's.
pub trait Control: Send + Sync {
    /// True if the calling thread is a worker of this pool.
    fn is_own_worker(&self) -> bool;

    /// Whether the calling thread may block on a job of this pool.
    ///
    /// # Errors
    ///
    /// [`JobError::WouldBlock`] with advice, on a thread that must go on.
    fn may_block(&self) -> Result<(), JobError> {
        Ok(())
    }

    /// Called before a thread blocks, without a limit, on `job`: a worker of this pool runs the job itself, there and
    /// then, if no other has begun it. True if it ran.
    ///
    /// Called too, on the thread that polled it, when a [polled](Polled) job awaits `job`: that one must not be run there, but
    /// must not wait for a place that the other has either.
    fn help(&self, job: &JobRef) -> bool;

    /// Withdraws a job that has not begun; true if it never will. The default decides in the cell, and then calls
    /// [`withdrawn`](Control::withdrawn).
    fn cancel(&self, job: &JobRef) -> bool {
        job.withdraw(|| self.withdrawn(job))
    }

    /// A job was withdrawn, and its future is about to be done: forget the task and count it.
    fn withdrawn(&self, job: &JobRef);

    /// Stops a running job by force, where the backend can; true if its value will not arrive.
    fn kill(&self, job: &JobRef) -> bool;

    /// A running job was asked to stop, and knows it already. A job that waits between two attempts ends here.
    fn stop_requested(&self, job: &JobRef);

    /// True if jobs and outputs pass through the codec though they stay in this process: for tests.
    fn encodes(&self) -> bool {
        false
    }

    /// True if the jobs of this pool leave this process. Each is then encoded by whoever submits it, and the task is a
    /// [`Parcel`].
    fn travels(&self) -> bool {
        false
    }

    /// True if async jobs are [polled](crate::backend::Polled), each by itself, so that a map hands each over by itself.
    fn polls(&self) -> bool {
        false
    }

    /// What arguments and outputs of this pool can attach things to that cannot be written into bytes; the arguments of an
    /// initializer cannot. The default carries nothing.
    fn carrier(&self) -> Option<&'static dyn Carrier> {
        None
    }

    /// True if a job that is pending in its cell has been begun elsewhere. It is named by its number and by where the backend
    /// [keeps](JobRef::place) it.
    fn begun_elsewhere(&self, _job: JobId, _place: u64) -> bool {
        false
    }

    /// How far a job has come that runs elsewhere, as it told there.
    fn progress_elsewhere(&self, _job: &JobRef) -> Option<(u64, u64)> {
        None
    }

    /// The job that runs on this thread told how far it has come: for a worker that passes it on.
    fn progressed(&self, _job: &JobRef, _done: u64, _total: u64) {}

    /// True once every running job of the pool is asked to stop, by [`Shutdown::Kill`].
    fn is_stopping(&self) -> bool;
}

/// A task that was not accepted, and why.
#[derive(Debug)]
#[must_use = "dropping the task completes it as lost; `fail` tells its future why it was refused"]
pub struct Refused(Box<(Task, JobError)>);

impl Refused {
    /// A refusal with the error that the future will have.
    pub fn new(task: Task, error: JobError) -> Self {
        Refused(Box::new((task, error)))
    }

    /// A refusal because the queue is full.
    pub fn full(task: Task) -> Self {
        Refused::new(task, JobError::Rejected(Rejection::QueueFull))
    }

    /// A refusal because the executor is shut down.
    pub fn shut_down(task: Task) -> Self {
        Refused::new(task, JobError::Rejected(Rejection::ShutDown))
    }

    /// True if there was no room.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self.0.1, JobError::Rejected(Rejection::QueueFull))
    }

    /// Completes the task with the reason.
    pub fn fail(self) {
        let (task, error) = self.into_parts();
        task.fail(error, None);
    }

    pub(crate) fn into_parts(self) -> (Task, JobError) {
        *self.0
    }
}

/// How an executor ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Shutdown {
    /// Run everything that was accepted, retries included. Waits for all of it.
    Drain,
    /// Cancel what has not begun. Waits for what runs, and not for what was queued.
    CancelPending,
    /// Cancel what has not begun, kill what runs, where the backend can; elsewhere ask it to stop, and wait for it.
    Kill,
}

/// Whether a promise is kept by force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Force {
    /// The backend stops the job.
    Enforced,
    /// The job is asked, and goes on if it does not look.
    Asked,
}

/// What a backend can do. The law suite checks what is claimed, and that the rest is refused by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// True if [`kill`](crate::JobFuture::kill) stops a running job.
    pub kill: bool,
    /// True if `kill`, a run limit and [`Shutdown::Kill`] drop the future of a running async job at its next await, though
    /// they can only ask other jobs.
    pub drops_async: bool,
    /// How a run limit is kept; `None` if the option is refused.
    pub run_limit: Option<Force>,
    /// True if [`JobOptions::priority`](crate::JobOptions::priority) is honoured, else another than normal is refused.
    pub priorities: bool,
    /// True if retries are honoured, else they are refused.
    pub retries: bool,
    /// True if a job begins while the submitter goes on, so that a job can be pending at all.
    pub concurrent: bool,
    /// True if jobs and outputs are encoded on their way.
    pub encodes: bool,
    /// How many jobs the queue holds; `None` without a bound.
    pub queue_capacity: Option<usize>,
    /// True if a crash of a job (abort, exit, signal) costs that job only.
    pub survives_crash: bool,
}

impl Capabilities {
    /// Everything that needs neither force nor a process of its own.
    #[must_use]
    pub const fn in_process() -> Self {
        Capabilities {
            kill: false,
            drops_async: false,
            run_limit: Some(Force::Asked),
            priorities: true,
            retries: true,
            concurrent: true,
            encodes: false,
            queue_capacity: None,
            survives_crash: false,
        }
    }
}

/// What every backend calls when an executor is built: checks the table of jobs, and sees to it that a panic's location
/// will be known.
///
/// # Errors
///
/// If two jobs of this program have the same explicit name.
pub fn prepare() -> Result<(), DuplicateJobName> {
    crate::registry::check()?;
    crate::panic::install_location_hook();
    Ok(())
}

/// What the builder of every backend refuses: a name that no thread can have, and a queue that never has room.
///
/// # Errors
///
/// [`BuildError::Invalid`].
pub fn check_words(name: Option<&str>, queue_capacity: Option<usize>) -> Result<(), BuildError> {
    let what = if name.is_some_and(|name| name.contains('\0')) {
        "no thread can have a name with a NUL character in it; leave it out"
    } else if queue_capacity == Some(0) {
        "a queue of 0 jobs never has room; set 1 or more, or leave the queue unbounded"
    } else {
        return Ok(());
    };
    Err(BuildError::Invalid { what: what.to_owned() })
}

macro_rules! forward {
    ($($pointer:ty),*) => {$(
        impl<B: Backend + ?Sized> Backend for $pointer {
            fn id(&self) -> PoolId {
                (**self).id()
            }
            fn control(&self) -> &Arc<dyn Control> {
                (**self).control()
            }
            fn accept(&self, task: Task, room: Room<'_>) -> Result<(), Refused> {
                (**self).accept(task, room)
            }
            fn forget(&self, ticket: RoomTicket) {
                (**self).forget(ticket);
            }
            fn begin_shutdown(&self, mode: Shutdown) {
                (**self).begin_shutdown(mode);
            }
            fn wait_ended(&self, deadline: Option<Instant>) -> usize {
                (**self).wait_ended(deadline)
            }
            fn snapshot(&self) -> Stats {
                (**self).snapshot()
            }
            fn capabilities(&self) -> Capabilities {
                (**self).capabilities()
            }
        }
    )*};
}

forward!(&B, Box<B>, Arc<B>);
