//! Counts: each job is in exactly one column of every snapshot.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use executor_core::{Executor, MapOptions};

use crate::jobs;
use crate::lab::Lab;
use crate::subject::Subject;
use crate::time::{comes_about, scaled};
use crate::verdict::Verdict;

/// Beyond the rows: each job is counted where it belongs, an `Err` among the failed ones.
pub fn every_job_is_counted_where_it_belongs<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let before = pool.stats();
    assert_eq!(before.submitted(), 0);
    assert!(before.workers >= 1);
    for value in 0..5 {
        pool.submit(jobs::echo::job(value)).wait();
    }
    for value in 0..3 {
        pool.submit(jobs::fail_if::job(value, [value])).wait();
    }
    for _ in 0..2 {
        assert!(pool.submit(jobs::blow_up::job("counted")).result().is_err());
    }
    let stats = pool.stats();
    assert_eq!((stats.queued, stats.running, stats.finished, stats.failed, stats.cancelled), (0, 0, 5, 5, 0));
    assert_eq!(stats.submitted(), 10);
    assert_eq!((stats.workers, stats.worker_restarts), (before.workers, 0));
    Ok(())
}

/// Beyond the rows: what waits, what runs and what was cancelled is counted exactly.
pub fn open_jobs_are_counted_exactly<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    let busy = pool.occupy()?;
    let workers = pool.workers() as u64;
    let futures: Vec<_> = (0..10).map(|value| pool.submit(jobs::echo::job(value))).collect();
    assert!(futures[..4].iter().all(executor_core::JobFuture::cancel));
    let map = pool.map_with(jobs::echo::job, 0..20, MapOptions::new().window(5)).unwrap();
    let stats = pool.stats();
    assert_eq!((stats.queued, stats.running, stats.cancelled), (6 + 5, workers, 4));
    assert_eq!((stats.finished, stats.failed), (0, 0));
    drop(map);
    assert_eq!((pool.stats().queued, pool.stats().cancelled), (6, 9));
    busy.release();
    for future in &futures[4..] {
        future.wait();
    }
    let stats = pool.stats();
    assert_eq!((stats.queued, stats.running, stats.finished), (0, 0, workers + 6));
    Ok(())
}

/// Beyond the rows: who sees a job done sees it counted as ended.
pub fn job_that_is_done_is_counted_as_ended<S: Subject>(lab: &Lab<S>) -> Verdict {
    let pool = lab.pool();
    for round in 1..=500_u64 {
        let future = pool.submit(jobs::fail_if::job(round, [7]));
        future.wait();
        let stats = pool.stats();
        assert_eq!(stats.finished + stats.failed, round);
        drop(future.result());
    }
    Ok(())
}

/// Beyond the rows: in every snapshot, under load, the sum of the columns is the number of jobs that were accepted by
/// then.
pub fn columns_add_up_in_every_snapshot<S: Subject>(lab: &Lab<S>) -> Verdict {
    const LOOKS: u64 = 2000;
    let pool = lab.pool();
    // How many submits began, and how many returned.
    let (began, returned) = (AtomicU64::new(0), AtomicU64::new(0));
    let enough = AtomicBool::new(false);
    let until = std::time::Instant::now() + scaled(std::time::Duration::from_secs(2));
    thread::scope(|scope| {
        for thread in 0..2 {
            let (pool, began, returned, enough) = (&*pool, &began, &returned, &enough);
            scope.spawn(move || {
                let mut value = thread;
                while !enough.load(Ordering::Acquire) {
                    began.fetch_add(1, Ordering::AcqRel);
                    let future = pool.submit(jobs::fail_if::job(value, [4]));
                    returned.fetch_add(1, Ordering::AcqRel);
                    match value % 5 {
                        0 => drop(future.cancel()),
                        1 => drop(future.result()),
                        _ => drop(future),
                    }
                    value = (value + 1) % 10;
                    // A queue that only grows would make the snapshots all alike.
                    while pool.stats().queued > 100 && !enough.load(Ordering::Acquire) {
                        thread::yield_now();
                    }
                }
            });
        }
        let _end = SetOnDrop(&enough);
        let mut looks = 0;
        let mut ended_before = 0;
        let is_over = |looks, submitted| {
            let many = looks >= LOOKS && submitted >= LOOKS;
            let enough = looks >= LOOKS / 20 && submitted >= LOOKS / 20;
            many || (enough && std::time::Instant::now() >= until)
        };
        while !is_over(looks, returned.load(Ordering::Acquire)) {
            let least = returned.load(Ordering::Acquire);
            let stats = pool.stats();
            let most = began.load(Ordering::Acquire);
            let seen = stats.submitted();
            assert!(
                (least..=most).contains(&seen),
                "{seen} jobs were seen, and {least} to {most} were submitted: {stats:?}"
            );
            let ended = stats.finished + stats.failed + stats.cancelled;
            assert!(ended >= ended_before, "a job is counted as ended, and later it is not");
            ended_before = ended;
            looks += 1;
        }
    });
    assert!(comes_about(|| pool.stats().queued + pool.stats().running == 0));
    let stats = pool.stats();
    assert_eq!(stats.submitted(), returned.load(Ordering::Acquire), "{stats:?}");
    Ok(())
}

/// Sets a flag when it is dropped, so that the others stop though this thread unwinds.
struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}
