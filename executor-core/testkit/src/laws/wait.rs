//! Section 4: waiting for sets of futures.

use std::time::{Duration, Instant};

use executor_core::{Executor, JobFuture, Shutdown, WaitFor, wait};

use crate::gate::Gate;
use crate::jobs;
use crate::lab::Lab;
use crate::subject::{Config, Subject};
use crate::time::hang_guard;
use crate::tools::while_blocked;
use crate::verdict::{Claim, Verdict};

/// The numbers of some futures, to see which is which.
fn ids<T: 'static>(futures: &[JobFuture<T>]) -> Vec<u64> {
    futures.iter().map(|future| future.id().as_u64()).collect()
}

/// Law 66: waiting for the first ends when one is done; the others are not.
pub fn first_ends_with_one_done<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool_with(Config::new().workers(2))?;
    pool.claims(Claim::Concurrency)?;
    let gates = [Gate::new(), Gate::new()];
    let futures: Vec<_> = gates.iter().map(|gate| pool.submit(jobs::pass::job(gate.pass(), 1))).collect();
    let expected = ids(&futures);
    let waited = while_blocked(|| wait(futures, WaitFor::First, None), || gates[1].open());
    assert_eq!(ids(&waited.done), [expected[1]]);
    assert_eq!(ids(&waited.not_done), [expected[0]]);
    gates[0].open();
    assert_eq!(waited.not_done.into_iter().next().unwrap().result().unwrap(), 1);
    Ok(())
}

/// Law 67, 18: a job that was just cancelled counts as done.
pub fn cancelled_member_is_done<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let busy = pool.occupy()?;
    let futures: Vec<_> = (0..3).map(|value| pool.submit(jobs::echo::job(value))).collect();
    assert!(futures[1].cancel());
    let expected = ids(&futures);
    let waited = wait(futures, WaitFor::First, None);
    assert_eq!(ids(&waited.done), [expected[1]]);
    assert_eq!(ids(&waited.not_done), [expected[0], expected[2]]);
    busy.release();
    drop(waited);
    Ok(())
}

/// Law 67: a cancel wakes a thread that waits for the first.
pub fn cancel_ends_a_wait<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let busy = pool.occupy()?;
    let futures: Vec<_> = (0..2).map(|value| pool.submit(jobs::echo::job(value))).collect();
    let handle = futures[0].handle();
    let waited = while_blocked(|| wait(futures, WaitFor::First, None), || assert!(handle.cancel()));
    assert_eq!((waited.done.len(), waited.not_done.len()), (1, 1));
    assert!(waited.done[0].is_cancelled());
    busy.release();
    drop(waited);
    Ok(())
}

/// Law 68: members that are done already end a wait for the first at once.
pub fn first_takes_what_is_done_already<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let done = pool.submit(jobs::echo::job(1));
    done.wait();
    let busy = pool.occupy()?;
    let pending = pool.submit(jobs::echo::job(2));
    let expected = [done.id().as_u64(), pending.id().as_u64()];
    let waited = wait([pending, done], WaitFor::First, None);
    assert_eq!(ids(&waited.done), [expected[0]]);
    assert_eq!(ids(&waited.not_done), [expected[1]]);
    busy.release();
    drop(waited);
    Ok(())
}

/// Law 69: a success does not end a wait for the first error; the first failure does.
pub fn first_error_passes_over_successes<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool_with(Config::new().workers(3))?;
    pool.claims(Claim::Concurrency)?;
    let gates = [Gate::new(), Gate::new(), Gate::new()];
    let texts = [None, Some("no".to_owned()), None];
    let submit = |(gate, text): (&Gate, Option<String>)| pool.submit(jobs::pass_then_fail::job(gate.pass(), 1, text));
    let futures: Vec<_> = gates.iter().zip(texts).map(submit).collect();
    let expected = ids(&futures);
    gates[0].open();
    futures[0].wait();
    let waited = while_blocked(|| wait(futures, WaitFor::FirstError, None), || gates[1].open());
    assert_eq!(ids(&waited.done), expected[..2]);
    assert_eq!(ids(&waited.not_done), expected[2..]);
    gates[2].open();
    drop(waited);
    Ok(())
}

/// Law 71: a member that has failed already ends a wait for the first error at once: an `Err`, and a panic.
pub fn first_error_takes_what_has_failed_already<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let error = pool.submit(jobs::fail_if::job(1, [1]));
    error.wait();
    let panic = pool.submit(jobs::blow_up::job("no"));
    panic.wait();
    let busy = pool.occupy()?;
    let waited = wait([pool.submit(jobs::fail_if::job(2, [])), error], WaitFor::FirstError, None);
    assert_eq!((waited.done.len(), waited.not_done.len()), (1, 1));
    let others = wait([pool.submit(jobs::echo::job(2)), panic], WaitFor::FirstError, None);
    assert_eq!((others.done.len(), others.not_done.len()), (1, 1));
    assert!(others.done.into_iter().next().unwrap().result().unwrap_err().is_panic());
    busy.release();
    drop((waited, others.not_done));
    Ok(())
}

/// Law 69: without a failure, a wait for the first error ends when all are done.
pub fn first_error_without_one_waits_for_all<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let futures: Vec<_> = (0..20).map(|value| pool.submit(jobs::fail_if::job(value, []))).collect();
    let waited = wait(futures, WaitFor::FirstError, None);
    assert_eq!((waited.done.len(), waited.not_done.len()), (20, 0));
    Ok(())
}

/// Law 67, 69: a cancelled job is done and has not failed, so it does not end a wait for the first error.
pub fn cancelled_member_is_no_error<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let busy = pool.occupy()?;
    let futures: Vec<_> = (0..2).map(|value| pool.submit(jobs::echo::job(value))).collect();
    assert!(futures[0].cancel());
    let waited = wait(futures, WaitFor::FirstError, Some(Duration::ZERO));
    assert_eq!((waited.done.len(), waited.not_done.len()), (1, 1));
    let futures = waited.done.into_iter().chain(waited.not_done);
    let waited = while_blocked(|| wait(futures.collect::<Vec<_>>(), WaitFor::FirstError, None), || busy.open());
    assert_eq!((waited.done.len(), waited.not_done.len()), (2, 0));
    Ok(())
}

/// Law 72: waiting for all ends when all are done, however each of them ended.
pub fn all_waits_for_all<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let busy = pool.occupy()?;
    let mut futures: Vec<_> = (0..20).map(|value| pool.submit(jobs::fail_if::job(value, [3, 4]))).collect();
    assert!(futures[7].cancel());
    futures.push(pool.submit(jobs::fail_if::job(100, [100])));
    let expected = ids(&futures);
    let waited = while_blocked(|| wait(futures, WaitFor::All, None), || busy.open());
    assert_eq!(ids(&waited.done), expected, "the parts keep the order of the input");
    assert!(waited.not_done.is_empty());
    Ok(())
}

/// Law 72: the same on a backend where nothing is ever pending.
pub fn all_takes_what_is_done<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let futures: Vec<_> = (0..20).map(|value| pool.submit(jobs::fail_if::job(value, [3, 4]))).collect();
    let waited = wait(futures, WaitFor::All, Some(hang_guard()));
    let outcomes: Vec<_> = waited.done.into_iter().map(|future| future.result().unwrap()).collect();
    let expected: Vec<_> = (0..20).map(|value| jobs::fail_if(value, &[3, 4])).collect();
    assert_eq!(outcomes, expected);
    assert!(waited.not_done.is_empty());
    Ok(())
}

/// Law 73: when the limit passes, the set is parted as it is then, which is no error; the limit was waited for.
pub fn limit_parts_the_set<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let done = pool.submit(jobs::echo::job(1));
    done.wait();
    let busy = pool.occupy()?;
    let pending = pool.submit(jobs::echo::job(2));
    let limit = Duration::from_millis(30);
    let began = Instant::now();
    let waited = wait([done, pending], WaitFor::All, Some(limit));
    assert!(began.elapsed() >= limit);
    assert_eq!((waited.done.len(), waited.not_done.len()), (1, 1));
    busy.release();
    let again = wait(waited.not_done, WaitFor::All, None);
    assert_eq!(again.done.into_iter().next().unwrap().result().unwrap(), 2);
    Ok(())
}

/// Law 75: an empty set is all done at once, and a wait of no length parts the set as it is.
pub fn empty_set_and_zero_limit_do_not_wait<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    for wait_for in [WaitFor::All, WaitFor::First, WaitFor::FirstError] {
        let waited = wait(Vec::<JobFuture<u64>>::new(), wait_for, None);
        assert!(waited.done.is_empty() && waited.not_done.is_empty());
    }
    let done = pool.submit(jobs::echo::job(1));
    done.wait();
    let waited = wait([done], WaitFor::All, Some(Duration::ZERO));
    assert_eq!((waited.done.len(), waited.not_done.len()), (1, 0));
    Ok(())
}

/// Law 75: a wait of no length leaves what is not done among the others.
pub fn zero_limit_parts_the_set<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let busy = pool.occupy()?;
    for wait_for in [WaitFor::All, WaitFor::First, WaitFor::FirstError] {
        let futures: Vec<_> = (0..4).map(|value| pool.submit(jobs::echo::job(value))).collect();
        let waited = wait(futures, wait_for, Some(Duration::ZERO));
        assert_eq!((waited.done.len(), waited.not_done.len()), (0, 4));
        assert!(waited.not_done.iter().all(JobFuture::cancel));
    }
    busy.release();
    Ok(())
}

/// Law 81: jobs that a shutdown cancels wake a thread that waits for them.
pub fn shutdown_ends_a_wait<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let busy = pool.occupy()?;
    let futures: Vec<_> = (0..10).map(|value| pool.submit(jobs::echo::job(value))).collect();
    let waited = while_blocked(
        || wait(futures, WaitFor::All, None),
        || executor_core::Backend::begin_shutdown(&*pool, Shutdown::CancelPending),
    );
    assert_eq!(waited.done.len(), 10);
    assert!(waited.done.iter().all(JobFuture::is_cancelled));
    busy.release();
    Ok(())
}

/// Beyond the rows: the futures of a set may belong to several pools.
pub fn set_may_span_pools<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pools = [lab.pool(), lab.pool()];
    let futures: Vec<_> = (0..20).map(|value| pools[value as usize % 2].submit(jobs::echo::job(value))).collect();
    let waited = wait(futures, WaitFor::All, None);
    let values: Vec<_> = waited.done.into_iter().map(|future| future.result().unwrap()).collect();
    assert_eq!(values, (0..20).collect::<Vec<_>>());
    Ok(())
}
