//! Workers that are replaced when they have done their share: nobody notices, and everything is counted.

mod common;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use common::{Dice, THREADED_METHODS, all_workers_of, has_ended, kill, named, watched, workers_of};
use executor_core::{BuildError, Executor, JobError, JobOptions, Restarts, Retries, Shutdown, Stats, current, job};
use executor_process::ProcessExecutor;
use executor_testkit::{Gate, Log, Pen, eventually, jobs, scaled};

/// Gives its process.
#[job]
fn pid_of(number: u64) -> (u64, u32) {
    (number, std::process::id())
}

/// Keeps as many bytes in memory for the life of its worker; gives its process.
#[job]
fn leak(bytes: usize) -> u32 {
    std::mem::forget(std::hint::black_box(vec![1_u8; bytes]));
    std::process::id()
}

/// Says that it begins, and that it ends.
#[job]
fn enter_and_leave(pen: Pen, number: u64) {
    pen.write(2 * number);
    pen.write(2 * number + 1);
}

/// Fails in every attempt before number `good`, and writes its process.
#[job]
fn fail_before(pen: Pen, good: u32) -> Result<u32, String> {
    pen.write(std::process::id().into());
    let attempt = current().attempt();
    if attempt < good { Err("not yet".to_owned()) } else { Ok(attempt) }
}

/// Is busy until somebody ends it.
#[job]
fn spin(pen: Pen) {
    pen.write(std::process::id().into());
    loop {
        std::hint::spin_loop();
    }
}

/// Ends its worker.
#[job]
fn die() {
    std::process::abort();
}

/// Writes when it is dropped.
struct Bequest(Pen, u64);

impl Drop for Bequest {
    fn drop(&mut self) {
        self.0.write(self.1);
    }
}

thread_local! {
    static LEFT: RefCell<Option<Bequest>> = const { RefCell::new(None) };
}

/// Leaves a state that says when it is dropped.
#[job]
fn make_state(pen: Pen) {
    assert!(current().set_worker_state(Bequest(pen, 1)));
}

/// Leaves a value on its thread that says when it is dropped.
#[job]
fn leave_on_thread(pen: Pen) -> u32 {
    LEFT.with(|left| *left.borrow_mut() = Some(Bequest(pen, 2)));
    std::process::id()
}

/// Leaves a state that never ends to be dropped.
#[job]
fn make_clinging_state() {
    struct Clings;
    impl Drop for Clings {
        fn drop(&mut self) {
            loop {
                std::thread::park();
            }
        }
    }
    assert!(current().set_worker_state(Clings));
}

/// Waits until the counts of a pool are these.
fn restarts(pool: &ProcessExecutor, wanted: [u64; 4]) {
    let counts = |stats: Stats| {
        let Restarts { crashed, killed, run_limit, recycled, .. } = stats.restarts;
        assert_eq!(stats.worker_restarts, stats.restarts.total());
        [crashed, killed, run_limit, recycled]
    };
    let mut seen = [0; 4];
    let same = executor_testkit::comes_about(|| {
        seen = counts(pool.stats());
        seen == wanted
    });
    assert!(same, "crashed, killed, run limit, recycled: {seen:?} instead of {wanted:?}");
}

#[test]
fn one_job_for_each_process() {
    let _watched = watched();
    for method in THREADED_METHODS {
        for bounded in [false, true] {
            let mut builder = named("single", 2).start_method(method).recycle_after_jobs(1);
            if bounded {
                builder = builder.queue_capacity(10);
            }
            let pool = builder.build().unwrap();
            let futures: Vec<_> = (0..60).map(|number| pool.submit(pid_of::job(number))).collect();
            let mut pids = BTreeSet::new();
            for (number, future) in (0..).zip(futures) {
                let (same, pid) = future.result().unwrap();
                assert_eq!(same, number);
                assert!(pids.insert(pid), "{method:?}: process {pid} ran two jobs");
            }
            restarts(&pool, [0, 0, 0, 60]);
            let stats = pool.stats();
            assert_eq!((stats.workers, stats.finished, stats.failed), (2, 60, 0));
            pool.shutdown(Shutdown::Drain).unwrap();
            assert!(pids.into_iter().all(has_ended));
        }
    }
}

#[test]
fn no_process_runs_more_than_its_share() {
    const JOBS: u64 = 300;
    let _watched = watched();
    for method in THREADED_METHODS {
        for jobs in [2, 7, 100] {
            let pool = named("share", 2).start_method(method).recycle_after_jobs(jobs).build().unwrap();
            let mut runs = BTreeMap::<u32, u64>::new();
            for (number, result) in (0..JOBS).zip(pool.map(pid_of::job, 0..JOBS)) {
                let (same, pid) = result.unwrap();
                assert_eq!(same, number, "{method:?}: the order of the map");
                *runs.entry(pid).or_default() += 1;
            }
            assert!(runs.values().all(|&count| count <= jobs), "{method:?}: {runs:?}");
            let full = runs.values().filter(|&&count| count == jobs).count() as u64;
            restarts(&pool, [0, 0, 0, full]);
            // All but those who are at it.
            assert!(runs.len() as u64 <= full + 2, "{runs:?}");
            assert_eq!((pool.stats().finished, pool.stats().failed), (JOBS, 0));
        }
    }
}

#[test]
fn an_old_worker_is_replaced_between_jobs() {
    let _watched = watched();
    for method in THREADED_METHODS {
        let pool = named("old", 1).start_method(method).recycle_after(Duration::from_millis(5)).build().unwrap();
        let (log, mut pids, mut number) = (Log::new(), BTreeSet::new(), 0);
        while pids.len() < 8 {
            let noted = pool.submit(enter_and_leave::job(log.pen(), number));
            let told = pool.submit(pid_of::job(number));
            noted.result().unwrap();
            pids.insert(told.result().unwrap().1);
            number += 1;
        }
        // One worker, so that no job began before the one before it ended, whichever process had it.
        assert_eq!(log.entries(), Vec::from_iter(0..2 * number), "{method:?}");
        let stats = pool.stats();
        assert!(stats.restarts.recycled >= 7, "{stats:?}");
        assert_eq!((stats.restarts.total(), stats.failed), (stats.restarts.recycled, 0));
    }
}

#[test]
fn a_long_job_ends_before_its_old_worker_leaves() {
    let _watched = watched();
    let pool = named("patient", 1).recycle_after(Duration::from_millis(1)).build().unwrap();
    let first = pool.submit(pid_of::job(1)).result().unwrap().1;
    let gate = Gate::new();
    let held = pool.submit(jobs::pass::job(gate.pass(), 3));
    let behind: Vec<_> = (0..20).map(|number| pool.submit(pid_of::job(number))).collect();
    gate.wait_for(1);
    // The replacement is there, and waits.
    eventually("there are two processes", || workers_of("patient").len() == 2);
    assert!(behind.iter().all(|future| !future.is_done()));
    assert!(!held.is_done());
    gate.open();
    assert_eq!(held.result().unwrap(), 3);
    assert_eq!(behind.into_iter().filter_map(|future| future.result().ok()).count(), 20);
    eventually("the old worker has left", || !workers_of("patient").contains(&first));
    assert!(pool.stats().restarts.recycled > 0);
}

#[test]
fn an_idle_worker_that_has_run_nothing_stays() {
    let _watched = watched();
    let pool = named("fresh", 2).recycle_after(Duration::from_millis(1)).recycle_above_memory(1).build().unwrap();
    let before = all_workers_of("fresh", 2);
    let other = named("fresh-clock", 1).recycle_after(Duration::from_millis(1)).build().unwrap();
    // Its clock goes on while the other pool is recycled many times.
    while other.stats().restarts.recycled < 10 {
        other.submit(pid_of::job(1)).result().unwrap();
    }
    assert_eq!(workers_of("fresh").iter().filter(|pid| before.contains(pid)).count(), 2);
    assert_eq!(pool.stats().worker_restarts, 0);
}

#[test]
fn a_worker_that_grew_is_replaced() {
    const LIMIT: u64 = 100 << 20;
    let _watched = watched();
    for method in THREADED_METHODS {
        let pool = named("grown", 2).start_method(method).recycle_above_memory(LIMIT).build().unwrap();
        for round in 1..=5 {
            let grown = pool.submit(leak::job(LIMIT as usize)).result().unwrap();
            restarts(&pool, [0, 0, 0, round]);
            for number in 0..30 {
                assert_ne!(pool.submit(pid_of::job(number)).result().unwrap().1, grown);
            }
            eventually("it has ended", || has_ended(grown));
        }
        // What stays below the limit stays.
        for _ in 0..50 {
            pool.submit(leak::job(1 << 10)).result().unwrap();
        }
        restarts(&pool, [0, 0, 0, 5]);
    }
}

#[test]
fn attempts_are_jobs_and_causes_are_told_apart() {
    let _watched = watched();
    for method in THREADED_METHODS {
        let pool = named("causes", 2).start_method(method).recycle_after_jobs(1).build().unwrap();
        let log = Log::new();
        let again = |times| JobOptions::new().retries(Retries::times(times));
        let tried = pool.submit_with(fail_before::job(log.pen(), 3), again(5));
        assert_eq!(tried.result().unwrap(), Ok(3));
        let pids: BTreeSet<_> = log.entries().into_iter().collect();
        assert_eq!((log.len(), pids.len()), (3, 3));
        restarts(&pool, [0, 0, 0, 3]);

        assert!(matches!(pool.submit(die::job()).result(), Err(JobError::WorkerDied { .. })));
        restarts(&pool, [1, 0, 0, 3]);

        let doomed = pool.submit(spin::job(log.pen()));
        log.wait_for(4);
        assert!(doomed.kill());
        assert!(matches!(doomed.result(), Err(JobError::Killed)));
        restarts(&pool, [1, 1, 0, 3]);

        let limited = JobOptions::new().run_limit(Duration::from_millis(20));
        let late = pool.submit_with(spin::job(log.pen()), limited);
        assert!(matches!(late.result(), Err(JobError::RunLimit { .. })));
        restarts(&pool, [1, 1, 1, 3]);

        assert_eq!(pool.submit(jobs::echo::job(1)).result().unwrap(), 1);
        restarts(&pool, [1, 1, 1, 4]);
    }
}

#[test]
fn what_a_worker_leaves_is_dropped() {
    let _watched = watched();
    for method in THREADED_METHODS {
        let log = Log::new();
        let pool = named("bequest", 1)
            .start_method(method)
            .initializer(make_state::job(log.pen()))
            .recycle_after_jobs(2)
            .build()
            .unwrap();
        let first = pool.submit(leave_on_thread::job(log.pen())).result().unwrap();
        assert_eq!(log.entries(), []);
        assert_eq!(pool.submit(leave_on_thread::job(log.pen())).result().unwrap(), first);
        eventually("it has ended", || has_ended(first));
        // What the second job left took the place of what the first had left, which was dropped then.
        let mut entries = log.entries();
        entries.sort_unstable();
        assert_eq!(entries, [1, 2, 2], "{method:?}");
        restarts(&pool, [0, 0, 0, 1]);
        // At the end of a pool too.
        pool.submit(jobs::echo::job(1)).result().unwrap();
        pool.shutdown(Shutdown::Drain).unwrap();
        assert_eq!(log.entries().iter().filter(|&&entry| entry == 1).count(), 2, "{method:?}");
    }
}

#[test]
fn a_worker_that_does_not_leave_is_killed() {
    let _watched = watched();
    let pool = named("clings", 1).initializer(make_clinging_state::job()).recycle_after_jobs(1).build().unwrap();
    let pids: Vec<_> = (0..3).map(|number| pool.submit(pid_of::job(number)).result().unwrap().1).collect();
    // Two places, so that the third waited until the first had gone.
    assert!(has_ended(pids[0]));
    restarts(&pool, [0, 0, 0, 3]);
    pool.shutdown(Shutdown::Kill).unwrap();
    assert!(pids.into_iter().all(has_ended));
}

#[test]
fn recycling_and_kills_together_lose_no_job() {
    let _watched = watched();
    for method in THREADED_METHODS {
        let pool = named("mixed", 2)
            .start_method(method)
            .recycle_after_jobs(5)
            .recycle_after(Duration::from_millis(20))
            .build()
            .unwrap();
        let mut dice = Dice::new(11);
        let (mut kills, mut lost, mut submitted) = (0, 0, 0);
        for _ in 0..20 {
            let again = JobOptions::new().retries(Retries::times(2));
            let futures: Vec<_> = (0..20).map(|number| pool.submit(pid_of::job(number))).collect();
            let retried: Vec<_> = (0..20).map(|number| pool.submit_with(pid_of::job(number), again.clone())).collect();
            let workers = workers_of("mixed");
            if !workers.is_empty() {
                kills += u64::from(kill(workers[dice.below(workers.len() as u64) as usize]));
            }
            let map: Vec<_> = pool.map(pid_of::job, 0..20).collect();
            let results = futures.into_iter().chain(retried).map(|future| future.result()).chain(map);
            for (number, result) in (0..20).chain(0..20).chain(0..20).zip(results) {
                match result {
                    Ok((same, _)) => assert_eq!(same, number),
                    Err(JobError::WorkerDied { .. } | JobError::OutcomeLost { .. }) => lost += 1,
                    Err(error) => panic!("{method:?}: {error}"),
                }
                submitted += 1;
            }
        }
        let stats = pool.stats();
        assert_eq!((stats.queued, stats.running, stats.submitted()), (0, 0, submitted));
        assert_eq!(stats.failed, lost);
        assert!(stats.restarts.crashed <= kills && stats.restarts.recycled > 0, "{stats:?}, {kills} kills");
        assert_eq!(stats.restarts.total(), stats.worker_restarts);
    }
}

#[test]
fn a_shutdown_while_workers_are_recycled_ends() {
    let _watched = watched();
    for method in THREADED_METHODS {
        for mode in [Shutdown::Drain, Shutdown::CancelPending, Shutdown::Kill] {
            for round in 0..5 {
                let pool = named("over", 2).start_method(method).recycle_after_jobs(1 + round).build().unwrap();
                let futures: Vec<_> = (0..40).map(|number| pool.submit(pid_of::job(number))).collect();
                pool.shutdown_timeout(mode, scaled(Duration::from_secs(20))).unwrap();
                for future in futures {
                    match future.result() {
                        Ok(_) => {}
                        Err(JobError::Cancelled | JobError::Killed) => assert_ne!(mode, Shutdown::Drain),
                        Err(error) => panic!("{error}"),
                    }
                }
                assert!(workers_of("over").is_empty());
                assert_eq!(pool.stats().restarts.crashed, 0);
            }
        }
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    let builders = [
        named("non\0sense", 1),
        named("nonsense", 1).recycle_after_jobs(0),
        named("nonsense", 1).recycle_after(Duration::ZERO),
        named("nonsense", 1).recycle_above_memory(0),
    ];
    for builder in builders {
        assert!(matches!(builder.build(), Err(BuildError::Invalid { .. })));
    }
}
