//! Bad input: each is a clear error or a clean outcome, and the pool is usable afterwards.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use executor_core::{
    BuildError, Executor, JobError, JobOptions, MapOptions, Priority, Rejection, Retries, Shutdown, WaitFor,
    as_completed, wait,
};

use crate::gate::Gate;
use crate::jobs;
use crate::lab::Lab;
use crate::log::Log;
use crate::panics::ON_PURPOSE;
use crate::subject::{Config, Subject};
use crate::tools::{assert_usable, while_blocked};
use crate::verdict::{Claim, Verdict};

/// Law 40, 229, 296: no workers are refused when the pool is built, by an error that says what would do.
pub fn no_workers_are_refused<S: Subject>(lab: &Lab<S>) -> Verdict {
    let error = lab.try_pool_with(Config::new().workers(0))?.map(drop).unwrap_err();
    assert!(matches!(error, BuildError::Invalid { .. }), "{error:?}");
    assert!(error.to_string().contains("workers"), "{error}");
    Ok(())
}

/// Law 41: more workers than there can be are refused, not tried.
pub fn too_many_workers_are_refused<S: Subject>(lab: &Lab<S>) -> Verdict {
    let error = lab.try_pool_with(Config::new().workers(usize::MAX))?.map(drop).unwrap_err();
    assert!(matches!(error, BuildError::Invalid { .. }), "{error:?}");
    Ok(())
}

/// Law 40: a queue that never has room is refused when the pool is built.
pub fn queue_of_no_jobs_is_refused<S: Subject>(lab: &Lab<S>) -> Verdict {
    let error = lab.try_pool_with(Config::new().queue_capacity(0))?.map(drop).unwrap_err();
    assert!(matches!(error, BuildError::Invalid { .. }), "{error:?}");
    assert!(error.to_string().contains("queue"), "{error}");
    Ok(())
}

/// Beyond the rows: the largest queue, window and number of retries are as good as any.
pub fn largest_numbers_are_as_good_as_any<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let options = MapOptions::new().window(usize::MAX);
    assert_eq!(pool.map_with(jobs::echo::job, 0..100, options.clone()).unwrap().map(Result::unwrap).sum::<u64>(), 4950);
    let unordered = pool.map_unordered_with(jobs::echo::job, 0..100, options).unwrap();
    assert_eq!(unordered.map(Result::unwrap).sum::<u64>(), 4950);
    assert_usable(&*pool);
    Ok(())
}

/// Beyond the rows: the largest queue is as good as any.
pub fn largest_queue_is_as_good_as_any<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool_with(Config::new().queue_capacity(usize::MAX))?;
    assert_usable(&*pool);
    assert_eq!(pool.map(jobs::echo::job, 0..100).map(Result::unwrap).sum::<u64>(), 4950);
    Ok(())
}

/// Beyond the rows: the longest duration is as good as none, in every wait.
pub fn longest_wait_is_as_good_as_none<S: Subject>(lab: &Lab<S>) -> Verdict {
    const LONGEST: Duration = Duration::MAX;
    let pool = lab.pool();
    let mut future = pool.submit(jobs::echo::job(1));
    assert!(future.wait_timeout(LONGEST));
    assert_eq!(future.result_timeout(LONGEST).unwrap(), 1);
    let futures: Vec<_> = (0..4).map(|value| pool.submit(jobs::echo::job(value))).collect();
    let waited = wait(futures, WaitFor::All, Some(LONGEST));
    assert_eq!(waited.done.len(), 4);
    let mut completed = as_completed(waited.done);
    assert!(completed.next_timeout(LONGEST).unwrap().is_some());
    pool.shutdown_timeout(Shutdown::Drain, LONGEST).unwrap();
    Ok(())
}

/// Beyond the rows: the longest duration is as good as none, for a thread that has to wait.
pub fn longest_wait_waits<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    pool.claims(Claim::Concurrency)?;
    let gate = Gate::new();
    let mut future = pool.submit(jobs::pass::job(gate.pass(), 1));
    assert_eq!(while_blocked(|| future.result_timeout(Duration::MAX), || gate.open()).unwrap(), 1);
    let gate = Gate::new();
    let future = pool.submit(jobs::pass::job(gate.pass(), 1));
    let waited = while_blocked(|| wait([future], WaitFor::All, Some(Duration::MAX)), || gate.open());
    assert_eq!(waited.done.len(), 1);
    let gate = Gate::new();
    let _running = pool.submit(jobs::pass::job(gate.pass(), 1));
    while_blocked(|| pool.shutdown_timeout(Shutdown::Drain, Duration::MAX), || gate.open()).unwrap();
    Ok(())
}

/// Beyond the rows: the longest run limit is as good as none, and limits no job.
pub fn longest_run_limit_limits_nothing<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    pool.claims(Claim::RunLimit)?;
    let options = JobOptions::new().run_limit(Duration::MAX);
    let who = pool.submit_with(jobs::who_am_i::job(), options).result().unwrap();
    assert!(!who.should_stop);
    assert_usable(&*pool);
    Ok(())
}

/// Beyond the rows: the most retries and the longest back-off overflow nothing; a request to stop ends them.
pub fn most_retries_and_longest_delay_do<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    pool.claims(Claim::Retries)?;
    pool.claims(Claim::Concurrency)?;
    let log = Log::new();
    let retries = Retries::times(u32::MAX).backoff(Duration::MAX);
    let future = pool.submit_with(jobs::fail_before::job(log.pen(), 2), JobOptions::new().retries(retries));
    log.wait_for(1);
    future.request_stop();
    assert_eq!(future.result().unwrap(), Err(1));
    assert_eq!(log.entries(), [1]);
    Ok(())
}

/// Law 112: an option that the backend does not honour is refused by name, never ignored.
pub fn option_that_is_not_honoured_is_refused<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let mut refused = Vec::new();
    let cases = [
        (Claim::RunLimit, "run_limit", JobOptions::new().run_limit(Duration::from_secs(3600))),
        (Claim::Priorities, "priority", JobOptions::new().priority(Priority::High)),
        (Claim::Retries, "retries", JobOptions::new().retries(Retries::times(1))),
    ];
    for (claim, name, options) in cases {
        let outcome = pool.submit_with(jobs::echo::job(1), options.clone()).result();
        let map = pool.map_with(jobs::echo::job, 0..1, MapOptions::new().job(options)).map(drop);
        match pool.claims(claim) {
            Ok(()) => assert!(outcome.is_ok() && map.is_ok(), "{name} is claimed and refused"),
            Err(_) => {
                refused.push(name);
                assert!(
                    matches!(outcome, Err(JobError::Rejected(Rejection::Unsupported { option })) if option == name),
                    "{name} is not claimed, and not refused by name"
                );
                assert!(map.is_err_and(|error| error.to_string().contains(name)));
            }
        }
    }
    assert_usable(&*pool);
    Ok(())
}

/// Law 226: an input iterator that panics gives the results before it, and then its panic, once; the pool goes on.
pub fn panic_of_the_input_comes_in_its_place<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    for window in [1, 3, 100] {
        let items = (0..10).inspect(|&value| assert!(value != 5, "the input panics, {ON_PURPOSE}"));
        let options = MapOptions::new().window(window);
        let mut map = pool.map_with(jobs::echo::job, items, options.clone()).unwrap();
        let before: Vec<_> = map.by_ref().take(5).map(Result::unwrap).collect();
        assert_eq!(before, [0, 1, 2, 3, 4], "window {window}");
        assert!(catch_unwind(AssertUnwindSafe(|| map.next())).is_err(), "the panic of the input is lost");
        assert!(map.next().is_none());

        let items = (0..10).inspect(|&value| assert!(value != 5, "the input panics, {ON_PURPOSE}"));
        let mut map = pool.map_unordered_with(jobs::echo::job, items, options).unwrap();
        let mut before: Vec<_> = map.by_ref().take(5).map(Result::unwrap).collect();
        before.sort_unstable();
        assert_eq!(before, [0, 1, 2, 3, 4]);
        assert!(catch_unwind(AssertUnwindSafe(|| map.next())).is_err(), "the panic of the input is lost");
        assert!(map.next().is_none());
    }
    assert_usable(&*pool);
    Ok(())
}

/// Law 226: the same for a panic of the closure that makes jobs of items, and of an iterator's very first step.
pub fn panic_of_the_closure_comes_in_its_place<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let to_job = |value| {
        assert!(value != 2, "the closure panics, {ON_PURPOSE}");
        jobs::echo::job(value)
    };
    let mut map = pool.map(to_job, 0..);
    assert_eq!((map.next().unwrap().unwrap(), map.next().unwrap().unwrap()), (0, 1));
    assert!(catch_unwind(AssertUnwindSafe(|| map.next())).is_err());
    assert!(map.next().is_none());

    let none = std::iter::from_fn(|| -> Option<u64> { panic!("the input panics, {ON_PURPOSE}") });
    let mut map = pool.map(jobs::echo::job, none);
    assert!(catch_unwind(AssertUnwindSafe(|| map.next())).is_err());
    assert!(map.next().is_none());
    assert_usable(&*pool);
    Ok(())
}

/// Beyond the rows: a job whose arguments panic when they are dropped is cancelled, refused and run like any other.
pub fn arguments_whose_drop_panics_do_no_harm<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let outcome = pool.submit(jobs::take_bomb::job(jobs::drop_bomb())).result();
    assert!(outcome.unwrap_err().is_panic(), "the job drops its argument, which is a panic of the job");
    assert_usable(&*pool);
    pool.shutdown(Shutdown::Drain).unwrap();
    let refused = pool.submit(jobs::take_bomb::job(jobs::drop_bomb())).result();
    assert!(matches!(refused, Err(JobError::Rejected(Rejection::ShutDown))));
    Ok(())
}

/// Beyond the rows: cancelling a job whose arguments panic when they are dropped.
pub fn cancel_survives_a_panic_of_a_drop<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let busy = pool.occupy()?;
    let future = pool.submit(jobs::take_bomb::job(jobs::drop_bomb()));
    let map = pool.map(|()| jobs::take_bomb::job(jobs::drop_bomb()), [(); 5]);
    assert!(future.cancel());
    assert!(future.result().unwrap_err().is_cancelled());
    drop(map);
    busy.release();
    assert_usable(&*pool);
    assert_eq!(pool.stats().worker_restarts, 0);
    Ok(())
}

/// Beyond the rows: an output that panics when it is dropped harms nobody, whether it is dropped with its future, after
/// it, or with its map.
pub fn output_whose_drop_panics_does_no_harm<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    pool.submit(jobs::drop_bomb::job()).result().unwrap().disarm();
    let read = pool.submit(jobs::drop_bomb::job());
    read.wait();
    drop(read);
    drop(pool.submit(jobs::drop_bomb::job()));
    let mut map = pool.map_with(|()| jobs::drop_bomb::job(), [(); 8], MapOptions::new().window(8)).unwrap();
    map.next().unwrap().unwrap().disarm();
    drop(map);
    pool.submit(jobs::drop_bomb::job()).on_done(|outcome| outcome.unwrap().disarm());
    assert_usable(&*pool);
    assert_eq!(pool.stats().worker_restarts, 0);
    pool.shutdown(Shutdown::Drain).unwrap();
    Ok(())
}

/// Beyond the rows: an empty name is a name, and arguments may be empty.
pub fn empty_names_and_arguments_do<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    assert_eq!(pool.submit_with(jobs::echo::job(1), JobOptions::new().name("")).result().unwrap(), 1);
    assert_eq!(pool.submit(jobs::join_words::job("", "")).result().unwrap(), " ");
    assert_eq!(pool.submit(jobs::bytes_back::job(Vec::new())).result().unwrap(), []);
    Ok(())
}
