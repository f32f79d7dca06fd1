//! [`wait()`]: until some or all of a set are done.

use std::time::Duration;

use crate::as_completed::Members;
use crate::future::JobFuture;
use crate::waiting::Limit;

/// When [`wait()`] ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WaitFor {
    /// When all are done.
    All,
    /// When one is done.
    First,
    /// When one has failed, with an error or with an output that is a failure, or all are done. A cancelled job is done
    /// and has not failed.
    FirstError,
}

/// What [`wait()`] gives: the futures, parted, each part in the order of the input.
#[derive(Debug)]
#[must_use = "dropping futures detaches their jobs"]
pub struct Waited<T> {
    /// Those that are done: finished, failed or cancelled.
    pub done: Vec<JobFuture<T>>,
    /// The others.
    pub not_done: Vec<JobFuture<T>>,
}

/// Waits for some or all of `futures`, for `limit` at most, and parts them. A limit that passes is no error.
///
/// # Panics
///
/// On a thread that must not block, such as one of an async runtime that runs the jobs: await the futures there.
///
/// # Blocking
///
/// Until `wait_for` is met or the limit has passed. A worker of the same pool that waits without a limit runs jobs of
/// the set meanwhile that no other has begun.
pub fn wait<T: 'static>(
    futures: impl IntoIterator<Item = JobFuture<T>>,
    wait_for: WaitFor,
    limit: Option<Duration>,
) -> Waited<T> {
    let mut members = Members::new();
    futures.into_iter().for_each(|future| members.add(future));
    let limit = limit.map_or(Limit::None, Limit::after);
    loop {
        match members.next_place(limit) {
            Ok(Some(index)) if !is_met(wait_for, members.get(index)) => {}
            Ok(_) => break,
            Err(error) => panic!("{error}"),
        }
    }
    let (done, not_done) = members.release().partition(JobFuture::is_done);
    Waited { done, not_done }
}

/// True if it is enough that this one is done.
fn is_met<T: 'static>(wait_for: WaitFor, done: Option<&JobFuture<T>>) -> bool {
    match wait_for {
        WaitFor::All => false,
        WaitFor::First => true,
        WaitFor::FirstError => done.is_some_and(|future| future.handle().is_failed()),
    }
}
