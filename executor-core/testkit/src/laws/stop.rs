//! Section 10, 1, 8: asking a job to stop, killing it, and limiting how long it runs.

use std::thread;
use std::time::{Duration, Instant};

use executor_core::backend::Force;
use executor_core::{Executor, JobError, JobOptions, JobState};

use crate::gate::Gate;
use crate::jobs;
use crate::lab::Lab;
use crate::log::Log;
use crate::subject::Subject;
use crate::tools::{assert_usable, dawdle, rounds};
use crate::verdict::{Claim, Verdict};

/// Beyond the rows: a job that looks sees that it is asked to stop, and ends as it likes.
pub fn request_to_stop_is_seen<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    pool.claims(Claim::Concurrency)?;
    let log = Log::new();
    let future = pool.submit(jobs::spin_until_stop::job(log.pen(), 5));
    log.wait_for(1);
    assert!(!future.is_done());
    future.request_stop();
    assert_eq!(future.result().unwrap(), 5);
    Ok(())
}

/// Beyond the rows: an async job that awaits a request to stop is woken by it.
pub fn request_to_stop_wakes_an_async_job<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    pool.claims(Claim::Concurrency)?;
    for _ in 0..20 {
        let log = Log::new();
        let future = pool.submit(jobs::stopped_async::job(log.pen(), 5));
        log.wait_for(1);
        future.handle().request_stop();
        assert_eq!(future.result().unwrap(), 5);
    }
    Ok(())
}

/// Beyond the rows: a request to stop drops nothing: a job that does not look goes on, and its value arrives.
pub fn request_to_stop_drops_nothing<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    pool.claims(Claim::Concurrency)?;
    let gate = Gate::new();
    let future = pool.submit(jobs::pass::job(gate.pass(), 5));
    gate.wait_for(1);
    future.request_stop();
    future.request_stop();
    assert_eq!(future.state(), JobState::Running);
    gate.open();
    assert_eq!(future.result().unwrap(), 5);
    Ok(())
}

/// Beyond the rows: a job that was asked to stop before it began sees that when it begins.
pub fn request_to_stop_reaches_a_pending_job<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let busy = pool.occupy()?;
    let gate = Gate::new();
    gate.open();
    let asked = pool.submit(jobs::note_should_stop::job(gate.pass()));
    let other = pool.submit(jobs::note_should_stop::job(gate.pass()));
    asked.request_stop();
    assert_eq!(asked.state(), JobState::Pending);
    busy.release();
    assert!(asked.result().unwrap());
    assert!(!other.result().unwrap(), "one job was asked to stop, and another heard it");
    Ok(())
}

/// Beyond the rows: a request to stop comes too late for a job that is done.
pub fn request_to_stop_changes_no_outcome<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let future = pool.submit(jobs::echo::job(5));
    future.wait();
    future.request_stop();
    assert_eq!(future.result().unwrap(), 5);
    Ok(())
}

/// Law 25: killing a job that has not begun is cancelling it.
pub fn kill_of_a_pending_job_cancels_it<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let busy = pool.occupy()?;
    let log = Log::new();
    let future = pool.submit(jobs::note::job(log.pen(), 1));
    assert!(future.kill());
    assert_eq!(future.state(), JobState::Cancelled);
    assert!(future.handle().kill());
    busy.release();
    assert!(future.result().unwrap_err().is_cancelled());
    drop(pool);
    assert!(log.is_empty());
    Ok(())
}

/// Law 2, 25: `kill` on a running job tells the truth: true where it was stopped, and then its outcome is `Killed`; false
/// where the backend cannot, and then its value arrives.
pub fn kill_tells_the_truth<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    pool.claims(Claim::Concurrency)?;
    let gate = Gate::new();
    let future = pool.submit(jobs::pass::job(gate.pass(), 5));
    gate.wait_for(1);
    let killed = future.kill();
    assert_eq!(killed, pool.capabilities().kill);
    gate.open();
    match future.result() {
        Ok(value) => assert!(!killed && value == 5),
        Err(error) => assert!(killed && matches!(error, JobError::Killed), "{error:?}"),
    }
    assert_usable(&*pool);
    Ok(())
}

/// Law 25, 171, 176: a running job that is killed ends as `Killed` without going on, and the pool has as many workers as
/// before.
pub fn killed_job_does_not_go_on<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    pool.claims(Claim::Concurrency)?;
    pool.claims(Claim::Kill)?;
    let workers = pool.workers();
    let gate = Gate::new();
    let log = Log::new();
    let future = pool.submit(jobs::pass_then_note::job(gate.pass(), log.pen(), 1));
    let other = pool.submit(jobs::echo::job(2));
    gate.wait_for(1);
    assert!(future.kill());
    // The gate is closed: the outcome does not wait for the job.
    assert!(matches!(future.result(), Err(JobError::Killed)));
    gate.open();
    assert_eq!(other.result().unwrap(), 2);
    assert_usable(&*pool);
    assert_eq!(pool.workers(), workers);
    drop(pool);
    assert!(log.is_empty(), "a killed job went on");
    Ok(())
}

/// Law 25: a kill that races the begin and the end of its job leaves one outcome: true means that the value does not
/// arrive, false that it does.
pub fn kill_racing_the_job_leaves_one_outcome<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    for round in rounds(1000) {
        let value = round as u64;
        let future = pool.submit(jobs::echo::job(value));
        dawdle(round);
        let killed = future.kill();
        match future.result() {
            Ok(got) => assert!(!killed && got == value, "the value of a killed job arrived"),
            Err(JobError::Cancelled) => assert!(killed),
            Err(JobError::Killed) => assert!(killed && pool.capabilities().kill),
            Err(error) => panic!("a kill that raced its job came to this: {error:?}"),
        }
    }
    assert_usable(&*pool);
    Ok(())
}

/// Beyond the rows: a job that passes its run limit ends as `RunLimit`, and not before its body has ended.
pub fn run_limit_is_the_outcome<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    pool.claims(Claim::RunLimit)?;
    pool.claims(Claim::Concurrency)?;
    let limit = Duration::from_millis(20);
    let gate = Gate::new();
    let log = Log::new();
    let options = JobOptions::new().run_limit(limit).name("too long");
    let future = pool.submit_with(jobs::overrun::job(log.pen(), gate.pass()), options);
    if pool.capabilities().run_limit == Some(Force::Asked) {
        // The job comes to the gate when its limit has passed.
        gate.wait_for(1);
        assert_eq!(log.entries(), [1], "a job past its limit is asked to stop");
        assert_eq!(future.state(), JobState::Running, "a future is done whose job still runs");
        gate.open();
    }
    let handle = future.handle();
    let error = future.result().unwrap_err();
    let text = error.to_string();
    assert!(text.contains("too long"), "{text}");
    let JobError::RunLimit { limit: told, job } = error else { panic!("it is no run limit: {text}") };
    assert_eq!((told, job.as_str()), (limit, "too long"));
    assert!(handle.is_failed());
    assert_usable(&*pool);
    Ok(())
}

/// Beyond the rows: the same where a job runs at its submit.
pub fn run_limit_is_the_outcome_of_a_job_that_overruns<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    pool.claims(Claim::RunLimit)?;
    let log = Log::new();
    let options = JobOptions::new().run_limit(Duration::from_millis(1));
    let future = pool.submit_with(jobs::outlast::job(log.pen(), 20), options);
    assert!(matches!(future.result(), Err(JobError::RunLimit { .. })));
    let stats = pool.stats();
    assert_eq!((stats.finished, stats.failed), (0, 1));
    assert_usable(&*pool);
    Ok(())
}

/// Beyond the rows: a job that keeps to its limit has its value, and can see how much is left.
pub fn job_within_its_limit_has_its_value<S: Subject>(lab: &Lab<S>) -> Verdict {
    const LIMIT: Duration = Duration::from_secs(3600);
    let pool = lab.pool();
    pool.claims(Claim::RunLimit)?;
    let options = || JobOptions::new().run_limit(LIMIT);
    let who = pool.submit_with(jobs::who_am_i::job(), options()).result().unwrap();
    assert!(who.is_limited && !who.should_stop);
    let left = pool.submit_with(jobs::time_left::job(), options()).result().unwrap().unwrap();
    assert!(left <= LIMIT);
    assert_eq!(pool.submit(jobs::time_left::job()).result().unwrap(), None);
    Ok(())
}

/// Beyond the rows: the run limit counts from when the job begins, not from its submit.
pub fn run_limit_counts_from_the_begin<S: Subject>(lab: &Lab<S>) -> Verdict {
    const LIMIT: Duration = Duration::from_secs(3600);
    let pool = lab.pool();
    pool.claims(Claim::RunLimit)?;
    let busy = pool.occupy()?;
    let future = pool.submit_with(jobs::time_left::job(), JobOptions::new().run_limit(LIMIT));
    // The time that the job waits for its turn is what is measured here.
    thread::sleep(Duration::from_millis(30));
    let released = Instant::now();
    busy.release();
    let left = future.result().unwrap().unwrap();
    assert!(left + released.elapsed() >= LIMIT, "{:?} are missing", LIMIT - left);
    Ok(())
}

/// Beyond the rows: a job that fails within its limit has its own failure.
pub fn failure_within_the_limit_stays<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    pool.claims(Claim::RunLimit)?;
    let options = || JobOptions::new().run_limit(Duration::from_secs(3600));
    assert!(pool.submit_with(jobs::blow_up::job("in time"), options()).result().unwrap_err().is_panic());
    assert!(pool.submit_with(jobs::fail::job("in time"), options()).result().unwrap().is_err());
    Ok(())
}
