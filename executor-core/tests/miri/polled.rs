//! A job that is polled by its backend: from thread to thread, to its end, and not to its end.

use std::future::poll_fn;
use std::task::{Context, Poll, Waker};

use executor_core::backend::{Backend, Polled, Ran, Room, Tally, future_task};
use executor_core::{Executor, JobError, JobFuture, JobOptions, JobState, Retries, current, job};

use crate::crew::Crew;
use crate::tools::{Bomb, Counted, Counter, ROUNDS, race};

/// Nobody counts.
struct Uncounted;

impl Tally for Uncounted {
    fn begun(&self) {}

    fn ended(&self, _: bool) {}
}

fn by_hand() -> Crew {
    Crew::new(0, None).unwrap()
}

fn poll(polled: &mut Polled) -> Poll<Ran> {
    polled.poll(&mut Context::from_waker(Waker::noop()), &Uncounted)
}

/// A future that captures something, is ready at its `polls`th poll, and gives something.
fn future(polls: u32, captured: &Counter, returned: &Counter) -> impl Future<Output = Counted> + Send + use<> {
    let (captures, returns) = (captured.drops(), returned.drops());
    async move {
        let _captures = captures;
        let mut left = polls;
        poll_fn(|_| {
            assert!(current().id().is_some());
            left -= 1;
            if left == 0 { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        returns
    }
}

fn task(crew: &Crew, polls: u32, captured: &Counter, returned: &Counter) -> (Polled, JobFuture<Counted>) {
    let (task, job) = future_task(crew, future(polls, captured, returned));
    assert!(task.is_async());
    crew.accept(task, Room::Now).unwrap();
    (crew.take_next().unwrap().into_polled(), job)
}

#[test]
fn a_job_is_polled_on_one_thread_after_the_other() {
    let crew = by_hand();
    let (captured, returned) = (Counter::default(), Counter::default());
    let (mut polled, mut job) = task(&crew, 3, &captured, &returned);
    assert_eq!(job.state(), JobState::Pending);
    for _ in 0..2 {
        polled = std::thread::spawn(move || {
            assert!(poll(&mut polled).is_pending());
            polled
        })
        .join()
        .unwrap();
        assert_eq!((job.state(), captured.get()), (JobState::Running, 0));
    }
    assert!(matches!(poll(&mut polled), Poll::Ready(Ran::Done)));
    assert!(polled.job().is_none());
    assert_eq!((job.state(), captured.get(), returned.get()), (JobState::Finished, 1, 0));
    drop(job.try_result().unwrap().unwrap());
    assert_eq!(returned.get(), 1);
}

#[test]
fn a_job_is_ended_between_two_polls() {
    let crew = by_hand();
    let (captured, returned) = (Counter::default(), Counter::default());
    let broken = || JobError::Broken { cause: "no more".to_owned() };
    let (mut polled, job) = task(&crew, 2, &captured, &returned);
    assert!(poll(&mut polled).is_pending());
    assert!(matches!(polled.end(broken(), &Uncounted), Ok(Ran::Done)));
    assert_eq!((captured.get(), returned.get()), (1, 1));
    assert!(matches!(job.result(), Err(JobError::Broken { .. })));

    let (mut polled, job) = task(&crew, 2, &captured, &returned);
    assert!(poll(&mut polled).is_pending());
    assert!(polled.job().unwrap().decide_kill());
    assert!(matches!(polled.end(broken(), &Uncounted), Ok(Ran::Done)));
    assert_eq!((captured.get(), returned.get()), (2, 2));
    assert!(matches!(job.result(), Err(JobError::Killed)));

    let (mut polled, job) = task(&crew, 2, &captured, &returned);
    assert!(poll(&mut polled).is_pending());
    drop(polled);
    assert!(matches!(job.result(), Err(JobError::Lost { .. })));
    assert_eq!((captured.get(), returned.get()), (3, 3));
}

#[test]
fn a_job_that_was_never_polled_is_given_back() {
    let crew = by_hand();
    let (captured, returned) = (Counter::default(), Counter::default());
    let (polled, mut job) = task(&crew, 1, &captured, &returned);
    let task = polled.end(JobError::Killed, &Uncounted).unwrap_err();
    assert!(job.try_result().is_none());
    crew.accept(task, Room::Now).unwrap();
    // A backend without a runtime drives it.
    assert!(crew.run_next());
    drop(job.try_result().unwrap().unwrap());
    assert_eq!((captured.get(), returned.get()), (1, 1));
}

#[test]
fn a_cancelled_job_is_not_polled() {
    let crew = by_hand();
    let (captured, returned) = (Counter::default(), Counter::default());
    let (mut polled, job) = task(&crew, 1, &captured, &returned);
    assert!(job.cancel());
    assert_eq!((captured.get(), returned.get()), (1, 1));
    assert!(matches!(poll(&mut polled), Poll::Ready(Ran::Done)));
    assert!(job.is_cancelled());
}

#[test]
fn a_panic_in_poll_and_one_in_drop_are_caught() {
    let crew = by_hand();
    let drops = Counter::default();
    let bomb = Bomb::new(&drops);
    let (task, job) = future_task(&crew, async move {
        let _bomb = bomb;
        std::future::pending::<()>().await;
    });
    let mut polled = task.into_polled();
    assert!(poll(&mut polled).is_pending());
    assert!(matches!(polled.end(JobError::Killed, &Uncounted), Ok(Ran::Done)));
    assert!(matches!(job.result(), Err(JobError::Killed)));
    assert_eq!(drops.get(), 1);

    let (task, job) = future_task(&crew, async { panic!("a poll that panics on purpose") });
    let mut polled = task.into_polled();
    assert!(matches!(poll(&mut polled), Poll::Ready(Ran::Done)));
    assert!(job.result().unwrap_err().is_panic());
}

/// Fails until its second attempt, and is not ready at once.
#[job]
async fn succeed_later() -> Result<u32, String> {
    let mut first = true;
    poll_fn(|_| if std::mem::take(&mut first) { Poll::Pending } else { Poll::Ready(()) }).await;
    let attempt = current().attempt();
    if attempt < 2 { Err("not yet".to_owned()) } else { Ok(attempt) }
}

#[test]
fn a_job_that_fails_is_polled_again() {
    let crew = by_hand();
    let retries = JobOptions::new().retries(Retries::times(1));
    let job = crew.submit_with(succeed_later::job(), retries.clone());
    let mut polled = crew.take_next().unwrap().into_polled();
    assert!(poll(&mut polled).is_pending());
    let Poll::Ready(Ran::Again(retry)) = poll(&mut polled) else { panic!("it failed, and has an attempt left") };
    assert_eq!(job.state(), JobState::Running);
    let mut polled = retry.into_task().into_polled();
    assert!(poll(&mut polled).is_pending());
    assert!(matches!(poll(&mut polled), Poll::Ready(Ran::Done)));
    assert_eq!(job.result().unwrap(), Ok(2));

    // So is one that is ended, unless it was killed.
    let job = crew.submit_with(succeed_later::job(), retries);
    let mut polled = crew.take_next().unwrap().into_polled();
    assert!(poll(&mut polled).is_pending());
    let ended = polled.end(JobError::Broken { cause: "once".to_owned() }, &Uncounted);
    let Ok(Ran::Again(retry)) = ended else { panic!("it has an attempt left") };
    let mut polled = retry.into_task().into_polled();
    assert!(poll(&mut polled).is_pending());
    assert!(job.handle().state() == JobState::Running);
    assert!(polled.job().unwrap().decide_kill());
    assert!(matches!(polled.end(JobError::Killed, &Uncounted), Ok(Ran::Done)));
    assert!(matches!(job.result(), Err(JobError::Killed)));
}

#[test]
fn a_kill_races_the_last_poll() {
    for _ in 0..ROUNDS {
        let crew = by_hand();
        let (captured, returned) = (Counter::default(), Counter::default());
        let (mut polled, job) = task(&crew, 2, &captured, &returned);
        assert!(poll(&mut polled).is_pending());
        let killed = polled.job().unwrap().clone();
        let (killed, polled) = race(move || killed.decide_kill(), || poll(&mut polled));
        assert!(matches!(polled, Poll::Ready(Ran::Done)));
        match job.result() {
            Ok(value) => assert!(!killed && returned.get() == 0 && drop_it(value) && returned.get() == 1),
            Err(error) => assert!(killed && matches!(error, JobError::Killed) && returned.get() == 1),
        }
        assert_eq!(captured.get(), 1);
    }
}

fn drop_it(value: Counted) -> bool {
    drop(value);
    true
}

#[test]
fn a_cancel_races_the_first_poll() {
    for _ in 0..ROUNDS {
        let crew = by_hand();
        let (captured, returned) = (Counter::default(), Counter::default());
        let (mut polled, job) = task(&crew, 1, &captured, &returned);
        let handle = job.handle();
        let (cancelled, polled) = race(move || handle.cancel(), || poll(&mut polled));
        assert!(matches!(polled, Poll::Ready(Ran::Done)));
        assert_eq!(job.result().is_err_and(|error| error.is_cancelled()), cancelled);
        assert_eq!((captured.get(), returned.get()), (1, 1));
    }
}
