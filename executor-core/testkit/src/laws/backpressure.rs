//! Section 23, G8: a bounded queue.

use std::future::Future;
use std::panic::panic_any;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use executor_core::{Backend, Executor, JobError, Rejection, Shutdown};
use futures::executor::block_on;

use crate::jobs::{self, DropCount, Hosted};
use crate::lab::{Bench, Busy, Lab};
use crate::log::Log;
use crate::panics::BombPayload;
use crate::subject::{Config, Subject};
use crate::tools::{assert_usable, while_blocked};
use crate::verdict::{Claim, NotClaimed, Verdict};

/// A pool of one busy worker and a queue of two places.
fn bounded<S: Subject>(lab: &Lab<S>) -> Result<(Bench<S>, Busy), NotClaimed> {
    let pool = lab.pool_with(Config::new().workers(1).queue_capacity(2))?;
    let busy = pool.occupy()?;
    Ok((pool, busy))
}

/// Law G8: the queue holds as many jobs as was said, beside those that run; `try_submit` to a full one gives the job back.
pub fn full_queue_gives_the_job_back<S: Subject>(lab: &Lab<S>) -> Verdict {
    let (pool, busy) = bounded(lab)?;
    assert_eq!(pool.capabilities().queue_capacity, Some(2));
    let first = pool.try_submit(jobs::echo::job(1)).unwrap();
    let second = pool.submit(jobs::echo::job(2));
    let refused = pool.try_submit(jobs::echo::job(3)).unwrap_err();
    assert!(refused.is_full() && !refused.is_shut_down());
    assert!(matches!(refused.error(), JobError::Rejected(Rejection::QueueFull)));
    assert!(refused.to_string().contains("queue"), "{refused}");
    assert_eq!(pool.stats().submitted(), 3, "what is refused is not counted");
    busy.release();
    assert_eq!(first.result().unwrap() + second.result().unwrap(), 3);
    assert_eq!(pool.submit(refused.into_job()).result().unwrap(), 3);
    Ok(())
}

/// Law G8: `submit` to a full queue waits for room.
pub fn submit_waits_for_room<S: Subject>(lab: &Lab<S>) -> Verdict {
    let (pool, busy) = bounded(lab)?;
    let queued: Vec<_> = (0..2).map(|value| pool.submit(jobs::echo::job(value))).collect();
    let late = while_blocked(
        || pool.submit(jobs::echo::job(2)),
        || {
            assert_eq!(pool.stats().submitted(), 3, "a full queue took one more job");
            busy.open();
        },
    );
    for (value, future) in (0..).zip(queued.into_iter().chain([late])) {
        assert_eq!(future.result().unwrap(), value);
    }
    Ok(())
}

/// Law G8: cancelling a job that waits makes room at once.
pub fn cancel_makes_room<S: Subject>(lab: &Lab<S>) -> Verdict {
    let (pool, busy) = bounded(lab)?;
    let queued: Vec<_> = (0..2).map(|value| pool.submit(jobs::echo::job(value))).collect();
    assert!(pool.try_submit(jobs::echo::job(2)).is_err());
    assert!(queued[0].cancel());
    let third = pool.try_submit(jobs::echo::job(2)).unwrap();
    assert!(pool.try_submit(jobs::echo::job(3)).is_err());
    assert!(queued[1].cancel() && third.cancel());
    let again: Vec<_> = (4..6).map(|value| pool.try_submit(jobs::echo::job(value)).unwrap()).collect();
    busy.release();
    assert_eq!(again.into_iter().map(|future| future.result().unwrap()).sum::<u64>(), 9);
    Ok(())
}

/// Law G8: cancelling a job that waits lets a submit go on that waits for room.
pub fn cancel_wakes_a_waiting_submit<S: Subject>(lab: &Lab<S>) -> Verdict {
    let (pool, busy) = bounded(lab)?;
    let queued: Vec<_> = (0..2).map(|value| pool.submit(jobs::echo::job(value))).collect();
    let late = while_blocked(|| pool.submit(jobs::echo::job(2)), || assert!(queued[1].cancel()));
    assert!(!late.is_done());
    busy.release();
    assert_eq!(late.result().unwrap(), 2);
    Ok(())
}

/// Law G8: a shutdown lets a submit go on that waits for room, and refuses it.
pub fn shutdown_wakes_a_waiting_submit<S: Subject>(lab: &Lab<S>) -> Verdict {
    let (pool, busy) = bounded(lab)?;
    let queued: Vec<_> = (0..2).map(|value| pool.submit(jobs::echo::job(value))).collect();
    let late = while_blocked(|| pool.submit(jobs::echo::job(2)), || pool.begin_shutdown(Shutdown::Drain));
    assert!(matches!(late.result(), Err(JobError::Rejected(Rejection::ShutDown))));
    busy.release();
    assert!(queued.into_iter().all(|future| future.result().is_ok()));
    Ok(())
}

/// Law G8: `submit_wait` awaits room, and is woken when there is some.
pub fn submit_wait_awaits_room<S: Subject>(lab: &Lab<S>) -> Verdict {
    let (pool, busy) = bounded(lab)?;
    let queued: Vec<_> = (0..2).map(|value| pool.submit(jobs::echo::job(value))).collect();
    let mut late = pin!(pool.submit_wait(jobs::echo::job(2)));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(late.as_mut().poll(&mut cx).is_pending());
    assert!(late.as_mut().poll(&mut cx).is_pending());
    assert_eq!(pool.stats().submitted(), 3);
    let late = while_blocked(|| block_on(late), || assert!(queued[0].cancel()));
    busy.release();
    assert_eq!(late.result().unwrap(), 2);
    Ok(())
}

/// Law G8: a `submit_wait` that is dropped while it waits submits nothing, and takes no room.
pub fn dropped_submit_wait_takes_no_room<S: Subject>(lab: &Lab<S>) -> Verdict {
    let (pool, busy) = bounded(lab)?;
    let log = Log::new();
    let queued: Vec<_> = (0..2).map(|value| pool.submit(jobs::echo::job(value))).collect();
    {
        let mut late = pin!(pool.submit_wait(jobs::note::job(log.pen(), 9)));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(late.as_mut().poll(&mut cx).is_pending());
    }
    assert!(queued[0].cancel());
    assert!(pool.try_submit(jobs::echo::job(3)).is_ok());
    busy.release();
    assert_usable(&*pool);
    drop(pool);
    assert!(log.is_empty());
    Ok(())
}

/// Law G8, 44: the job of a `submit_wait` that is dropped while it waits is dropped with it.
pub fn dropped_submit_wait_drops_its_job<S: Subject>(lab: &Lab<S>) -> Verdict {
    let (pool, busy) = bounded(lab)?;
    pool.claims(Claim::SharedMemory)?;
    let drops = DropCount::new();
    let _queued: Vec<_> = (0..2).map(|value| pool.submit(jobs::echo::job(value))).collect();
    {
        let mut late = pin!(pool.submit_wait(jobs::hold_witness::job(drops.witness())));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(late.as_mut().poll(&mut cx).is_pending());
        assert_eq!(drops.get(), 0);
    }
    assert_eq!(drops.get(), 1);
    busy.release();
    Ok(())
}

/// Law G8: a shutdown wakes a `submit_wait`, and refuses it.
pub fn shutdown_wakes_a_submit_wait<S: Subject>(lab: &Lab<S>) -> Verdict {
    let (pool, busy) = bounded(lab)?;
    let _queued: Vec<_> = (0..2).map(|value| pool.submit(jobs::echo::job(value))).collect();
    let late = while_blocked(
        || block_on(pool.submit_wait(jobs::echo::job(2))),
        || pool.begin_shutdown(Shutdown::CancelPending),
    );
    assert!(matches!(late.result(), Err(JobError::Rejected(Rejection::ShutDown))));
    busy.release();
    Ok(())
}

/// Law G8, G3: a waker of a `submit_wait` that panics, with a payload that panics in turn, harms no worker.
pub fn waker_of_a_submit_wait_that_panics_does_no_harm<S: Subject>(lab: &Lab<S>) -> Verdict {
    struct Bomb;
    impl Wake for Bomb {
        fn wake(self: Arc<Self>) {
            panic_any(BombPayload);
        }
    }
    let pool = lab.pool_with(Config::new().workers(1).queue_capacity(2))?;
    for cancels in [true, false] {
        let busy = pool.occupy()?;
        let queued: Vec<_> = (0..2).map(|value| pool.submit(jobs::echo::job(value))).collect();
        let mut late = pin!(pool.submit_wait(jobs::echo::job(2)));
        let waker = Waker::from(Arc::new(Bomb));
        assert!(late.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        // Room is made by this thread, or by a worker.
        if cancels {
            assert!(queued[0].cancel());
        }
        busy.release();
        queued[1].wait();
        assert_eq!(block_on(late).result().unwrap(), 2);
        assert_usable(&*pool);
        assert_eq!(pool.stats().worker_restarts, 0);
    }
    Ok(())
}

/// Law G8: a job may submit to its own pool though the queue is full: waiting there would be for itself.
pub fn own_job_is_admitted_above_the_bound<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool_with(Config::new().workers(1).queue_capacity(1))?;
    pool.claims(Claim::SharedMemory)?;
    let hosted = Hosted::new(S::Pool::clone(&pool));
    assert_eq!(pool.submit(jobs::fan_out::job(hosted.host(), 50)).result().unwrap(), Ok(1225));
    assert_eq!(pool.submit(jobs::map_inside::job(hosted.host(), 50, None, true)).result().unwrap(), Ok(1225));
    assert_eq!(pool.submit(jobs::submit_wait_inside::job(hosted.host(), 50)).result().unwrap(), Ok(1225));
    assert_eq!(pool.submit(jobs::streams_inside::job(hosted.host(), 50)).result().unwrap(), Ok(3 * 1225));
    Ok(())
}

/// Law G8: many threads submit through a queue of one place, and every job runs once.
pub fn many_threads_submit_through_a_small_queue<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool_with(Config::new().workers(2).queue_capacity(1))?;
    let log = Log::new();
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let (pool, log) = (&*pool, &log);
            scope.spawn(move || {
                for value in 0..200 {
                    let job = jobs::note::job(log.pen(), thread * 1000 + value);
                    match value % 3 {
                        0 => drop(pool.submit(job)),
                        1 => drop(block_on(pool.submit_wait(job))),
                        _ => {
                            let mut job = Some(job);
                            while let Some(next) = job.take() {
                                job = pool.try_submit(next).map_err(|refused| refused.into_job()).err();
                                if job.is_some() {
                                    // Else four threads that try again keep a busy machine from the workers.
                                    std::thread::yield_now();
                                }
                            }
                        }
                    }
                }
            });
        }
    });
    drop(pool);
    let mut entries = log.entries();
    entries.sort_unstable();
    let expected: Vec<_> = (0..4).flat_map(|thread| (0..200).map(move |value| thread * 1000 + value)).collect();
    assert_eq!(entries, expected);
    Ok(())
}

/// Law G8, 96: a map works through a queue that is smaller than its window.
pub fn map_works_through_a_small_queue<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool_with(Config::new().workers(2).queue_capacity(1))?;
    let values: Vec<_> = pool.map(jobs::echo::job, 0..500).map(Result::unwrap).collect();
    assert_eq!(values, (0..500).collect::<Vec<_>>());
    assert_eq!(pool.map_unordered(jobs::echo::job, 0..500).map(Result::unwrap).sum::<u64>(), 124_750);
    let stream = pool.map(jobs::echo::job, 0..100).into_stream();
    let values: Vec<_> = block_on(futures::StreamExt::collect::<Vec<_>>(stream));
    assert_eq!(values.into_iter().map(Result::unwrap).sum::<u64>(), 4950);
    let stream = pool.map_unordered(jobs::echo::job, 0..100).into_stream();
    let values: Vec<_> = block_on(futures::StreamExt::collect::<Vec<_>>(stream));
    assert_eq!(values.into_iter().map(Result::unwrap).sum::<u64>(), 4950);
    Ok(())
}

/// Law G8: a map never fills the queue beyond its bound, nor does it block before it is read.
pub fn map_keeps_to_the_bound<S: Subject>(lab: &Lab<S>) -> Verdict {
    let (pool, busy) = bounded(lab)?;
    let map = pool.map(jobs::echo::job, 0..20);
    let unordered = pool.map_unordered(jobs::echo::job, 0..20);
    assert!(pool.stats().queued <= 2, "{:?}", pool.stats());
    busy.release();
    assert_eq!(map.map(Result::unwrap).sum::<u64>(), 190);
    assert_eq!(unordered.map(Result::unwrap).sum::<u64>(), 190);
    Ok(())
}
