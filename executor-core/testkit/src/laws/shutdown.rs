//! Section 8: shutting down, and dropping a pool.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::{Duration, Instant};

use executor_core::{Backend, Executor, JobError, Rejection, Shutdown, ShutdownError};

use crate::gate::Gate;
use crate::jobs::{self, Hosted};
use crate::lab::Lab;
use crate::log::Log;
use crate::panics::ON_PURPOSE;
use crate::subject::{Config, Subject};
use crate::time::{comes_about, eventually, hang_guard};
use crate::tools::{rounds, while_blocked};
use crate::verdict::{Claim, Verdict};

/// Law 112, 181, 231: after a shutdown every way to submit is refused: with the reason, and `try_submit` with the job.
pub fn submit_after_shutdown_is_refused<S: Subject>(lab: &Lab<S>) -> Verdict {
    for mode in [Shutdown::Drain, Shutdown::CancelPending, Shutdown::Kill] {
        let pool = lab.pool();
        pool.shutdown(mode).unwrap();
        let error = pool.submit(jobs::echo::job(1)).result().unwrap_err();
        assert!(matches!(error, JobError::Rejected(Rejection::ShutDown)), "{error:?}");
        let refused = pool.try_submit(jobs::echo::job(2)).unwrap_err();
        assert!(refused.is_shut_down() && !refused.is_full());
        let other = lab.pool();
        assert_eq!(other.submit(refused.into_job()).result().unwrap(), 2);
        let waited = futures::executor::block_on(pool.submit_wait(jobs::echo::job(1)));
        assert!(matches!(waited.result(), Err(JobError::Rejected(Rejection::ShutDown))));
        assert_eq!(pool.stats().submitted(), 0, "what is refused is not counted");
    }
    Ok(())
}

/// Law 113: a shutdown that drains returns when every job is done.
pub fn drain_finishes_everything<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let futures: Vec<_> = (0..50).map(|value| pool.submit(jobs::echo::job(value))).collect();
    pool.shutdown(Shutdown::Drain).unwrap();
    assert!(futures.iter().all(executor_core::JobFuture::is_done));
    for (value, future) in (0..).zip(futures) {
        assert_eq!(future.result().unwrap(), value);
    }
    assert_eq!(pool.stats().finished, 50);
    Ok(())
}

/// Law 114: a shutdown that cancels leaves what runs alone, to its end, and cancels exactly the rest.
pub fn cancel_pending_cancels_exactly_what_waits<S: Subject>(lab: &Lab<S>) -> Verdict {
    const WORKERS: usize = 2;
    let pool = lab.pool_with(Config::new().workers(WORKERS))?;
    pool.claims(Claim::Concurrency)?;
    let gate = Gate::new();
    let mut futures: Vec<_> = (0..50).map(|value| pool.submit(jobs::pass::job(gate.pass(), value))).collect();
    gate.wait_for(WORKERS);
    let waiting: Vec<_> = futures.extract_if(.., |future| !future.is_running()).collect();
    assert_eq!((futures.len(), waiting.len()), (WORKERS, 50 - WORKERS));
    let ended = while_blocked(
        || pool.shutdown(Shutdown::CancelPending),
        || {
            eventually("what waits is cancelled", || waiting.iter().all(executor_core::JobFuture::is_cancelled));
            assert!(futures.iter().all(executor_core::JobFuture::is_running));
            gate.open();
        },
    );
    ended.unwrap();
    assert!(futures.into_iter().all(|future| future.result().is_ok()));
    assert!(waiting.into_iter().all(|future| future.result().unwrap_err().is_cancelled()));
    assert_eq!(gate.arrived(), WORKERS);
    Ok(())
}

/// Law 115: a shutdown that is only begun returns at once; what was accepted is done all the same, and then the pool ends.
pub fn shutdown_that_is_begun_does_not_wait<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let busy = pool.occupy()?;
    let queued: Vec<_> = (0..10).map(|value| pool.submit(jobs::echo::job(value))).collect();
    pool.begin_shutdown(Shutdown::Drain);
    assert!(queued.iter().all(|future| !future.is_done()));
    assert!(pool.try_submit(jobs::echo::job(1)).is_err_and(|refused| refused.is_shut_down()));
    busy.release();
    for (value, future) in (0..).zip(queued) {
        assert_eq!(future.result().unwrap(), value);
    }
    assert_eq!(pool.wait_ended(None), 0);
    Ok(())
}

/// Law 116: submit, cancel at once, shut down: no hang.
pub fn cancel_before_shutdown_does_not_hang<S: Subject>(lab: &Lab<S>) -> Verdict {
    for round in rounds(100) {
        let pool = match round % 2 {
            0 => lab.pool(),
            _ => lab.single()?,
        };
        let future = pool.submit(jobs::echo::job(1));
        let cancelled = future.cancel();
        pool.shutdown(Shutdown::Drain).unwrap();
        assert_eq!(future.result().is_err_and(|error| error.is_cancelled()), cancelled);
    }
    Ok(())
}

/// Law 118, 119, 231: dropping the last handle waits for what was accepted, and the values are there afterwards.
pub fn drop_finishes_what_was_accepted<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool().into_pool();
    let log = Log::new();
    let futures: Vec<_> = (0..30).map(|value| pool.submit(jobs::note::job(log.pen(), value))).collect();
    drop(pool);
    assert_eq!(log.len(), 30);
    for (value, future) in (0..).zip(futures) {
        assert!(future.is_done());
        assert_eq!(future.result().unwrap(), value);
    }
    Ok(())
}

/// Law 118: dropping a handle that is not the last ends nothing.
pub fn drop_of_one_handle_ends_nothing<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool().into_pool();
    let other = pool.clone();
    drop(pool);
    assert_eq!(other.submit(jobs::echo::job(1)).result().unwrap(), 1);
    Ok(())
}

/// Law 118: dropping the last handle while the thread unwinds cancels what waits, and lets what runs end.
pub fn drop_while_unwinding_cancels_what_waits<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool_with(Config::new().workers(1))?;
    pool.claims(Claim::Concurrency)?;
    let pool = pool.into_pool();
    let gate = Gate::new();
    let running = pool.submit(jobs::pass::job(gate.pass(), 1));
    let queued = pool.submit(jobs::pass::job(gate.pass(), 2));
    gate.wait_for(1);
    thread::scope(|scope| {
        scope.spawn(|| {
            let cancelled = comes_about(|| queued.is_cancelled());
            gate.open();
            assert!(cancelled, "what waits was not cancelled");
        });
        let unwound = catch_unwind(AssertUnwindSafe(|| {
            let _pool = pool;
            panic!("the owner of a pool panics, {ON_PURPOSE}");
        }));
        assert!(unwound.is_err());
    });
    assert_eq!(running.result().unwrap(), 1);
    Ok(())
}

/// Law 119: the last handle may be dropped by a job of the pool itself; that begins the end, and does not wait for it.
pub fn last_handle_may_be_dropped_by_a_job<S: Subject>(lab: &Lab<S>) -> Verdict {
    let bench = lab.pool();
    bench.claims(Claim::SharedMemory)?;
    bench.claims(Claim::Concurrency)?;
    let pool = bench.into_pool();
    let hosted = Hosted::new(pool.clone());
    let gate = Gate::new();
    let last = pool.submit(jobs::drop_the_pool::job(gate.pass(), hosted.host()));
    gate.wait_for(1);
    let queued = pool.submit(jobs::echo::job(2));
    drop(pool);
    gate.open();
    assert!(last.result().unwrap(), "the job found no pool to drop");
    assert_eq!(queued.result().unwrap(), 2);
    Ok(())
}

/// Law 132, 134: a shutdown with a limit says how many jobs are left; they go on, and the drop does not wait for them.
pub fn limited_shutdown_says_what_is_left<S: Subject>(lab: &Lab<S>) -> Verdict {
    let bench = lab.single()?;
    let pool = bench.into_pool();
    let gate = Gate::new();
    let running = pool.submit(jobs::pass::job(gate.pass(), 1));
    gate.wait_for(1);
    let queued: Vec<_> = (0..3).map(|value| pool.submit(jobs::echo::job(value))).collect();
    let limit = Duration::from_millis(30);
    let began = Instant::now();
    let error = pool.shutdown_timeout(Shutdown::Drain, limit).unwrap_err();
    assert!(began.elapsed() >= limit);
    assert_eq!(error, ShutdownError::TimedOut { jobs: 4 });
    assert!(error.to_string().contains('4'), "{error}");
    let error = pool.shutdown_timeout(Shutdown::Drain, Duration::ZERO).unwrap_err();
    assert_eq!(error, ShutdownError::TimedOut { jobs: 4 });
    assert!(pool.try_submit(jobs::echo::job(1)).is_err());
    drop(pool);
    assert!(running.is_running(), "the drop waited for a job, or ended it");
    gate.open();
    assert_eq!(running.result().unwrap(), 1);
    for (value, future) in (0..).zip(queued) {
        assert_eq!(future.result().unwrap(), value);
    }
    Ok(())
}

/// Law 134: a shutdown with a limit ends early when there is nothing to wait for.
pub fn limited_shutdown_of_an_idle_pool_ends_early<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    assert_eq!(pool.submit(jobs::echo::job(1)).result().unwrap(), 1);
    let began = Instant::now();
    pool.shutdown_timeout(Shutdown::Drain, Duration::from_secs(24 * 3600)).unwrap();
    assert!(began.elapsed() < hang_guard());
    Ok(())
}

/// Law 134: after a limited shutdown that ran out of time, a harsher one cancels what waits.
pub fn shutdown_can_become_harsher<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.single()?;
    let gate = Gate::new();
    let running = pool.submit(jobs::pass::job(gate.pass(), 1));
    gate.wait_for(1);
    let queued = pool.submit(jobs::echo::job(2));
    assert!(pool.shutdown_timeout(Shutdown::Drain, Duration::ZERO).is_err());
    assert!(!queued.is_done());
    let error = pool.shutdown_timeout(Shutdown::CancelPending, Duration::ZERO).unwrap_err();
    assert_eq!(error, ShutdownError::TimedOut { jobs: 1 });
    assert!(queued.is_cancelled());
    gate.open();
    pool.shutdown(Shutdown::Drain).unwrap();
    assert_eq!(running.result().unwrap(), 1);
    Ok(())
}

/// Law 180: a shutdown of a pool that never had a job ends, in every mode, and again.
pub fn shutdown_may_be_repeated<S: Subject>(lab: &Lab<S>) -> Verdict {
    for mode in [Shutdown::Drain, Shutdown::CancelPending, Shutdown::Kill] {
        let pool = lab.pool();
        for _ in 0..3 {
            pool.shutdown(mode).unwrap();
        }
        pool.shutdown_timeout(Shutdown::Drain, Duration::ZERO).unwrap();
    }
    Ok(())
}

/// Law 118: several threads may shut one pool down, and all of them come back.
pub fn many_threads_shut_down<S: Subject>(lab: &Lab<S>) -> Verdict {
    for _ in rounds(50) {
        let pool = lab.pool();
        let futures: Vec<_> = (0..10).map(|value| pool.submit(jobs::echo::job(value))).collect();
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| pool.shutdown(Shutdown::Drain).unwrap());
            }
        });
        assert!(futures.into_iter().all(|future| future.result().is_ok()));
    }
    Ok(())
}

/// Law 297: a job that shuts down its own pool gets an error, and nothing is begun.
pub fn shutdown_by_an_own_job_is_refused<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    pool.claims(Claim::SharedMemory)?;
    let hosted = Hosted::new(S::Pool::clone(&pool));
    let told = pool.submit(jobs::shut_down_inside::job(hosted.host())).result().unwrap();
    assert_eq!(told, Err(ShutdownError::OwnWorker.to_string()));
    assert_eq!(pool.submit(jobs::echo::job(1)).result().unwrap(), 1);
    Ok(())
}

/// Law 129, 176: a shutdown that kills asks every running job to stop; where jobs can be killed their outcome is
/// `Killed`, elsewhere their value. What waits is cancelled.
pub fn kill_ends_jobs_that_look<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool_with(Config::new().workers(2))?;
    pool.claims(Claim::Concurrency)?;
    let log = Log::new();
    let capabilities = pool.capabilities();
    let plain = pool.submit(jobs::spin_until_stop::job(log.pen(), 1));
    let suspended = pool.submit(jobs::stopped_async::job(log.pen(), 2));
    // Where async jobs take no worker, the other one is still free.
    let other = capabilities.drops_async.then(|| pool.submit(jobs::spin_until_stop::job(log.pen(), 4)));
    log.wait_for(2 + usize::from(other.is_some()));
    let queued = pool.submit(jobs::echo::job(3));
    pool.shutdown(Shutdown::Kill).unwrap();
    assert!(queued.result().unwrap_err().is_cancelled());
    let drops = capabilities.kill || capabilities.drops_async;
    let running =
        [Some((1, plain, capabilities.kill)), Some((2, suspended, drops)), other.map(|other| (4, other, false))];
    for (value, future, may_be_killed) in running.into_iter().flatten() {
        match future.result() {
            Ok(got) => assert_eq!(got, value),
            Err(error) => assert!(may_be_killed && matches!(error, JobError::Killed), "{error:?}"),
        }
    }
    Ok(())
}

/// Law 135: a submit that races a shutdown is run, cancelled or refused; it is never stranded.
pub fn submit_racing_shutdown_is_never_stranded<S: Subject>(lab: &Lab<S>) -> Verdict {
    for round in rounds(2000) {
        let pool = lab.pool();
        let mode = if round % 2 == 0 { Shutdown::Drain } else { Shutdown::CancelPending };
        let futures = thread::scope(|scope| {
            let submits = scope.spawn(|| {
                let submit = |value| pool.submit(jobs::echo::job(value));
                (0..6).map(submit).collect::<Vec<_>>()
            });
            crate::tools::dawdle(round * 7);
            pool.shutdown(mode).unwrap();
            submits.join().unwrap()
        });
        let mut refused = false;
        for (value, mut future) in (0..).zip(futures) {
            match future.result_timeout(hang_guard()) {
                Ok(got) => assert!(got == value && !refused, "a job was accepted after one was refused"),
                Err(JobError::Cancelled) => assert!(mode == Shutdown::CancelPending && !refused),
                Err(JobError::Rejected(Rejection::ShutDown)) => refused = true,
                Err(error) => panic!("a submit that raced a shutdown came to this: {error:?}"),
            }
        }
        let stats = pool.stats();
        assert_eq!((stats.queued, stats.running), (0, 0));
    }
    Ok(())
}

/// Law 135: the same for a pool whose last handle is dropped while the jobs of another thread are under way.
pub fn drop_racing_jobs_strands_none<S: Subject>(lab: &Lab<S>) -> Verdict {
    for round in rounds(500) {
        let pool = lab.pool().into_pool();
        let other = pool.clone();
        let futures = thread::scope(|scope| {
            let submits = scope.spawn(move || {
                let futures: Vec<_> = (0..6).map(|value| other.submit(jobs::echo::job(value))).collect();
                drop(other);
                futures
            });
            crate::tools::dawdle(round);
            drop(pool);
            submits.join().unwrap()
        });
        for (value, mut future) in (0..).zip(futures) {
            assert_eq!(future.result_timeout(hang_guard()).unwrap(), value);
        }
    }
    Ok(())
}
