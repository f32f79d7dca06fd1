//! Section 3, 57: every future can be awaited, under any runtime.

use std::future::Future;
use std::panic::panic_any;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use executor_core::{Executor, as_completed};
use futures::StreamExt;
use futures::executor::block_on;

use crate::gate::Gate;
use crate::jobs;
use crate::lab::Lab;
use crate::panics::{BombPayload, ON_PURPOSE};
use crate::subject::Subject;
use crate::time::eventually;
use crate::tools::{assert_usable, while_blocked};
use crate::verdict::{Claim, Verdict};

/// Counts how often it is woken, and may panic then.
#[derive(Default)]
struct Bell {
    rung: AtomicUsize,
    panics: bool,
    /// It panics with what panics in turn.
    throws_bomb: bool,
}

impl Bell {
    fn rung(&self) -> usize {
        self.rung.load(Ordering::Acquire)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.rung.fetch_add(1, Ordering::AcqRel);
        assert!(!self.panics, "a waker panics, {ON_PURPOSE}");
        if self.throws_bomb {
            panic_any(BombPayload);
        }
    }
}

fn poll_with<F: Future + Unpin>(future: &mut F, bell: &Arc<Bell>) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(&Waker::from(Arc::clone(bell))))
}

/// Law 57: an await gives the value, the error or the panic of the job.
pub fn await_gives_the_outcome<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    assert_eq!(block_on(pool.submit(jobs::echo::job(1))).unwrap(), 1);
    assert_eq!(block_on(pool.submit(jobs::echo_async::job(1))).unwrap(), 1);
    assert_eq!(block_on(pool.submit(jobs::fail::job("no"))).unwrap(), Err("no".to_owned()));
    assert!(block_on(pool.submit(jobs::blow_up::job("no"))).unwrap_err().is_panic());
    Ok(())
}

/// Law 57: every runtime awaits futures and streams alike.
pub fn await_works_under_tokio_and_smol<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(runtime.block_on(sums(&*pool)), [1, 2, 45, 45]);
    // Without smol's reactor, whose thread would outlive the law.
    let executor = smol::LocalExecutor::new();
    assert_eq!(smol::future::block_on(executor.run(sums(&*pool))), [1, 2, 45, 45]);
    Ok(())
}

async fn sums(pool: &impl Executor) -> [u64; 4] {
    let function = pool.submit(jobs::echo::job(1)).await.unwrap();
    let async_job = pool.submit(jobs::echo_async::job(2)).await.unwrap();
    let futures = (0..10).map(|value| pool.submit(jobs::echo::job(value)));
    let done = as_completed(futures).into_stream().then(|future| async { future.await.unwrap() });
    let mapped = pool.map(jobs::echo_async::job, 0..10).into_stream().map(Result::unwrap);
    let sum = async |sum, value| sum + value;
    [function, async_job, done.fold(0, sum).await, mapped.fold(0, sum).await]
}

/// Law 57: many futures can be awaited at once.
pub fn many_are_awaited_at_once<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let futures: Vec<_> = (0..200).map(|value| pool.submit(jobs::echo::job(value))).collect();
    let values: Vec<_> = block_on(futures::future::join_all(futures)).into_iter().map(Result::unwrap).collect();
    assert_eq!(values, (0..200).collect::<Vec<_>>());
    Ok(())
}

/// Law 57, 10: an await is woken when the job ends.
pub fn await_is_woken<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    pool.claims(Claim::Concurrency)?;
    let gate = Gate::new();
    let future = pool.submit(jobs::pass::job(gate.pass(), 1));
    assert_eq!(while_blocked(|| block_on(future), || gate.open()).unwrap(), 1);
    Ok(())
}

/// Law 57, 29: an await is woken when the job is cancelled.
pub fn await_is_woken_by_a_cancel<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let busy = pool.occupy()?;
    let future = pool.submit(jobs::echo::job(1));
    let handle = future.handle();
    let outcome = while_blocked(|| block_on(future), || assert!(handle.cancel()));
    assert!(outcome.unwrap_err().is_cancelled());
    busy.release();
    Ok(())
}

/// Beyond the rows: an await that is given up loses nothing: the future can be polled, waited for and asked again.
pub fn await_that_is_given_up_loses_nothing<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    pool.claims(Claim::Concurrency)?;
    let gate = Gate::new();
    let mut future = pool.submit(jobs::pass::job(gate.pass(), 3));
    assert!(futures::FutureExt::now_or_never(&mut future).is_none());
    assert!(future.try_result().is_none());
    gate.open();
    assert_eq!(block_on(&mut future).unwrap(), 3);
    Ok(())
}

/// Beyond the rows: of several wakers the last one counts, and it is woken once the job is done.
pub fn last_waker_is_woken<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    pool.claims(Claim::Concurrency)?;
    let gate = Gate::new();
    let mut future = pool.submit(jobs::pass::job(gate.pass(), 3));
    let bells: [Arc<Bell>; 3] = Default::default();
    for bell in &bells {
        assert!(poll_with(&mut future, bell).is_pending());
    }
    assert_eq!(bells[2].rung(), 0, "a waker was woken for nothing");
    gate.open();
    eventually("the last waker is woken", || bells[2].rung() > 0);
    assert!(matches!(poll_with(&mut future, &bells[2]), Poll::Ready(Ok(3))));
    Ok(())
}

/// Law G3: a waker that panics harms neither the worker nor whoever else waits for the job.
pub fn waker_that_panics_does_no_harm<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    pool.claims(Claim::Concurrency)?;
    for bad in [Bell { panics: true, ..Bell::default() }, Bell { throws_bomb: true, ..Bell::default() }] {
        let gate = Gate::new();
        let mut future = pool.submit(jobs::pass::job(gate.pass(), 3));
        let bad = Arc::new(bad);
        assert!(poll_with(&mut future, &bad).is_pending());
        let called = Arc::new(AtomicUsize::new(0));
        let calls = Arc::clone(&called);
        future.handle().on_done(move |_| {
            calls.fetch_add(1, Ordering::AcqRel);
        });
        gate.open();
        eventually("the callback runs", || called.load(Ordering::Acquire) == 1);
        assert_eq!(bad.rung(), 1);
        assert_eq!(future.result().unwrap(), 3);
        assert_usable(&*pool);
        assert_eq!(pool.stats().worker_restarts, 0);
    }
    Ok(())
}

/// Beyond the rows: waiting threads, awaits and callbacks on one job are all served.
pub fn all_kinds_of_waiters_are_served<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    pool.claims(Claim::Concurrency)?;
    let gate = Gate::new();
    let mut future = pool.submit(jobs::pass::job(gate.pass(), 3));
    let bell = Arc::new(Bell::default());
    assert!(poll_with(&mut future, &bell).is_pending());
    let called = Arc::new(AtomicUsize::new(0));
    let calls = Arc::clone(&called);
    future.handle().on_done(move |_| {
        calls.fetch_add(1, Ordering::AcqRel);
    });
    while_blocked(|| future.wait(), || gate.open());
    eventually("all are told", || bell.rung() == 1 && called.load(Ordering::Acquire) == 1);
    assert_eq!(block_on(future).unwrap(), 3);
    Ok(())
}
