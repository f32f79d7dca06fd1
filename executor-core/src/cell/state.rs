//! The state word and its transitions. The page is in [`super`].

use std::fmt;

use crate::state::JobState;
use crate::sync::atomic::{AtomicU32, Ordering};

const PHASE: u32 = 0b111;
const PENDING: u32 = 0;
const RUNNING: u32 = 1;
const WITHDRAWN: u32 = 2;
const FINISHED: u32 = 3;
const TAKEN: u32 = 4;
const CANCELLED: u32 = 5;

const WAITED: u32 = 1 << 3;
const STOP: u32 = 1 << 4;
const KILLED: u32 = 1 << 5;
const FAILED: u32 = 1 << 6;

fn is_done(word: u32) -> bool {
    word & PHASE >= FINISHED
}

/// The word of a running job, when it is done.
#[inline]
fn finished(word: u32, failed: bool) -> u32 {
    debug_assert_eq!(word & PHASE, RUNNING, "only a running job is finished");
    (word & !PHASE) | FINISHED | if failed { FAILED } else { 0 }
}

/// What [`State::finish`] came to.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finish {
    /// The job is done; ring the bells if `waited`.
    Done {
        /// Somebody waits.
        waited: bool,
    },
    /// The job was killed meanwhile: put that in the stage, and then finish [even so](State::finish_even_killed).
    Killed,
}

/// What [`State::withdraw`] came to.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Withdraw {
    /// The job is the caller's, to drop and then to settle.
    Won,
    /// It had been withdrawn before.
    Already,
    /// It has begun, or is done.
    Begun,
}

/// What [`State::take`] came to.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Take {
    /// The outcome is the caller's, to move out.
    Won,
    /// It was taken before.
    Already,
    /// There is none, and never will be.
    Cancelled,
    /// There is none yet.
    NotDone,
}

/// The word that says how far a job has come.
///
/// Every read-modify-write is `AcqRel`, and every load `Acquire`: they pair with one another on this one word, as the
/// page of the module says, and on the machines we measured a weaker one costs the same.
pub(crate) struct State(AtomicU32);

impl State {
    pub(crate) fn pending() -> Self {
        State(AtomicU32::new(PENDING))
    }

    /// Swaps by `change` until it fits, or gives the word for which `change` has no answer.
    #[inline]
    fn update(&self, change: impl Fn(u32) -> Option<u32>) -> Result<u32, u32> {
        // Acquire, because the answer for which there is no change is read from this load alone.
        let mut word = self.0.load(Ordering::Acquire);
        while let Some(next) = change(word) {
            match self.0.compare_exchange_weak(word, next, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Ok(word),
                Err(seen) => word = seen,
            }
        }
        Err(word)
    }

    #[inline]
    fn load(&self) -> u32 {
        self.0.load(Ordering::Acquire)
    }

    /// PENDING to RUNNING; true for the one caller that may run the job.
    #[must_use]
    #[inline]
    pub(crate) fn begin(&self) -> bool {
        self.update(|word| (word & PHASE == PENDING).then_some(word | RUNNING)).is_ok()
    }

    /// RUNNING to FINISHED, by the one that began it, after the outcome is in the stage, unless the job was killed.
    #[inline]
    pub(crate) fn finish(&self, failed: bool) -> Finish {
        match self.update(|word| (word & KILLED == 0).then_some(finished(word, failed))) {
            Ok(word) => Finish::Done { waited: word & WAITED != 0 },
            Err(_) => Finish::Killed,
        }
    }

    /// The same, killed or not; true if somebody waits.
    pub(crate) fn finish_even_killed(&self, failed: bool) -> bool {
        self.update(|word| Some(finished(word, failed))).is_ok_and(|word| word & WAITED != 0)
    }

    /// PENDING to WITHDRAWN.
    pub(crate) fn withdraw(&self) -> Withdraw {
        match self.update(|word| (word & PHASE == PENDING).then_some((word & !PHASE) | WITHDRAWN)) {
            Ok(_) => Withdraw::Won,
            Err(word) if matches!(word & PHASE, WITHDRAWN | CANCELLED) => Withdraw::Already,
            Err(_) => Withdraw::Begun,
        }
    }

    /// WITHDRAWN to CANCELLED, by the one that withdrew it, after the job is dropped; true if somebody waits.
    #[must_use]
    pub(crate) fn settle(&self) -> bool {
        let swapped = self.update(|word| {
            debug_assert_eq!(word & PHASE, WITHDRAWN, "only a withdrawn job is settled");
            Some((word & !PHASE) | CANCELLED)
        });
        swapped.is_ok_and(|word| word & WAITED != 0)
    }

    /// FINISHED to TAKEN, for one caller.
    #[inline]
    pub(crate) fn take(&self) -> Take {
        match self.update(|word| (word & PHASE == FINISHED).then_some((word & !PHASE) | TAKEN)) {
            Ok(_) => Take::Won,
            Err(word) if word & PHASE == TAKEN => Take::Already,
            Err(word) if word & PHASE == CANCELLED => Take::Cancelled,
            Err(_) => Take::NotDone,
        }
    }

    /// Says that somebody waits; false if the job is done, and nobody will ring.
    #[must_use]
    pub(crate) fn wait(&self) -> bool {
        self.update(|word| (!is_done(word)).then_some(word | WAITED)).is_ok()
    }

    /// Decides that a running job ends as killed; true unless it has not begun or is done. Asking twice is no change.
    #[must_use]
    pub(crate) fn kill(&self) -> bool {
        self.update(|word| (word & PHASE == RUNNING).then_some(word | KILLED)).is_ok()
    }

    /// Asks the job to stop; false if it is done.
    pub(crate) fn request_stop(&self) -> bool {
        self.update(|word| (!is_done(word)).then_some(word | STOP)).is_ok()
    }

    #[inline]
    pub(crate) fn stop_requested(&self) -> bool {
        self.load() & STOP != 0
    }

    #[inline]
    pub(crate) fn is_killed(&self) -> bool {
        self.load() & KILLED != 0
    }

    #[inline]
    pub(crate) fn is_done(&self) -> bool {
        is_done(self.load())
    }

    /// True for an outcome nobody has taken.
    #[inline]
    pub(crate) fn is_finished_untaken(&self) -> bool {
        self.load() & PHASE == FINISHED
    }

    /// True if the job is done and what came of it is a failure. A cancelled job has not failed.
    #[inline]
    pub(crate) fn is_failed(&self) -> bool {
        self.load() & FAILED != 0
    }

    /// True for a job that was neither begun nor withdrawn.
    #[inline]
    pub(crate) fn is_pending(&self) -> bool {
        self.load() & PHASE == PENDING
    }

    pub(crate) fn job_state(&self) -> JobState {
        match self.load() & PHASE {
            PENDING | WITHDRAWN => JobState::Pending,
            RUNNING => JobState::Running,
            CANCELLED => JobState::Cancelled,
            _ => JobState::Finished,
        }
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.job_state();
        match state {
            JobState::Finished if self.is_failed() => f.write_str("Finished(err)"),
            JobState::Finished => f.write_str("Finished(ok)"),
            _ => state.fmt(f),
        }
    }
}
