//! Section 5: futures in the order in which they are done.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use executor_core::{Backend, Executor, JobFuture, Shutdown, WaitTimeout, as_completed};
use futures::StreamExt;
use futures::executor::block_on;

use crate::gate::Gate;
use crate::jobs;
use crate::lab::Lab;
use crate::log::Log;
use crate::subject::{Config, Subject};
use crate::time::hang_guard;
use crate::tools::while_blocked;
use crate::verdict::{Claim, Verdict};

/// Law 76: finished, failed, cancelled and running jobs are each given once.
pub fn each_member_is_given_once<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let done = pool.submit(jobs::fail_if::job(1, [1]));
    done.wait();
    let busy = pool.occupy()?;
    let mut futures: Vec<_> = (10..30).map(|value| pool.submit(jobs::fail_if::job(value, [12, 13]))).collect();
    assert!(futures[5].cancel() && futures[6].cancel());
    futures.push(done);
    let expected: BTreeSet<_> = futures.iter().map(JobFuture::id).collect();
    busy.open();
    let given: Vec<_> = as_completed(futures).map(|future| future.id()).collect();
    assert_eq!(given.len(), expected.len());
    assert_eq!(given.into_iter().collect::<BTreeSet<_>>(), expected);
    Ok(())
}

/// Law 76: on a backend where nothing is ever pending, each is given once, too, and then nothing, again and again.
pub fn it_ends_and_stays_ended<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let futures: Vec<_> = (0..20).map(|value| pool.submit(jobs::echo::job(value))).collect();
    let mut completed = as_completed(futures);
    assert_eq!(completed.len(), 20);
    let mut values: Vec<_> = completed.by_ref().map(|future| future.result().unwrap()).collect();
    values.sort_unstable();
    assert_eq!(values, (0..20).collect::<Vec<_>>());
    assert_eq!(completed.len(), 0);
    for _ in 0..3 {
        assert!(completed.next().is_none());
        assert!(completed.next_timeout(hang_guard()).unwrap().is_none());
    }
    assert!(as_completed(Vec::<JobFuture<u64>>::new()).next().is_none());
    Ok(())
}

/// Law 76: they come in the order in which they are done.
pub fn members_come_as_they_are_done<S: Subject>(lab: &Lab<S>) -> Verdict {
    const JOBS: usize = 4;
    let pool = lab.pool_with(Config::new().workers(JOBS))?;
    pool.claims(Claim::Concurrency)?;
    let gates: Vec<_> = (0..JOBS).map(|_| Gate::new()).collect();
    let futures: Vec<_> =
        (0..).zip(&gates).map(|(value, gate)| pool.submit(jobs::pass::job(gate.pass(), value))).collect();
    let mut completed = as_completed(futures);
    for value in [2, 0, 3, 1] {
        let next = while_blocked(|| completed.next(), || gates[value].open());
        assert_eq!(next.unwrap().result().unwrap(), value as u64);
    }
    assert!(completed.next().is_none());
    Ok(())
}

/// Law 77, 80: what is done comes first, and then the limit: it says how many of how many are open, and loses nothing.
pub fn limit_tells_how_many_are_open<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let done = pool.submit(jobs::echo::job(1));
    done.wait();
    let busy = pool.occupy()?;
    let pending = (2..4).map(|value| pool.submit(jobs::echo::job(value)));
    let mut completed = as_completed(pending.chain([done]).collect::<Vec<_>>());
    assert_eq!(completed.next_timeout(Duration::ZERO).unwrap().unwrap().result().unwrap(), 1);
    assert_eq!(completed.next_timeout(Duration::ZERO).unwrap_err(), WaitTimeout { open: 2, total: 3 });
    let limit = Duration::from_millis(30);
    let began = Instant::now();
    let error = completed.next_timeout(limit).unwrap_err();
    assert!(began.elapsed() >= limit);
    assert!(error.to_string().contains("2 of 3"), "{error}");
    busy.release();
    let mut values: Vec<_> = completed.map(|future| future.result().unwrap()).collect();
    values.sort_unstable();
    assert_eq!(values, [2, 3]);
    Ok(())
}

/// Law 81: jobs that a shutdown cancels are given, not waited for.
pub fn shutdown_gives_the_rest<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let busy = pool.occupy()?;
    let futures: Vec<_> = (0..10).map(|value| pool.submit(jobs::echo::job(value))).collect();
    let given = while_blocked(
        || as_completed(futures).filter(JobFuture::is_cancelled).count(),
        || pool.begin_shutdown(Shutdown::CancelPending),
    );
    assert_eq!(given, 10);
    busy.release();
    Ok(())
}

/// Law G2: dropping it detaches the jobs that are not done, which still run.
pub fn dropping_it_detaches_the_rest<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let log = Log::new();
    let busy = pool.occupy()?;
    let futures: Vec<_> = (0..8).map(|value| pool.submit(jobs::note::job(log.pen(), value))).collect();
    drop(as_completed(futures));
    busy.release();
    drop(pool);
    assert_eq!(log.len(), 8);
    Ok(())
}

/// Law 57: as a stream it gives the same.
pub fn stream_gives_each_member_once<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let futures: Vec<_> = (0..50).map(|value| pool.submit(jobs::echo::job(value))).collect();
    let stream = as_completed(futures).into_stream();
    let mut values: Vec<_> = block_on(stream.map(|future| future.result().unwrap()).collect());
    values.sort_unstable();
    assert_eq!(values, (0..50).collect::<Vec<_>>());
    Ok(())
}

/// Law 57: whoever awaits the stream is woken when a job is done, and loses nothing by an await that was dropped.
pub fn stream_wakes<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let busy = pool.occupy()?;
    let gate = Gate::new();
    let futures: Vec<_> = (0..3).map(|value| pool.submit(jobs::pass::job(gate.pass(), value))).collect();
    let mut stream = as_completed(futures).into_stream();
    assert!(futures::FutureExt::now_or_never(stream.next()).is_none());
    busy.release();
    let mut values: Vec<u64> =
        while_blocked(|| block_on(stream.map(|future| future.result().unwrap()).collect()), || gate.open());
    values.sort_unstable();
    assert_eq!(values, [0, 1, 2]);
    Ok(())
}

/// Beyond the rows: many short jobs, taken as they are done.
pub fn many_members_are_given<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let futures: Vec<_> = (0..2000).map(|value| pool.submit(jobs::echo::job(value))).collect();
    let mut values: Vec<_> = as_completed(futures).map(|future| future.result().unwrap()).collect();
    values.sort_unstable();
    assert_eq!(values, (0..2000).collect::<Vec<_>>());
    Ok(())
}
