//! The threads of a pool: how many there are, what they are called, how large their stacks are.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod common;

use std::collections::BTreeSet;
use std::env;
use std::hint::black_box;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use common::{count_threads, named_pool, pool, watched};
use executor_core::{BuildError, Executor, Shutdown, job};
use executor_testkit::{Gate, Pass, eventually};
use executor_thread::ThreadExecutor;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// The thread of a pool that runs no jobs, and only wakes its workers.
const CALLER: usize = 1;

/// The name of the thread, while as many jobs as the barrier counts run.
fn thread_names(pool: &ThreadExecutor, workers: usize) -> BTreeSet<String> {
    let all_run = Arc::new(Barrier::new(workers));
    let jobs: Vec<_> = (0..workers)
        .map(|_| {
            let all_run = Arc::clone(&all_run);
            pool.spawn(move || {
                all_run.wait();
                thread::current().name().map(str::to_owned)
            })
        })
        .collect();
    jobs.into_iter().map(|job| job.result().unwrap().unwrap()).collect()
}

#[job]
fn pass(gate: Pass) -> Option<usize> {
    gate.go();
    executor_core::current().worker()
}

/// Law 125.
#[test]
fn threads_are_named_by_pool_and_number() {
    let _watched = watched();
    let pool = ThreadExecutor::builder().workers(3).name("resize images").build().unwrap();
    let expected = (0..3).map(|worker| format!("resize images-{worker}")).collect();
    assert_eq!(thread_names(&pool, 3), expected);
}

/// Law 125.
#[test]
fn pools_without_a_name_have_names_of_their_own() {
    let _watched = watched();
    let pools: Vec<_> = (0..3).map(|_| pool(2)).collect();
    let names: BTreeSet<_> = pools.iter().flat_map(|pool| thread_names(pool, 2)).collect();
    assert_eq!(names.len(), 6, "{names:?}");
    assert!(names.iter().all(|name| name.starts_with("executor-")), "{names:?}");
}

#[test]
fn a_worker_knows_its_number() {
    let _watched = watched();
    let pool = pool(3);
    let gate = Gate::new();
    let jobs: Vec<_> = (0..3).map(|_| pool.submit(pass::job(gate.pass()))).collect();
    gate.wait_for(3);
    gate.open();
    let numbers: BTreeSet<_> = jobs.into_iter().map(|job| job.result().unwrap().unwrap()).collect();
    assert_eq!(numbers, BTreeSet::from([0, 1, 2]));
}

/// Law 46.
#[test]
fn a_saturated_pool_has_no_more_workers_than_asked_for() {
    let _watched = watched();
    let pool = named_pool(3, "wk-full");
    let gate = Gate::new();
    let jobs: Vec<_> = (0..15 * 3).map(|_| pool.submit(pass::job(gate.pass()))).collect();
    gate.wait_for(3);
    assert_eq!(count_threads("wk-full-"), 3 + CALLER);
    assert_eq!((pool.stats().running, pool.stats().queued), (3, 42));
    assert_eq!(gate.arrived(), 3);
    gate.open();
    assert!(jobs.into_iter().all(|job| job.result().unwrap().is_some()));
    assert_eq!(count_threads("wk-full-"), 3 + CALLER);
}

/// Law 47.
#[test]
fn jobs_one_after_another_need_no_further_thread() {
    let _watched = watched();
    let pool = named_pool(2, "wk-reuse");
    let threads: BTreeSet<_> =
        (0..1000).map(|_| format!("{:?}", pool.spawn(|| thread::current().id()).result().unwrap())).collect();
    assert!(threads.len() <= 2, "{threads:?}");
    assert_eq!(count_threads("wk-reuse-"), 2 + CALLER);
}

/// Law 120.
#[test]
fn no_thread_is_left_after_shutdown_and_drop() {
    let _watched = watched();
    for workers in [1, 2, 5] {
        let ends: [fn(ThreadExecutor); 3] = [
            |pool| drop(pool),
            |pool| pool.shutdown(Shutdown::Drain).unwrap(),
            |pool| pool.shutdown(Shutdown::Kill).unwrap(),
        ];
        for end in ends {
            let pool = named_pool(workers, "wk-left");
            let jobs: Vec<_> = (0..10).map(|n| pool.spawn(move || n)).collect();
            end(pool);
            assert!(jobs.iter().all(|job| job.is_done()));
            // The system takes a thread off its list a moment after it was joined.
            eventually("the threads are gone", || count_threads("wk-left-") == 0);
        }
    }
}

/// Takes so many bytes of the stack at the least, and in a build that is not optimised several times as many.
fn use_stack(bytes: usize) -> usize {
    const STEP: usize = 16 << 10;
    let taken = black_box([1_u8; STEP]);
    let more = if bytes > STEP { use_stack(bytes - STEP) } else { 0 };
    more + taken.len()
}

/// Law 306.
#[test]
fn the_stack_is_as_large_as_was_asked_for() {
    let _watched = watched();
    let pool = ThreadExecutor::builder().workers(1).stack_size(32 << 20).build().unwrap();
    // Four times the default of 2 MiB. An overflow ends the process of this test.
    assert_eq!(pool.spawn(|| use_stack(8 << 20)).result().unwrap(), 8 << 20);
    assert_eq!(pool.install(|| use_stack(8 << 20)), 8 << 20);
}

/// Law 40, 229, 296, 307.
#[test]
fn impossible_settings_are_refused_with_advice() {
    let _watched = watched();
    let builder = || ThreadExecutor::builder().name("wk-bad");
    let most = rayon::max_num_threads();
    for (builder, advice) in [
        (builder().workers(0), "set 1 to"),
        (builder().workers(most + 1), "set 1 to"),
        (builder().workers(usize::MAX), "set 1 to"),
        (builder().workers(1).queue_capacity(0), "set 1 or more"),
        (builder().workers(1).name("wk-bad\0"), "leave it out"),
    ] {
        match builder.build() {
            Err(BuildError::Invalid { what }) => assert!(what.contains(advice), "{what}"),
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(ThreadExecutor::new(0), Err(BuildError::Invalid { .. })));
    assert_eq!(count_threads("wk-bad"), 0);
}

/// Law 45, 64: the affinity is heeded.
#[test]
fn the_default_is_a_worker_for_each_processor_in_reach() {
    let _watched = watched();
    let workers = || ThreadExecutor::builder().build().unwrap().stats().workers;
    assert_eq!(workers(), thread::available_parallelism().unwrap().get());
    // A thread that is kept to one processor has no other in reach, nor have the threads that it starts.
    let kept = thread::spawn(move || {
        let me = Pid::from_raw(0);
        let reach = sched_getaffinity(me).unwrap();
        let first = (0..CpuSet::count()).find(|&processor| reach.is_set(processor).unwrap()).unwrap();
        let mut one = CpuSet::new();
        one.set(first).unwrap();
        sched_setaffinity(me, &one).unwrap();
        workers()
    });
    assert_eq!(kept.join().unwrap(), 1);
}

/// Law 110.
#[test]
fn a_stack_beyond_all_memory_is_an_error() {
    let _watched = watched();
    for bytes in [1 << 50, usize::MAX / 2] {
        let built = ThreadExecutor::builder().workers(2).name("wk-huge").stack_size(bytes).build();
        match built {
            Err(BuildError::Start { worker, .. }) => assert_eq!(worker, 0),
            other => panic!("a stack of {bytes} bytes: {other:?}"),
        }
        // The system takes a thread off its list a moment after it was joined.
        eventually("the caller is gone", || count_threads("wk-huge") == 0);
    }
}

/// The variable that makes [`a_worker_that_cannot_be_started`] do its work.
const CHILD: &str = "EXECUTOR_THREAD_CHILD";

/// Runs in a process of its own, which has room for some stacks of this size and not for all.
#[test]
fn a_worker_that_cannot_be_started() {
    if env::var_os(CHILD).is_none() {
        return;
    }
    let (started, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (starts, ends) = (Arc::clone(&started), Arc::clone(&ended));
    let built = ThreadExecutor::builder()
        .workers(64)
        .name("wk-part")
        .stack_size(256 << 20)
        .on_worker_start(move |_| {
            starts.fetch_add(1, Ordering::Relaxed);
        })
        .on_worker_exit(move |_| {
            ends.fetch_add(1, Ordering::Relaxed);
        })
        .build();
    let Err(BuildError::Start { worker, cause }) = built else { panic!("{built:?}") };
    assert!((1..64).contains(&worker), "worker {worker}: {cause}");
    assert_eq!(started.load(Ordering::Relaxed), worker);
    assert_eq!(ended.load(Ordering::Relaxed), worker);
    eventually("the threads are gone", || count_threads("wk-part") == 0);
    assert_eq!(ThreadExecutor::new(1).unwrap().spawn(|| 5).result().unwrap(), 5);
}

/// Law 110.
#[test]
fn workers_that_were_started_end_if_another_cannot_be() {
    let _watched = watched();
    let program = env::current_exe().unwrap();
    let output = Command::new("sh")
        .args(["-c", "ulimit -v 2097152 && exec \"$0\" --exact a_worker_that_cannot_be_started --nocapture"])
        .arg(program)
        .env(CHILD, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("1 passed"), "{text}");
}
