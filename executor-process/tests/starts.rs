//! Workers that do not come to be, or not at once.

mod common;

use common::{THREADED_METHODS, named, watched};
use executor_core::{Executor, JobError, Shutdown, job};
use executor_process::StartMethod;
use executor_testkit::{Log, ON_PURPOSE, Pen, eventually, jobs};

/// An initializer that ends its worker.
#[job]
fn abort_at_start(pen: Pen) {
    pen.write(1);
    std::process::abort();
}

/// An initializer that fails.
#[job]
fn fail_at_start(panics: bool) -> Result<(), String> {
    assert!(!panics, "the start panics, {ON_PURPOSE}");
    Err(format!("the start fails, {ON_PURPOSE}"))
}

/// An initializer that dies in the first worker only.
#[job]
fn die_at_the_first_start(pen: Pen) {
    if pen.write(1) == 1 {
        std::process::abort();
    }
}

#[test]
fn workers_that_die_at_every_start_break_the_pool() {
    let _watched = watched();
    for method in THREADED_METHODS {
        for workers in [1, 3] {
            let log = Log::new();
            let pool = named("stillborn", workers)
                .start_method(method)
                .initializer(abort_at_start::job(log.pen()))
                .build()
                .unwrap();
            let futures: Vec<_> = (0..10).map(|n| pool.submit(jobs::echo::job(n))).collect();
            for future in futures {
                match future.result() {
                    Err(JobError::Broken { cause }) => assert!(cause.contains("SIGABRT"), "{cause}"),
                    other => panic!("{other:?}"),
                }
            }
            let error = pool.submit(jobs::echo::job(1)).result().unwrap_err();
            assert!(matches!(error, JobError::Broken { .. }), "{error}");
            assert!((6..=6 * workers).contains(&log.len()), "{workers} workers began {} times", log.len());
            pool.shutdown(Shutdown::Drain).unwrap();
        }
    }
}

#[test]
fn one_death_at_the_start_is_forgiven() {
    let _watched = watched();
    for method in [StartMethod::ForkServer, StartMethod::Spawn] {
        let log = Log::new();
        let initializer = die_at_the_first_start::job(log.pen());
        let pool = named("second", 2).start_method(method).initializer(initializer).build().unwrap();
        assert_eq!(pool.map(jobs::echo::job, 0..100).filter(Result::is_ok).count(), 100);
        eventually("both are there", || log.len() == 3);
    }
}

#[test]
fn an_initializer_that_fails_breaks_the_pool_with_its_words() {
    let _watched = watched();
    for (panics, words) in [(false, "the start fails"), (true, "the start panics")] {
        let pool = named("unfit", 2).initializer(fail_at_start::job(panics)).build().unwrap();
        let futures: Vec<_> = (0..10).map(|n| pool.submit(jobs::echo::job(n))).collect();
        for future in futures {
            match future.result() {
                Err(JobError::Broken { cause }) => assert!(cause.contains(words), "{cause}"),
                other => panic!("{other:?}"),
            }
        }
        assert!(pool.map(jobs::echo::job, 0..3).all(|item| matches!(item, Err(JobError::Broken { .. }))));
    }
}
