//! Section 6: `map_unordered`, in the order in which the jobs end.

use std::cell::Cell;
use std::collections::BTreeSet;

use executor_core::{Backend, Executor, JobError, MapOptions, Shutdown};
use futures::StreamExt;
use futures::executor::block_on;

use crate::gate::Gate;
use crate::jobs;
use crate::lab::Lab;
use crate::log::Log;
use crate::subject::{Config, Subject};
use crate::tools::{assert_usable, while_blocked};
use crate::verdict::{Claim, Verdict};

/// Law 227: each result once, in any order.
pub fn unordered_map_gives_each_result_once<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let mut map = pool.map_unordered(jobs::echo::job, 0..1000);
    let mut values: Vec<_> = map.by_ref().map(Result::unwrap).collect();
    values.sort_unstable();
    assert_eq!(values, (0..1000).collect::<Vec<_>>());
    assert!(map.next().is_none() && map.next().is_none());
    Ok(())
}

/// Law 227: a result comes when it is there, though an earlier item still runs.
pub fn unordered_map_gives_what_is_done<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool_with(Config::new().workers(2))?;
    pool.claims(Claim::Concurrency)?;
    let gate = Gate::new();
    let open = Gate::new();
    open.open();
    let to_job = |value| jobs::pass::job(if value == 0 { gate.pass() } else { open.pass() }, value);
    let mut map = pool.map_unordered(to_job, 0..20);
    let early: BTreeSet<_> = map.by_ref().take(19).map(Result::unwrap).collect();
    assert_eq!(early, (1..20).collect());
    assert_eq!(while_blocked(|| map.next(), || gate.open()).unwrap().unwrap(), 0);
    Ok(())
}

/// Law 92, 227: any window gives the same results.
pub fn any_window_gives_each_result_once<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    for window in [1, 2, 40, 80] {
        let map = pool.map_unordered_with(jobs::echo::job, 0..40, MapOptions::new().window(window)).unwrap();
        let values: BTreeSet<_> = map.map(Result::unwrap).collect();
        assert_eq!(values, (0..40).collect(), "window {window}");
    }
    Ok(())
}

/// Law 86, 100: it goes on after errors and panics.
pub fn unordered_map_goes_on_after_errors<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let map = pool.map_unordered(|value| jobs::fail_if::job(value, [3, 4]), 0..20);
    let (good, bad): (Vec<_>, Vec<_>) = map.map(Result::unwrap).partition(Result::is_ok);
    assert_eq!((good.len(), bad.len()), (18, 2));
    let panics = pool.map_unordered(|_| jobs::blow_up::job("no"), 0..5);
    assert_eq!(panics.filter(|outcome| outcome.as_ref().is_err_and(JobError::is_panic)).count(), 5);
    Ok(())
}

/// Law 94, 96: an endless input does, and no more than a window is pulled ahead of the reader.
pub fn unordered_map_is_never_more_than_its_window_ahead<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    for window in [1, 3, 32] {
        let pulled = Cell::new(0);
        let items = (0..).inspect(|_| pulled.set(pulled.get() + 1));
        let mut map = pool.map_unordered_with(jobs::echo::job, items, MapOptions::new().window(window)).unwrap();
        assert_eq!(pulled.get(), window, "the first window is pulled before the map is handed out");
        for read in 1..=200 {
            assert!(map.next().unwrap().is_ok());
            assert!(pulled.get() <= read + window, "after {read} reads of a window of {window}: {}", pulled.get());
        }
    }
    Ok(())
}

/// Law 89: dropping it cancels what has not begun.
pub fn dropping_an_unordered_map_cancels_what_waits<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let busy = pool.occupy()?;
    let log = Log::new();
    let options = MapOptions::new().window(20);
    let map = pool.map_unordered_with(|value| jobs::note::job(log.pen(), value), 0.., options).unwrap();
    drop(map);
    assert_eq!(pool.stats().cancelled, 20);
    busy.release();
    assert_usable(&*pool);
    drop(pool);
    assert!(log.is_empty(), "a job ran whose map was dropped");
    Ok(())
}

/// Law 101, 81: after a shutdown that cancels, what is left gives `Cancelled`, and then it ends.
pub fn shutdown_cancels_the_rest_of_an_unordered_map<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let busy = pool.occupy()?;
    let map = pool.map_unordered_with(jobs::echo::job, 0.., MapOptions::new().window(6)).unwrap();
    let outcomes: Vec<_> = while_blocked(|| map.take(1000).collect(), || pool.begin_shutdown(Shutdown::CancelPending));
    assert!((6..1000).contains(&outcomes.len()), "{} outcomes", outcomes.len());
    assert!(outcomes.iter().all(Result::is_err));
    assert_eq!(outcomes.iter().filter(|outcome| outcome.as_ref().is_err_and(JobError::is_cancelled)).count(), 6);
    busy.release();
    Ok(())
}

/// Law 57: as a stream it gives the same, and wakes whoever awaits it.
pub fn unordered_stream_gives_each_result_once<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let stream = pool.map_unordered(jobs::echo::job, 0..300).into_stream();
    let values: BTreeSet<_> = block_on(stream.map(Result::unwrap).collect::<BTreeSet<_>>());
    assert_eq!(values, (0..300).collect());
    Ok(())
}
