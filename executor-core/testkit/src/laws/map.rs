//! Section 6: `map`, in the order of its input.

use std::cell::Cell;
use std::num::NonZeroUsize;
use std::thread;

use executor_core::{Backend, Executor, JobError, JobOptions, MapOptions, Shutdown};
use futures::StreamExt;
use futures::executor::block_on;

use crate::gate::Gate;
use crate::jobs;
use crate::lab::Lab;
use crate::log::Log;
use crate::subject::{Config, Subject};
use crate::time::eventually;
use crate::tools::{assert_usable, while_blocked};
use crate::verdict::{Claim, Verdict};

/// Law 83, 222: the results come in the order of the input, of one iterable or of several zipped.
pub fn map_keeps_the_order<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let values: Vec<_> = pool.map(jobs::echo::job, 0..500).map(Result::unwrap).collect();
    assert_eq!(values, (0..500).collect::<Vec<_>>());
    let pairs = (0..100).zip((0..100).rev());
    let sums: Vec<_> = pool.map(|(left, right)| jobs::add::job(left, right), pairs).map(Result::unwrap).collect();
    assert_eq!(sums, [99; 100]);
    Ok(())
}

/// Law 84, 92, 93: any window gives the same results, also one that is longer than the input.
pub fn any_window_gives_the_same<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    for window in [1, 2, 3, 6, 39, 40, 41, 50, 80, 5000] {
        let options = MapOptions::new().window(window);
        let map = pool.map_with(jobs::echo::job, 0..40, options.clone()).unwrap();
        assert_eq!(map.map(Result::unwrap).collect::<Vec<_>>(), (0..40).collect::<Vec<_>>(), "window {window}");
        let zipped = (0..40).zip(100..);
        let map = pool.map_with(|(left, right)| jobs::add::job(left, right), zipped, options).unwrap();
        assert_eq!(map.map(Result::unwrap).collect::<Vec<_>>(), (50..90).map(|half| 2 * half).collect::<Vec<_>>());
    }
    Ok(())
}

/// Law 84, 91: a window of no items is refused at the call, and nothing is pulled.
pub fn window_of_no_items_is_refused<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let pulled = Cell::new(0);
    let items = || (0..10).inspect(|_| pulled.set(pulled.get() + 1));
    let options = || MapOptions::new().window(0);
    let error = pool.map_with(jobs::echo::job, items(), options()).map(drop).unwrap_err();
    assert!(error.to_string().contains("window"), "{error}");
    assert!(pool.map_unordered_with(jobs::echo::job, items(), options()).map(drop).is_err());
    assert_eq!(pulled.get(), 0);
    assert_eq!(pool.stats().submitted(), 0);
    assert_usable(&*pool);
    Ok(())
}

/// Law 85, 86, 100, 226: an error or a panic stands in its place and ends nothing: what comes after it comes, then the
/// end, again and again.
pub fn map_goes_on_after_errors<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    for window in [1, 4, 100] {
        let mut map =
            pool.map_with(|value| jobs::fail_if::job(value, [3, 4]), 0..10, MapOptions::new().window(window)).unwrap();
        let outcomes: Vec<_> = map.by_ref().map(Result::unwrap).collect();
        assert_eq!(outcomes, (0..10).map(|value| jobs::fail_if(value, &[3, 4])).collect::<Vec<_>>());
        assert!(map.next().is_none() && map.next().is_none());
    }
    let panics: Vec<_> = pool.map(|_| jobs::blow_up::job("no"), 0..10).map(|outcome| outcome.unwrap_err()).collect();
    assert_eq!(panics.len(), 10);
    assert!(panics.iter().all(JobError::is_panic));
    Ok(())
}

/// Law 86: among many short items, which a backend may hand over together, only the failing one fails.
pub fn one_of_many_short_items_fails_alone<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let bad = [0, 777, 1500, 2999];
    let outcomes = pool.map(|value| jobs::fail_if::job(value, bad), 0..3000).map(Result::unwrap);
    for (value, outcome) in (0..).zip(outcomes) {
        assert_eq!(outcome.is_err(), bad.contains(&value), "item {value}");
    }
    let stats = pool.stats();
    assert_eq!((stats.finished, stats.failed), (2996, 4), "a map counts its items one by one");
    Ok(())
}

/// Law 89: dropping a map cancels what has not begun.
pub fn dropping_a_map_cancels_what_waits<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let busy = pool.occupy()?;
    let log = Log::new();
    let map = pool.map_with(|value| jobs::note::job(log.pen(), value), 0.., MapOptions::new().window(20)).unwrap();
    drop(map);
    assert_eq!(pool.stats().cancelled, 20);
    assert_eq!(pool.stats().queued, 0);
    busy.release();
    assert_usable(&*pool);
    drop(pool);
    assert!(log.is_empty(), "a job ran whose map was dropped");
    Ok(())
}

/// Law 89: what runs when its map is dropped runs to its end.
pub fn dropping_a_map_leaves_what_runs<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.single()?;
    let gate = Gate::new();
    let log = Log::new();
    let options = MapOptions::new().window(4);
    let map = pool.map_with(|value| jobs::note_pass::job(log.pen(), gate.pass(), value), 0.., options).unwrap();
    gate.wait_for(1);
    drop(map);
    gate.open();
    drop(pool);
    assert_eq!(log.entries(), [0]);
    Ok(())
}

/// Law 90: a map hands its first window over though nobody reads it.
pub fn first_window_runs_unread<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let log = Log::new();
    let map = pool.map_with(|value| jobs::note::job(log.pen(), value), 0.., MapOptions::new().window(10)).unwrap();
    log.wait_for(10);
    assert_eq!(log.len(), 10);
    drop(map);
    Ok(())
}

/// Law 94: an input without an end does.
pub fn endless_input_does<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let values: Vec<_> = pool.map(jobs::echo::job, 0..).take(100).map(Result::unwrap).collect();
    assert_eq!(values, (0..100).collect::<Vec<_>>());
    let zipped = (0..).zip(1..);
    let sums: Vec<_> =
        pool.map(|(left, right)| jobs::add::job(left, right), zipped).take(5).map(Result::unwrap).collect();
    assert_eq!(sums, [1, 3, 5, 7, 9]);
    Ok(())
}

/// Law 95, 225: an empty input gives nothing, whatever the window.
pub fn empty_input_gives_nothing<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    assert_eq!(pool.map(jobs::echo::job, []).count(), 0);
    for window in [1, 7] {
        let options = MapOptions::new().window(window);
        assert_eq!(pool.map_with(jobs::echo::job, None, options.clone()).unwrap().count(), 0);
        assert_eq!(pool.map_unordered_with(jobs::echo::job, Vec::new(), options).unwrap().count(), 0);
    }
    assert_eq!(pool.map_unordered(jobs::echo::job, []).count(), 0);
    Ok(())
}

/// Law 96: exactly one window is pulled before the first read, and never more than one window ahead of the reader.
pub fn map_is_never_more_than_its_window_ahead<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    for window in [1, 2, 5, 17, 64] {
        let pulled = Cell::new(0);
        let items = (0..1000).inspect(|_| pulled.set(pulled.get() + 1));
        let mut map = pool.map_with(jobs::echo::job, items, MapOptions::new().window(window)).unwrap();
        assert_eq!(pulled.get(), window, "the first window is pulled before the map is handed out");
        for read in 1..=300 {
            assert_eq!(map.next().unwrap().unwrap(), read as u64 - 1);
            assert!(pulled.get() <= read + window, "after {read} reads of a window of {window}: {}", pulled.get());
        }
        drop(map);
    }
    Ok(())
}

/// Law 96: without a chosen window there is one all the same.
pub fn default_window_is_bounded<S: Subject>(lab: &Lab<S>) -> Verdict {
    /// What the documentation of `MapOptions` names as the most.
    const MOST: usize = 16_384;
    let pool = lab.pool();
    let pulled = Cell::new(0);
    let items = (0..).inspect(|_| pulled.set(pulled.get() + 1));
    let mut map = pool.map(jobs::echo::job, items);
    assert!((1..=MOST).contains(&pulled.get()));
    for read in 1..=50_000 {
        assert_eq!(map.next().unwrap().unwrap(), read as u64 - 1);
        assert!(pulled.get() <= read + MOST, "{} were pulled after {read} reads", pulled.get());
    }
    Ok(())
}

/// Law 101, 81: after a shutdown that cancels, what is left of a map gives `Cancelled`, and then it ends.
pub fn shutdown_cancels_the_rest_of_a_map<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let busy = pool.occupy()?;
    let map = pool.map_with(jobs::echo::job, 0.., MapOptions::new().window(6)).unwrap();
    let outcomes: Vec<_> = while_blocked(|| map.take(1000).collect(), || pool.begin_shutdown(Shutdown::CancelPending));
    assert!(outcomes.len() < 1000, "a map goes on for ever on an executor that takes no more jobs");
    assert!(outcomes.len() >= 6);
    assert!(outcomes[..6].iter().all(|outcome| outcome.as_ref().is_err_and(JobError::is_cancelled)));
    assert!(outcomes.iter().all(Result::is_err));
    busy.release();
    Ok(())
}

/// Law 112: on an executor that takes no more jobs a map tells so and ends.
pub fn map_on_a_shut_down_pool_ends<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    pool.shutdown(Shutdown::Drain).unwrap();
    let outcomes: Vec<_> = pool.map(jobs::echo::job, 0..).take(10_000).collect();
    assert!(!outcomes.is_empty() && outcomes.len() < 10_000);
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Err(JobError::Rejected(_)))));
    let outcomes: Vec<_> = pool.map_unordered(jobs::echo::job, 0..).take(10_000).collect();
    assert!(!outcomes.is_empty() && outcomes.len() < 10_000);
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Err(JobError::Rejected(_)))));
    Ok(())
}

/// Beyond the rows: an item that takes long holds up no other, though short ones may be handed over together with it.
pub fn slow_item_holds_up_no_other<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool_with(Config::new().workers(2))?;
    pool.claims(Claim::Concurrency)?;
    // What the pool learns of short items must not make it careless about a slow one.
    let mut map = {
        let warm: u64 = pool.map(jobs::echo::job, 0..2000).map(Result::unwrap).sum();
        assert_eq!(warm, 1_999_000);
        let gate = Gate::new();
        let log = Log::new();
        let to_job = |value| {
            // A gate that is gone lets everybody through.
            let pass = if value == 20 { gate.pass() } else { open_gate() };
            jobs::note_pass::job(log.pen(), pass, value)
        };
        let map = pool.map_with(to_job, 0..200, MapOptions::new().window(200)).unwrap();
        gate.wait_for(1);
        log.wait_for(200);
        gate.open();
        map.map(Result::unwrap).collect::<Vec<_>>().into_iter()
    };
    assert!((0..200).all(|value| map.next() == Some(value)));
    Ok(())
}

/// The pass of a gate that is open.
fn open_gate() -> crate::Pass {
    Gate::new().pass()
}

/// Beyond the rows: the items of one map run on all workers at once.
pub fn map_uses_all_workers<S: Subject>(lab: &Lab<S>) -> Verdict {
    let workers = 2 + thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let pool = lab.pool_with(Config::new().workers(workers))?;
    pool.claims(Claim::Concurrency)?;
    let gate = Gate::new();
    let map = pool.map(|value| jobs::pass::job(gate.pass(), value), 0..workers as u64);
    gate.wait_for(workers);
    gate.open();
    assert_eq!(map.map(Result::unwrap).collect::<Vec<_>>(), (0..workers as u64).collect::<Vec<_>>());
    Ok(())
}

/// Beyond the rows: the options of a map hold for each of its jobs.
pub fn job_options_hold_for_each_item<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let options = MapOptions::new().job(JobOptions::new().name("an item"));
    let map = pool.map_with(|_| jobs::who_am_i::job(), 0..10, options).unwrap();
    assert!(map.map(Result::unwrap).all(|who| who.name == "an item"));
    Ok(())
}

/// Beyond the rows: `executor_core::map` owns its pool, so that the map may go where it likes.
pub fn owned_map_outlives_its_maker<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let map = executor_core::map(S::Pool::clone(&pool), jobs::echo::job, 0..50_u64);
    let unordered = executor_core::map_unordered(S::Pool::clone(&pool), jobs::echo::job, 0..50_u64);
    drop(pool);
    let sums = thread::scope(|scope| {
        let sum = scope.spawn(|| map.map(Result::unwrap).sum::<u64>());
        let unordered = scope.spawn(|| unordered.map(Result::unwrap).sum::<u64>());
        [sum.join().unwrap(), unordered.join().unwrap()]
    });
    assert_eq!(sums, [1225, 1225]);
    Ok(())
}

/// Law 57: as a stream it gives the same, and wakes whoever awaits it.
pub fn map_stream_gives_the_same<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let stream = pool.map(jobs::echo::job, 0..300).into_stream();
    let values: Vec<_> = block_on(stream.map(Result::unwrap).collect());
    assert_eq!(values, (0..300).collect::<Vec<_>>());
    Ok(())
}

/// Law 57: whoever awaits a map's stream is woken when the next result is there, and an await that was dropped loses
/// nothing.
pub fn map_stream_wakes<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    pool.claims(Claim::Concurrency)?;
    let gate = Gate::new();
    let mut stream = pool.map(|value| jobs::pass::job(gate.pass(), value), 0..10).into_stream();
    assert!(futures::FutureExt::now_or_never(stream.next()).is_none());
    let values: Vec<_> = while_blocked(|| block_on(stream.map(Result::unwrap).collect::<Vec<_>>()), || gate.open());
    assert_eq!(values, (0..10).collect::<Vec<_>>());
    Ok(())
}

/// Beyond the rows: two maps at once, read in turns, do not stand in each other's way.
pub fn two_maps_are_read_in_turns<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let first = pool.map(jobs::echo::job, 0..500);
    let second = pool.map(jobs::echo::job, 500..1000);
    for (value, (first, second)) in (0..).zip(first.zip(second)) {
        assert_eq!((first.unwrap(), second.unwrap()), (value, value + 500));
    }
    eventually("the pool is idle", || pool.stats().queued + pool.stats().running == 0);
    Ok(())
}
