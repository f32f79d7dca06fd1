//! [`Process`], as its user sees it. The numbers are those of the laws of a process object. Where a test counts what the whole
//! program has, it is in `child_hygiene.rs`.
#![allow(clippy::unwrap_used, reason = "these are tests")]
#![cfg(feature = "hook")]

mod common;

use std::os::fd::AsFd;
use std::time::Duration;

use common::{THREADED_METHODS, descriptors, has_ended, stat, threads_named, watched};
use executor_core::{Job, JobError, WorkerDeath, current, job};
use executor_process::{Exit, Process, ProcessBuilder, SpawnError, StartMethod, active_children, current_process};
use executor_testkit::jobs::{self, Fault, Faulty};
use executor_testkit::{Gate, Log, ON_PURPOSE, Pass, Pen, eventually, scaled};
use futures::executor::block_on;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, raise};
use serde::{Deserialize, Serialize};

/// A builder whose process keeps its panics to itself.
fn quiet(method: StartMethod) -> ProcessBuilder {
    Process::builder().start_method(method).discard_output()
}

/// Longer than any test takes.
fn long() -> Duration {
    scaled(Duration::from_secs(20))
}

/// How a process ends that this signal ends.
fn by(signal: Signal) -> Exit {
    Exit::Signal { number: signal as i32, core_dumped: false }
}

/// True if the descriptor is readable now.
fn is_readable(fd: &impl AsFd) -> bool {
    poll(&mut [PollFd::new(fd.as_fd(), PollFlags::POLLIN)], PollTimeout::ZERO).unwrap() > 0
}

/// Says that it is there, and sleeps until its process is ended.
#[job]
fn sleep(pen: Pen) {
    pen.write(std::process::id().into());
    loop {
        std::thread::park();
    }
}

/// How a job ends.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum End {
    Value,
    Err,
    Panic,
    Exit(i32),
    Raise(i32),
    Abort,
}

#[job]
fn end(how: End) -> Result<u64, String> {
    match how {
        End::Value => Ok(7),
        End::Err => Err("as it should be".to_owned()),
        End::Panic => panic!("it panics, {ON_PURPOSE}"),
        End::Exit(code) => std::process::exit(code),
        End::Raise(number) => {
            raise(Signal::try_from(number).unwrap()).unwrap();
            Err("it survived".to_owned())
        }
        End::Abort => std::process::abort(),
    }
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
        std::thread::park();
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
fn law_200_a_join_without_time_returns_at_once() {
    let _watched = watched();
    for method in THREADED_METHODS {
        let gate = Gate::new();
        let mut process = quiet(method).spawn(jobs::pass::job(gate.pass(), 5)).unwrap();
        gate.wait_for(1);
        for limit in [Duration::ZERO, Duration::from_millis(1)] {
            assert_eq!(process.join_timeout(limit), None);
            assert!(matches!(process.result_timeout(limit), Err(JobError::Timeout)));
            assert!(process.is_alive() && process.exit_status().is_none());
        }
        gate.open();
        assert_eq!(process.join_timeout(Duration::MAX), Some(Exit::Code(0)));
        assert_eq!(process.join_timeout(Duration::ZERO), Some(Exit::Code(0)));
        assert_eq!(process.result_timeout(long()).unwrap(), 5);
    }
}

#[test]
fn law_201_signals_end_a_process_and_are_told() {
    let _watched = watched();
    type Way = fn(&Process<()>) -> bool;
    for method in THREADED_METHODS {
        let ways: [(Signal, Way); 3] = [
            (Signal::SIGTERM, |process| process.terminate().unwrap()),
            (Signal::SIGKILL, |process| process.kill().unwrap()),
            (Signal::SIGUSR1, |process| process.signal(libc::SIGUSR1).unwrap()),
        ];
        for (signal, send) in ways {
            let log = Log::new();
            let process = quiet(method).spawn(sleep::job(log.pen())).unwrap();
            log.wait_for(1);
            let pid = process.pid();
            assert!(send(&process));
            assert_eq!(process.join(), by(signal), "{method:?}");
            assert!(!send(&process), "{method:?}: it has ended");
            match process.result() {
                Err(JobError::WorkerDied { pid: died, death: WorkerDeath::Signalled { number, .. }, .. }) => {
                    assert_eq!((died, number), (pid, signal as i32), "{method:?}");
                }
                other => panic!("{method:?}, {signal}: {other:?}"),
            }
        }
    }
}

#[test]
fn law_201_an_interrupt_is_left_to_the_program() {
    let _watched = watched();
    for method in THREADED_METHODS {
        let gate = Gate::new();
        let process = quiet(method).spawn(jobs::pass::job(gate.pass(), 3)).unwrap();
        gate.wait_for(1);
        assert!(process.signal(libc::SIGINT).unwrap());
        assert_eq!(process.signal(4000).unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
        gate.open();
        assert_eq!(process.result().unwrap(), 3);
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
fn law_204_the_descriptor_tells_of_the_end() {
    let _watched = watched();
    for method in THREADED_METHODS {
        let gate = Gate::new();
        let process = quiet(method).spawn(jobs::pass::job(gate.pass(), 3)).unwrap();
        gate.wait_for(1);
        assert!(!is_readable(&process) && !is_readable(&process.handle()));
        gate.open();
        poll(&mut [PollFd::new(process.as_fd(), PollFlags::POLLIN)], PollTimeout::NONE).unwrap();
        // Whoever was told of the end by the descriptor finds it everywhere.
        assert_eq!(process.exit_status(), Some(Exit::Code(0)));
        assert!(!process.is_alive() && is_readable(&process.handle()));
        assert_eq!(process.join_timeout(Duration::ZERO), Some(Exit::Code(0)));
    }
}

#[test]
fn law_205_an_outcome_is_taken_once() {
    let _watched = watched();
    let mut process = Process::spawn(jobs::echo::job(5)).unwrap();
    let handle = process.handle();
    assert_eq!(process.result_timeout(long()).unwrap(), 5);
    assert!(matches!(process.result_timeout(long()), Err(JobError::Taken)));
    assert!(matches!(process.result(), Err(JobError::Taken)));
    assert_eq!((handle.join(), handle.is_alive()), (Exit::Code(0), false));
}

/// Writes down in which process it is dropped.
#[derive(Debug, Serialize, Deserialize)]
struct Mourned(Pen);

impl Drop for Mourned {
    fn drop(&mut self) {
        self.0.write(std::process::id().into());
    }
}

#[job]
fn hold(mourned: Mourned, gate: Pass) {
    gate.go();
    drop(mourned);
}

#[test]
fn law_207_the_job_is_let_go_of_on_both_sides() {
    let _watched = watched();
    for method in THREADED_METHODS {
        let (log, gate) = (Log::new(), Gate::new());
        let process = quiet(method).spawn(hold::job(Mourned(log.pen()), gate.pass())).unwrap();
        assert_eq!(log.entries(), [u64::from(std::process::id())]);
        gate.open();
        let pid = process.pid();
        process.result().unwrap();
        assert_eq!(log.entries(), [std::process::id().into(), pid.into()]);
    }
}

/// How many descriptors its process has; then it waits.
#[job]
fn count_descriptors(gate: Pass) -> usize {
    let count = descriptors();
    gate.go();
    count
}

#[test]
fn law_208_siblings_do_not_inherit_from_one_another() {
    let _watched = watched();
    for method in THREADED_METHODS {
        let gate = Gate::new();
        let mut processes = Vec::new();
        for alive in 1..=8 {
            processes.push(quiet(method).spawn(count_descriptors::job(gate.pass())).unwrap());
            gate.wait_for(alive);
        }
        gate.open();
        let counts: Vec<_> = processes.into_iter().map(|process| process.result().unwrap()).collect();
        assert!(counts.iter().all(|&count| count == counts[0]), "{method:?}: {counts:?}");
    }
}

#[test]
fn law_211_the_exit_code_says_how_the_job_ended() {
    let _watched = watched();
    for method in THREADED_METHODS {
        let ended = |how| {
            let process = quiet(method).spawn(end::job(how)).unwrap();
            let (pid, exit) = (process.pid(), process.join());
            (pid, exit, process.result())
        };
        let (_, exit, result) = ended(End::Value);
        assert_eq!((exit, result.unwrap()), (Exit::Code(0), Ok(7)));
        let (_, exit, result) = ended(End::Err);
        assert_eq!((exit, result.unwrap()), (Exit::Code(1), Err("as it should be".to_owned())));
        let (_, exit, result) = ended(End::Panic);
        assert_eq!(exit, Exit::Code(101));
        match result.unwrap_err() {
            JobError::Panicked { message, location, .. } => {
                assert!(message.contains("it panics") && location.unwrap().contains("children.rs"));
            }
            other => panic!("{other}"),
        }
        for code in [0, 3] {
            let (pid, exit, result) = ended(End::Exit(code));
            assert_eq!(exit, Exit::Code(code));
            match result.unwrap_err() {
                JobError::WorkerDied { pid: died, death, .. } => {
                    assert_eq!((died, death), (pid, WorkerDeath::Exited(code)));
                }
                other => panic!("{other}"),
            }
        }
        for (how, signal) in [(End::Abort, Signal::SIGABRT), (End::Raise(libc::SIGSEGV), Signal::SIGSEGV)] {
            let (pid, exit, result) = ended(how);
            assert_eq!(exit.signal_name(), Some(signal.as_str()));
            match result.unwrap_err() {
                JobError::WorkerDied { pid: died, death: WorkerDeath::Signalled { number, .. }, .. } => {
                    assert_eq!((died, number), (pid, signal as i32));
                }
                other => panic!("{other}"),
            }
        }
    }
}

#[test]
fn what_cannot_be_decoded_or_encoded_is_told() {
    let _watched = watched();
    for method in THREADED_METHODS {
        let process = quiet(method).spawn(jobs::take_badly::job(Faulty(Fault::DecodeError))).unwrap();
        assert_eq!(process.join(), Exit::Code(1));
        assert!(matches!(process.result(), Err(JobError::Decode { .. })));
        let process = quiet(method).spawn(jobs::return_badly::job(Fault::EncodeError)).unwrap();
        assert_eq!(process.join(), Exit::Code(1));
        assert!(matches!(process.result(), Err(JobError::Encode { .. })));
        // Here the process has done its part.
        let process = quiet(method).spawn(jobs::return_badly::job(Fault::DecodeError)).unwrap();
        assert_eq!(process.join(), Exit::Code(0));
        assert!(matches!(process.result(), Err(JobError::Decode { .. })));
        match quiet(method).name("stillborn").spawn(jobs::take_badly::job(Faulty(Fault::EncodeError))) {
            Err(SpawnError::Job { name, cause: JobError::Encode { .. } }) => assert_eq!(name, "stillborn"),
            other => panic!("{other:?}"),
        }
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

/// What it finds around it: a variable, another, its directory, its niceness, how many files it may open.
#[job]
fn surroundings() -> (Option<String>, bool, String, i32, u64) {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, rest) = stat.rsplit_once(')').unwrap();
    let niceness = rest.split_whitespace().nth(16).unwrap().parse().unwrap();
    let (files, _) = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE).unwrap();
    let directory = std::env::current_dir().unwrap().display().to_string();
    (std::env::var("CHILD_HAS").ok(), std::env::var_os("CARGO_PKG_NAME").is_some(), directory, niceness, files)
}

#[test]
fn law_220_surroundings_are_as_the_builder_says() {
    let _watched = watched();
    let own = block_on(Process::spawn(surroundings::job()).unwrap()).unwrap();
    assert_eq!(own, surroundings(), "without a word they are those of the program");
    for method in THREADED_METHODS {
        let builder = quiet(method).env("CHILD_HAS", "it").env_remove("CARGO_PKG_NAME").current_dir("/");
        let process = builder.niceness(3).open_files_max(100).spawn(surroundings::job()).unwrap();
        let expected = (Some("it".to_owned()), false, "/".to_owned(), own.3 + 3, 100);
        assert_eq!(process.result().unwrap(), expected, "{method:?}");
        for wrong in [
            quiet(method).env("A=B", "1"),
            quiet(method).current_dir("/nowhere/at/all"),
            quiet(method).open_files_max(u64::MAX - 1),
        ] {
            assert!(matches!(wrong.spawn(surroundings::job()), Err(SpawnError::Invalid { .. })), "{method:?}");
        }
    }
}

#[test]
fn a_process_that_cannot_begin_is_an_error_of_the_spawn() {
    let _watched = watched();
    for method in THREADED_METHODS {
        // Too little for the page that it shares with its owner.
        match quiet(method).name("narrow").address_space_max(4096).spawn(jobs::echo::job(1)) {
            Err(SpawnError::Start { name, cause }) => {
                assert_eq!(name, "narrow");
                assert!(cause.to_string().contains("ended before it was ready"), "{method:?}: {cause}");
            }
            other => panic!("{method:?}: {other:?}"),
        }
    }
}

#[test]
fn much_goes_there_and_back() {
    let _watched = watched();
    // More than a socket holds.
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| n as u8).collect();
    let expected = jobs::bytes_back(bytes.clone());
    for method in THREADED_METHODS {
        let process = quiet(method).spawn(jobs::bytes_back::job(bytes.clone())).unwrap();
        assert!(process.result().unwrap() == expected, "{method:?}");
    }
}

#[test]
fn law_216_a_process_is_asked_to_stop_and_tells_how_far_it_is() {
    let _watched = watched();
    for method in THREADED_METHODS {
        let log = Log::new();
        let process = quiet(method).spawn(jobs::spin_until_stop::job(log.pen(), 6)).unwrap();
        log.wait_for(1);
        process.request_stop();
        assert_eq!(process.result().unwrap(), 6, "{method:?}");
        let log = Log::new();
        let process = quiet(method).spawn(wait_for_stop::job(log.pen())).unwrap();
        log.wait_for(1);
        eventually("it has told", || process.progress() == Some((1, 2)));
        process.handle().request_stop();
        assert_eq!(process.result().unwrap(), 2, "{method:?}");
    }
}

/// An async job that ends when it is asked to.
#[job]
async fn wait_for_stop(pen: Pen) -> u64 {
    current().progress(1, 2);
    pen.write(1);
    current().stopped().await;
    2
}

#[test]
fn it_is_awaited_without_a_runtime() {
    let _watched = watched();
    for method in THREADED_METHODS {
        let gate = Gate::new();
        let processes = [1, 2, 3].map(|n| quiet(method).spawn(jobs::pass::job(gate.pass(), n)).unwrap());
        let handles = processes.each_ref().map(Process::handle);
        let all = futures::future::try_join_all(processes);
        let opens = std::thread::spawn(move || {
            gate.wait_for(3);
            gate.open();
        });
        assert_eq!(block_on(all).unwrap(), [1, 2, 3], "{method:?}");
        assert!(handles.iter().all(|handle| handle.exit_status() == Some(Exit::Code(0))));
        opens.join().unwrap();
    }
}

#[test]
fn under_tokio_a_wait_that_is_given_up_loses_nothing() {
    let _watched = watched();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    for method in THREADED_METHODS {
        runtime.block_on(async {
            let gate = Gate::new();
            let mut process = quiet(method).spawn(jobs::pass::job(gate.pass(), 9)).unwrap();
            let limit = Duration::from_millis(2);
            assert!(tokio::time::timeout(limit, &mut process).await.is_err());
            assert!(process.is_alive());
            gate.open();
            assert_eq!((&mut process).await.unwrap(), 9);
            assert_eq!(process.exit_status(), Some(Exit::Code(0)));
            let log = Log::new();
            let mut process = quiet(method).spawn(sleep::job(log.pen())).unwrap();
            assert!(tokio::time::timeout(limit, &mut process).await.is_err());
            process.kill().unwrap();
            assert!(matches!(process.await, Err(JobError::WorkerDied { .. })));
        });
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
    use executor_core::Executor;
    let pool = common::named("inner", 2).build().unwrap();
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
        let processes: Vec<_> = std::thread::scope(|scope| {
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

#[test]
fn its_types_cross_threads() {
    fn crosses<T: Send + Sync + Unpin>() {}
    fn waits<J: Job>() {
        crosses::<Process<J::Output>>();
    }
    waits::<executor_testkit::jobs::echo>();
    crosses::<ProcessBuilder>();
    crosses::<executor_process::ProcessHandle>();
    crosses::<SpawnError>();
}
