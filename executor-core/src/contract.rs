//! The contract, state by state: what a job goes through, what happens before what, and what each way of stopping
//! promises and does not.
//!
//! # The states of a job
//!
//! | state | meaning | leaves it by |
//! |---|---|---|
//! | [`Pending`](crate::JobState::Pending) | accepted, and no worker has begun it | a worker begins it; `cancel`; a shutdown that cancels |
//! | [`Running`](crate::JobState::Running) | a worker began it; between two attempts it is running too | its end |
//! | [`Finished`](crate::JobState::Finished) | it ended, with a value or an error | – |
//! | [`Cancelled`](crate::JobState::Cancelled) | it never ran and never will | – |
//!
//! A job is *done* when it is finished or cancelled. Running means that a worker has begun it, not that it was sent to
//! one. A future is never done while its job still runs.
//!
//! # What happens before what
//!
//! 1. What the submitting thread did before `submit` happens before the job's body.
//! 2. The job's body, and the drop of everything that the job captured, happen before any thread sees its future done.
//!    A cancelled job's captures are dropped before that too.
//! 3. Counts in [`Stats`](crate::Stats) include a job before any thread sees its future done.
//! 4. Callbacks run after that, on the thread that ended or cancelled the job, or, where jobs run in other
//!    processes, on one thread of the pool's, in the order in which they were added. After
//!    `cancel` has answered true, they have run. Those on jobs that a shutdown cancels run when it has cancelled all of them, so
//!    that a callback may wait for another of these jobs.
//! 5. What an awaiting task or a waiting thread does after it was woken happens after the job's end.
//!
//! # Stopping
//!
//! | call | on a pending job | on a running job | does not wait for |
//! |---|---|---|---|
//! | `cancel` | withdraws it: true, at once | false, and nothing changes | – |
//! | `request_stop` | the job sees it when it runs | sets a flag, wakes an async job; nothing is dropped | the job |
//! | `kill` | is `cancel` | by force, where the backend can: true means that its value will not arrive; else false | the worker's end |
//! | run limit | – | stops the job where the backend can, else asks it; the outcome is `RunLimit` | – |
//!
//! A job between two attempts runs on no worker: `request_stop` ends it with what came of the last attempt, and `kill` ends it
//! as killed, on every backend.
//!
//! Whether a backend stops by force or asks is in its [`Capabilities`](crate::backend::Capabilities).
//!
//! # Waiting
//!
//! A wait without a limit on a worker of the job's own pool runs the job on the spot, if nobody has begun it: never
//! another job, so that a lock which the waiter holds is safe. If it runs elsewhere the worker blocks; the other makes
//! progress by the same rule. The promise covers waits through futures of one pool whose awaited job does not itself need the
//! waiter to return. It does not cover other pools, locks or queues. A wait with a limit runs nothing, because a job of unknown
//! length would outlast it. Claims nest on the stack of the worker, which limits their depth.
//!
//! # Shutting down
//!
//! | mode | pending jobs | running jobs | waits for |
//! |---|---|---|---|
//! | `Drain` | run, retries included | end by themselves | all |
//! | `CancelPending` | `Cancelled` | end by themselves; those between two attempts end with what came of the last | what runs |
//! | `Kill` | `Cancelled` | killed where the backend can, else asked to stop | what runs until it ended |
//!
//! From the first call on, new jobs are refused: the outcome of such a submit is
//! [`Rejected`](crate::JobError::Rejected). A submit that races with a shutdown is accepted, refused or cancelled;
//! there is no fourth outcome. `shutdown_timeout` stops waiting at its limit, says how many jobs are left, and lets them
//! go on. A shutdown from one of the pool's own jobs is an error, because it would wait for itself.
//!
//! Dropping the last handle of a pool is `Drain`, without a limit; `CancelPending` while the thread unwinds. On a worker
//! of the pool, on a thread that must not block, and after a `shutdown_timeout` that did not reach the end, it does not wait. A handle that is never
//! dropped, in a `static` say, is not waited for when the program ends.
//!
//! # Failure
//!
//! A job has *failed* if it ended with an error, or with an output that [`Job::failed`](crate::Job::failed) calls a failure:
//! `Err`, for a job made by [`#[job]`](macro@crate::job). Retries, [`FirstError`](crate::WaitFor::FirstError),
//! [`Stats::failed`](crate::Stats::failed) and [`on_unread_failure`](crate::on_unread_failure) go by it; the output itself
//! arrives as the job returned it. A cancelled job has not failed.
