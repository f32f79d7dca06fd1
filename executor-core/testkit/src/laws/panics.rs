//! Section 9, 20, 21: jobs that panic.

use std::panic::{AssertUnwindSafe, catch_unwind};

use executor_core::{Executor, JobError};

use crate::jobs;
use crate::lab::Lab;
use crate::panics::OddPayload;
use crate::subject::Subject;
use crate::tools::assert_usable;
use crate::verdict::{Claim, Verdict};

/// Law 144, 156, 289: a panic is the outcome of its job, with its message, the name of the job and the place.
pub fn panic_is_the_outcome<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    for error in [
        pool.submit(jobs::blow_up::job("the roof is off")).result().unwrap_err(),
        pool.submit(jobs::blow_up_async::job("the roof is off".into())).result().unwrap_err(),
    ] {
        assert!(error.is_panic() && !error.is_cancelled() && !error.is_timeout());
        let (display, debug) = (error.to_string(), format!("{error:?}"));
        assert!(display.contains("the roof is off") && debug.contains("the roof is off"), "{display}; {debug}");
        let JobError::Panicked { job, message, location, .. } = error else { panic!("it is no panic: {debug}") };
        assert!(job.contains("blow_up"), "{job}");
        assert!(message.starts_with("the roof is off"), "{message}");
        assert!(location.as_deref().is_some_and(|place| place.contains("failing.rs:")), "{location:?}");
    }
    Ok(())
}

/// Law G3: a payload that is no text is a panic all the same, and says so.
pub fn odd_payload_is_a_panic<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let error = pool.submit(jobs::throw_number::job(17)).result().unwrap_err();
    assert!(error.is_panic());
    let JobError::Panicked { message, .. } = &error else { panic!("it is no panic: {error:?}") };
    assert!(!message.is_empty());
    assert_usable(&*pool);
    Ok(())
}

/// Law G3: a payload that panics when it is dropped harms neither the worker nor whoever drops the error.
pub fn payload_whose_drop_panics_does_no_harm<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    for _ in 0..5 {
        let error = pool.submit(jobs::throw_bomb::job()).result().unwrap_err();
        assert!(error.is_panic());
        drop(error);
        drop(pool.submit(jobs::throw_bomb::job()));
    }
    assert!(pool.map(|()| jobs::throw_bomb::job(), [(); 10]).all(|outcome| outcome.unwrap_err().is_panic()));
    assert_usable(&*pool);
    assert_eq!(pool.stats().worker_restarts, 0);
    Ok(())
}

/// Law 300: `resume` goes on with the panic of the job, with the message it had.
pub fn resume_goes_on_with_the_panic<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let error = pool.submit(jobs::blow_up::job("it goes on")).result().unwrap_err();
    let payload = catch_unwind(AssertUnwindSafe(|| error.resume())).unwrap_err();
    let text = payload.downcast::<String>().unwrap();
    assert!(text.contains("it goes on"), "{text}");
    Ok(())
}

/// Law 300: where values stay in this process, the payload is the very one that was thrown.
pub fn resume_throws_the_same_payload<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    pool.claims(Claim::SharedMemory)?;
    let error = pool.submit(jobs::throw_number::job(17)).result().unwrap_err();
    let payload = catch_unwind(AssertUnwindSafe(|| error.resume())).unwrap_err();
    assert_eq!(*payload.downcast::<OddPayload>().unwrap(), OddPayload(17));
    Ok(())
}

/// Law 300: `resume` gives back what is no panic.
pub fn resume_gives_other_errors_back<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    pool.shutdown(executor_core::Shutdown::Drain).unwrap();
    let error = pool.submit(jobs::echo::job(1)).result().unwrap_err();
    assert!(matches!(error.resume(), JobError::Rejected(_)));
    Ok(())
}

/// Law 288: a worker outlives any number of panics.
pub fn worker_outlives_panics<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let process = pool.submit(jobs::process_id::job()).result().unwrap();
    let workers = pool.workers();
    for _ in 0..50 {
        assert!(pool.submit(jobs::blow_up::job("again")).result().unwrap_err().is_panic());
    }
    assert_eq!(pool.workers(), workers);
    assert_eq!(pool.stats().worker_restarts, 0);
    assert_eq!(pool.stats().failed, 50);
    if workers == 1 {
        assert_eq!(pool.submit(jobs::process_id::job()).result().unwrap(), process);
    }
    assert_usable(&*pool);
    Ok(())
}

/// Law 289: the kinds of failure can be told apart.
pub fn kinds_of_failure_can_be_told_apart<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let busy = pool.occupy()?;
    let mut future = pool.submit(jobs::echo::job(1));
    let timeout = future.result_timeout(std::time::Duration::ZERO).unwrap_err();
    assert!(timeout.is_timeout() && !timeout.is_panic() && !timeout.is_cancelled());
    assert!(future.cancel());
    let cancelled = future.result().unwrap_err();
    assert!(cancelled.is_cancelled() && !cancelled.is_panic() && !cancelled.is_timeout());
    busy.release();
    Ok(())
}
