//! Transitions against each other, on two threads. Either may win; what must not happen is a third outcome.

use std::thread;
use std::time::Duration;

use executor_core::{
    Executor, JobError, JobFuture, JobOptions, MapOptions, Retries, Shutdown, WaitFor, as_completed, map, wait,
};

use crate::crew::Crew;
use crate::tools::{Counted, Counter, ROUNDS, block_on, race, run_until_stopped, square, succeed_at, unread_reports};

/// A pool of one job, which was not begun.
struct Setting {
    crew: Crew,
    runs: Counter,
    captured: Counter,
    returned: Counter,
}

impl Setting {
    fn new() -> Self {
        let crew = Crew::new(0, None).unwrap();
        Setting { crew, runs: Counter::default(), captured: Counter::default(), returned: Counter::default() }
    }

    fn spawn(&self) -> JobFuture<Counted> {
        let (runs, captures, returns) = (self.runs.clone(), self.captured.drops(), self.returned.drops());
        self.crew.spawn(move || {
            let _captures = captures;
            runs.add();
            returns
        })
    }

    /// After the race: the job ran or did not, and everything was dropped once.
    fn assert_over(&self, ran: bool) {
        let counts = [self.runs.get(), self.captured.get(), self.returned.get()];
        assert_eq!(counts, [usize::from(ran), 1, 1]);
    }
}

#[test]
fn cancel_against_begin() {
    for _ in 0..ROUNDS {
        let setting = Setting::new();
        let future = setting.spawn();
        let (_, cancelled) = race(|| setting.crew.run_next(), || future.cancel());
        match future.result() {
            Ok(value) => drop((value, assert!(!cancelled))),
            Err(error) => assert!(error.is_cancelled() && cancelled),
        }
        setting.assert_over(!cancelled);
    }
}

#[test]
fn cancel_against_cancel() {
    for _ in 0..ROUNDS {
        let setting = Setting::new();
        let future = setting.spawn();
        let handle = future.handle();
        assert_eq!(race(|| handle.cancel(), || future.cancel()), (true, true));
        assert!(matches!(future.result(), Err(JobError::Cancelled)));
        setting.assert_over(false);
        assert_eq!(setting.crew.stats().cancelled, 1);
    }
}

#[test]
fn kill_against_finish() {
    for _ in 0..ROUNDS {
        let setting = Setting::new();
        let future = setting.spawn();
        let (_, killed) = race(|| setting.crew.run_next(), || future.kill());
        let outcome = future.result();
        let ran = !matches!(outcome, Err(JobError::Cancelled));
        assert_eq!(matches!(outcome, Err(JobError::Cancelled | JobError::Killed)), killed, "{outcome:?}");
        drop(outcome);
        setting.assert_over(ran);
    }
}

/// Without a bell or a lock: the state word alone must hand the value over.
#[test]
fn looking_against_finish() {
    for _ in 0..ROUNDS {
        let setting = Setting::new();
        let mut future = setting.spawn();
        let look = || {
            loop {
                if let Some(outcome) = future.try_result() {
                    return (outcome, setting.runs.get(), setting.captured.get());
                }
                thread::yield_now();
            }
        };
        let (_, (outcome, runs, captured)) = race(|| setting.crew.run_next(), look);
        assert_eq!((runs, captured), (1, 1));
        drop(outcome.unwrap());
        setting.assert_over(true);
    }
}

/// The same for the captures of a cancelled job.
#[test]
fn looking_against_settle() {
    for _ in 0..ROUNDS {
        let setting = Setting::new();
        let future = setting.spawn();
        let handle = future.handle();
        let look = || {
            while !handle.is_done() {
                thread::yield_now();
            }
            setting.captured.get()
        };
        assert_eq!(race(|| future.cancel(), look), (true, 1));
        setting.assert_over(false);
    }
}

#[test]
fn wait_against_finish() {
    for _ in 0..ROUNDS {
        let setting = Setting::new();
        let future = setting.spawn();
        let (_, outcome) = race(|| setting.crew.run_next(), || future.result());
        drop(outcome.unwrap());
        setting.assert_over(true);
    }
}

#[test]
fn wait_with_a_limit_against_finish() {
    for _ in 0..ROUNDS {
        let setting = Setting::new();
        let mut future = setting.spawn();
        let (_, early) = race(|| setting.crew.run_next(), || future.result_timeout(Duration::from_micros(20)));
        let outcome = match early {
            Err(JobError::Timeout) => future.result(),
            outcome => outcome,
        };
        drop(outcome.unwrap());
        setting.assert_over(true);
    }
}

#[test]
fn await_against_finish() {
    for _ in 0..ROUNDS {
        let setting = Setting::new();
        let future = setting.spawn();
        let (_, outcome) = race(|| setting.crew.run_next(), || block_on(future));
        drop(outcome.unwrap());
        setting.assert_over(true);
    }
}

#[test]
fn callback_against_finish() {
    for _ in 0..ROUNDS {
        let setting = Setting::new();
        let future = setting.spawn();
        let called = Counter::default();
        let in_callback = called.clone();
        race(
            || setting.crew.run_next(),
            || {
                future.on_done(move |outcome| {
                    drop(outcome.unwrap());
                    in_callback.add();
                })
            },
        );
        assert_eq!(called.get(), 1);
        setting.assert_over(true);
    }
}

#[test]
fn drop_of_the_future_against_finish() {
    for _ in 0..ROUNDS {
        let setting = Setting::new();
        let future = setting.spawn();
        race(|| setting.crew.run_next(), || drop(future));
        setting.assert_over(true);

        let failing = setting.crew.submit(succeed_at::job(2));
        let id = failing.id();
        assert_eq!(unread_reports(id), 0);
        race(|| setting.crew.run_next(), || drop(failing));
        assert_eq!(unread_reports(id), 1);
    }
}

#[test]
fn drop_of_the_task_against_wait() {
    for _ in 0..ROUNDS {
        let setting = Setting::new();
        let future = setting.spawn();
        let task = setting.crew.take_next();
        let (_, outcome) = race(|| drop(task), || future.result());
        assert!(matches!(outcome, Err(JobError::Lost { .. })));
        setting.assert_over(false);
    }
}

#[test]
fn stop_against_an_async_job() {
    for _ in 0..ROUNDS {
        let crew = Crew::new(1, None).unwrap();
        let future = crew.submit(run_until_stopped::job());
        let handle = future.handle();
        let ((), outcome) = race(|| handle.request_stop(), || future.result());
        assert_eq!(outcome.unwrap(), "stopped");
    }
}

#[test]
fn stop_against_the_next_attempt() {
    for _ in 0..ROUNDS {
        let crew = Crew::new(0, None).unwrap();
        let future = crew.submit_with(succeed_at::job(3), JobOptions::new().retries(Retries::times(2)));
        race(|| while crew.run_next() {}, || future.request_stop());
        while crew.run_next() {}
        assert!(matches!(future.result(), Ok(Ok(3) | Err(_))));
        let stats = crew.stats();
        assert_eq!((stats.submitted(), stats.finished + stats.failed), (1, 1));
    }
}

#[test]
fn workers_that_wait_for_jobs_of_their_own_pool() {
    for workers in [1, 2] {
        let crew = Crew::new(workers, Some(1)).unwrap();
        let inner = crew.clone();
        let outer = crew.spawn(move || {
            let futures: Vec<_> = (0..4).map(|n| inner.spawn(move || n)).collect();
            let again = inner.submit_with(succeed_at::job(2), JobOptions::new().retries(Retries::times(1)));
            assert_eq!(again.result().unwrap(), Ok(2));
            as_completed(futures).map(|future| future.result().unwrap()).sum::<u32>()
        });
        assert_eq!(outer.result().unwrap(), 6);
    }
}

#[test]
fn sets_of_futures_on_two_workers() {
    let crew = Crew::new(2, None).unwrap();
    let submit = || (0..6).map(|n| crew.submit(square::job(n)));
    let waited = wait(submit(), WaitFor::All, None);
    assert_eq!((waited.done.len(), waited.not_done.len()), (6, 0));
    let failing = crew.submit(square::job(13));
    let waited = wait(submit().chain([failing]), WaitFor::FirstError, None);
    assert!(waited.done.iter().any(|future| future.handle().is_failed()));
    let sum: u64 = as_completed(submit()).map(|future| future.result().unwrap()).sum();
    assert_eq!(sum, 55);
}

/// How many items the maps have.
const ITEMS: u64 = if cfg!(miri) { 40 } else { 2000 };

#[test]
fn chunks_of_a_map_on_two_workers() {
    let crew = Crew::new(2, None).unwrap();
    for (n, outcome) in (0..).zip(crew.map(square::job, 0..ITEMS)) {
        match outcome {
            Ok(squared) => assert_eq!(squared, n * n),
            Err(error) => assert!(n == 13 && error.is_panic(), "{error}"),
        }
    }
    let mut unordered: Vec<_> = crew.map_unordered(square::job, 20..ITEMS).map(Result::unwrap).collect();
    unordered.sort_unstable();
    assert!(unordered.into_iter().eq((20..ITEMS).map(|n| n * n)));
    let stats = crew.stats();
    assert_eq!((stats.submitted(), stats.failed), (2 * ITEMS - 20, 1));
}

#[test]
fn a_map_that_is_dropped_early_cancels_the_rest() {
    for _ in 0..ROUNDS {
        let crew = Crew::new(2, None).unwrap();
        let window = MapOptions::new().window(16);
        let mut squares = crew.map_with(square::job, 0.., window).unwrap();
        assert_eq!(squares.next().unwrap().unwrap(), 0);
        drop(squares);
        crew.shutdown(Shutdown::Drain).unwrap();
        let stats = crew.stats();
        assert_eq!((stats.queued, stats.running), (0, 0));
        assert_eq!(stats.submitted(), stats.finished + stats.failed + stats.cancelled);
    }
}

#[test]
fn a_map_through_a_bounded_queue() {
    let crew = Crew::new(2, Some(2)).unwrap();
    let squares: Vec<_> = map(crew.clone(), square::job, 20..ITEMS).map(Result::unwrap).collect();
    assert!(squares.into_iter().eq((20..ITEMS).map(|n| n * n)));
}

#[test]
fn shutdown_against_submit() {
    for mode in [Shutdown::Drain, Shutdown::CancelPending, Shutdown::Kill] {
        for _ in 0..ROUNDS {
            let crew = Crew::new(1, None).unwrap();
            let (_, futures) =
                race(|| crew.shutdown(mode).unwrap(), || [square::job(2), square::job(3)].map(|job| crew.submit(job)));
            for future in futures {
                let outcome = future.result();
                assert!(matches!(outcome, Ok(4 | 9) | Err(JobError::Cancelled | JobError::Rejected(_))), "{outcome:?}");
            }
        }
    }
}
