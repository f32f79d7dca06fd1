//! Section 1: the states of a future.

use executor_core::{Executor, JobError, JobState};

use crate::jobs;
use crate::lab::Lab;
use crate::log::Log;
use crate::subject::Subject;
use crate::verdict::Verdict;

/// Law 1, 3, 19: cancelling a pending job withdraws it for good, and doing so again changes nothing.
pub fn cancel_withdraws_a_pending_job<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let busy = pool.occupy()?;
    let log = Log::new();
    let future = pool.submit(jobs::note::job(log.pen(), 1));
    assert_eq!(future.state(), JobState::Pending);
    assert!(future.cancel());
    assert_eq!(future.state(), JobState::Cancelled);
    assert!(future.cancel(), "a job that is cancelled stays so");
    busy.release();
    assert_eq!(pool.submit(jobs::echo::job(2)).result().unwrap(), 2);
    assert!(log.is_empty(), "a cancelled job ran");
    assert!(matches!(future.result(), Err(JobError::Cancelled)));
    Ok(())
}
