//! Section 3: submitting, and what an executor is.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;

use executor_core::{Backend, Executor, JobError, JobOptions};

use crate::gate::Gate;
use crate::jobs;
use crate::lab::Lab;
use crate::log::Log;
use crate::subject::{Config, Subject};
use crate::tools::assert_usable;
use crate::verdict::{Claim, Verdict};

/// Law 38: a job that is submitted runs, and its future gives what it returns.
pub fn submit_delivers_the_value<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    assert_eq!(pool.submit(jobs::echo::job(7)).result().unwrap(), 7);
    assert_eq!(pool.submit(jobs::add::job(2, 3)).result().unwrap(), 5);
    assert_eq!(pool.submit(jobs::join_words::job("two", "words")).result().unwrap(), "two words");
    assert_eq!(pool.submit(jobs::bytes_back::job(vec![0, 255])).result().unwrap(), [255, 0]);
    Ok(())
}

/// Law 38: the same for jobs that are `async`.
pub fn submit_delivers_the_value_of_an_async_job<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    assert_eq!(pool.submit(jobs::echo_async::job(7)).result().unwrap(), 7);
    let futures: Vec<_> = (0..20).map(|value| pool.submit(jobs::double_async::job(value))).collect();
    for (value, future) in (0..).zip(futures) {
        assert_eq!(future.result().unwrap(), 2 * value);
    }
    Ok(())
}

/// Law 38: an async job that waits for something outside is woken by it.
pub fn async_job_is_woken<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    pool.claims(Claim::Concurrency)?;
    let gate = Gate::new();
    let future = pool.submit(jobs::pass_async::job(gate.pass(), 9));
    gate.wait_for(1);
    assert!(!future.is_done());
    gate.open();
    assert_eq!(future.result().unwrap(), 9);
    Ok(())
}

/// Law 38: every one of many jobs gives its own value.
pub fn many_jobs_give_their_own_values<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let futures: Vec<_> = (0..2000).map(|value| pool.submit(jobs::add::job(value, 1))).collect();
    for (value, future) in (0..).zip(futures) {
        assert_eq!(future.result().unwrap(), value + 1);
    }
    Ok(())
}

/// Law 38: several threads may submit to one pool.
pub fn many_threads_submit<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let pool = &*pool;
    thread::scope(|scope| {
        for thread in 0..4_u64 {
            scope.spawn(move || {
                let values = thread * 1000..thread * 1000 + 250;
                let futures: Vec<_> = values.clone().map(|value| pool.submit(jobs::echo::job(value))).collect();
                for (value, future) in values.zip(futures) {
                    assert_eq!(future.result().unwrap(), value);
                }
            });
        }
    });
    Ok(())
}

/// Law 144, 234: an output that is a `Result` arrives as the job returned it.
pub fn outputs_arrive_as_returned<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    assert_eq!(pool.submit(jobs::fail_if::job(1, [])).result().unwrap(), Ok(1));
    assert_eq!(pool.submit(jobs::fail_if::job(1, [1])).result().unwrap(), Err(1));
    assert_eq!(pool.submit(jobs::fail::job("as it is")).result().unwrap(), Err("as it is".to_owned()));
    Ok(())
}

/// Law 170: a job that fails in any way leaves the next one alone.
pub fn failing_jobs_leave_others_alone<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    for round in 0..10 {
        let error = pool.submit(jobs::fail::job("no"));
        let panic = pool.submit(jobs::blow_up::job("no"));
        let odd = pool.submit(jobs::throw_number::job(round));
        let good = pool.submit(jobs::echo::job(round));
        assert_eq!(good.result().unwrap(), round);
        assert_eq!(error.result().unwrap(), Err("no".to_owned()));
        assert!(panic.result().unwrap_err().is_panic());
        assert!(odd.result().unwrap_err().is_panic());
    }
    assert_eq!(pool.stats().worker_restarts, 0);
    Ok(())
}

/// Law 52: arguments and outputs may be large.
pub fn large_values_pass<S: Subject>(lab: &Lab<S>) -> Verdict {
    const BYTES: usize = 16 << 20;
    let pool = lab.pool();
    let sent: Vec<u8> = (0..BYTES).map(|index| index as u8).collect();
    let back = pool.submit(jobs::bytes_back::job(sent.clone())).result().unwrap();
    assert_eq!(back.len(), BYTES);
    assert!(back.iter().zip(&sent).all(|(back, sent)| *back == !*sent));
    Ok(())
}

/// Law 46: 15 jobs a worker that do not end: each worker has one of them, the others wait, and no submit blocks.
pub fn jobs_beyond_the_workers_wait<S: Subject>(lab: &Lab<S>) -> Verdict {
    const WORKERS: usize = 3;
    const JOBS: usize = 15 * WORKERS;
    let pool = lab.pool_with(Config::new().workers(WORKERS))?;
    pool.claims(Claim::Concurrency)?;
    let gate = Gate::new();
    let futures: Vec<_> = (0..JOBS as u64).map(|value| pool.submit(jobs::pass::job(gate.pass(), value))).collect();
    gate.wait_for(WORKERS);
    let stats = pool.stats();
    assert_eq!(stats.workers, WORKERS);
    assert_eq!(stats.running, WORKERS as u64);
    assert_eq!(stats.queued, (JOBS - WORKERS) as u64);
    assert_eq!(futures.iter().filter(|future| future.is_running()).count(), WORKERS);
    assert_eq!(gate.arrived(), WORKERS, "more jobs run than there are workers");
    gate.open();
    for (value, future) in (0..).zip(futures) {
        assert_eq!(future.result().unwrap(), value);
    }
    Ok(())
}

/// Law 62: more workers than the machine has processors all work at once.
pub fn jobs_run_beside_each_other<S: Subject>(lab: &Lab<S>) -> Verdict {
    let workers = 2 * thread::available_parallelism().map_or(1, NonZeroUsize::get) + 2;
    let pool = lab.pool_with(Config::new().workers(workers))?;
    pool.claims(Claim::Concurrency)?;
    for _ in 0..3 {
        let gate = Gate::new();
        let futures: Vec<_> =
            (0..workers as u64).map(|value| pool.submit(jobs::pass::job(gate.pass(), value))).collect();
        gate.wait_for(workers);
        gate.open();
        for (value, future) in (0..).zip(futures) {
            assert_eq!(future.result().unwrap(), value);
        }
    }
    Ok(())
}

/// Law 47: one worker is enough for jobs that come one after another, and it stays the same one.
pub fn one_worker_serves_jobs_one_after_another<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.single()?;
    let process = pool.submit(jobs::process_id::job()).result().unwrap();
    for _ in 0..3 {
        assert_eq!(pool.submit(jobs::who_am_i::job()).result().unwrap().worker, Some(0));
        assert_eq!(pool.submit(jobs::process_id::job()).result().unwrap(), process);
    }
    assert_eq!(pool.workers(), 1);
    assert_eq!(pool.stats().worker_restarts, 0);
    Ok(())
}

/// Law 305: one worker runs jobs in the order in which they were submitted.
pub fn one_worker_keeps_the_order<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.single()?;
    let busy = pool.occupy()?;
    let log = Log::new();
    let futures: Vec<_> = (0..100).map(|value| pool.submit(jobs::note::job(log.pen(), value))).collect();
    // What leaves the queue leaves the others in order.
    assert!(futures[40].cancel() && futures[41].cancel());
    busy.release();
    for future in &futures {
        future.wait();
    }
    let expected: Vec<_> = (0..100).filter(|value| !(40..42).contains(value)).collect();
    assert_eq!(log.entries(), expected);
    Ok(())
}

fn through_generic(pool: &impl Executor) -> Result<u64, JobError> {
    pool.submit(jobs::echo::job(4)).result()
}

fn through_unsized<E: Executor + ?Sized>(pool: &E) -> Result<u64, JobError> {
    pool.map(jobs::echo::job, 0..4).sum()
}

fn through_dyn(pool: &dyn Backend) -> Result<u64, JobError> {
    pool.submit(jobs::echo::job(4)).result()
}

/// Law 59, G18: borrowed, boxed and shared pools, of a known type or not, are executors all alike.
pub fn every_handle_is_an_executor<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let concrete: &S::Pool = &pool;
    let boxed: Box<dyn Backend> = Box::new(concrete.clone());
    let shared: Arc<dyn Backend> = Arc::new(concrete.clone());
    let borrowed: &dyn Backend = concrete;
    assert_eq!(through_generic(concrete).unwrap(), 4);
    assert_eq!(through_generic(&concrete).unwrap(), 4);
    assert_eq!(through_generic(&boxed).unwrap(), 4);
    assert_eq!(through_generic(&shared).unwrap(), 4);
    assert_eq!(through_generic(&borrowed).unwrap(), 4);
    assert_eq!(through_unsized(concrete).unwrap(), 6);
    assert_eq!(through_unsized(&*boxed).unwrap(), 6);
    assert_eq!(through_unsized(borrowed).unwrap(), 6);
    assert_eq!(through_dyn(&*shared).unwrap(), 4);
    assert_eq!(through_dyn(&boxed).unwrap(), 4);
    let owned: Vec<u64> = executor_core::map(Arc::clone(&shared), jobs::echo::job, 0..3).map(Result::unwrap).collect();
    assert_eq!(owned, [0, 1, 2]);
    assert_eq!(boxed.id(), pool.id());
    assert_eq!(shared.stats().submitted(), pool.stats().submitted());
    Ok(())
}

/// Beyond the rows: clones are handles to one pool, and two pools are two.
pub fn clones_share_the_pool<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let clone = S::Pool::clone(&pool);
    let other = lab.pool();
    assert_eq!(pool.id(), clone.id());
    assert_ne!(pool.id(), other.id());
    assert_eq!(clone.submit(jobs::echo::job(1)).result().unwrap(), 1);
    assert_eq!(pool.stats().submitted(), 1);
    assert_eq!(other.stats().submitted(), 0);
    drop(clone);
    assert_usable(&*pool);
    Ok(())
}

/// Beyond the rows: `try_submit` and `submit_wait` deliver like `submit` where there is room.
pub fn every_way_to_submit_delivers<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    assert_eq!(pool.try_submit(jobs::echo::job(1)).unwrap().result().unwrap(), 1);
    let future = futures::executor::block_on(pool.submit_wait(jobs::echo::job(2)));
    assert_eq!(future.result().unwrap(), 2);
    assert_eq!(pool.submit_with(jobs::echo::job(3), JobOptions::new().name("three")).result().unwrap(), 3);
    assert_eq!(pool.stats().finished, 3);
    Ok(())
}

/// Beyond the rows: a `submit_wait` that is dropped before it was polled submits nothing.
pub fn submit_wait_that_is_dropped_submits_nothing<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let log = Log::new();
    drop(pool.submit_wait(jobs::note::job(log.pen(), 1)));
    assert_usable(&*pool);
    assert_eq!(pool.stats().cancelled, 0);
    drop(pool);
    assert!(log.is_empty());
    Ok(())
}

/// Law 222, 236: a pool of many workers starts, works and ends.
pub fn large_pool_works<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool_with(Config::new().workers(64))?;
    assert_eq!(pool.workers(), 64);
    let sum: u64 = pool.map(jobs::echo::job, 0..1000).map(Result::unwrap).sum();
    assert_eq!(sum, 499_500);
    Ok(())
}
