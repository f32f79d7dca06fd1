//! The fork server that is killed. It is one for all pools of a program, so that these tests have a program of their own and
//! take turns.

mod common;

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use common::{all_workers_of, has_ended, kill, named, stat, watched, workers_of};
use executor_core::{Executor, JobError, JobOptions, Retries, job};
use executor_testkit::{Gate, Log, Pass, Pen, eventually, jobs};

fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes its process, and waits at the gate.
#[job]
fn stand(pen: Pen, gate: Pass) -> u32 {
    let pid = std::process::id();
    pen.write(pid.into());
    gate.go();
    pid
}

#[test]
fn the_fork_server_may_die() {
    let _alone = alone();
    let _watched = watched();
    let pool = named("server", 2).build().unwrap();
    for round in 0..5 {
        let (log, gate) = (Log::new(), Gate::new());
        let running = [0, 1].map(|_| pool.submit(stand::job(log.pen(), gate.pass())));
        log.wait_for(2);
        let waiting: Vec<_> = (0..20).map(|n| pool.submit(jobs::echo::job(n))).collect();
        let workers: BTreeSet<u32> = log.entries().iter().map(|&pid| u32::try_from(pid).unwrap()).collect();
        let servers: BTreeSet<u32> = workers.iter().filter_map(|&pid| Some(stat(pid)?.1)).collect();
        assert_eq!((workers.len(), servers.len()), (2, 1));
        assert!(kill(*servers.first().unwrap()));
        for future in running {
            match future.result() {
                Err(JobError::WorkerDied { pid, .. }) => assert!(workers.contains(&pid)),
                other => panic!("round {round}: {other:?}"),
            }
        }
        for (n, future) in (0..).zip(waiting) {
            assert_eq!(future.result().unwrap(), n, "round {round}");
        }
        eventually("nobody is left", || workers.iter().chain(&servers).all(|&pid| has_ended(pid)));
    }
    assert_eq!(pool.stats().worker_restarts, 10);
}

#[test]
fn the_fork_server_of_a_large_pool_may_die() {
    let _alone = alone();
    let _watched = watched();
    let pool = named("servers", 16).build().unwrap();
    for round in 0..5 {
        let first = *all_workers_of("servers", 16).first().unwrap();
        assert!(kill(stat(first).unwrap().1));
        eventually("the worker is gone", || has_ended(first));
        let again = || JobOptions::new().retries(Retries::times(20));
        let futures: Vec<_> = (0..50).map(|n| pool.submit_with(jobs::echo::job(n), again())).collect();
        for (n, future) in (0..).zip(futures) {
            assert_eq!(future.result().unwrap(), n, "round {round}");
        }
    }
}

/// The worker that comes next is ordered while the killed one dies, and the server may be gone by then, or go with the order.
#[test]
fn the_fork_server_may_die_while_a_killed_worker_is_replaced() {
    let _alone = alone();
    let _watched = watched();
    let pool = named("replaced", 2).build().unwrap();
    for round in 0..30_u32 {
        let (log, gate) = (Log::new(), Gate::new());
        let job = pool.submit(stand::job(log.pen(), gate.pass()));
        log.wait_for(1);
        let server = server_of(u32::try_from(log.entries()[0]).unwrap()).unwrap();
        if round % 3 == 0 {
            assert!(kill(server));
        }
        let killed = job.handle().kill();
        if round % 3 > 0 {
            // The order may be on its way, or carried out.
            (0..100 * round).for_each(|_| std::hint::spin_loop());
            kill(server);
        }
        match job.result() {
            Err(JobError::Killed) => assert!(killed, "round {round}"),
            Err(JobError::WorkerDied { .. }) => {}
            other => panic!("round {round}: {other:?}"),
        }
        let again = JobOptions::new().retries(Retries::times(20));
        let futures = [1, 2].map(|n| pool.submit_with(jobs::echo::job(n), again.clone()));
        assert_eq!(futures.map(|future| future.result().unwrap()), [1, 2], "round {round}");
        eventually("two workers are there, and no third", || workers_of("replaced").len() == 2);
    }
}

/// The server of a worker; `None` if either has just ended, and the worker has another parent by now.
fn server_of(worker: u32) -> Option<u32> {
    let (_, parent) = stat(worker)?;
    stat(parent).is_some_and(|(_, owner)| owner == std::process::id()).then_some(parent)
}

#[test]
fn the_fork_server_may_die_under_load() {
    const KILLS: u64 = 20;
    const WORKERS: usize = 2;
    let _alone = alone();
    let _watched = watched();
    let pool = named("loaded", WORKERS).build().unwrap();
    let (mut submitted, mut died, mut lost) = (0, 0, 0);
    thread::scope(|scope| {
        let killer = scope.spawn(|| {
            let mut kills = 0;
            while kills < KILLS {
                let workers = all_workers_of("loaded", WORKERS);
                // Jobs end again, so that no start counts as one more that failed.
                let before = pool.stats().finished;
                eventually("jobs end", || pool.stats().finished > before);
                kills += u64::from(server_of(workers[0]).is_some_and(kill));
            }
        });
        // Until all servers are killed, or the killer has panicked.
        while !killer.is_finished() {
            let futures: Vec<_> = (0..100).map(|n| pool.submit(jobs::echo::job(n))).collect();
            submitted += futures.len() as u64;
            for (n, future) in (0..).zip(futures) {
                match future.result() {
                    Ok(value) => assert_eq!(value, n),
                    Err(JobError::WorkerDied { .. }) => died += 1,
                    Err(JobError::OutcomeLost { .. }) => lost += 1,
                    Err(error) => panic!("{error}"),
                }
            }
        }
    });
    let most = KILLS * WORKERS as u64;
    assert!(died <= most, "{died} jobs died with {KILLS} servers of {WORKERS} workers");
    let stats = pool.stats();
    assert!(stats.worker_restarts <= most, "{stats:?}");
    assert_eq!((stats.finished, stats.failed), (submitted - died - lost, died + lost));
    assert_eq!(pool.map(jobs::echo::job, 0..1000).filter(Result::is_ok).count(), 1000);
}
