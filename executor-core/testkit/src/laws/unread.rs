//! Section 21, 23: failures that nobody reads reach the hook.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use executor_core::{Executor, JobId, on_unread_failure};

use crate::gate::Gate;
use crate::jobs;
use crate::lab::Lab;
use crate::panics::ON_PURPOSE;
use crate::subject::Subject;
use crate::time::eventually;
use crate::tools::assert_usable;
use crate::verdict::{Claim, Verdict};

/// What the hook was told: how often of each job, and whether with an error.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<BTreeMap<JobId, Vec<bool>>>>);

impl Told {
    /// Listens from now on. There is one hook for the program; laws run one at a time.
    fn listen() -> Self {
        let told = Told::default();
        let tell = told.clone();
        on_unread_failure(move |failure| {
            tell.lock().entry(failure.id).or_default().push(failure.error.is_some());
        });
        told
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<JobId, Vec<bool>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was told of one job.
    fn of(&self, id: JobId) -> Vec<bool> {
        self.lock().get(&id).cloned().unwrap_or_default()
    }
}

/// Puts a hook in place that does nothing.
fn stop_listening() {
    on_unread_failure(drop);
}

/// Law 302, G10: a failure whose future was dropped reaches the hook once: a panic with its error, an `Err` without.
pub fn unread_failure_is_told_once<S: Subject>(lab: &Lab<S>) -> Verdict {
    let told = Told::listen();
    let pool = lab.pool();
    let mut dropped = Vec::new();
    for round in 0..20 {
        let panic = pool.submit(jobs::blow_up::job("unread"));
        let error = pool.submit(jobs::fail::job("unread"));
        dropped.push((panic.id(), true));
        dropped.push((error.id(), false));
        if round % 2 == 0 {
            panic.wait();
            error.wait();
        }
        drop((panic, error));
    }
    eventually("every unread failure is told", || dropped.iter().all(|(id, _)| !told.of(*id).is_empty()));
    drop(pool);
    for (id, has_error) in dropped {
        assert_eq!(told.of(id), [has_error], "{id}");
    }
    stop_listening();
    Ok(())
}

/// Law G10: a failure whose future is dropped while the job runs is told when the job ends.
pub fn failure_of_a_detached_job_is_told<S: Subject>(lab: &Lab<S>) -> Verdict {
    let told = Told::listen();
    let pool = lab.pool();
    pool.claims(Claim::Concurrency)?;
    let gate = Gate::new();
    let future = pool.submit(jobs::pass_then_blow_up::job(gate.pass(), "detached".into()));
    let id = future.id();
    gate.wait_for(1);
    drop(future);
    assert!(told.of(id).is_empty());
    gate.open();
    eventually("the failure is told", || !told.of(id).is_empty());
    drop(pool);
    assert_eq!(told.of(id), [true]);
    stop_listening();
    Ok(())
}

/// Law G10: what was read is not told, nor what was given to a callback, nor a success.
pub fn read_failure_is_not_told<S: Subject>(lab: &Lab<S>) -> Verdict {
    let told = Told::listen();
    let pool = lab.pool();
    let mut ids = Vec::new();
    let mut read = pool.submit(jobs::blow_up::job("read"));
    ids.push(read.id());
    read.wait();
    assert!(read.try_result().unwrap().is_err());
    drop(read);
    let error = pool.submit(jobs::fail::job("read"));
    ids.push(error.id());
    assert!(error.result().unwrap().is_err());
    let awaited = pool.submit(jobs::blow_up::job("awaited"));
    ids.push(awaited.id());
    assert!(futures::executor::block_on(awaited).is_err());
    let called = pool.submit(jobs::blow_up::job("called back"));
    ids.push(called.id());
    drop(called.on_done(drop));
    let success = pool.submit(jobs::echo::job(1));
    ids.push(success.id());
    drop(success);
    drop(pool);
    for id in ids {
        assert!(told.of(id).is_empty(), "{id}");
    }
    stop_listening();
    Ok(())
}

/// Law G10: a cancelled job has not failed, and is not told.
pub fn cancelled_job_is_not_told<S: Subject>(lab: &Lab<S>) -> Verdict {
    let told = Told::listen();
    let pool = lab.pool();
    let busy = pool.occupy()?;
    let future = pool.submit(jobs::blow_up::job("never"));
    let id = future.id();
    assert!(future.cancel());
    drop(future);
    busy.release();
    drop(pool);
    assert!(told.of(id).is_empty());
    stop_listening();
    Ok(())
}

/// Law G10: a hook may be replaced though it has an unread failure in it, which is then told to the new one.
pub fn replaced_hook_gives_up_what_it_has<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let kept = pool.submit(jobs::blow_up::job("kept"));
    kept.wait();
    let id = kept.id();
    on_unread_failure(move |_| assert!(kept.is_done()));
    let told = Told::listen();
    eventually("the failure is told", || !told.of(id).is_empty());
    drop(pool);
    assert_eq!(told.of(id), [true]);
    stop_listening();
    Ok(())
}

/// Law G10: a hook that panics harms nobody.
pub fn panic_of_the_hook_does_no_harm<S: Subject>(lab: &Lab<S>) -> Verdict {
    on_unread_failure(|_| panic!("the hook panics, {ON_PURPOSE}"));
    let pool = lab.pool();
    for _ in 0..10 {
        drop(pool.submit(jobs::blow_up::job("unread")));
    }
    assert_usable(&*pool);
    assert_eq!(pool.stats().worker_restarts, 0);
    drop(pool);
    stop_listening();
    Ok(())
}
