//! Section 21, 23, G5: jobs that submit to their own pool and wait there.
//!
//! A pool cannot travel with a job, so these laws are for backends whose jobs run in this process.

use std::time::{Duration, Instant};

use executor_core::{Executor, JobError, JobOptions};

use crate::gate::Gate;
use crate::jobs::{self, Hosted};
use crate::lab::{Bench, Lab};
use crate::log::Log;
use crate::subject::{Config, Subject};
use crate::time::{eventually, hang_guard};
use crate::tools::assert_usable;
use crate::verdict::{Claim, NotClaimed, Verdict};

/// A pool as the subject makes it, on the table of the jobs.
fn hosted<S: Subject>(lab: &Lab<S>) -> Result<(Bench<S>, Hosted), NotClaimed> {
    let pool = lab.pool();
    pool.claims(Claim::SharedMemory)?;
    let hosted = Hosted::new(S::Pool::clone(&pool));
    Ok((pool, hosted))
}

/// The same with one worker.
fn hosted_single<S: Subject>(lab: &Lab<S>) -> Result<(Bench<S>, Hosted), NotClaimed> {
    let pool = lab.single()?;
    pool.claims(Claim::SharedMemory)?;
    let hosted = Hosted::new(S::Pool::clone(&pool));
    Ok((pool, hosted))
}

/// Law 304, G5: a job may wait for jobs of its own pool, all the way down.
pub fn jobs_may_wait_for_jobs<S: Subject>(lab: &Lab<S>) -> Verdict {
    let (pool, hosted) = hosted(lab)?;
    assert_eq!(pool.submit(jobs::submit_inside::job(hosted.host(), 3)).result().unwrap(), Ok(3));
    assert_eq!(pool.submit(jobs::fib::job(hosted.host(), 12)).result().unwrap(), Ok(144));
    Ok(())
}

/// Law 304, G5: the same on one worker.
pub fn one_worker_is_enough_for_jobs_that_wait<S: Subject>(lab: &Lab<S>) -> Verdict {
    let (pool, hosted) = hosted_single(lab)?;
    assert_eq!(pool.submit(jobs::submit_inside::job(hosted.host(), 3)).result().unwrap(), Ok(3));
    assert_eq!(pool.submit(jobs::fib::job(hosted.host(), 12)).result().unwrap(), Ok(144));
    let stats = pool.stats();
    assert_eq!((stats.queued, stats.running), (0, 0));
    Ok(())
}

/// Law 304: many jobs that wait fill a small pool, and all of them end.
pub fn full_pool_of_waiting_jobs_ends<S: Subject>(lab: &Lab<S>) -> Verdict {
    let (pool, hosted) = hosted(lab)?;
    for _ in 0..5 {
        let futures: Vec<_> = (0..40).map(|_| pool.submit(jobs::fib::job(hosted.host(), 6))).collect();
        for mut future in futures {
            assert_eq!(future.result_timeout(hang_guard()).unwrap(), Ok(8));
        }
    }
    Ok(())
}

/// Law 304: async jobs may await jobs of their own pool.
pub fn async_jobs_may_await_jobs<S: Subject>(lab: &Lab<S>) -> Verdict {
    let (pool, hosted) = hosted(lab)?;
    assert_eq!(pool.submit(jobs::await_sibling::job(hosted.host(), 3)).result().unwrap(), Ok(3));
    assert_eq!(pool.submit(jobs::await_siblings::job(hosted.host(), 20)).result().unwrap(), Ok(190));
    assert_eq!(pool.submit(jobs::fib_async::job(hosted.host(), 10)).result().unwrap(), Ok(55));
    Ok(())
}

/// Law 304: the same on one worker.
pub fn one_worker_is_enough_for_jobs_that_await<S: Subject>(lab: &Lab<S>) -> Verdict {
    let (pool, hosted) = hosted_single(lab)?;
    assert_eq!(pool.submit(jobs::await_sibling::job(hosted.host(), 3)).result().unwrap(), Ok(3));
    assert_eq!(pool.submit(jobs::await_siblings::job(hosted.host(), 100)).result().unwrap(), Ok(4950));
    assert_eq!(pool.submit(jobs::fib_async::job(hosted.host(), 10)).result().unwrap(), Ok(55));
    Ok(())
}

/// Law 304, 76, 72: `as_completed` and `wait` work inside a job.
pub fn sets_are_waited_for_inside_a_job<S: Subject>(lab: &Lab<S>) -> Verdict {
    let (pool, hosted) = hosted(lab)?;
    assert_eq!(pool.submit(jobs::fan_out::job(hosted.host(), 100)).result().unwrap(), Ok(4950));
    assert_eq!(pool.submit(jobs::wait_inside::job(hosted.host(), 100)).result().unwrap(), 100);
    assert!(pool.submit(jobs::wait_for_first_inside::job(hosted.host(), 20)).result().unwrap() <= 20);
    Ok(())
}

/// Law 304, 76, 72: the same on one worker.
pub fn one_worker_is_enough_for_sets<S: Subject>(lab: &Lab<S>) -> Verdict {
    let (pool, hosted) = hosted_single(lab)?;
    assert_eq!(pool.submit(jobs::fan_out::job(hosted.host(), 100)).result().unwrap(), Ok(4950));
    assert_eq!(pool.submit(jobs::wait_inside::job(hosted.host(), 100)).result().unwrap(), 100);
    assert!(pool.submit(jobs::wait_for_first_inside::job(hosted.host(), 20)).result().unwrap() <= 20);
    Ok(())
}

fn map_inside<S: Subject>(pool: &Bench<S>, hosted: &Hosted) {
    for window in [None, Some(1), Some(7)] {
        for in_order in [true, false] {
            let job = jobs::map_inside::job(hosted.host(), 200, window, in_order);
            assert_eq!(pool.submit(job).result().unwrap(), Ok(19_900), "window {window:?}, in order: {in_order}");
        }
    }
}

/// Law 304, 83: maps work inside a job, in order or not, with any window.
pub fn maps_work_inside_a_job<S: Subject>(lab: &Lab<S>) -> Verdict {
    let (pool, hosted) = hosted(lab)?;
    map_inside(&pool, &hosted);
    Ok(())
}

/// Law 304, 83: the same on one worker.
pub fn one_worker_is_enough_for_maps<S: Subject>(lab: &Lab<S>) -> Verdict {
    let (pool, hosted) = hosted_single(lab)?;
    map_inside(&pool, &hosted);
    Ok(())
}

/// Law 304, 57: streams work inside an async job.
pub fn streams_work_inside_a_job<S: Subject>(lab: &Lab<S>) -> Verdict {
    let (pool, hosted) = hosted(lab)?;
    assert_eq!(pool.submit(jobs::streams_inside::job(hosted.host(), 100)).result().unwrap(), Ok(3 * 4950));
    assert_eq!(pool.submit(jobs::submit_wait_inside::job(hosted.host(), 100)).result().unwrap(), Ok(4950));
    Ok(())
}

/// Law 304, 57: the same on one worker.
pub fn one_worker_is_enough_for_streams<S: Subject>(lab: &Lab<S>) -> Verdict {
    let (pool, hosted) = hosted_single(lab)?;
    assert_eq!(pool.submit(jobs::streams_inside::job(hosted.host(), 100)).result().unwrap(), Ok(3 * 4950));
    assert_eq!(pool.submit(jobs::submit_wait_inside::job(hosted.host(), 100)).result().unwrap(), Ok(4950));
    Ok(())
}

/// Law 304: a worker that waits runs the job that it waits for and no stranger's, so a lock in its hands is safe.
pub fn waiting_worker_runs_no_stranger<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool_with(Config::new().workers(2))?;
    pool.claims(Claim::SharedMemory)?;
    let hosted = Hosted::new(S::Pool::clone(&pool));
    let log = Log::new();
    for _ in 0..20 {
        let futures: Vec<_> =
            (0..20).map(|value| pool.submit(jobs::lock_and_wait::job(hosted.host(), log.pen(), value))).collect();
        for (value, mut future) in (0..).zip(futures) {
            assert_eq!(future.result_timeout(hang_guard()).unwrap(), Ok(value));
        }
    }
    assert_eq!(log.len(), 400);
    Ok(())
}

/// Law 304: jobs nest some hundred levels deep.
pub fn jobs_nest_deep<S: Subject>(lab: &Lab<S>) -> Verdict {
    let (pool, hosted) = hosted(lab)?;
    assert_eq!(pool.submit(jobs::dig::job(hosted.host(), 100)).result().unwrap(), Ok(100));
    Ok(())
}

/// Beyond the rows: a wait with a limit runs nothing on the waiting worker: a job of unknown length would outlast it.
pub fn limited_wait_inside_runs_nothing<S: Subject>(lab: &Lab<S>) -> Verdict {
    let (pool, hosted) = hosted_single(lab)?;
    let log = Log::new();
    let timed_out = pool.submit(jobs::wait_briefly_inside::job(hosted.host(), log.pen(), 20));
    assert!(timed_out.result().unwrap(), "the one worker ran another job within a wait with a limit");
    log.wait_for(1);
    Ok(())
}

/// Law 1: a job may cancel a job of its own pool that has not begun.
pub fn job_may_cancel_a_job<S: Subject>(lab: &Lab<S>) -> Verdict {
    let (pool, hosted) = hosted_single(lab)?;
    let log = Log::new();
    assert!(pool.submit(jobs::cancel_inside::job(hosted.host(), log.pen())).result().unwrap());
    assert_usable(&*pool);
    drop((hosted, pool));
    assert!(log.is_empty());
    Ok(())
}

/// Beyond the rows: waiting inside a job works while the workers are busy with others.
pub fn waiting_inside_works_on_a_busy_pool<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool_with(Config::new().workers(2))?;
    pool.claims(Claim::SharedMemory)?;
    pool.claims(Claim::Concurrency)?;
    let hosted = Hosted::new(S::Pool::clone(&pool));
    let gate = Gate::new();
    let held = pool.submit(jobs::pass::job(gate.pass(), 1));
    gate.wait_for(1);
    assert_eq!(pool.submit(jobs::fib::job(hosted.host(), 8)).result().unwrap(), Ok(21));
    assert_eq!(pool.submit(jobs::fan_out::job(hosted.host(), 20)).result().unwrap(), Ok(190));
    assert!(held.is_running());
    gate.open();
    assert_eq!(held.result().unwrap(), 1);
    eventually("the pool is idle", || pool.stats().running == 0);
    Ok(())
}

/// Beyond the rows: each of two jobs on one stack has its own run limit, and that of one does not stop the other.
pub fn nested_jobs_have_their_own_run_limits<S: Subject>(lab: &Lab<S>) -> Verdict {
    let (pool, hosted) = hosted(lab)?;
    pool.claims(Claim::RunLimit)?;
    let log = Log::new();
    let inner = jobs::limit_inside::job(hosted.host(), log.pen(), Some(1), 20);
    let limit = || JobOptions::new().run_limit(Duration::from_secs(3600));
    assert_eq!(pool.submit_with(inner, limit()).result().unwrap(), (false, false), "the job below passed its limit");
    let outer = jobs::limit_inside::job(hosted.host(), log.pen(), None, 20);
    let outcome = pool.submit_with(outer, JobOptions::new().run_limit(Duration::from_millis(1))).result();
    assert!(matches!(outcome, Err(JobError::RunLimit { .. })), "the job above passed its limit: {outcome:?}");
    assert_eq!(log.len(), 2);
    let stats = pool.stats();
    assert_eq!((stats.finished, stats.failed), (2, 2));
    Ok(())
}

/// Beyond the rows: a job may wait, or await, on its own worker for one that is tried again after a back-off, which
/// lasts as long as was said.
pub fn retried_job_is_waited_for_inside<S: Subject>(lab: &Lab<S>) -> Verdict {
    let (pool, hosted) = hosted_single(lab)?;
    pool.claims(Claim::Retries)?;
    let delay = Duration::from_millis(5);
    for is_async in [false, true] {
        let log = Log::new();
        let began = Instant::now();
        let future = if is_async {
            pool.submit(jobs::retry_inside_async::job(hosted.host(), log.pen(), 4, 5))
        } else {
            pool.submit(jobs::retry_inside::job(hosted.host(), log.pen(), 4, 5))
        };
        assert_eq!(future.result().unwrap(), Ok(4));
        assert_eq!(log.entries(), [1, 2, 3, 4]);
        assert!(began.elapsed() >= (1 + 2 + 4) * delay, "an attempt came early: {:?}", began.elapsed());
    }
    Ok(())
}
