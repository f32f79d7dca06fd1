//! Section 1: the states of a future, and what may be asked in each.

use std::thread;
use std::time::Duration;

use executor_core::{Executor, JobError, JobFuture, JobHandle, JobState};

use crate::gate::Gate;
use crate::jobs;
use crate::lab::Lab;
use crate::log::Log;
use crate::subject::Subject;
use crate::tools::{dawdle, rounds};
use crate::verdict::{Claim, Verdict};

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
    assert!(future.handle().cancel());
    busy.release();
    assert_eq!(pool.submit(jobs::echo::job(2)).result().unwrap(), 2);
    assert!(log.is_empty(), "a cancelled job ran");
    assert!(matches!(future.result(), Err(JobError::Cancelled)));
    Ok(())
}

/// Law 2: cancelling a running job is refused, and changes nothing.
pub fn cancel_leaves_a_running_job_alone<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    pool.claims(Claim::Concurrency)?;
    let gate = Gate::new();
    let future = pool.submit(jobs::pass::job(gate.pass(), 5));
    gate.wait_for(1);
    assert!(!future.cancel());
    assert_eq!(future.state(), JobState::Running);
    gate.open();
    assert_eq!(future.result().unwrap(), 5);
    Ok(())
}

/// Law 2, 3: cancelling a job that has ended is refused, and its outcome stays.
pub fn cancel_leaves_a_done_job_alone<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let good = pool.submit(jobs::echo::job(5));
    good.wait();
    assert!(!good.cancel());
    assert!(!good.kill());
    assert_eq!(good.state(), JobState::Finished);
    assert_eq!(good.result().unwrap(), 5);
    let bad = pool.submit(jobs::blow_up::job("bad"));
    bad.wait();
    assert!(!bad.cancel());
    assert!(bad.result().unwrap_err().is_panic());
    Ok(())
}

/// What a future answers: done, running, cancelled.
fn answers<T: 'static>(future: &JobFuture<T>) -> [bool; 3] {
    [future.is_done(), future.is_running(), future.is_cancelled()]
}

/// Law 5, 6, 7: pending, running and cancelled jobs say so and nothing else; a job that waits for a worker is pending.
pub fn open_states_answer_truly<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let busy = pool.occupy()?;
    let gate = Gate::new();
    let pending = pool.submit(jobs::pass::job(gate.pass(), 1));
    let cancelled = pool.submit(jobs::pass::job(gate.pass(), 2));
    assert!(cancelled.cancel());
    assert_eq!(answers(&pending), [false, false, false]);
    assert_eq!(answers(&cancelled), [true, false, true]);
    busy.release();
    gate.wait_for(1);
    assert_eq!(answers(&pending), [false, true, false]);
    assert_eq!(pending.state(), JobState::Running);
    gate.open();
    pending.wait();
    assert_eq!(answers(&pending), [true, false, false]);
    assert_eq!(gate.arrived(), 1);
    Ok(())
}

/// Law 5, 6, 7: a job that ended is done, whether it came to a value, an error or a panic, and neither runs nor is
/// cancelled.
pub fn ended_states_answer_truly<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let value = pool.submit(jobs::echo::job(1));
    let error = pool.submit(jobs::fail::job("no"));
    let panic = pool.submit(jobs::blow_up::job("no"));
    value.wait();
    error.wait();
    panic.wait();
    for (what, answers, state) in [
        ("a value", answers(&value), value.state()),
        ("an error", answers(&error), error.state()),
        ("a panic", answers(&panic), panic.state()),
    ] {
        assert_eq!(answers, [true, false, false], "{what}");
        assert_eq!(state, JobState::Finished, "{what}");
    }
    drop((value.result(), error.result(), panic.result()));
    Ok(())
}

/// Law 15: whoever looks at a job while it ends sees no half of it: what is failed is done, and what is done stays as it
/// is.
pub fn snapshots_are_never_torn<S: Subject>(lab: &Lab<S>) -> Verdict {
    const READERS: usize = 4;
    const LOOKS: usize = 1000;
    let pool = lab.pool();
    pool.claims(Claim::Concurrency)?;
    for round in rounds(20) {
        let fails = round % 2 == 1;
        let gate = Gate::new();
        let future = pool.submit(jobs::pass_then_fail::job(gate.pass(), 1, fails.then(|| "no".into())));
        gate.wait_for(1);
        thread::scope(|scope| {
            for _ in 0..READERS {
                let handle = future.handle();
                scope.spawn(move || look_until_done(&handle, fails, LOOKS));
            }
            dawdle(round);
            gate.open();
        });
        assert_eq!(future.result().unwrap().is_err(), fails);
    }
    Ok(())
}

fn look_until_done(handle: &JobHandle, fails: bool, looks_after: usize) {
    loop {
        let failed = handle.is_failed();
        let done = handle.is_done();
        assert!(done || !failed, "a job failed and was not done");
        if done {
            break;
        }
        thread::yield_now();
    }
    for _ in 0..looks_after {
        assert!(handle.is_done());
        assert_eq!(handle.is_failed(), fails);
        assert_eq!(handle.state(), JobState::Finished);
    }
}

/// Law 16: the debug text of a future and of a handle names the state, and whether a finished job failed.
pub fn debug_text_names_the_state<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let value = pool.submit(jobs::fail_if::job(1, []));
    let error = pool.submit(jobs::fail_if::job(1, [1]));
    value.wait();
    error.wait();
    for (text, expected) in [
        (format!("{value:?}"), "Finished(ok)"),
        (format!("{:?}", value.handle()), "Finished(ok)"),
        (format!("{error:?}"), "Finished(err)"),
        (format!("{:?}", error.handle()), "Finished(err)"),
    ] {
        assert!(text.contains(expected), "{text} lacks {expected}");
    }
    assert!(format!("{value:?}").contains(&value.id().as_u64().to_string()), "the text lacks the number of the job");
    drop((value.result(), error.result()));
    Ok(())
}

/// Law 16: the debug text tells pending, running and cancelled jobs apart.
pub fn debug_text_names_open_states<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let busy = pool.occupy()?;
    let gate = Gate::new();
    let future = pool.submit(jobs::pass::job(gate.pass(), 1));
    let cancelled = pool.submit(jobs::echo::job(1));
    assert!(cancelled.cancel());
    assert!(format!("{future:?}").contains("Pending"), "{future:?}");
    assert!(format!("{cancelled:?}").contains("Cancelled"), "{cancelled:?}");
    busy.release();
    gate.wait_for(1);
    assert!(format!("{future:?}").contains("Running"), "{future:?}");
    gate.open();
    future.wait();
    Ok(())
}

/// Law 18: there is one cancelled state, and it is seen at once by everybody: the canceller, handles, waits of no length.
pub fn cancelled_is_seen_at_once<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let busy = pool.occupy()?;
    let mut future = pool.submit(jobs::echo::job(1));
    let handle = future.handle();
    assert!(handle.cancel());
    assert!(future.is_cancelled() && future.is_done() && handle.is_done());
    assert_eq!(handle.state(), JobState::Cancelled);
    assert!(future.wait_timeout(Duration::ZERO));
    assert!(future.try_result().is_some_and(|outcome| outcome.unwrap_err().is_cancelled()));
    busy.release();
    Ok(())
}

/// Law 20: the body of a job runs exactly once, whatever is asked of its future meanwhile.
pub fn body_runs_once<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let log = Log::new();
    let mut future = pool.submit(jobs::note::job(log.pen(), 1));
    let _ = (future.state(), future.is_done(), future.is_running(), future.wait_timeout(Duration::ZERO));
    let handles: Vec<_> = (0..4).map(|_| future.handle()).collect();
    future.wait();
    future.wait();
    for handle in &handles {
        handle.cancel();
        handle.request_stop();
        handle.kill();
    }
    assert_eq!(future.try_result().unwrap().unwrap(), 1);
    drop(future);
    drop(pool);
    assert_eq!(log.entries(), [1]);
    Ok(())
}

/// Law G2: dropping the future detaches the job, which still runs.
pub fn dropped_future_detaches_its_job<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let log = Log::new();
    for value in 0..8 {
        drop(pool.submit(jobs::note::job(log.pen(), value)));
    }
    log.wait_for(8);
    drop(pool);
    let mut entries = log.entries();
    entries.sort_unstable();
    assert_eq!(entries, (0..8).collect::<Vec<_>>());
    Ok(())
}

/// Beyond the rows: a handle outlives its future and its pool, and tells the same as before.
pub fn handle_outlives_future_and_pool<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let future = pool.submit(jobs::fail::job("no"));
    let handle = future.handle();
    let second = handle.clone();
    assert_eq!(handle.id(), future.id());
    assert_eq!(future.result().unwrap(), Err("no".to_owned()));
    drop(pool);
    assert!(handle.is_done() && handle.is_failed() && second.is_failed());
    assert_eq!(handle.state(), JobState::Finished);
    assert!(handle.name().contains("fail"), "{}", handle.name());
    assert!(!handle.cancel() && !handle.kill());
    handle.request_stop();
    Ok(())
}

/// Beyond the rows: every job has a number of its own.
pub fn every_job_has_its_own_number<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let futures: Vec<_> = (0..64).map(|value| pool.submit(jobs::echo::job(value))).collect();
    let numbers: std::collections::BTreeSet<_> = futures.iter().map(JobFuture::id).collect();
    assert_eq!(numbers.len(), futures.len());
    Ok(())
}

/// Law 1, 2, 19: when a cancel races the worker that begins the job, exactly one of them wins.
pub fn cancel_racing_begin_has_one_winner<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let log = Log::new();
    let mut ran = Vec::new();
    for round in rounds(3000) {
        let value = round as u64;
        let future = pool.submit(jobs::note::job(log.pen(), value));
        dawdle(round);
        if future.cancel() {
            assert!(future.is_cancelled());
            assert!(future.result().unwrap_err().is_cancelled(), "a cancelled job has another outcome");
        } else {
            assert_eq!(future.result().unwrap(), value, "a job that was not cancelled has no value");
            ran.push(value);
        }
    }
    drop(pool);
    let mut entries = log.entries();
    entries.sort_unstable();
    assert_eq!(entries, ran, "the jobs that ran are not those that were not cancelled");
    Ok(())
}
