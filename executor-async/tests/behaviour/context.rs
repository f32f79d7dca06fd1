//! What a job knows of itself, at every poll.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::thread::{self, ThreadId};

use executor_async::AsyncExecutor;
use executor_core::{Executor, JobError, current, job};
use executor_testkit::jobs::{self, Plan, SetUp};
use executor_testkit::{Gate, Log, eventually};

use crate::tools::{runtime, watched};

static THREADS: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

fn note_thread() {
    let id: ThreadId = thread::current().id();
    THREADS.lock().unwrap().insert(format!("{id:?}"));
}

/// Yields often; true if the context was this job's at every poll.
#[job]
async fn stays_itself(rounds: u32) -> bool {
    let id = current().id();
    let name = current().name().to_owned();
    let mut same = id.is_some();
    for round in 0..rounds {
        note_thread();
        current().progress(u64::from(round), u64::from(rounds));
        tokio::task::yield_now().await;
        let job = current();
        same &= job.id() == id && job.name() == name && job.worker().is_some() && job.attempt() == 1;
    }
    same
}

#[test]
fn the_context_goes_with_the_job() {
    let _watch = watched();
    let runtime = runtime();
    let pool = AsyncExecutor::on(runtime.handle().clone()).unwrap();
    eventually("a job was polled by several threads", || {
        let futures: Vec<_> = (0..20).map(|_| pool.submit(stays_itself::job(200))).collect();
        assert!(futures.into_iter().all(|future| future.result().unwrap()));
        THREADS.lock().unwrap().len() > 1
    });
    // A task that is no job has none, between those that are.
    let empty = runtime.block_on(async { tokio::spawn(async { current().id().is_none() }).await.unwrap() });
    assert!(empty);
}

#[test]
fn progress_of_an_async_job_is_seen() {
    let _watch = watched();
    let pool = AsyncExecutor::new(1).unwrap();
    let gate = Gate::new();
    let pass = gate.pass();
    let future = pool.spawn(async move {
        current().progress(3, 10);
        pass.go_async().await;
    });
    let handle = future.handle();
    gate.wait_for(1);
    assert_eq!(handle.progress(), Some((3, 10)));
    gate.open();
    future.result().unwrap();
}

#[test]
fn async_jobs_share_one_state() {
    let _watch = watched();
    let log = Log::new();
    let initializer = SetUp { pen: log.pen(), gate: None, plan: Plan::MarkAsync(7) };
    let pool = AsyncExecutor::builder().workers(2).async_jobs(2).initializer(initializer).build().unwrap();
    let futures: Vec<_> = (0..10).map(|value| pool.submit(jobs::double_async::job(value))).collect();
    assert_eq!(futures.into_iter().map(|future| future.result().unwrap()).sum::<u64>(), 90);
    assert_eq!(log.len(), 1, "ten jobs, one initializer");
    assert_eq!(pool.submit(jobs::worker_mark::job(None)).result().unwrap(), Some(7));
    assert_eq!(log.len(), 2, "the worker that runs functions has a state of its own");
}

#[test]
fn an_initializer_that_fails_breaks_async_jobs_too() {
    let _watch = watched();
    let log = Log::new();
    let initializer = SetUp { pen: log.pen(), gate: None, plan: Plan::Fail("no database".into()) };
    let pool = AsyncExecutor::builder().workers(2).initializer(initializer).build().unwrap();
    let error = pool.submit(jobs::echo_async::job(1)).result().unwrap_err();
    assert!(matches!(&error, JobError::Broken { cause } if cause.contains("no database")), "{error:?}");
}
