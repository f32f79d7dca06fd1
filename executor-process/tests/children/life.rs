//! A process begins, is known to the program, and goes: alone, beside others, and below others.

use std::thread;

use executor_core::{Executor, job};
use executor_process::{Exit, Process, SpawnError, StartMethod, active_children, current_process};
use executor_testkit::{Gate, Log, Pen, eventually, jobs};
use nix::sys::signal::Signal;

use crate::common::{THREADED_METHODS, has_ended, named, stat, threads_named, watched};
use crate::{by, quiet, sleep};

#[test]
fn law_197_a_process_lives_and_ends() {
    let _watched = watched();
    for method in THREADED_METHODS {
        let gate = Gate::new();
        let process = quiet(method).name("walker").daemon(true).spawn(jobs::pass::job(gate.pass(), 5)).unwrap();
        gate.wait_for(1);
        assert!(process.is_alive() && process.exit_status().is_none());
        assert_eq!((process.name(), process.is_daemon()), ("walker", true));
        let pid = process.pid();
        assert!(active_children().iter().any(|child| child.pid() == pid && child.name() == "walker"));
        let comm = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap();
        assert_eq!(comm, "walker\n");
        gate.open();
        assert_eq!(process.join(), Exit::Code(0));
        assert_eq!((process.is_alive(), process.exit_status()), (false, Some(Exit::Code(0))));
        assert!(!active_children().iter().any(|child| child.pid() == pid && child.name() == "walker"));
        assert_eq!(process.result().unwrap(), 5);
    }
}

#[test]
fn law_197_names_are_made_where_none_is_given() {
    let _watched = watched();
    let (one, other) = (Process::spawn(jobs::echo::job(1)).unwrap(), Process::spawn(jobs::echo::job(2)).unwrap());
    assert!(one.name().starts_with("process-") && other.name().starts_with("process-"));
    assert_ne!(one.name(), other.name());
    assert!(!one.is_daemon());
    assert_eq!((one.result().unwrap(), other.result().unwrap()), (1, 2));
}

/// Number, name and parent of its process, and then those of its child, and so on.
#[job]
fn ancestry(levels: u32) -> Vec<(u32, String, Option<u32>)> {
    let here = current_process();
    let mut line = vec![(here.pid(), here.name().to_owned(), here.parent())];
    if levels > 0 {
        let child = Process::builder().name(format!("level {levels}")).spawn(ancestry::job(levels - 1)).unwrap();
        line.extend(child.result().unwrap());
    }
    line
}

#[test]
fn law_198_a_process_knows_itself_and_its_parent() {
    let _watched = watched();
    assert_eq!((current_process().name(), current_process().parent()), ("main", None));
    assert_eq!(current_process().pid(), std::process::id());
    for method in THREADED_METHODS {
        let process = quiet(method).name("top").spawn(ancestry::job(2)).unwrap();
        let pid = process.pid();
        let line = process.result().unwrap();
        let names: Vec<_> = line.iter().map(|(_, name, _)| name.as_str()).collect();
        assert_eq!(names, ["top", "level 2", "level 1"], "{method:?}");
        assert_eq!((line[0].0, line[0].2), (pid, Some(std::process::id())), "{method:?}");
        assert!(line.windows(2).all(|pair| pair[1].2 == Some(pair[0].0)), "{method:?}: {line:?}");
    }
}

/// Has a child that sleeps, and sleeps.
#[job]
fn raise_a_child(pen: Pen) {
    let _child = Process::spawn(sleep::job(pen)).unwrap();
    loop {
        thread::park();
    }
}

/// A process cannot outlive its parent to notice that it is gone: it goes as well. So does the whole tree (law 220).
#[test]
fn law_199_a_grandchild_ends_with_its_parent() {
    let _watched = watched();
    for method in THREADED_METHODS {
        let log = Log::new();
        let process = quiet(method).spawn(raise_a_child::job(log.pen())).unwrap();
        log.wait_for(1);
        let grandchild = u32::try_from(log.entries()[0]).unwrap();
        assert!(!has_ended(grandchild));
        assert!(process.kill().unwrap());
        assert_eq!(process.join(), by(Signal::SIGKILL));
        eventually("the grandchild has ended", || has_ended(grandchild));
    }
}

#[test]
fn law_202_what_has_ended_is_neither_listed_nor_left() {
    let _watched = watched();
    for method in THREADED_METHODS {
        let gate = Gate::new();
        let processes = [1, 2, 3].map(|n| quiet(method).spawn(jobs::pass::job(gate.pass(), n)).unwrap());
        let pids = processes.each_ref().map(Process::pid);
        let listed = || active_children().iter().map(|child| child.pid()).filter(|pid| pids.contains(pid)).count();
        assert_eq!(listed(), 3);
        drop(processes);
        assert_eq!(listed(), 3, "{method:?}: they run on");
        gate.open();
        eventually("they are reaped", || pids.iter().all(|&pid| stat(pid).is_none()));
        assert_eq!(listed(), 0);
    }
}

#[test]
fn law_214_a_daemon_is_killed_with_its_handle() {
    let _watched = watched();
    for method in THREADED_METHODS {
        let log = Log::new();
        let process = quiet(method).daemon(true).spawn(sleep::job(log.pen())).unwrap();
        log.wait_for(1);
        let handle = process.handle();
        assert!(handle.is_daemon() && handle.is_alive());
        drop(process);
        assert_eq!(handle.join(), by(Signal::SIGKILL));
        let gate = Gate::new();
        let process = quiet(method).daemon(true).spawn(jobs::pass::job(gate.pass(), 3)).unwrap();
        gate.open();
        assert_eq!(process.result().unwrap(), 3, "{method:?}: its result is waited for");
    }
}

#[test]
fn a_process_that_is_dropped_runs_on() {
    let _watched = watched();
    for method in THREADED_METHODS {
        let (gate, log) = (Gate::new(), Log::new());
        let process = quiet(method).spawn(jobs::pass_then_note::job(gate.pass(), log.pen(), 4)).unwrap();
        let handle = process.handle();
        drop(process);
        gate.open();
        assert_eq!(handle.join(), Exit::Code(0));
        assert_eq!(log.entries(), [4]);
    }
}

/// Goes down as deep as it can, and gives how deep that is and what stopped it.
#[job]
fn descend(depth: u32) -> (u32, String) {
    match Process::spawn(descend::job(depth + 1)) {
        Ok(child) => child.result().unwrap(),
        Err(error) => (depth, error.to_string()),
    }
}

/// Uses a pool of its own.
#[job]
fn use_a_pool() -> Vec<u64> {
    let pool = named("inner", 2).build().unwrap();
    pool.map(jobs::echo::job, 0..10).map(Result::unwrap).collect()
}

#[test]
fn processes_and_pools_nest_to_a_depth() {
    let _watched = watched();
    for method in THREADED_METHODS {
        let (depth, error) = quiet(method).spawn(descend::job(1)).unwrap().result().unwrap();
        assert_eq!(depth, 4, "{method:?}");
        assert!(error.contains("4 pools deep"), "{method:?}: {error}");
        let numbers = quiet(method).spawn(use_a_pool::job()).unwrap().result().unwrap();
        assert_eq!(numbers, Vec::from_iter(0..10), "{method:?}");
    }
}

#[test]
fn many_run_at_once_and_one_thread_has_them() {
    let _watched = watched();
    for method in THREADED_METHODS {
        let gate = Gate::new();
        let spawn = |n| quiet(method).spawn(jobs::pass::job(gate.pass(), n)).unwrap();
        let processes: Vec<_> = thread::scope(|scope| {
            let spawners = [0, 10, 20].map(|first| scope.spawn(move || Vec::from_iter((first..first + 10).map(spawn))));
            spawners.into_iter().flat_map(|spawner| spawner.join().unwrap()).collect()
        });
        gate.wait_for(30);
        assert_eq!(threads_named("process-keeper"), 1);
        gate.open();
        let results: Vec<u64> = processes.into_iter().map(|process| process.result().unwrap()).collect();
        assert_eq!(results, Vec::from_iter(0..30), "{method:?}");
    }
}

#[test]
fn a_fork_of_a_program_with_threads_is_refused() {
    let _watched = watched();
    match quiet(StartMethod::Fork).spawn(jobs::echo::job(1)) {
        Err(error @ SpawnError::Start { .. }) => assert!(error.to_string().contains("`StartMethod::Fork`"), "{error}"),
        other => panic!("{other:?}"),
    }
}
