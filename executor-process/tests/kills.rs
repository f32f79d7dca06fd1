//! Jobs and workers that are ended by force: who is hit, and who is not.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod common;

use std::time::{Duration, Instant};

use common::{LARGE_LIMIT, THREADED_METHODS, all_workers_of, has_ended, kill, named, stat, watched, watched_for};
use executor_core::{Executor, JobError, JobOptions, Retries, Shutdown, WorkerDeath, job};
use executor_testkit::{Gate, Log, Pass, Pen, eventually, hang_guard, jobs};

const SIGKILL: WorkerDeath = WorkerDeath::Signalled { number: 9, name: "SIGKILL" };

/// Writes its process, and waits at the gate.
#[job]
fn stand(pen: Pen, gate: Pass) -> u32 {
    let pid = std::process::id();
    pen.write(pid.into());
    gate.go();
    pid
}

/// Is busy until somebody ends it.
#[job]
fn spin(pen: Pen) {
    pen.write(std::process::id().into());
    loop {
        std::hint::spin_loop();
    }
}

/// Sleeps until somebody ends it.
#[job]
fn sleep(pen: Pen) {
    pen.write(std::process::id().into());
    loop {
        std::thread::park();
    }
}

/// Dies in every attempt before number `good`.
#[job]
fn die_before(pen: Pen, good: u32) -> u32 {
    let attempt = executor_core::current().attempt();
    pen.write(attempt.into());
    if attempt < good {
        std::process::abort();
    }
    attempt
}

/// Gives as many bytes, in parts that go through the socket.
#[job]
fn fill(pen: Pen, bytes: usize) -> Vec<Vec<u8>> {
    pen.write(std::process::id().into());
    parts(7, bytes)
}

/// Bytes in parts so short that they are written into a message.
fn parts(byte: u8, bytes: usize) -> Vec<Vec<u8>> {
    const PART: usize = 128 << 10;
    vec![vec![byte; PART]; bytes / PART]
}

/// Writes its process, waits at the gate, and gives how many bytes came.
#[job]
fn measure(pen: Pen, parts: Vec<Vec<u8>>) -> usize {
    pen.write(std::process::id().into());
    parts.iter().map(Vec::len).sum()
}

fn pid(log: &Log, entry: usize) -> u32 {
    log.wait_for(entry + 1);
    u32::try_from(log.entries()[entry]).unwrap()
}

#[test]
fn kill_ends_one_job_and_nobody_else() {
    let _watched = watched();
    for method in THREADED_METHODS {
        for round in 0..20 {
            let pool = named("kill-one", 2).start_method(method).build().unwrap();
            let (log, gate) = (Log::new(), Gate::new());
            let before: Vec<_> = (0..10).map(|n| pool.submit(jobs::echo::job(n))).collect();
            let beside = pool.submit(jobs::note_pass::job(Log::new().pen(), gate.pass(), 5));
            let doomed = pool.submit(spin::job(log.pen()));
            let pid = pid(&log, 0);
            let after: Vec<_> = (0..10).map(|n| pool.submit(jobs::echo::job(n))).collect();
            let seen = (doomed.state(), pool.stats());
            assert!(
                doomed.kill(),
                "{method:?}, round {round}: {seen:?} {:?}",
                (doomed.state(), doomed.kill(), pool.stats())
            );
            assert!(matches!(doomed.result(), Err(JobError::Killed)), "{round}");
            for (n, mut future) in (0..).zip(before).chain((0..).zip(after)) {
                let result = future.result_timeout(hang_guard());
                assert_eq!(result.unwrap(), n, "{method:?}, round {round}: {:?} {:?}", future.state(), pool.stats());
            }
            eventually("the worker is gone", || has_ended(pid));
            gate.open();
            assert_eq!(beside.result().unwrap(), 5);
            assert_eq!(pool.stats().worker_restarts, 1);
            assert_eq!((pool.stats().finished, pool.stats().failed), (21, 1));
        }
    }
}

#[test]
fn kill_of_a_job_that_waits_cancels_it() {
    let _watched = watched();
    let pool = named("kill-wait", 1).build().unwrap();
    let (log, gate) = (Log::new(), Gate::new());
    let held = pool.submit(stand::job(log.pen(), gate.pass()));
    log.wait_for(1);
    let waiting: Vec<_> = (0..100).map(|_| pool.submit(jobs::note::job(log.pen(), 1))).collect();
    for future in &waiting {
        assert!(future.kill());
    }
    for future in waiting {
        assert!(matches!(future.result(), Err(JobError::Cancelled)));
    }
    gate.open();
    held.result().unwrap();
    assert_eq!(log.len(), 1);
    let stats = pool.stats();
    assert_eq!((stats.finished, stats.failed, stats.cancelled, stats.worker_restarts), (1, 0, 100, 0));
}

#[test]
fn kill_that_races_the_end_tells_the_truth() {
    let _watched = watched();
    let pool = named("kill-race", 2).build().unwrap();
    let log = Log::new();
    let (mut killed, mut cancelled, mut finished) = (0, 0, 0);
    for round in 0..400u64 {
        let neighbour = pool.submit(jobs::echo::job(round));
        let future = pool.submit(jobs::note::job(log.pen(), round));
        let handle = future.handle();
        let until = Instant::now() + Duration::from_micros(round * 2 % 700);
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        let said = handle.kill();
        match future.result() {
            Ok(value) => {
                assert_eq!(value, round);
                assert!(!said, "round {round}: it ended, and kill said that it was killed");
                finished += 1;
            }
            Err(JobError::Killed) => {
                assert!(said, "round {round}");
                killed += 1;
            }
            Err(JobError::Cancelled) => {
                assert!(said, "round {round}");
                assert!(!log.entries().contains(&round), "round {round}: it ran");
                cancelled += 1;
            }
            Err(error) => panic!("round {round}: {error}"),
        }
        assert_eq!(neighbour.result().unwrap(), round);
    }
    let stats = pool.stats();
    assert_eq!((stats.finished, stats.failed, stats.cancelled), (400 + finished, killed, cancelled));
    assert!(stats.worker_restarts <= killed, "{stats:?}");
}

#[test]
fn a_run_limit_ends_what_spins_and_what_sleeps() {
    let _watched = watched();
    for method in THREADED_METHODS {
        let pool = named("limit", 2).start_method(method).build().unwrap();
        let (log, gate) = (Log::new(), Gate::new());
        let beside = pool.submit(stand::job(log.pen(), gate.pass()));
        log.wait_for(1);
        let options = || JobOptions::new().name("too long").run_limit(Duration::from_millis(30));
        let futures = [
            pool.submit_with(spin::job(log.pen()), options()),
            pool.submit_with(sleep::job(log.pen()), options()),
            pool.submit_with(spin::job(log.pen()), options().retries(Retries::times(2))),
            pool.submit_with(sleep::job(log.pen()), options().retries(Retries::times(2))),
        ];
        let quick: Vec<_> = (0..100).map(|n| pool.submit_with(jobs::echo::job(n), options())).collect();
        for future in futures {
            match future.result() {
                Err(JobError::RunLimit { job, limit }) => assert_eq!((&*job, limit.as_millis()), ("too long", 30)),
                other => panic!("{other:?}"),
            }
        }
        for (n, future) in (0..).zip(quick) {
            assert_eq!(future.result().unwrap(), n);
        }
        gate.open();
        beside.result().unwrap();
        // One for the neighbour, and each attempt once.
        assert_eq!(log.len(), 1 + 2 + 2 * 3);
        assert_eq!(pool.stats().worker_restarts, 8);
    }
}

#[test]
fn a_shutdown_by_force_ends_what_runs() {
    let _watched = watched();
    for method in THREADED_METHODS {
        for round in 0..10 {
            let pool = named("down", 2).start_method(method).build().unwrap();
            let log = Log::new();
            let running = [pool.submit(spin::job(log.pen())), pool.submit(sleep::job(log.pen()))];
            log.wait_for(2);
            let again = JobOptions::new().retries(Retries::times(5));
            let retried = pool.submit_with(jobs::fail::job("again"), again);
            let waiting: Vec<_> = (0..50).map(|_| pool.submit(jobs::note::job(log.pen(), 0))).collect();
            pool.shutdown(Shutdown::Kill).unwrap();
            for future in running {
                assert!(matches!(future.result(), Err(JobError::Killed)), "{round}");
            }
            for future in waiting {
                assert!(matches!(future.result(), Err(JobError::Cancelled)), "{round}");
            }
            assert!(matches!(retried.result(), Err(JobError::Cancelled)), "{round}");
            assert!(log.entries().iter().all(|&pid| pid == 0 || stat(u32::try_from(pid).unwrap()).is_none()));
            let stats = pool.stats();
            assert_eq!((stats.queued, stats.running, stats.failed, stats.cancelled), (0, 0, 2, 51));
        }
    }
}

#[test]
fn a_worker_that_dies_idle_takes_nobody_with_it() {
    let _watched = watched();
    for method in THREADED_METHODS {
        let pool = named("idle", 2).start_method(method).build().unwrap();
        assert_eq!(pool.map(jobs::echo::job, 0..100).filter(Result::is_ok).count(), 100);
        for round in 1..=20 {
            // A worker that dies before it was ready is a start that failed, and no restart.
            let (log, gate) = (Log::new(), Gate::new());
            let both = [0, 1].map(|_| pool.submit(stand::job(log.pen(), gate.pass())));
            log.wait_for(2);
            gate.open();
            both.into_iter().for_each(|future| assert!(future.result().is_ok()));
            let workers = all_workers_of("idle", 2);
            assert!(kill(workers[round % 2]));
            let futures: Vec<_> = (0..20).map(|n| pool.submit(jobs::echo::job(n))).collect();
            for (n, future) in (0..).zip(futures) {
                match future.result() {
                    Ok(value) => assert_eq!(value, n),
                    // It was sent in time to be begun there.
                    Err(JobError::WorkerDied { pid, .. } | JobError::OutcomeLost { pid, .. }) => {
                        assert_eq!(pid, workers[round % 2]);
                    }
                    Err(error) => panic!("{error}"),
                }
            }
            eventually("the restart is counted", || pool.stats().worker_restarts == round as u64);
        }
    }
}

#[test]
fn a_worker_that_dies_in_a_large_write_is_blamed_for_one_job() {
    const BYTES: usize = 4 << 20;
    let _watched = watched_for(LARGE_LIMIT);
    for method in THREADED_METHODS {
        let pool = named("write", 2).start_method(method).build().unwrap();
        let log = Log::new();
        let mut lost = 0;
        for round in 0..30 {
            let out = pool.submit(fill::job(log.pen(), BYTES));
            let into = pool.submit(measure::job(log.pen(), parts(1, BYTES)));
            let small: Vec<_> = (0..10).map(|n| pool.submit(jobs::echo::job(n))).collect();
            let victim = all_workers_of("write", 2)[round % 2];
            let until = Instant::now() + Duration::from_micros(round as u64 * 100);
            while Instant::now() < until {
                std::hint::spin_loop();
            }
            kill(victim);
            let mut died = 0;
            let mut check = |error| match error {
                JobError::WorkerDied { pid, death, .. } => {
                    assert_eq!((pid, death), (victim, SIGKILL));
                    died += 1;
                }
                JobError::OutcomeLost { pid, .. } => assert_eq!(pid, victim),
                error => panic!("{error}"),
            };
            let out = out.result().map(|filled| assert!(filled == parts(7, BYTES)));
            let into = into.result().map(|length| assert_eq!(length, BYTES));
            [out, into].into_iter().filter_map(Result::err).for_each(&mut check);
            small.into_iter().filter_map(|future| future.result().err()).for_each(&mut check);
            assert!(died <= 1, "round {round}: one worker was killed, and {died} jobs with it");
            lost += died;
        }
        assert_eq!(pool.submit(jobs::echo::job(1)).result().unwrap(), 1);
        assert!(pool.stats().failed >= lost);
    }
}

#[test]
fn workers_that_die_during_a_shutdown_do_not_stop_it() {
    let _watched = watched();
    for method in THREADED_METHODS {
        for mode in [Shutdown::Drain, Shutdown::CancelPending, Shutdown::Kill] {
            for round in 0..6 {
                let pool = named("ending", 3).start_method(method).build().unwrap();
                let (log, gate) = (Log::new(), Gate::new());
                let running: Vec<_> = (0..3).map(|_| pool.submit(stand::job(log.pen(), gate.pass()))).collect();
                log.wait_for(3);
                let waiting: Vec<_> = (0..40).map(|n| pool.submit(jobs::echo::job(n))).collect();
                let _ = pool.shutdown_timeout(mode, Duration::ZERO);
                for &pid in &log.entries()[..=round % 3] {
                    kill(u32::try_from(pid).unwrap());
                }
                if round >= 3 {
                    gate.open();
                }
                drop(gate);
                pool.shutdown(mode).unwrap();
                for future in running.iter().map(|future| future.handle()).chain(waiting.iter().map(|f| f.handle())) {
                    assert!(future.is_done(), "{method:?}, {mode:?}, round {round}");
                }
                for (n, future) in (0..).zip(waiting) {
                    match future.result() {
                        Ok(value) => assert_eq!(value, n),
                        Err(JobError::Cancelled) => assert_ne!(mode, Shutdown::Drain),
                        Err(error) => panic!("{method:?}, {mode:?}, round {round}: {error}"),
                    }
                }
                let stats = pool.stats();
                assert_eq!((stats.queued, stats.running), (0, 0));
                assert_eq!(stats.finished + stats.failed + stats.cancelled, 43);
            }
        }
    }
}

#[test]
fn what_died_is_tried_again() {
    let _watched = watched();
    for method in THREADED_METHODS {
        let pool = named("again", 2).start_method(method).build().unwrap();
        let log = Log::new();
        let retries = |times| JobOptions::new().retries(Retries::times(times));
        assert_eq!(pool.submit_with(die_before::job(log.pen(), 4), retries(5)).result().unwrap(), 4);
        assert_eq!(log.entries(), [1, 2, 3, 4]);
        let error = pool.submit_with(die_before::job(log.pen(), 9), retries(2)).result().unwrap_err();
        assert!(matches!(error, JobError::WorkerDied { .. }), "{error}");
        assert_eq!(log.entries(), [1, 2, 3, 4, 1, 2, 3]);
        let late = retries(1).retries(Retries::times(1).backoff(Duration::from_millis(20)));
        assert_eq!(pool.submit_with(die_before::job(log.pen(), 2), late).result().unwrap(), 2);
        let stats = pool.stats();
        assert_eq!((stats.finished, stats.failed, stats.worker_restarts), (2, 1, 7));
    }
}
