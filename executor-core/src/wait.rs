//! [`wait()`]: until some or all of a set are done.

use std::sync::Arc;
use std::time::Duration;

use crate::bells::Waiter;
use crate::completion::Completion;
use crate::future::JobFuture;
use crate::state::JobState;
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
    let futures: Vec<_> = futures.into_iter().collect();
    block(&futures, wait_for, limit.map_or(Limit::None, Limit::after));
    let (done, not_done) = futures.into_iter().partition(JobFuture::is_done);
    Waited { done, not_done }
}

fn block<T: 'static>(futures: &[JobFuture<T>], wait_for: WaitFor, limit: Limit) {
    let completion = Arc::new(Completion::new());
    for (index, future) in futures.iter().enumerate() {
        future.job().hang(Waiter::Member(Arc::clone(&completion), index as u32));
    }
    let mut open = futures.len();
    let mut met = false;
    while open > 0 && !met {
        match completion.pop() {
            Some(index) => {
                open -= 1;
                met = match wait_for {
                    WaitFor::All => false,
                    WaitFor::First => true,
                    WaitFor::FirstError => futures[index as usize].handle().is_failed(),
                };
            }
            None if limit.has_passed() => break,
            None => {
                if let Err(error) = futures[0].job().record().control.may_block() {
                    panic!("{error}");
                }
                if !(limit.may_help() && help(futures)) {
                    completion.park(limit.deadline());
                }
            }
        }
    }
    for future in futures.iter().filter(|future| !future.is_done()) {
        future.job().record().bells.forget_set(&completion);
    }
}

/// Runs one of the jobs that can be run here; false if there is none.
fn help<T: 'static>(futures: &[JobFuture<T>]) -> bool {
    futures.iter().filter(|future| matches!(future.state(), JobState::Pending | JobState::Running)).any(|future| {
        let job = future.job();
        let control = &job.record().control;
        control.is_own_worker() && control.help(&job)
    })
}
