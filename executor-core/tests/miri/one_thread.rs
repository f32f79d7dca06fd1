//! Each transition by itself: a crew of 0 workers, whose tasks the test runs when it says so.

use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use executor_core::{
    Executor, InlineExecutor, JobError, JobFuture, JobOptions, JobState, MapOptions, Rejection, Retries, Shutdown,
    WaitFor, as_completed, current, wait,
};

use crate::crew::{Crew, break_task};
use crate::tools::{Bomb, Counted, Counter, echo, square, succeed_at, unread_reports};

fn by_hand() -> Crew {
    Crew::new(0, None).unwrap()
}

/// A job that captures something and returns something; the drops of the two are counted.
fn spawn_counted(crew: &Crew, captured: &Counter, returned: &Counter) -> JobFuture<Counted> {
    let (captures, returns) = (captured.drops(), returned.drops());
    crew.spawn(move || {
        let _captures = captures;
        returns
    })
}

fn poll<T: 'static>(future: &mut JobFuture<T>, wakes: &Counter) -> Poll<Result<T, JobError>> {
    Pin::new(future).poll(&mut Context::from_waker(&wakes.wakes()))
}

#[test]
fn a_job_is_begun_finished_and_taken() {
    let crew = by_hand();
    let (captured, returned) = (Counter::default(), Counter::default());
    let mut future = spawn_counted(&crew, &captured, &returned);
    assert_eq!(future.state(), JobState::Pending);
    assert!(future.try_result().is_none());
    assert!(crew.run_next());
    assert_eq!(future.state(), JobState::Finished);
    assert_eq!((captured.get(), returned.get()), (1, 0));
    let value = future.try_result().unwrap().unwrap();
    assert!(matches!(future.try_result(), Some(Err(JobError::Taken))));
    drop(future);
    assert_eq!(returned.get(), 0);
    drop(value);
    assert_eq!((captured.get(), returned.get()), (1, 1));
    assert_eq!(crew.stats().finished, 1);
}

#[test]
fn a_running_job_is_not_cancelled() {
    let crew = by_hand();
    let future = crew.spawn(|| {
        let handle = current().handle().unwrap();
        (handle.state(), handle.cancel())
    });
    assert!(crew.run_next());
    assert_eq!(future.result().unwrap(), (JobState::Running, false));
}

#[test]
fn a_job_is_withdrawn_and_settled() {
    let crew = by_hand();
    let (captured, returned, called) = (Counter::default(), Counter::default(), Counter::default());
    let future = spawn_counted(&crew, &captured, &returned);
    let (in_callback, seen) = (called.clone(), captured.clone());
    future.handle().on_done(move |job| {
        assert_eq!((job.state(), seen.get()), (JobState::Cancelled, 1));
        in_callback.add();
    });
    assert!(future.cancel());
    assert_eq!((called.get(), captured.get(), returned.get()), (1, 1, 1));
    assert!(future.cancel(), "the second cancel says the same");
    assert!(!crew.run_next(), "the queue forgot the job");
    assert!(future.is_cancelled());
    assert!(matches!(future.result(), Err(JobError::Cancelled)));
    assert_eq!(crew.stats().cancelled, 1);
}

#[test]
fn a_task_that_was_taken_is_passed_over_after_a_cancel() {
    let crew = by_hand();
    let runs = Counter::default();
    let in_job = runs.clone();
    let future = crew.spawn(move || in_job.add());
    let task = crew.take_next().unwrap();
    assert!(future.cancel());
    drop(task);
    assert!(future.is_cancelled());
    assert_eq!(runs.get(), 0);
}

#[test]
fn a_value_nobody_takes_is_dropped_once() {
    let crew = by_hand();
    let (captured, returned) = (Counter::default(), Counter::default());
    drop(spawn_counted(&crew, &captured, &returned));
    assert!(crew.run_next(), "a dropped future detaches its job");
    assert_eq!((captured.get(), returned.get()), (1, 1));

    let future = spawn_counted(&crew, &captured, &returned);
    assert!(crew.run_next());
    let handle = future.handle();
    drop(future);
    assert_eq!(returned.get(), 1, "the handle keeps the value");
    drop(handle);
    assert_eq!(returned.get(), 2);
}

#[test]
fn drops_that_panic_concern_nobody() {
    let crew = by_hand();
    let drops = Counter::default();
    let bomb = Bomb::new(&drops);
    let future = crew.spawn(move || bomb);
    assert!(crew.run_next());
    drop(future);
    assert_eq!(drops.get(), 1, "a value dropped unread");

    let bomb = Bomb::new(&drops);
    let future = crew.spawn(move || drop(bomb));
    assert!(future.cancel());
    assert!(future.is_cancelled());
    assert_eq!(drops.get(), 2, "a capture of a cancelled job");

    let bomb = Bomb::new(&drops);
    let future = crew.spawn(move || panic_any(bomb));
    assert!(crew.run_next());
    assert!(future.result().is_err_and(|error: JobError| error.is_panic()));
    assert_eq!(drops.get(), 3, "what a panic threw");
}

#[test]
fn a_panic_is_the_outcome_and_goes_on() {
    let crew = by_hand();
    let drops = Counter::default();
    let thrown = drops.drops();
    let future: JobFuture<()> = crew.spawn(move || panic_any(thrown));
    assert!(crew.run_next());
    let error = future.result().unwrap_err();
    let JobError::Panicked { location, .. } = &error else { panic!("{error:?}") };
    assert!(location.as_ref().unwrap().contains("one_thread.rs"));
    let payload = catch_unwind(AssertUnwindSafe(|| error.resume())).unwrap_err();
    assert_eq!(drops.get(), 0);
    assert!(payload.downcast::<Counted>().is_ok());
    assert_eq!((drops.get(), crew.stats().failed), (1, 1));
}

#[test]
fn a_task_that_is_dropped_or_failed_ends_its_job() {
    let crew = by_hand();
    let (captured, returned) = (Counter::default(), Counter::default());
    let future = spawn_counted(&crew, &captured, &returned);
    drop(crew.take_next());
    assert!(matches!(future.result(), Err(JobError::Lost { .. })));

    let future = spawn_counted(&crew, &captured, &returned);
    break_task(crew.take_next().unwrap());
    assert!(matches!(future.result(), Err(JobError::Broken { .. })));

    let future = spawn_counted(&crew, &captured, &returned);
    drop(crew);
    assert!(matches!(future.result(), Err(JobError::Lost { .. })), "the pool ended with the job in its queue");
    assert_eq!((captured.get(), returned.get()), (3, 3));
}

#[test]
fn an_unread_failure_is_reported_once() {
    let crew = by_hand();
    let future = crew.submit(succeed_at::job(2));
    let id = future.id();
    assert_eq!(unread_reports(id), 0);
    drop(future);
    assert!(crew.run_next());
    assert_eq!(unread_reports(id), 1);
}

#[test]
fn callbacks_are_called_in_order_and_once() {
    let crew = by_hand();
    let calls = Arc::new(Mutex::new(Vec::new()));
    let call = |name: &'static str| {
        let calls = Arc::clone(&calls);
        move || calls.lock().unwrap().push(name)
    };
    let future = crew.spawn(|| String::from("value"));
    let (first, second, last) = (call("first"), call("second"), call("late"));
    future.handle().on_done(move |_| first());
    future.handle().on_done(|_| panic_any("a callback that panics on purpose"));
    let handle = future.on_done(move |outcome| {
        assert_eq!(outcome.unwrap(), "value");
        second();
    });
    assert!(crew.run_next());
    handle.on_done(move |_| last());
    assert_eq!(*calls.lock().unwrap(), ["first", "second", "late"]);
}

#[test]
fn an_await_keeps_the_latest_waker() {
    let crew = by_hand();
    let (one, two) = (Counter::default(), Counter::default());
    let mut future = crew.spawn(|| String::from("value"));
    assert!(poll(&mut future, &one).is_pending());
    assert!(poll(&mut future, &two).is_pending());
    assert!(crew.run_next());
    assert_eq!((one.get(), two.get()), (0, 1));
    assert!(matches!(poll(&mut future, &one), Poll::Ready(Ok(value)) if value == "value"));
    assert!(matches!(poll(&mut future, &one), Poll::Ready(Err(JobError::Taken))));
}

#[test]
fn a_wait_that_ends_early_leaves_the_future_usable() {
    let crew = by_hand();
    let mut future = crew.spawn(|| 7);
    assert!(!future.wait_timeout(Duration::from_micros(1)));
    assert!(matches!(future.result_timeout(Duration::from_micros(1)), Err(JobError::Timeout)));
    let waited = wait([future], WaitFor::All, Some(Duration::from_micros(1)));
    assert_eq!((waited.done.len(), waited.not_done.len()), (0, 1));
    let mut rest = as_completed(waited.not_done);
    assert_eq!(rest.next_timeout(Duration::from_micros(1)).unwrap_err().open, 1);
    assert!(crew.run_next());
    assert!(matches!(rest.next().unwrap().result(), Ok(7)));
}

#[test]
fn a_stop_is_seen_by_the_job() {
    let crew = by_hand();
    let future = crew.spawn(|| current().should_stop());
    future.request_stop();
    assert!(crew.run_next());
    assert!(future.result().unwrap());
}

#[test]
fn a_kill_overrules_what_the_job_returns() {
    let crew = by_hand();
    let returned = Counter::default();
    let returns = returned.drops();
    let future = crew.spawn(move || {
        assert!(current().handle().unwrap().kill());
        returns
    });
    assert!(crew.run_next());
    assert_eq!(returned.get(), 1);
    assert!(!future.kill(), "a job that is done cannot be killed");
    assert!(matches!(future.result(), Err(JobError::Killed)));
}

#[test]
fn retries_run_until_one_succeeds_or_none_is_left() {
    let crew = by_hand();
    let twice = JobOptions::new().retries(Retries::times(2));
    let future = crew.submit_with(succeed_at::job(3), twice.clone());
    for _ in 0..2 {
        assert!(crew.run_next());
        assert!(future.is_running() && !future.cancel(), "between two attempts it runs");
    }
    assert!(crew.run_next());
    assert_eq!(future.result().unwrap(), Ok(3));

    let future = crew.submit_with(succeed_at::job(9), twice);
    while crew.run_next() {}
    assert_eq!(future.result().unwrap(), Err("attempt 3".to_owned()));
}

#[test]
fn between_two_attempts_a_job_can_be_stopped_killed_and_lost() {
    let crew = by_hand();
    let begin = || {
        let future = crew.submit_with(succeed_at::job(9), JobOptions::new().retries(Retries::times(2)));
        assert!(crew.run_next());
        future
    };
    let future = begin();
    future.request_stop();
    assert_eq!(future.result().unwrap(), Err("attempt 1".to_owned()), "the last attempt's outcome counts");

    let future = begin();
    assert!(future.kill());
    assert!(matches!(future.result(), Err(JobError::Killed)));

    let future = begin();
    drop(crew.take_next());
    assert!(matches!(future.result(), Err(JobError::Lost { .. })));
}

#[test]
fn a_refused_job_comes_back() {
    let crew = Crew::new(0, Some(1)).unwrap();
    let first = crew.try_submit(echo::job("first")).unwrap();
    let refused = crew.try_submit(echo::job("second")).unwrap_err();
    assert!(refused.is_full());
    assert!(crew.run_next());
    let second = crew.try_submit(refused.into_job()).unwrap();
    assert!(crew.run_next());
    assert_eq!([first.result().unwrap(), second.result().unwrap()], ["first", "second"]);

    crew.shutdown(Shutdown::Drain).unwrap();
    assert!(crew.try_submit(echo::job("third")).unwrap_err().is_shut_down());
    let late = crew.submit(echo::job("fourth")).result();
    assert!(matches!(late, Err(JobError::Rejected(Rejection::ShutDown))));
}

#[test]
fn room_is_awaited() {
    let crew = Crew::new(0, Some(1)).unwrap();
    let wakes = Counter::default();
    let waker = wakes.wakes();
    let mut cx = Context::from_waker(&waker);
    let first = crew.submit(echo::job("first"));
    let mut dropped = Box::pin(crew.submit_wait(echo::job("dropped")));
    let mut second = pin!(crew.submit_wait(echo::job("second")));
    assert!(dropped.as_mut().poll(&mut cx).is_pending());
    assert!(second.as_mut().poll(&mut cx).is_pending());
    drop(dropped);
    assert!(crew.run_next());
    assert_eq!(wakes.get(), 2);
    let Poll::Ready(second) = second.poll(&mut cx) else { panic!("there is room") };
    assert!(crew.run_next());
    assert_eq!([first.result().unwrap(), second.result().unwrap()], ["first", "second"]);
    assert!(!crew.run_next(), "what was dropped before there was room was never submitted");
}

#[test]
fn items_of_a_map_are_cancelled_failed_and_lost() {
    let crew = by_hand();
    let window = MapOptions::new().window(4);
    drop(crew.map_with(square::job, 0.., window.clone()).unwrap());
    assert_eq!(crew.stats().cancelled, 4);
    while crew.run_next() {}
    assert_eq!(crew.stats().finished, 0);

    let mut map = crew.map_with(square::job, 0..2, window.clone()).unwrap();
    while let Some(task) = crew.take_next() {
        break_task(task);
    }
    assert!(map.all(|outcome| matches!(outcome, Err(JobError::Broken { .. }))));

    let mut map = crew.map_with(square::job, 0..2, window).unwrap();
    while crew.take_next().is_some() {}
    assert!(map.all(|outcome| matches!(outcome, Err(JobError::Lost { .. }))));
}

#[test]
fn jobs_and_outputs_pass_through_the_codec() {
    for pool in [InlineExecutor::new(), InlineExecutor::builder().encode(true).build().unwrap()] {
        assert_eq!(pool.submit(echo::job("text")).result().unwrap(), "text");
        let again = pool.submit_with(succeed_at::job(2), JobOptions::new().retries(Retries::times(1)));
        assert_eq!(again.result().unwrap(), Ok(2));
        drop(pool.submit(echo::job("unread")));
        assert!(pool.submit(square::job(13)).result().is_err_and(|error| error.is_panic()));
        let squares: Vec<_> = pool.map(square::job, 1..4).map(Result::unwrap).collect();
        assert_eq!(squares, [1, 4, 9]);
    }
}
