//! `install` and `scope`: rayon's own calls on the pool, from outside and from inside.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod common;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use common::{all_asleep, dawdle, named_pool, pool, watched};
use executor_core::{Executor, Shutdown, job};
use executor_testkit::{BombPayload, Gate, ON_PURPOSE, OddPayload, eventually, hang_guard};
use executor_thread::ThreadExecutor;
use rayon::prelude::*;

#[job]
fn echo(n: u64) -> u64 {
    n
}

fn thread_name() -> String {
    thread::current().name().unwrap_or_default().to_owned()
}

#[test]
fn install_runs_on_a_worker_and_borrows_from_the_stack() {
    let _watched = watched();
    let pool = named_pool(2, "in-borrow");
    let numbers: Vec<u32> = (0..10_000).collect();
    let mut largest = 0;
    let (name, sum) = pool.install(|| {
        largest = numbers.par_iter().copied().max().unwrap_or_default();
        (thread_name(), numbers.par_iter().sum::<u32>())
    });
    assert!(name.starts_with("in-borrow-"), "{name}");
    assert_eq!(sum, numbers.iter().sum());
    assert_eq!(largest, 9_999);
}

#[test]
fn scope_waits_for_tasks_that_borrow() {
    let _watched = watched();
    let pool = pool(2);
    let mut parts = [0u32; 64];
    let before: u32 = 7;
    pool.scope(|scope| {
        for (index, part) in (1..).zip(&mut parts) {
            scope.spawn(move |scope| {
                *part = before * index;
                scope.spawn(move |_| *part += 1);
            });
        }
    });
    assert_eq!(parts.to_vec(), (1..=64).map(|index| 7 * index + 1).collect::<Vec<_>>());
}

/// Law 300.
#[test]
fn a_panic_comes_out_with_its_payload() {
    let _watched = watched();
    let pool = pool(2);
    let throw = |number| resume_unwind(Box::new(OddPayload(number)));
    let thrown = |call: &dyn Fn()| *catch_unwind(AssertUnwindSafe(call)).unwrap_err().downcast::<OddPayload>().unwrap();
    for _ in 0..20 {
        assert_eq!(thrown(&|| pool.install(|| throw(1))), OddPayload(1));
        assert_eq!(thrown(&|| pool.scope(|_| throw(2))), OddPayload(2));
        assert_eq!(thrown(&|| pool.scope(|scope| scope.spawn(|_| throw(3)))), OddPayload(3));
    }
    assert_eq!(pool.submit(echo::job(4)).result().unwrap(), 4);
    assert_eq!(pool.install(|| 5), 5);
}

/// Law 302: rayon would end the program for each of these, if nobody told it otherwise.
#[test]
fn a_panic_of_what_is_left_to_rayon_ends_nothing() {
    let _watched = watched();
    let pool = pool(2);
    for round in 0..20 {
        let left = Arc::new(AtomicUsize::new(0));
        let throw = {
            let left = Arc::clone(&left);
            move || {
                left.fetch_add(1, Ordering::Relaxed);
                if round % 2 == 0 {
                    panic!("a closure fails {ON_PURPOSE}")
                } else {
                    resume_unwind(Box::new(BombPayload))
                }
            }
        };
        let nested = throw.clone();
        pool.install(|| rayon::spawn(throw));
        pool.spawn(move || rayon::spawn(|| rayon::spawn(nested))).result().unwrap();
        eventually("both have run", || left.load(Ordering::Relaxed) == 2);
        assert_eq!(pool.submit(echo::job(4)).result().unwrap(), 4);
        assert_eq!(pool.install(|| 5), 5);
    }
    pool.shutdown(Shutdown::Drain).unwrap();
}

/// Law 303: rayon's own call reaches each worker once, and a panic on any of them comes out.
#[test]
fn a_broadcast_reaches_each_worker() {
    let _watched = watched();
    let pool = pool(3);
    for round in 0..10 {
        let names: BTreeSet<_> = pool.install(|| rayon::broadcast(|_| thread_name())).into_iter().collect();
        assert_eq!(names.len(), 3, "{names:?}");
        let many = round % 2 == 0;
        let throw = |index| {
            if many || index == 1 {
                resume_unwind(Box::new(OddPayload(index as u64)))
            }
        };
        let call = || pool.install(|| rayon::broadcast(|context| throw(context.index())));
        assert!(catch_unwind(AssertUnwindSafe(call)).unwrap_err().is::<OddPayload>());
        assert_eq!(pool.submit(echo::job(4)).result().unwrap(), 4);
    }
}

/// Calls that need every worker of the pool.
fn use_all_workers(pool: &ThreadExecutor, workers: usize) {
    let together = std::sync::Barrier::new(workers);
    pool.scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|_| {
                together.wait();
            });
        }
    });
    assert!(pool.install(|| thread::current().name().is_some()));
}

#[test]
fn install_and_scope_find_the_workers_of_an_idle_pool() {
    let _watched = watched();
    for workers in [1, 2, 3] {
        let name = format!("in-idle{workers}");
        let pool = named_pool(workers, &name);
        use_all_workers(&pool, workers);
        for round in 0..200 {
            pool.submit(echo::job(1)).result().unwrap();
            if round % 4 == 0 {
                eventually("the workers sleep", || all_asleep(&name));
            } else {
                dawdle(round);
            }
            use_all_workers(&pool, workers);
            dawdle(round);
        }
    }
}

#[test]
fn jobs_run_after_install_and_scope() {
    let _watched = watched();
    for workers in [1, 2] {
        let pool = pool(workers);
        for round in 0..500 {
            assert_eq!(pool.install(|| round), round);
            dawdle(round);
            assert_eq!(pool.submit(echo::job(round as u64)).result().unwrap(), round as u64);
        }
    }
}

#[test]
fn a_shut_down_pool_refuses_with_advice() {
    let _watched = watched();
    let pool = pool(2);
    let other = pool.clone();
    pool.shutdown(Shutdown::Drain).unwrap();
    let calls: [&dyn Fn(); 2] = [&|| other.install(|| ()), &|| other.scope(|_| ())];
    for call in calls {
        // The message is a fixed text, which the panic hook prints.
        let panic = catch_unwind(AssertUnwindSafe(call)).unwrap_err();
        let text = panic.downcast_ref::<&str>().copied().unwrap_or_default();
        assert!(text.contains("shut down") && text.contains("build another"), "{text}");
    }
}

#[test]
fn a_shutdown_waits_for_install() {
    let _watched = watched();
    for mode in [Shutdown::Drain, Shutdown::CancelPending, Shutdown::Kill] {
        let pool = pool(2);
        let ended = AtomicUsize::new(0);
        let gate = Gate::new();
        thread::scope(|scope| {
            let visitor = scope.spawn(|| {
                pool.install(|| {
                    gate.pass().go();
                    ended.fetch_add(1, Ordering::Relaxed);
                });
            });
            gate.wait_for(1);
            let ends = scope.spawn(|| {
                pool.shutdown(mode).unwrap();
                ended.load(Ordering::Relaxed)
            });
            eventually("the pool refuses", || pool.try_submit(echo::job(1)).is_err());
            gate.open();
            visitor.join().unwrap();
            assert_eq!(ends.join().unwrap(), 1, "{mode:?}");
        });
    }
}

#[test]
fn install_goes_on_beside_submits() {
    let _watched = watched();
    for workers in [1, 2] {
        let pool = pool(workers);
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for n in 0..1000 {
                        assert_eq!(pool.submit(echo::job(n)).result().unwrap(), n);
                    }
                });
                scope.spawn(|| {
                    for n in 0..500u32 {
                        assert_eq!(pool.install(|| (0..n).into_par_iter().sum::<u32>()), (0..n).sum());
                    }
                });
            }
            let jobs: Vec<_> = (0..2000).map(|n| pool.submit(echo::job(n))).collect();
            for (n, job) in (0..).zip(jobs) {
                assert_eq!(job.result().unwrap(), n);
            }
        });
        drop(pool);
    }
}

#[test]
fn a_job_calls_install_and_scope_of_its_own_pool() {
    let _watched = watched();
    for workers in [1, 2] {
        let pool = pool(workers);
        for round in 0..100 {
            let own = pool.clone();
            let job = pool.spawn(move || {
                let here = thread::current().id();
                let stays = own.install(|| thread::current().id()) == here;
                let mut parts = [0; 8];
                own.scope(|scope| {
                    for part in &mut parts {
                        scope.spawn(move |_| *part = round);
                    }
                });
                (stays, parts)
            });
            assert_eq!(job.result().unwrap(), (true, [round; 8]));
        }
    }
}

thread_local! {
    static IN_JOB: Cell<bool> = const { Cell::new(false) };
}

/// While a worker waits for another pool, rayon lets it do work of its own pool; that must not be a job.
#[test]
fn no_job_runs_on_top_of_one_that_calls_another_pool() {
    let _watched = watched();
    let (near, far) = (pool(1), pool(1));
    let on_top = Arc::new(AtomicUsize::new(0));
    let jobs: Vec<_> = (0..500u32)
        .map(|n| {
            let (far, on_top) = (far.clone(), Arc::clone(&on_top));
            near.spawn(move || {
                on_top.fetch_add(usize::from(IN_JOB.replace(true)), Ordering::Relaxed);
                let sum = far.install(|| (0..n).into_par_iter().sum::<u32>());
                IN_JOB.set(false);
                sum
            })
        })
        .collect();
    for (n, job) in (0..).zip(jobs) {
        assert_eq!(job.result().unwrap(), (0..n).sum());
    }
    assert_eq!(on_top.load(Ordering::Relaxed), 0);
}

/// Law 304.
#[test]
fn two_pools_of_one_worker_call_each_other() {
    let _watched = watched();
    let (near, far) = (pool(1), pool(1));
    for round in 0..200 {
        let (here, there) = (near.clone(), far.clone());
        let mut job = near.spawn(move || there.install(|| here.install(|| there.install(|| round))));
        assert_eq!(job.result_timeout(hang_guard()).unwrap(), round);
    }
}
