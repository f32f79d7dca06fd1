//! What is left of single processes: nothing, whatever ends; and what a fork of the program is like. Without a harness, so
//! that a program has one thread and can be forked, and so that what it has can be counted. Each case runs in a process of its
//! own.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test, without the harness by which a lint would know it"
)]
#![expect(unsafe_code, reason = "an exit handler, as C libraries have them")]

mod common;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use common::{
    METHODS, THREADED_METHODS, below, descriptors, has_ended, kill, method_of, shared_mappings, stat, threads_named,
    watched, watched_for,
};
use executor_core::{JobError, WorkerDeath, job};
use executor_process::{Exit, Process, SpawnError, StartMethod, active_children};
use executor_testkit::{Gate, ON_PURPOSE, comes_about, eventually, jobs, scaled};

const CASES: [(&str, fn()); 8] = [
    ("an_owner_that_is_killed_leaves_nobody", || owners_end("killed")),
    ("an_owner_that_exits_leaves_nobody", || owners_end("exits")),
    ("an_owner_that_panics_leaves_nobody", || owners_end("panics")),
    ("an_owner_that_returns_leaves_nobody", || owners_end("returns")),
    ("processes_that_come_and_go_leave_nothing", processes_that_come_and_go_leave_nothing),
    ("the_fork_server_may_die", the_fork_server_may_die),
    ("a_forked_process_sees_the_program", a_forked_process_sees_the_program),
    ("what_was_printed_is_flushed", what_was_printed_is_flushed),
];

fn main() {
    executor_process::init();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["case", name] => {
            CASES.iter().find(|(other, _)| *other == name).unwrap().1();
            let left = comes_about(|| below(std::process::id()).iter().all(|&pid| is_live_server(pid)));
            assert!(left, "{name}: processes are left: {:?}", below(std::process::id()));
        }
        ["owner", method, end] => own(method_of(method), end),
        ["printer", method] => print(method_of(method)),
        _ => {
            let words: Vec<_> = arguments.iter().filter(|word| !word.starts_with('-')).collect();
            for (name, _) in CASES {
                if words.is_empty() || words.iter().any(|word| name.contains(word.as_str())) {
                    let status = Command::new("/proc/self/exe").args(["case", name]).status().unwrap();
                    println!("test {name} ... {}", if status.success() { "ok" } else { "FAILED" });
                    assert!(status.success(), "{name}: {status}");
                }
            }
        }
    }
}

/// The fork server stays as long as its program does.
fn is_live_server(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim_end() == "fork-server")
        && !has_ended(pid)
}

/// Is busy until its process is ended.
#[job]
fn spin() {
    loop {
        std::hint::spin_loop();
    }
}

/// Sleeps until its process is ended.
#[job]
fn sleep() {
    loop {
        std::thread::park();
    }
}

/// A program that has a process which is busy and, where it can have two, one that sleeps; and that comes to some end.
fn own(method: StartMethod, end: &str) {
    // Before anything of the program begins a thread.
    let mut processes = vec![Process::builder().start_method(method).spawn(spin::job()).unwrap()];
    if method != StartMethod::Fork {
        processes.push(Process::builder().start_method(method).daemon(true).spawn(sleep::job()).unwrap());
    }
    let list: Vec<String> = below(std::process::id()).iter().map(u32::to_string).collect();
    println!("{}", list.join(" "));
    std::io::stdin().read_line(&mut String::new()).unwrap();
    match end {
        "exits" => std::process::exit(0),
        "panics" => {
            std::panic::set_hook(Box::new(|_| {}));
            panic!("{ON_PURPOSE}");
        }
        _ => {}
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
        assert!(pids.len() >= 2 && !pids.iter().any(|&pid| has_ended(pid)), "{method:?}: {pids:?}");
        if end == "killed" {
            child.kill().unwrap();
        } else {
            drop(child.stdin.take());
        }
        let status = child.wait().unwrap();
        let ended = Instant::now();
        assert_eq!(status.success(), end == "exits" || end == "returns", "{method:?}: {status}");
        eventually(&format!("{method:?}: nobody is left"), || pids.iter().all(|&pid| has_ended(pid)));
        // Milliseconds on a machine that has time for it, and this is for one that has none.
        assert!(ended.elapsed() < scaled(Duration::from_secs(5)), "{method:?}: it took {:?}", ended.elapsed());
    }
}

/// What this process has: descriptors, mappings that others share, threads, processes below it.
fn belongings() -> [usize; 4] {
    [descriptors(), shared_mappings(), threads_named("process"), below(std::process::id()).len()]
}

fn processes_that_come_and_go_leave_nothing() {
    // Two seconds of starts, where nobody else wants the machine.
    let _watched = watched_for(Duration::from_secs(120));
    for method in THREADED_METHODS {
        let round = |round: u64| {
            let builder = Process::builder().start_method(method).discard_output();
            match round % 5 {
                0 => assert_eq!(builder.spawn(jobs::echo::job(round)).unwrap().result().unwrap(), round),
                1 => drop(builder.spawn(jobs::echo::job(round)).unwrap()),
                2 => drop(builder.daemon(true).spawn(sleep::job()).unwrap()),
                3 => {
                    let process = builder.spawn(sleep::job()).unwrap();
                    assert!(process.kill().unwrap());
                    assert!(matches!(process.result(), Err(JobError::WorkerDied { .. })));
                }
                _ => {
                    let process = builder.spawn(jobs::echo::job(round)).unwrap();
                    assert_eq!(futures::executor::block_on(process).unwrap(), round);
                }
            }
        };
        (0..5).for_each(round);
        eventually("they have ended", || active_children().is_empty());
        let before = belongings();
        (0..200).for_each(round);
        let mut after = before;
        // What the last of the first processes had may have been counted before it was let go of.
        let none_grew = comes_about(|| {
            after = belongings();
            after.iter().zip(before).all(|(after, before)| *after <= before)
        });
        assert!(none_grew, "{method:?}: {before:?} before, {after:?} after");
    }
}

fn the_fork_server_may_die() {
    let _watched = watched();
    let mut servers = Vec::new();
    for round in 0..5 {
        let gate = Gate::new();
        let running = Process::spawn(jobs::pass::job(gate.pass(), 1)).unwrap();
        gate.wait_for(1);
        let (_, server) = stat(running.pid()).unwrap();
        assert!(kill(server));
        assert!(matches!(running.join(), Exit::Signal { number: libc::SIGKILL, .. } | Exit::Unknown), "round {round}");
        match running.result() {
            Err(JobError::WorkerDied { death: WorkerDeath::Signalled { .. } | WorkerDeath::Unknown, .. }) => {}
            other => panic!("round {round}: {other:?}"),
        }
        servers.push(server);
        assert_eq!(Process::spawn(jobs::echo::job(round)).unwrap().result().unwrap(), round);
        // While nobody runs, the server that waits for the next one is killed.
        let waiting = *below(std::process::id()).iter().find(|&&pid| is_live_server(pid)).unwrap();
        assert!(kill(waiting));
        servers.push(waiting);
        eventually("it is reaped", || servers.iter().all(|&pid| stat(pid).is_none()));
    }
}

/// What the program notes for processes that see its memory.
static NOTE: Mutex<String> = Mutex::new(String::new());

#[job]
fn noted() -> String {
    NOTE.lock().unwrap().clone()
}

fn a_forked_process_sees_the_program() {
    "it was here".clone_into(&mut NOTE.lock().unwrap());
    let fork = Process::builder().start_method(StartMethod::Fork);
    let process = fork.clone().name("forked").spawn(noted::job()).unwrap();
    let _watched = watched();
    let pid = process.pid();
    assert_eq!(process.result().unwrap(), "it was here");
    eventually("its server has ended as well", || has_ended(pid) && below(std::process::id()).is_empty());
    match fork.spawn(noted::job()) {
        Err(error @ SpawnError::Start { .. }) => assert!(error.to_string().contains("threads"), "{error}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(Process::spawn(noted::job()).unwrap().result().unwrap(), "");
}

extern "C" fn say_goodbye() {
    println!("goodbye");
}

/// Prints without an end of the line, and leaves an exit handler.
#[job]
fn say_hello() {
    // SAFETY: the handler may run at any end of the process.
    unsafe { libc::atexit(say_goodbye) };
    print!("hello ");
}

/// A program with an exit handler, whose process prints.
fn print(method: StartMethod) {
    // SAFETY: as above.
    unsafe { libc::atexit(say_goodbye) };
    let process = Process::builder().start_method(method).spawn(say_hello::job()).unwrap();
    assert_eq!(process.join(), Exit::Code(0));
    process.result().unwrap();
    println!("joined");
}

/// Law 218, and its price in a fork: there the handlers are those of the program, and none of them runs twice.
fn what_was_printed_is_flushed() {
    let _watched = watched();
    for method in METHODS {
        let output = Command::new("/proc/self/exe").args(["printer", &format!("{method:?}")]).output().unwrap();
        assert!(output.status.success(), "{method:?}");
        let expected = match method {
            StartMethod::Fork => "hello joined\ngoodbye\n",
            _ => "hello goodbye\njoined\ngoodbye\n",
        };
        assert_eq!(String::from_utf8(output.stdout).unwrap(), expected, "{method:?}");
    }
}
