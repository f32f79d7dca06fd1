//! What is left of pools: nothing, whatever ends. Without a harness, so that a program has one thread and can be forked, and
//! so that what it has can be counted. Each case runs in a process of its own.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test, without the harness by which a lint would know it"
)]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use common::{
    METHODS, THREADED_METHODS, all_workers_of, below, descriptors, has_ended, method_of, named, shared_mappings,
    threads_named, watched, watched_for, watched_without_a_thread,
};
use executor_core::{Executor, JobError, Shutdown, job};
use executor_process::{ProcessExecutor, StartMethod};
use executor_testkit::{Gate, ON_PURPOSE, comes_about, eventually, jobs, scaled};

const CASES: [(&str, fn()); 12] = [
    ("an_owner_that_is_killed_leaves_nobody", || owners_end("killed")),
    ("an_owner_that_exits_leaves_nobody", || owners_end("exits")),
    ("an_owner_that_panics_leaves_nobody", || owners_end("panics")),
    ("an_owner_that_leaks_its_pool_leaves_nobody", || owners_end("leaks")),
    ("pools_that_come_and_go_leave_nothing", pools_that_come_and_go_leave_nothing),
    ("recycled_workers_leave_nothing", recycled_workers_leave_nothing),
    ("forked_pools_that_come_and_go_leave_nothing", forked_pools_that_come_and_go_leave_nothing),
    ("two_pools_end_apart", two_pools_end_apart),
    ("the_last_handle_waits_for_what_runs", the_last_handle_waits_for_what_runs),
    ("a_callback_may_drop_the_last_handle", a_callback_may_drop_the_last_handle),
    ("a_job_may_have_a_pool", a_job_may_have_a_pool),
    ("pools_nest_to_a_depth_and_no_deeper", pools_nest_to_a_depth_and_no_deeper),
];

fn main() {
    executor_process::init();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["case", name] => {
            CASES.iter().find(|(other, _)| *other == name).unwrap().1();
            let left = comes_about(|| below(std::process::id()).iter().all(|&pid| is_server(pid)));
            assert!(left, "{name}: processes are left: {:?}", below(std::process::id()));
        }
        ["owner", method, end] => own(method_of(method), end),
        _ => {
            let words: Vec<_> = arguments.iter().filter(|word| !word.starts_with('-')).collect();
            for (name, _) in CASES {
                if words.is_empty() || words.iter().any(|word| name.contains(word.as_str())) {
                    let shm = shm();
                    let status = Command::new("/proc/self/exe").args(["case", name]).status().unwrap();
                    println!("test {name} ... {}", if status.success() { "ok" } else { "FAILED" });
                    assert!(status.success(), "{name}: {status}");
                    assert!(shm.is_superset(&self::shm()), "{name}: a name is left in /dev/shm");
                }
            }
        }
    }
}

/// The fork server stays as long as its program does.
fn is_server(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim_end() == "fork-server")
}

fn shm() -> BTreeSet<std::ffi::OsString> {
    fs::read_dir("/dev/shm").into_iter().flatten().flatten().map(|entry| entry.file_name()).collect()
}

/// Sleeps until its worker is ended.
#[job]
fn sleep() {
    loop {
        std::thread::park();
    }
}

/// Is busy until its worker is ended.
#[job]
fn spin() {
    loop {
        std::hint::spin_loop();
    }
}

/// A program that owns a pool, of which one worker sleeps in a job, one is busy and one has nothing to do, and that comes
/// to some end.
fn own(method: StartMethod, end: &str) {
    static LEAKED: OnceLock<ProcessExecutor> = OnceLock::new();
    let pool = named("owned", 3).start_method(method).build().unwrap();
    let running = [pool.submit(sleep::job()).handle(), pool.submit(spin::job()).handle()];
    all_workers_of("owned", 3);
    eventually("the jobs run", || pool.stats().running == 2);
    drop(running);
    let list: Vec<String> = below(std::process::id()).iter().map(u32::to_string).collect();
    println!("{}", list.join(" "));
    std::io::stdin().read_line(&mut String::new()).unwrap();
    match end {
        "exits" => std::process::exit(0),
        "leaks" => drop(LEAKED.set(pool)),
        "panics" => {
            std::panic::set_hook(Box::new(|_| {}));
            // While it unwinds, the pool would wait for what runs.
            std::mem::forget(pool);
            panic!("{ON_PURPOSE}");
        }
        _ => std::mem::forget(pool),
    }
}

fn owners_end(end: &str) {
    for method in METHODS {
        let mut command = Command::new("/proc/self/exe");
        command.args(["owner", &format!("{method:?}"), end]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child: Child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let pids: Vec<u32> = line.split_whitespace().map(|pid| pid.parse().unwrap()).collect();
        assert!(pids.len() >= 3 && !pids.iter().any(|&pid| has_ended(pid)), "{method:?}: {pids:?}");
        let ended = Instant::now();
        if end == "killed" {
            child.kill().unwrap();
        } else {
            drop(child.stdin.take());
        }
        let status = child.wait().unwrap();
        assert_eq!(status.success(), end == "exits" || end == "leaks", "{method:?}: {status}");
        eventually(&format!("{method:?}: nobody is left"), || pids.iter().all(|&pid| has_ended(pid)));
        assert!(ended.elapsed() < scaled(Duration::from_secs(1)), "{method:?}: it took {:?}", ended.elapsed());
    }
}

/// What this process has: descriptors, mappings that others share, threads of pools, processes below it.
fn belongings() -> (usize, usize, usize, usize) {
    (descriptors(), shared_mappings(), threads_named("passing"), below(std::process::id()).len())
}

fn pools_that_come_and_go_leave_nothing() {
    let _watched = watched();
    THREADED_METHODS.into_iter().for_each(come_and_go);
}

fn forked_pools_that_come_and_go_leave_nothing() {
    watched_without_a_thread();
    come_and_go(StartMethod::Fork);
}

fn come_and_go(method: StartMethod) {
    (0..5).for_each(|round| pass(method, round));
    let before = belongings();
    (0..200).for_each(|round| pass(method, round));
    let mut after = before;
    let same = comes_about(|| {
        after = belongings();
        after == before
    });
    assert!(same, "{method:?}: {before:?} before, {after:?} after");
}

/// A pool that comes and goes, in one of several ways.
fn pass(method: StartMethod, round: usize) {
    let pool = named("passing", 1 + round % 3).start_method(method).build().unwrap();
    match round % 5 {
        0 => {}
        1 => drop((0..20).map(|n| pool.submit(jobs::echo::job(n))).collect::<Vec<_>>()),
        2 => assert_eq!(pool.map(jobs::echo::job, 0..100).filter(Result::is_ok).count(), 100),
        3 => {
            let futures: Vec<_> = (0..4).map(|_| pool.submit(sleep::job())).collect();
            pool.shutdown(Shutdown::Kill).unwrap();
            for future in futures {
                let error = future.result().unwrap_err();
                assert!(matches!(error, JobError::Killed | JobError::Cancelled), "{error}");
            }
        }
        _ => {
            let (told, tells) = mpsc::channel();
            // Called by the pool, or here if it comes too late.
            pool.submit(jobs::echo::job(9)).on_done(move |result| told.send(result.unwrap()).unwrap());
            assert_eq!(tells.recv().unwrap(), 9);
        }
    }
}

/// 1 000 workers, or 10 000 with `EXECUTOR_LONG_TESTS=1`.
fn recycled_workers_leave_nothing() {
    let long = std::env::var_os("EXECUTOR_LONG_TESTS").is_some_and(|value| value == "1");
    let recycled = if long { 10_000 } else { 1_000 };
    let _watched = watched_for(Duration::from_secs(if long { 600 } else { 120 }));
    for method in THREADED_METHODS {
        let lines = Arc::new(AtomicU64::new(0));
        let theirs = Arc::clone(&lines);
        let pool = named("passing", 2)
            .start_method(method)
            .recycle_after_jobs(1)
            .on_output(move |_| {
                theirs.fetch_add(1, Ordering::Relaxed);
            })
            .build()
            .unwrap();
        let count = move |jobs: u64| {
            assert_eq!(pool.map(|_| print::job(), 0..jobs).filter(Result::is_ok).count() as u64, jobs);
            // A replacement for each worker is there again, or on its way, when all that were recycled have gone.
            let restarts = pool.stats().restarts;
            assert_eq!((restarts.crashed, restarts.killed, restarts.run_limit), (0, 0, 0));
            eventually("two workers are left", || common::workers_of("passing").len() == 2);
        };
        count(20);
        let mut before = belongings();
        // One page for each worker: those that have left are cleared away.
        let settled = comes_about(|| {
            before = belongings();
            before.1 == 2 && belongings() == before
        });
        assert!(settled, "{method:?}: {before:?}");
        count(recycled / 2);
        let mut after = before;
        let same = comes_about(|| {
            after = belongings();
            after == before
        });
        assert!(same, "{method:?}: {before:?} before, {after:?} after");
        drop(count);
        assert_eq!(lines.load(Ordering::Relaxed), 20 + recycled / 2, "{method:?}");
    }
}

/// Prints a line.
#[job]
fn print() {
    println!("a line");
}

fn two_pools_end_apart() {
    let first = named("first", 2).start_method(StartMethod::Fork).build().unwrap();
    let _watched = watched();
    let second = named("second", 2).build().unwrap();
    let third = named("third", 2).start_method(StartMethod::Spawn).build().unwrap();
    let gate = Gate::new();
    let held = second.submit(jobs::pass::job(gate.pass(), 3));
    for pool in [&first, &third] {
        assert_eq!(pool.map(jobs::echo::job, 0..1000).filter(Result::is_ok).count(), 1000);
    }
    let workers = all_workers_of("first", 2);
    drop(first);
    assert!(workers.into_iter().all(has_ended));
    gate.wait_for(1);
    third.shutdown(Shutdown::Kill).unwrap();
    gate.open();
    assert_eq!(held.result().unwrap(), 3);
    assert_eq!(second.submit(jobs::echo::job(4)).result().unwrap(), 4);
}

fn the_last_handle_waits_for_what_runs() {
    let _watched = watched();
    for method in THREADED_METHODS {
        let pool = named("last", 2).start_method(method).build().unwrap();
        let gate = Gate::new();
        let running: Vec<_> = (0..2).map(|n| pool.submit(jobs::pass::job(gate.pass(), n))).collect();
        let waiting: Vec<_> = (0..50).map(|n| pool.submit(jobs::echo::job(n))).collect();
        gate.wait_for(2);
        let handles: Vec<_> = running.iter().chain(&waiting).map(|future| future.handle()).collect();
        let other = pool.clone();
        drop(pool);
        let dropping = std::thread::spawn(move || {
            drop(other);
            assert!(handles.iter().all(|handle| handle.is_done()), "the drop did not wait");
        });
        gate.open();
        dropping.join().unwrap();
        assert!(running.into_iter().chain(waiting).all(|future| future.result().is_ok()));
        assert!(common::workers_of("last").is_empty());
    }
}

fn a_callback_may_drop_the_last_handle() {
    let _watched = watched();
    for method in THREADED_METHODS {
        let pool = named("called", 2).start_method(method).build().unwrap();
        let (gate, first) = (Gate::new(), Gate::new());
        let running = pool.submit(jobs::pass::job(gate.pass(), 5));
        gate.wait_for(1);
        let (told, tells) = mpsc::channel();
        let other = pool.clone();
        let (go, going) = mpsc::channel::<()>();
        // A callback that comes too late is called by whoever brings it.
        pool.submit(jobs::pass::job(first.pass(), 1)).on_done(move |_| {
            // By then this is the last.
            going.recv().unwrap_err();
            drop(other);
            told.send(()).unwrap();
        });
        first.open();
        drop(pool);
        drop(go);
        // It does not wait for the job that runs, or this would never come.
        tells.recv().unwrap();
        assert!(!running.is_done());
        gate.open();
        assert_eq!(running.result().unwrap(), 5);
        eventually("the workers have ended", || common::workers_of("called").is_empty());
        eventually("the threads have ended", || threads_named("called") == 0);
    }
}

/// Runs a pool of its own; gives its own number, and those of that pool's workers.
#[job]
fn host(spawn: bool) -> (u32, Vec<u32>) {
    let method = if spawn { StartMethod::Spawn } else { StartMethod::ForkServer };
    let pool = named("inner", 2).start_method(method).build().unwrap();
    let pids = pool.map(|_| jobs::process_id::job(), 0..50).map(Result::unwrap).collect();
    (std::process::id(), pids)
}

/// Builds a pool, and dies.
#[job]
fn host_that_dies(spawn: bool) {
    let method = if spawn { StartMethod::Spawn } else { StartMethod::ForkServer };
    let pool = named("orphan", 2).start_method(method).build().unwrap();
    let sleeper = pool.submit(sleep::job());
    eventually("it runs", || sleeper.is_running());
    std::process::abort();
}

fn a_job_may_have_a_pool() {
    let _watched = watched();
    for method in THREADED_METHODS {
        let pool = named("outer", 2).start_method(method).build().unwrap();
        for spawn in [false, true] {
            let (outer, inner) = pool.submit(host::job(spawn)).result().unwrap();
            assert!(!inner.is_empty() && !inner.contains(&outer) && inner.iter().all(|&pid| has_ended(pid)));
            let error = pool.submit(host_that_dies::job(spawn)).result().unwrap_err();
            assert!(matches!(error, JobError::WorkerDied { .. }), "{error}");
        }
        drop(pool);
        let named_so = |prefix: &str| {
            let all = fs::read_dir("/proc").unwrap().flatten();
            let comms = all.filter_map(|entry| fs::read_to_string(entry.path().join("comm")).ok());
            comms.filter(|comm| comm.starts_with(prefix)).count()
        };
        eventually("the inner workers have ended", || named_so("inner-") + named_so("orphan-") == 0);
    }
}

/// Has `levels` pools below it, one in a job of the other; gives how many there were.
#[job]
fn nest(levels: u32) -> Result<u32, String> {
    if levels == 0 {
        return Ok(0);
    }
    let pool = named("nest", 1).build().map_err(|error| error.to_string())?;
    let inner = pool.submit(nest::job(levels - 1)).result().map_err(|error| error.to_string())?;
    inner.map(|depth| depth + 1)
}

fn pools_nest_to_a_depth_and_no_deeper() {
    let _watched = watched();
    for method in THREADED_METHODS {
        let pool = named("outermost", 2).start_method(method).build().unwrap();
        // This one and three in it.
        assert_eq!(pool.submit(nest::job(3)).result().unwrap(), Ok(3));
        let refusal = pool.submit(nest::job(4)).result().unwrap().unwrap_err();
        assert!(refusal.contains("4 pools deep"), "{refusal}");
        assert_eq!(pool.stats().worker_restarts, 0);
    }
}
