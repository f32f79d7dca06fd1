//! Section 7: the job that each worker runs before its first.

use executor_core::{Executor, JobError, Shutdown};

use crate::gate::Gate;
use crate::jobs::{self, Plan, SetUp};
use crate::lab::Lab;
use crate::log::Log;
use crate::subject::{Config, Subject};
use crate::time::hang_guard;
use crate::tools::assert_usable;
use crate::verdict::{Claim, Verdict};

fn set_up(log: &Log, plan: Plan) -> SetUp {
    SetUp { pen: log.pen(), gate: None, plan }
}

/// Law 103, 107: the initializer ran in each worker before its first job, and once.
pub fn initializer_runs_once_in_each_worker<S: Subject>(lab: &Lab<S>) -> Verdict {
    const WORKERS: usize = 3;
    let log = Log::new();
    let initializer = set_up(&log, Plan::Mark(7));
    let pool = lab.pool_with(Config::new().workers(WORKERS).initializer(initializer))?;
    pool.claims(Claim::Concurrency)?;
    for _ in 0..3 {
        let gate = Gate::new();
        let marks: Vec<_> = (0..WORKERS).map(|_| pool.submit(jobs::worker_mark::job(Some(gate.pass())))).collect();
        gate.wait_for(WORKERS);
        gate.open();
        for mark in marks {
            assert_eq!(mark.result().unwrap(), Some(7));
        }
    }
    drop(pool);
    assert_eq!(log.len(), WORKERS);
    Ok(())
}

/// Law 103: an initializer may be async.
pub fn initializer_may_be_async<S: Subject>(lab: &Lab<S>) -> Verdict {
    let log = Log::new();
    let pool = lab.pool_with(Config::new().initializer(set_up(&log, Plan::MarkAsync(9))))?;
    assert_eq!(pool.submit(jobs::worker_mark::job(None)).result().unwrap(), Some(9));
    Ok(())
}

/// Law 103: jobs that are submitted while the initializer runs wait for it.
pub fn jobs_wait_for_the_initializer<S: Subject>(lab: &Lab<S>) -> Verdict {
    let log = Log::new();
    let gate = Gate::new();
    let initializer = SetUp { pen: log.pen(), gate: Some(gate.pass()), plan: Plan::Mark(3) };
    let pool = lab.pool_with(Config::new().workers(1).initializer(initializer))?;
    pool.claims(Claim::Concurrency)?;
    let mark = pool.submit(jobs::worker_mark::job(None));
    gate.wait_for(1);
    assert!(!mark.is_done() && !mark.is_running(), "a job began before the initializer was over");
    gate.open();
    assert_eq!(mark.result().unwrap(), Some(3));
    Ok(())
}

/// Beyond the rows: without an initializer a worker has no state.
pub fn worker_without_initializer_has_no_state<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    assert_eq!(pool.submit(jobs::worker_mark::job(None)).result().unwrap(), None);
    Ok(())
}

/// Beyond the rows: a state that panics when it is dropped harms no pool, and keeps none from its end.
pub fn worker_state_whose_drop_panics_does_no_harm<S: Subject>(lab: &Lab<S>) -> Verdict {
    let log = Log::new();
    let pool = lab.pool_with(Config::new().workers(2).initializer(set_up(&log, Plan::LeaveBomb)))?;
    assert_usable(&*pool);
    pool.shutdown_timeout(Shutdown::Drain, hang_guard()).unwrap();
    assert_eq!(pool.stats().worker_restarts, 0);
    Ok(())
}

/// Checks that the pool is broken by an initializer that fails, and says why.
fn breaks_with<S: Subject>(lab: &Lab<S>, plan: Plan, cause: &str) -> Verdict {
    let assert_broken = |error: JobError| match &error {
        JobError::Broken { cause: told } => assert!(told.contains(cause), "`{told}` does not say `{cause}`"),
        other => panic!("the initializer failed, and the error of a job is {other:?}"),
    };
    let log = Log::new();
    let gate = Gate::new();
    let initializer = SetUp { pen: log.pen(), gate: Some(gate.pass()), plan };
    let pool = lab.pool_with(Config::new().workers(2).initializer(initializer))?;
    pool.claims(Claim::Concurrency)?;
    let ran = Log::new();
    let queued: Vec<_> = (0..5).map(|value| pool.submit(jobs::note::job(ran.pen(), value))).collect();
    let cancelled = pool.submit(jobs::note::job(ran.pen(), 5));
    assert!(cancelled.cancel());
    gate.open();
    for future in queued {
        assert_broken(future.result().unwrap_err());
    }
    assert!(cancelled.result().unwrap_err().is_cancelled());
    assert_broken(pool.submit(jobs::note::job(ran.pen(), 6)).result().unwrap_err());
    let refused = pool.try_submit(jobs::note::job(ran.pen(), 7)).unwrap_err();
    assert!(!refused.is_full() && refused.error().to_string().contains(cause));
    let waited = futures::executor::block_on(pool.submit_wait(jobs::note::job(ran.pen(), 8)));
    assert_broken(waited.result().unwrap_err());
    let outcomes: Vec<_> = pool.map(|value| jobs::note::job(ran.pen(), value), 0..).take(100).collect();
    assert!(
        !outcomes.is_empty() && outcomes.into_iter().all(|outcome| matches!(outcome, Err(JobError::Broken { .. })))
    );
    let stats = pool.stats();
    assert_eq!((stats.queued, stats.running, stats.finished), (0, 0, 0));
    assert_eq!((stats.failed, stats.cancelled), (5, 1));
    pool.shutdown(Shutdown::Drain).unwrap();
    drop(pool);
    assert!(ran.is_empty(), "a job ran on a broken pool");
    Ok(())
}

/// Law 104: an initializer that panics breaks the pool: what waits and what comes later fails with its message.
pub fn panicking_initializer_breaks_the_pool<S: Subject>(lab: &Lab<S>) -> Verdict {
    breaks_with(lab, Plan::BlowUp("no database".into()), "no database")
}

/// Law 104: an initializer that returns a failure breaks the pool, too, and is named.
pub fn failing_initializer_breaks_the_pool<S: Subject>(lab: &Lab<S>) -> Verdict {
    breaks_with(lab, Plan::Fail("no database".into()), "no database")
}

/// Law 104: a pool that is dropped while its initializer fails ends.
pub fn broken_pool_ends<S: Subject>(lab: &Lab<S>) -> Verdict {
    for _ in 0..20 {
        let log = Log::new();
        let config = Config::new().workers(2).initializer(set_up(&log, Plan::BlowUp("at once".into())));
        let pool = lab.pool_with(config)?;
        let future = pool.submit(jobs::echo::job(1));
        drop(pool);
        assert!(matches!(future.result(), Err(JobError::Broken { .. })));
    }
    Ok(())
}
