//! Section 1: waiting for the outcome of a job, and taking it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use executor_core::{Executor, JobError, JobState};

use crate::gate::Gate;
use crate::jobs;
use crate::lab::Lab;
use crate::subject::Subject;
use crate::time::{eventually, hang_guard, scaled};
use crate::tools::while_blocked;
use crate::verdict::{Claim, Verdict};

/// Law 8: a wait of no length gives `Timeout` for pending and running jobs, and `Cancelled` for cancelled ones.
pub fn zero_limit_tells_open_jobs_apart<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let busy = pool.occupy()?;
    let gate = Gate::new();
    let mut job = pool.submit(jobs::pass::job(gate.pass(), 1));
    let mut cancelled = pool.submit(jobs::echo::job(2));
    assert!(job.result_timeout(Duration::ZERO).unwrap_err().is_timeout());
    assert!(cancelled.cancel());
    assert!(cancelled.result_timeout(Duration::ZERO).unwrap_err().is_cancelled());
    busy.release();
    gate.wait_for(1);
    assert!(job.result_timeout(Duration::ZERO).unwrap_err().is_timeout());
    assert!(!job.wait_timeout(Duration::ZERO));
    gate.open();
    assert_eq!(job.result().unwrap(), 1);
    Ok(())
}

/// Law 8: a wait of no length gives the value or the failure of a job that has ended.
pub fn zero_limit_gives_what_is_there<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let mut value = pool.submit(jobs::echo::job(1));
    let mut error = pool.submit(jobs::fail::job("no"));
    let mut panic = pool.submit(jobs::blow_up::job("no"));
    value.wait();
    error.wait();
    panic.wait();
    assert!(value.wait_timeout(Duration::ZERO));
    assert_eq!(value.result_timeout(Duration::ZERO).unwrap(), 1);
    assert_eq!(error.result_timeout(Duration::ZERO).unwrap(), Err("no".to_owned()));
    assert!(panic.result_timeout(Duration::ZERO).unwrap_err().is_panic());
    Ok(())
}

/// Law 9: whether a job failed can be learned without taking its outcome, and a value is no failure.
pub fn failure_is_known_before_the_outcome_is_taken<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let value = pool.submit(jobs::fail_if::job(1, []));
    let error = pool.submit(jobs::fail_if::job(1, [1]));
    let panic = pool.submit(jobs::blow_up::job("no"));
    value.wait();
    error.wait();
    panic.wait();
    assert!(!value.handle().is_failed());
    assert!(error.handle().is_failed());
    assert!(panic.handle().is_failed());
    assert_eq!(value.result().unwrap(), Ok(1));
    assert_eq!(error.result().unwrap(), Err(1));
    assert!(panic.result().unwrap_err().is_panic());
    Ok(())
}

/// Law 9: a pending, a running and a cancelled job have not failed.
pub fn open_and_cancelled_jobs_have_not_failed<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let busy = pool.occupy()?;
    let gate = Gate::new();
    let future = pool.submit(jobs::pass_then_blow_up::job(gate.pass(), "late".into()));
    let cancelled = pool.submit(jobs::echo::job(1));
    assert!(cancelled.cancel());
    assert!(!future.handle().is_failed());
    assert!(!cancelled.handle().is_failed());
    busy.release();
    gate.wait_for(1);
    assert!(!future.handle().is_failed());
    gate.open();
    future.wait();
    assert!(future.handle().is_failed());
    assert!(future.result().unwrap_err().is_panic());
    Ok(())
}

/// Law 10, 12: a thread that is blocked in `result` wakes when the job ends, with its value or its failure.
pub fn blocked_reader_wakes<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    pool.claims(Claim::Concurrency)?;
    let gate = Gate::new();
    let future = pool.submit(jobs::pass::job(gate.pass(), 1));
    assert_eq!(while_blocked(|| future.result(), || gate.open()).unwrap(), 1);

    let gate = Gate::new();
    let future = pool.submit(jobs::pass_then_fail::job(gate.pass(), 1, Some("no".into())));
    assert_eq!(while_blocked(|| future.result(), || gate.open()).unwrap(), Err("no".to_owned()));

    let gate = Gate::new();
    let mut future = pool.submit(jobs::pass_then_blow_up::job(gate.pass(), "no".into()));
    let outcome = while_blocked(|| future.result_timeout(hang_guard()), || gate.open());
    assert!(outcome.unwrap_err().is_panic());
    Ok(())
}

/// Law 10, 18: a thread that is blocked in `result` wakes when the job is cancelled.
pub fn blocked_reader_wakes_when_the_job_is_cancelled<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let busy = pool.occupy()?;
    let future = pool.submit(jobs::echo::job(1));
    let handle = future.handle();
    let outcome = while_blocked(|| future.result(), || assert!(handle.cancel()));
    assert!(outcome.unwrap_err().is_cancelled());
    busy.release();
    Ok(())
}

/// Law 13, 14: an outcome is taken once; who comes later is told so, by every way of asking.
pub fn outcome_is_taken_once<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let mut value = pool.submit(jobs::echo::job(1));
    assert_eq!(value.result_timeout(hang_guard()).unwrap(), 1);
    assert!(matches!(value.result_timeout(Duration::ZERO), Err(JobError::Taken)));
    assert!(matches!(value.try_result(), Some(Err(JobError::Taken))));
    assert!(matches!(futures::executor::block_on(&mut value), Err(JobError::Taken)));
    assert!(value.is_done());
    assert_eq!(value.state(), JobState::Finished);
    assert!(matches!(value.result(), Err(JobError::Taken)));

    let mut panic = pool.submit(jobs::blow_up::job("once"));
    assert!(panic.result_timeout(hang_guard()).unwrap_err().is_panic());
    assert!(panic.handle().is_failed(), "that it failed is known for ever");
    assert!(matches!(panic.result(), Err(JobError::Taken)));
    Ok(())
}

/// Law 22, 228: a wait with a limit that nothing ends lasts at least that long.
pub fn timed_wait_lasts_its_limit<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let busy = pool.occupy()?;
    let mut future = pool.submit(jobs::echo::job(1));
    let limit = Duration::from_millis(30);
    let began = Instant::now();
    assert!(future.result_timeout(limit).unwrap_err().is_timeout());
    assert!(began.elapsed() >= limit);
    let began = Instant::now();
    assert!(!future.wait_timeout(limit));
    assert!(began.elapsed() >= limit);
    busy.release();
    assert_eq!(future.result().unwrap(), 1);
    Ok(())
}

/// Beyond the rows: a wait with a limit that the job comes before ends with the job.
pub fn timed_wait_ends_with_the_job<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    pool.claims(Claim::Concurrency)?;
    let gate = Gate::new();
    let mut future = pool.submit(jobs::pass::job(gate.pass(), 1));
    let limit = scaled(Duration::from_secs(3600));
    assert_eq!(while_blocked(|| future.result_timeout(limit), || gate.open()).unwrap(), 1);
    Ok(())
}

/// Law 24: any number of threads may wait for one job, and all of them wake.
pub fn many_threads_wait_for_one_job<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    pool.claims(Claim::Concurrency)?;
    let gate = Gate::new();
    let future = pool.submit(jobs::pass::job(gate.pass(), 7));
    let told = Arc::new(AtomicBool::new(false));
    let tells = Arc::clone(&told);
    future.handle().on_done(move |_| tells.store(true, Ordering::Release));
    thread::scope(|scope| {
        let waits: Vec<_> = (0..4).map(|_| scope.spawn(|| future.wait())).collect();
        let limited = scope.spawn(|| future.wait_timeout(hang_guard()));
        while_blocked(|| future.wait(), || gate.open());
        assert!(limited.join().unwrap());
        waits.into_iter().for_each(|wait| wait.join().unwrap());
    });
    assert_eq!(future.result().unwrap(), 7);
    eventually("the callback runs", || told.load(Ordering::Acquire));
    Ok(())
}

/// Law 26: looking for the outcome of a job that has not ended gives nothing, and loses nothing.
pub fn try_result_is_none_before_the_end<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let busy = pool.occupy()?;
    let gate = Gate::new();
    let mut future = pool.submit(jobs::pass::job(gate.pass(), 1));
    assert!(future.try_result().is_none());
    busy.release();
    gate.wait_for(1);
    assert!(future.try_result().is_none());
    gate.open();
    future.wait();
    assert_eq!(future.try_result().unwrap().unwrap(), 1);
    Ok(())
}

/// Beyond the rows: waiting leaves the outcome where it is, as often as one waits.
pub fn waiting_leaves_the_outcome<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let future = pool.submit(jobs::echo::job(3));
    future.wait();
    assert!(future.wait_timeout(Duration::ZERO) && future.wait_timeout(hang_guard()));
    future.wait();
    assert_eq!(future.result().unwrap(), 3);
    Ok(())
}
