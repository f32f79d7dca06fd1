//! Blocking until a job is done.

use std::time::{Duration, Instant};

use crate::bells::Waiter;
use crate::cell::State;
use crate::error::JobError;
use crate::job_ref::JobRef;
use crate::sync::{park_until, thread};

/// How often a thread looks whether the job is done before it sleeps: about a microsecond, which is less than going to sleep and being
/// woken takes. The standard library's lock looks as often. Models have no time that could pass meanwhile.
const LOOKS_BEFORE_SLEEP: u32 = if cfg!(executor_loom) { 0 } else { 100 };

/// How long a wait may take.
#[derive(Clone, Copy)]
pub(crate) enum Limit {
    /// Until it is done. A worker of the job's own pool may run it meanwhile.
    None,
    /// Until the moment; `None` stands for one beyond what a clock can tell.
    Until(Option<Instant>),
}

impl Limit {
    pub(crate) fn after(duration: Duration) -> Self {
        Limit::Until(Instant::now().checked_add(duration))
    }

    pub(crate) fn deadline(self) -> Option<Instant> {
        match self {
            Limit::None => None,
            Limit::Until(deadline) => deadline,
        }
    }

    pub(crate) fn has_passed(self) -> bool {
        self.deadline().is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// True if a waiting worker may run the awaited job itself: a job of unknown length would outlast a limit.
    pub(crate) fn may_help(self) -> bool {
        matches!(self, Limit::None)
    }
}

/// Blocks until `job` is done; false if the limit came first.
///
/// # Errors
///
/// [`JobError::WouldBlock`] where the backend says that this thread must not block.
pub(crate) fn block_on(job: &JobRef, limit: Limit) -> Result<bool, JobError> {
    let state = job.state_word();
    if state.is_done() {
        return Ok(true);
    }
    if limit.has_passed() {
        return Ok(false);
    }
    let control = &job.record().control;
    control.may_block()?;
    let helps = limit.may_help() && control.is_own_worker();
    if helps && control.help(job) && state.is_done() {
        return Ok(true);
    }
    // A job that travels is not back within a moment.
    if !control.travels() && is_done_in_a_moment(state) {
        return Ok(true);
    }
    job.hang(Waiter::Thread(thread::current()));
    loop {
        if state.is_done() {
            return Ok(true);
        }
        if limit.has_passed() {
            job.record().bells.forget_thread();
            return Ok(state.is_done());
        }
        // A nudge may have come because the job waits for its next attempt, which this worker can run.
        if !(helps && control.help(job)) {
            park_until(limit.deadline());
        }
    }
}

fn is_done_in_a_moment(state: &State) -> bool {
    (0..LOOKS_BEFORE_SLEEP).any(|_| {
        std::hint::spin_loop();
        state.is_done()
    })
}
