//! No job waits behind a long one while another worker runs jobs that were submitted later.

mod common;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use common::{named, watched};
use executor_core::{Executor, JobState, job};
use executor_testkit::{Gate, Log, hang_guard, jobs};

/// Long enough that few are sent ahead, so that the queue has the others.
#[job]
fn work() {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_micros(200) {
        std::hint::spin_loop();
    }
}

#[test]
fn nothing_waits_behind_a_long_job_while_the_queue_moves() {
    let _watched = watched();
    let pool = named("fair", 2).build().unwrap();
    let (long, short, log) = (Gate::new(), Gate::new(), Log::new());
    let held = pool.submit(jobs::pass::job(long.pass(), 1));
    let released = pool.submit(jobs::pass::job(short.pass(), 2));
    long.wait_for(1);
    short.wait_for(1);
    // Some of these are sent ahead, to both workers.
    let first: Vec<_> = (0..8).map(|n| pool.submit(jobs::note::job(log.pen(), n))).collect();
    let mut stream: VecDeque<_> = (0..1000).map(|_| pool.submit(work::job())).collect();
    short.open();
    let begun = Instant::now();
    // The queue never runs dry.
    while log.len() < 8 {
        assert!(begun.elapsed() < hang_guard(), "jobs wait behind a long one: {:?} of 8 have run", log.entries());
        stream.push_back(pool.submit(work::job()));
        if stream.len() > 1000 {
            stream.pop_front().unwrap().result().unwrap();
        }
    }
    assert_eq!(held.state(), JobState::Running);
    first.into_iter().for_each(|future| future.result().map(drop).unwrap());
    stream.into_iter().for_each(|future| future.result().map(drop).unwrap());
    long.open();
    assert_eq!((held.result().unwrap(), released.result().unwrap()), (1, 2));
}
