//! Retries: a failed job is tried again as often as it was said.

use std::thread;
use std::time::{Duration, Instant};

use executor_core::{Backend, Executor, JobError, JobOptions, JobState, Retries, Shutdown};

use crate::gate::Gate;
use crate::jobs::{self, Uncloned};
use crate::lab::{Bench, Lab};
use crate::log::Log;
use crate::subject::Subject;
use crate::time::{eventually, hang_guard};
use crate::tools::assert_usable;
use crate::verdict::{Claim, NotClaimed, Verdict};

/// Longer than any test.
const FOR_EVER: Duration = Duration::from_secs(3600);

fn trying(times: u32) -> JobOptions {
    JobOptions::new().retries(Retries::times(times))
}

fn pool_with_retries<S: Subject>(lab: &Lab<S>) -> Result<Bench<S>, NotClaimed> {
    let pool = lab.pool();
    pool.claims(Claim::Retries)?;
    Ok(pool)
}

/// Beyond the rows: a job that fails is tried again until it does not, and knows the number of its attempt. It counts as
/// one job.
pub fn failed_job_is_tried_again<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = pool_with_retries(lab)?;
    let log = Log::new();
    let future = pool.submit_with(jobs::fail_before::job(log.pen(), 3), trying(5));
    assert_eq!(future.result().unwrap(), Ok(3));
    assert_eq!(log.entries(), [1, 2, 3]);
    let stats = pool.stats();
    assert_eq!((stats.finished, stats.failed, stats.submitted()), (1, 0, 1));
    Ok(())
}

/// Beyond the rows: a job that cannot be cloned is copied by the codec for its next attempt.
pub fn job_that_is_not_clone_is_tried_again<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = pool_with_retries(lab)?;
    let log = Log::new();
    let job = jobs::fail_before_uncloned::job(log.pen(), Uncloned { value: 3 });
    assert_eq!(pool.submit_with(job, trying(5)).result().unwrap(), Ok(3));
    assert_eq!(log.entries(), [1, 2, 3]);
    Ok(())
}

/// Beyond the rows: when no attempt is left, the outcome is that of the last one.
pub fn last_failure_is_the_outcome<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = pool_with_retries(lab)?;
    let log = Log::new();
    let future = pool.submit_with(jobs::fail_before::job(log.pen(), 10), trying(2));
    let handle = future.handle();
    assert_eq!(future.result().unwrap(), Err(3));
    assert!(handle.is_failed());
    assert_eq!(log.entries(), [1, 2, 3]);
    let stats = pool.stats();
    assert_eq!((stats.finished, stats.failed, stats.submitted()), (0, 1, 1));
    Ok(())
}

/// Beyond the rows: a panic and a passed run limit are failures, too.
pub fn panic_and_run_limit_are_tried_again<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = pool_with_retries(lab)?;
    let log = Log::new();
    let future = pool.submit_with(jobs::blow_up_before::job(log.pen(), 3), trying(5));
    assert_eq!(future.result().unwrap(), 3);
    assert_eq!(log.entries(), [1, 2, 3]);
    let future = pool.submit_with(jobs::blow_up_before::job(Log::new().pen(), 10), trying(1));
    assert!(future.result().unwrap_err().is_panic());
    pool.claims(Claim::RunLimit)?;
    let log = Log::new();
    // Long enough to write that it began, also where it is killed at the limit.
    let options = trying(1).run_limit(Duration::from_millis(150));
    let future = pool.submit_with(jobs::outlast::job(log.pen(), 300), options);
    assert!(matches!(future.result(), Err(JobError::RunLimit { .. })));
    assert_eq!(log.entries(), [1, 2]);
    Ok(())
}

/// Law G7: without retries, and where it succeeds, a job runs once.
pub fn success_is_not_tried_again<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = pool_with_retries(lab)?;
    let log = Log::new();
    assert_eq!(pool.submit_with(jobs::fail_before::job(log.pen(), 1), trying(5)).result().unwrap(), Ok(1));
    assert_eq!(log.entries(), [1]);
    assert_eq!(pool.submit(jobs::fail_before::job(log.pen(), 5)).result().unwrap(), Err(1));
    assert_eq!(log.entries(), [1, 1]);
    Ok(())
}

/// Beyond the rows: an attempt keeps the name of its job, and an async job is tried again like any other.
pub fn every_attempt_has_the_name<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = pool_with_retries(lab)?;
    let future = pool.submit_with(jobs::name_and_attempt::job(3), trying(3).name("again"));
    assert_eq!(future.result().unwrap(), Ok(("again".to_owned(), 3)));
    let future = pool.submit_with(jobs::name_and_attempt_async::job(3), trying(3).name("again"));
    assert_eq!(future.result().unwrap(), Ok(("again".to_owned(), 3)));
    Ok(())
}

/// Beyond the rows: the wait before the second attempt lasts as long as was said, the next one twice as long.
pub fn back_off_lasts_as_said<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = pool_with_retries(lab)?;
    let log = Log::new();
    let delay = Duration::from_millis(10);
    let began = Instant::now();
    let options = JobOptions::new().retries(Retries::times(2).backoff(delay));
    assert_eq!(pool.submit_with(jobs::fail_before::job(log.pen(), 3), options).result().unwrap(), Ok(3));
    assert!(began.elapsed() >= 3 * delay, "{:?}", began.elapsed());
    Ok(())
}

/// Beyond the rows: between two attempts a job is running: it cannot be cancelled, and no worker is kept for it.
pub fn job_in_back_off_is_running<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.single()?;
    pool.claims(Claim::Retries)?;
    let log = Log::new();
    let options = JobOptions::new().retries(Retries::times(1).backoff(FOR_EVER));
    let mut future = pool.submit_with(jobs::fail_before::job(log.pen(), 2), options);
    log.wait_for(1);
    // The one worker is free for others.
    assert_usable(&*pool);
    assert_eq!(future.state(), JobState::Running);
    assert!(!future.cancel());
    assert!(future.try_result().is_none());
    assert_eq!(pool.stats().running, 1);
    future.request_stop();
    assert_eq!(future.result().unwrap(), Err(1), "a request to stop ends the wait with the last outcome");
    assert_eq!(log.entries(), [1]);
    Ok(())
}

/// Beyond the rows: killing a job between two attempts is possible on every backend; its outcome is `Killed`.
pub fn kill_ends_a_back_off<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.single()?;
    pool.claims(Claim::Retries)?;
    let log = Log::new();
    let options = JobOptions::new().retries(Retries::times(1).backoff(FOR_EVER));
    let future = pool.submit_with(jobs::fail_before::job(log.pen(), 2), options);
    log.wait_for(1);
    // The worker may not have put the job aside yet, and until then it runs. Another job comes after that.
    assert_usable(&*pool);
    assert!(future.kill());
    assert!(matches!(future.result(), Err(JobError::Killed)));
    assert_eq!(log.entries(), [1]);
    Ok(())
}

/// Beyond the rows: a job that was asked to stop is not tried again.
pub fn request_to_stop_ends_the_attempts<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = pool_with_retries(lab)?;
    pool.claims(Claim::Concurrency)?;
    let log = Log::new();
    let options = JobOptions::new().retries(Retries::times(u32::MAX).backoff(Duration::from_millis(1)));
    let future = pool.submit_with(jobs::fail_before::job(log.pen(), u32::MAX), options);
    log.wait_for(3);
    future.request_stop();
    assert!(future.result().unwrap().is_err());
    let attempts = log.len();
    assert_usable(&*pool);
    drop(pool);
    assert_eq!(log.len(), attempts);
    Ok(())
}

/// Beyond the rows: a shutdown that cancels ends a back-off with the outcome of the last attempt.
pub fn shutdown_ends_a_back_off<S: Subject>(lab: &Lab<S>) -> Verdict {
    for mode in [Shutdown::CancelPending, Shutdown::Kill] {
        let pool = lab.single()?;
        pool.claims(Claim::Retries)?;
        let log = Log::new();
        let options = JobOptions::new().retries(Retries::times(1).backoff(FOR_EVER));
        let future = pool.submit_with(jobs::fail_before::job(log.pen(), 2), options);
        log.wait_for(1);
        assert_usable(&*pool);
        pool.shutdown(mode).unwrap();
        assert_eq!(future.result().unwrap(), Err(1), "{mode:?}");
        assert_eq!(log.entries(), [1]);
        assert_eq!(pool.stats().failed, 1);
    }
    Ok(())
}

/// Beyond the rows: a shutdown that drains waits for the attempts that are to come.
pub fn drain_waits_for_the_attempts<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = pool_with_retries(lab)?;
    let log = Log::new();
    let options = JobOptions::new().retries(Retries::times(3).backoff(Duration::from_millis(5)));
    let futures: Vec<_> =
        (0..4).map(|_| pool.submit_with(jobs::fail_before::job(log.pen(), 3), options.clone())).collect();
    pool.shutdown(Shutdown::Drain).unwrap();
    for future in futures {
        assert!(future.is_done());
        assert_eq!(future.result().unwrap(), Ok(3));
    }
    assert_eq!(log.len(), 12);
    Ok(())
}

/// Beyond the rows: jobs in back-off of several lengths come back in the order of their moments, and none is lost.
pub fn many_jobs_in_back_off_come_back<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = pool_with_retries(lab)?;
    pool.claims(Claim::Concurrency)?;
    let log = Log::new();
    let futures: Vec<_> = (0..50_u64)
        .map(|index| {
            let delay = Duration::from_millis((index * 7) % 20);
            let options = JobOptions::new().retries(Retries::times(2).backoff(delay));
            pool.submit_with(jobs::fail_before::job(log.pen(), 3), options)
        })
        .collect();
    for future in futures {
        assert_eq!(future.result().unwrap(), Ok(3));
    }
    assert_eq!(log.len(), 150);
    eventually("the pool is idle", || pool.stats().running == 0);
    Ok(())
}

/// Beyond the rows: a request to stop that races the moment of the next attempt leaves one outcome.
pub fn request_to_stop_racing_an_attempt<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = pool_with_retries(lab)?;
    pool.claims(Claim::Concurrency)?;
    for round in crate::tools::rounds(200) {
        let log = Log::new();
        let options = JobOptions::new().retries(Retries::times(1).backoff(Duration::from_micros(100)));
        let future = pool.submit_with(jobs::fail_before::job(log.pen(), 2), options);
        log.wait_for(1);
        thread::scope(|scope| {
            scope.spawn(|| {
                crate::tools::dawdle(round * 11);
                future.request_stop();
            });
        });
        let outcome = future.result().unwrap();
        match outcome {
            Ok(2) => assert_eq!(log.entries(), [1, 2]),
            Err(1) => assert_eq!(log.entries(), [1]),
            other => panic!("{other:?}"),
        }
    }
    Ok(())
}

/// Beyond the rows: a request to stop that races the end of an attempt is not lost: the job does not wait for its next
/// attempt.
pub fn request_to_stop_racing_the_end_of_an_attempt<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = pool_with_retries(lab)?;
    pool.claims(Claim::Concurrency)?;
    for round in crate::tools::rounds(2000) {
        let log = Log::new();
        let options = JobOptions::new().retries(Retries::times(1).backoff(FOR_EVER));
        let mut future = pool.submit_with(jobs::fail_before::job(log.pen(), 2), options);
        // To sleep until the attempt has begun would be too slow to meet its end.
        while log.is_empty() {
            std::hint::spin_loop();
        }
        crate::tools::dawdle(round);
        future.request_stop();
        match future.result_timeout(hang_guard()) {
            Ok(outcome) => assert_eq!(outcome, Err(1)),
            Err(error) => {
                // So that the law fails here, and does not wait for the pool.
                future.request_stop();
                panic!("in round {round} the request was lost: {error}");
            }
        }
    }
    Ok(())
}

/// Beyond the rows: an attempt that fails after a shutdown that cancels has begun is the last one.
pub fn attempt_that_fails_during_a_shutdown_is_the_last<S: Subject>(lab: &Lab<S>) -> Verdict {
    for mode in [Shutdown::CancelPending, Shutdown::Kill] {
        for delay in [Duration::ZERO, FOR_EVER] {
            let pool = pool_with_retries(lab)?;
            pool.claims(Claim::Concurrency)?;
            let gate = Gate::new();
            let options = JobOptions::new().retries(Retries::times(1).backoff(delay));
            let job = jobs::pass_then_fail::job(gate.pass(), 1, Some("no".into()));
            let mut future = pool.submit_with(job, options);
            gate.wait_for(1);
            pool.begin_shutdown(mode);
            gate.open();
            match future.result_timeout(hang_guard()) {
                Ok(outcome) => assert_eq!(outcome, Err("no".to_owned())),
                Err(error) => {
                    // So that the law fails here, and does not wait for the pool.
                    future.request_stop();
                    assert!(
                        matches!(error, JobError::Killed) && pool.capabilities().kill,
                        "{mode:?}, {delay:?}: {error}"
                    );
                }
            }
            assert_eq!(gate.arrived(), 1, "{mode:?}, {delay:?}: the job was tried again");
        }
    }
    Ok(())
}

/// Beyond the rows: a shutdown that cancels and races the end of an attempt does not wait for the next one.
pub fn shutdown_racing_the_end_of_an_attempt<S: Subject>(lab: &Lab<S>) -> Verdict {
    for round in crate::tools::rounds(1000) {
        let pool = pool_with_retries(lab)?;
        pool.claims(Claim::Concurrency)?;
        let log = Log::new();
        let options = JobOptions::new().retries(Retries::times(1).backoff(FOR_EVER));
        let future = pool.submit_with(jobs::fail_before::job(log.pen(), 2), options);
        while log.is_empty() {
            std::hint::spin_loop();
        }
        crate::tools::dawdle(round);
        let ended = pool.shutdown_timeout(Shutdown::CancelPending, hang_guard());
        future.request_stop();
        assert_eq!(ended, Ok(()), "in round {round} the shutdown waits for the next attempt");
        assert_eq!(future.result().unwrap(), Err(1));
    }
    Ok(())
}
