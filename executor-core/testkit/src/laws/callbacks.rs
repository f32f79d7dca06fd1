//! Section 2: callbacks.

use std::panic::panic_any;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use executor_core::{Executor, JobError, JobFuture, JobState, Shutdown, ShutdownError};

use crate::gate::Gate;
use crate::jobs;
use crate::lab::Lab;
use crate::panics::{BombPayload, ON_PURPOSE};
use crate::subject::Subject;
use crate::time::{eventually, hang_guard};
use crate::tools::{assert_usable, dawdle, rounds, while_blocked};
use crate::verdict::{Claim, Verdict};

/// What a callback on the future was given.
fn outcome_by_callback<T: Send + 'static>(future: JobFuture<T>) -> Result<T, JobError> {
    let (tx, rx) = mpsc::channel();
    future.on_done(move |outcome| tx.send(outcome).unwrap());
    rx.recv_timeout(hang_guard()).expect("the callback runs")
}

/// Law 28, 223: a callback sees the job done, and is given its value, its error or its panic.
pub fn callback_is_given_the_outcome<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    assert_eq!(outcome_by_callback(pool.submit(jobs::echo::job(1))).unwrap(), 1);
    assert_eq!(outcome_by_callback(pool.submit(jobs::fail::job("no"))).unwrap(), Err("no".to_owned()));
    assert!(outcome_by_callback(pool.submit(jobs::blow_up::job("no"))).unwrap_err().is_panic());

    let (tx, rx) = mpsc::channel();
    let future = pool.submit(jobs::fail::job("no"));
    let id = future.id();
    future.handle().on_done(move |job| tx.send((job.id(), job.state(), job.is_failed())).unwrap());
    assert_eq!(rx.recv_timeout(hang_guard()).unwrap(), (id, JobState::Finished, true));
    drop(future.result());
    Ok(())
}

/// Law 28: a callback that was added before the job ended is given the outcome, too.
pub fn callback_added_before_the_end_is_given_the_outcome<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    pool.claims(Claim::Concurrency)?;
    let gate = Gate::new();
    let (tx, rx) = mpsc::channel();
    let handle = pool.submit(jobs::pass::job(gate.pass(), 4)).on_done(move |outcome| tx.send(outcome).unwrap());
    gate.wait_for(1);
    assert_eq!(handle.state(), JobState::Running);
    assert!(rx.try_recv().is_err(), "a callback ran before its job was done");
    gate.open();
    assert_eq!(rx.recv_timeout(hang_guard()).unwrap().unwrap(), 4);
    assert!(handle.is_done());
    Ok(())
}

/// Law 29: when `cancel` returns, the callbacks on the job have run.
pub fn callbacks_have_run_when_cancel_returns<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let busy = pool.occupy()?;
    let (tx, rx) = mpsc::channel();
    let first = pool.submit(jobs::echo::job(1));
    let second = pool.submit(jobs::echo::job(2));
    let states = tx.clone();
    first.handle().on_done(move |job| states.send(job.state()).unwrap());
    assert!(first.cancel());
    assert_eq!(rx.try_recv(), Ok(JobState::Cancelled));
    let handle = second.on_done(move |outcome| {
        assert!(outcome.unwrap_err().is_cancelled());
        tx.send(JobState::Cancelled).unwrap();
    });
    assert!(handle.cancel());
    assert_eq!(rx.try_recv(), Ok(JobState::Cancelled));
    busy.release();
    Ok(())
}

/// Law 30, 36, G3: a callback that panics, in any way, stops no other one, and harms no worker.
pub fn panicking_callback_stops_no_other<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    pool.claims(Claim::Concurrency)?;
    let gate = Gate::new();
    let calls = Arc::new(AtomicUsize::new(0));
    let future = pool.submit(jobs::pass::job(gate.pass(), 1));
    for index in 0..4 {
        let calls = Arc::clone(&calls);
        future.handle().on_done(move |_| {
            calls.fetch_add(1, Ordering::AcqRel);
            match index {
                0 => panic!("a callback panics, {ON_PURPOSE}"),
                2 => panic_any(BombPayload),
                _ => {}
            }
        });
    }
    gate.open();
    eventually("all callbacks run", || calls.load(Ordering::Acquire) == 4);
    assert_eq!(future.result().unwrap(), 1);
    assert_usable(&*pool);
    assert_eq!(pool.stats().worker_restarts, 0);
    Ok(())
}

/// Law 30, 36: a callback that panics where it is added is caught there.
pub fn panic_of_a_late_callback_stays_in_it<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let future = pool.submit(jobs::echo::job(1));
    future.wait();
    future.handle().on_done(|_| panic!("a late callback panics, {ON_PURPOSE}"));
    future.on_done(|_| panic!("a late callback panics, {ON_PURPOSE}"));
    assert_usable(&*pool);
    Ok(())
}

/// Law 31: a callback that is added to a finished or failed job runs at once, on the thread that adds it.
pub fn late_callback_runs_at_once_where_it_is_added<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let value = pool.submit(jobs::fail_if::job(1, []));
    let error = pool.submit(jobs::fail_if::job(1, [1]));
    value.wait();
    error.wait();
    for future in [value, error] {
        let (tx, rx) = mpsc::channel();
        let calls = tx.clone();
        future.handle().on_done(move |_| calls.send(thread::current().id()).unwrap());
        assert_eq!(rx.try_recv(), Ok(thread::current().id()));
        future.on_done(move |_| tx.send(thread::current().id()).unwrap());
        assert_eq!(rx.try_recv(), Ok(thread::current().id()));
    }
    Ok(())
}

/// Law 31: a callback that is added to a cancelled job runs at once.
pub fn callback_on_a_cancelled_job_runs_at_once<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let busy = pool.occupy()?;
    let future = pool.submit(jobs::echo::job(1));
    assert!(future.cancel());
    let (tx, rx) = mpsc::channel();
    future.on_done(move |outcome| tx.send(outcome).unwrap());
    assert!(rx.try_recv().unwrap().unwrap_err().is_cancelled());
    busy.release();
    Ok(())
}

/// Law 33: callbacks run in the order in which they were added, each once, those on the future among those on handles.
pub fn callbacks_run_in_order_and_once<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    pool.claims(Claim::Concurrency)?;
    let gate = Gate::new();
    let order = Arc::new(Mutex::new(Vec::new()));
    let future = pool.submit(jobs::pass::job(gate.pass(), 1));
    let handle = future.handle();
    let note = |index: usize| {
        let order = Arc::clone(&order);
        move || order.lock().unwrap().push(index)
    };
    for index in 0..5 {
        let note = note(index);
        handle.on_done(move |_| note());
    }
    let fifth = note(5);
    future.on_done(move |_| fifth());
    for index in 6..10 {
        let note = note(index);
        handle.on_done(move |_| note());
    }
    gate.open();
    eventually("all callbacks run", || order.lock().unwrap().len() >= 10);
    drop(pool);
    assert_eq!(*order.lock().unwrap(), (0..10).collect::<Vec<_>>());
    Ok(())
}

/// Law 33: a callback that is added just while the job ends runs, and runs once.
pub fn callback_racing_the_end_runs_once<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let calls = Arc::new(AtomicUsize::new(0));
    let mut added = 0;
    for round in rounds(2000) {
        let future = pool.submit(jobs::echo::job(1));
        dawdle(round);
        for handle in [future.handle(), future.handle()] {
            let calls = Arc::clone(&calls);
            handle.on_done(move |_| {
                calls.fetch_add(1, Ordering::AcqRel);
            });
        }
        added += 2;
        assert_eq!(future.result().unwrap(), 1);
    }
    eventually("all callbacks run", || calls.load(Ordering::Acquire) >= added);
    drop(pool);
    assert_eq!(calls.load(Ordering::Acquire), added);
    Ok(())
}

/// Law 35, 36: a callback may submit to the pool, and what it submits ends as it should, panics included.
pub fn callback_may_submit<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let (tx, rx) = mpsc::channel();
    let handle = S::Pool::clone(&pool);
    pool.submit(jobs::echo::job(1)).on_done(move |_| {
        let good = handle.submit(jobs::echo::job(2));
        let bad = handle.submit(jobs::blow_up::job("from a callback"));
        tx.send((good, bad)).unwrap();
    });
    let (good, bad) = rx.recv_timeout(hang_guard()).expect("the callback runs");
    assert_eq!(good.result().unwrap(), 2);
    assert!(bad.result().unwrap_err().is_panic());
    assert_usable(&*pool);
    Ok(())
}

/// Law 29, 33, 114: a shutdown that cancels jobs calls their callbacks, each once.
pub fn callbacks_run_when_a_shutdown_cancels<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let busy = pool.occupy()?;
    let (tx, rx) = mpsc::channel();
    for index in 0..10_u64 {
        let tx = tx.clone();
        pool.submit(jobs::echo::job(index)).on_done(move |outcome| {
            tx.send((index, outcome.is_err_and(|error| error.is_cancelled()))).unwrap();
        });
    }
    drop(tx);
    busy.open();
    // The workers are let go before the shutdown, so that some of the jobs may run: each is called back all the same.
    pool.shutdown(Shutdown::CancelPending).unwrap();
    let mut called: Vec<_> = rx.iter().map(|(index, _)| index).collect();
    called.sort_unstable();
    assert_eq!(called, (0..10).collect::<Vec<_>>());
    Ok(())
}

/// Beyond the rows: a callback that a shutdown calls may wait for another job that the shutdown cancels, and for the end of
/// the pool. Where it must not block it is told so.
pub fn callback_of_a_shutdown_may_wait<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let busy = pool.occupy()?;
    let (tx, rx) = mpsc::channel();
    let [first, second] = [1, 2].map(|value| pool.submit(jobs::echo::job(value)));
    let handle = S::Pool::clone(&pool);
    first.on_done(move |outcome| {
        let ended = handle.shutdown(Shutdown::Drain);
        tx.send((outcome.is_err_and(|error| error.is_cancelled()), second.result().is_err(), ended)).unwrap();
    });
    while_blocked(|| pool.shutdown(Shutdown::CancelPending), || busy.open()).unwrap();
    let (first, second, ended) = rx.recv_timeout(hang_guard()).expect("the callback runs");
    assert!(first && second);
    assert!(matches!(ended, Ok(()) | Err(ShutdownError::WouldBlock { .. } | ShutdownError::OwnWorker)), "{ended:?}");
    Ok(())
}
