//! Owners and their workers as whole programs: nothing is left, whatever ends. Without a harness, so that the program
//! has one thread and can be forked.
//!
//! Each case runs in a process of its own: this program, given the name of the case. Some cases run it once more, as an
//! owner that comes to some end.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test, without the harness by which a lint would know it"
)]
#![expect(unsafe_code, reason = "ignoring a signal, as a program may do")]

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use executor_process::testing::{Crew, NOTE, Witness, patience};
use executor_process::{Exit, StartMethod};
use nix::sys::signal::{SigHandler, Signal, kill, killpg};
use nix::unistd::Pid;

const METHODS: [StartMethod; 3] = [StartMethod::ForkServer, StartMethod::Spawn, StartMethod::Fork];

/// Within what time after its owner every worker has ended: 1 s, or more on a slow machine.
fn soon() -> Duration {
    patience() / 20
}

const CASES: [(&str, fn()); 14] = [
    ("every_method_starts_workers", every_method_starts_workers),
    ("exits_are_relayed_by_a_forked_server", exits_are_relayed_by_a_forked_server),
    ("forked_workers_see_the_memory_of_the_program", forked_workers_see_the_memory_of_the_program),
    ("a_fork_waits_for_no_thread_but_a_leaving_one", a_fork_waits_for_no_thread_but_a_leaving_one),
    ("a_forked_server_that_is_killed_is_not_replaced", a_forked_server_that_is_killed_is_not_replaced),
    ("two_forked_pools_end_apart", two_forked_pools_end_apart),
    ("starts_and_kills_leave_nothing", starts_and_kills_leave_nothing),
    ("pools_that_come_and_go_leave_nothing", pools_that_come_and_go_leave_nothing),
    ("an_owner_that_is_killed_leaves_nobody", an_owner_that_is_killed_leaves_nobody),
    ("an_owner_that_exits_leaves_nobody", an_owner_that_exits_leaves_nobody),
    ("an_owner_that_panics_leaves_nobody", an_owner_that_panics_leaves_nobody),
    ("an_executable_that_was_deleted_still_starts", an_executable_that_was_deleted_still_starts),
    ("an_interrupt_reaches_what_a_job_runs_and_no_worker", an_interrupt_reaches_what_a_job_runs_and_no_worker),
    ("a_program_that_ignores_its_children", a_program_that_ignores_its_children),
];

fn main() {
    executor_process::init();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["case", name] => CASES.iter().find(|(other, _)| *other == name).expect("there is such a case").1(),
        ["owner", method, end] => own(&[method_of(method)], end),
        ["ignoring", signal, end] => {
            // SAFETY: no handler is set.
            unsafe { nix::sys::signal::signal(signal.parse().unwrap(), SigHandler::SigIgn) }.unwrap();
            own(&METHODS, end);
        }
        ["unlinked", path] => unlinked(path),
        _ => {
            // As with a harness, words choose among the cases.
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

fn method_of(name: &str) -> StartMethod {
    METHODS.into_iter().find(|method| format!("{method:?}") == name).expect("a method")
}

fn eventually(what: &str, limit: Duration, mut test: impl FnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !test() {
        assert!(Instant::now() < deadline, "in vain for {limit:?}: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// The state letter of a process, and its parent; `None` if there is no such process.
fn stat(pid: u32) -> Option<(char, u32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    let mut words = rest.split_whitespace();
    Some((words.next()?.chars().next()?, words.next()?.parse().ok()?))
}

/// True if a process has ended. What its parent left behind is the system's to reap.
fn has_ended(pid: u32) -> bool {
    matches!(stat(pid), None | Some(('Z' | 'X', _)))
}

fn children() -> BTreeSet<u32> {
    let list = fs::read_to_string("/proc/thread-self/children").unwrap();
    list.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

fn descriptor_count(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

fn every_method_starts_workers() {
    for method in METHODS {
        let mut crew = Crew::new(method).unwrap();
        for index in 0..3 {
            let mut witness = crew.start().unwrap();
            assert_eq!(witness.ask("echo hello").unwrap(), "hello");
            assert_eq!(witness.ask("index").unwrap(), index.to_string());
            assert_eq!(witness.ask("name").unwrap(), format!("crew-{index}"));
            assert_eq!(witness.ask("stdin").unwrap(), "/dev/null");
            assert_eq!(witness.ask("panic").unwrap(), "caught true");
            assert_eq!(witness.ask("group").unwrap(), nix::unistd::getpgrp().to_string());
            assert_eq!(witness.ask("status SigBlk").unwrap(), "0".repeat(16));
            assert_eq!(witness.ask("nest 2").unwrap(), "at depth 3");
        }
    }
    assert!(children().is_empty());
}

fn exits_are_relayed_by_a_forked_server() {
    let mut crew = Crew::new(StartMethod::Fork).unwrap();
    for (question, wanted) in [("exit 3", Exit::Code(3)), ("raise 15", Exit::Signal { number: 15, core_dumped: false })]
    {
        let mut witness = crew.start().unwrap();
        assert!(witness.ask(question).is_err());
        assert_eq!(crew.end_of(&witness), wanted);
    }
    let mut witness = crew.start().unwrap();
    assert!(witness.ask("abort").is_err());
    assert!(matches!(crew.end_of(&witness), Exit::Signal { number: 6, .. }));
}

fn forked_workers_see_the_memory_of_the_program() {
    "before".clone_into(&mut NOTE.lock().unwrap());
    let mut crew = Crew::new(StartMethod::Fork).unwrap();
    "after".clone_into(&mut NOTE.lock().unwrap());
    assert_eq!(crew.start().unwrap().ask("noted").unwrap(), "before");
    assert_eq!(Crew::new(StartMethod::ForkServer).unwrap().start().unwrap().ask("noted").unwrap(), "");
    // Threads that begin later do no harm: it is the server that is forked.
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let thread = thread::spawn(move || stopped.recv());
    assert_eq!(crew.start().unwrap().ask("noted").unwrap(), "before");
    drop(stop);
    thread.join().unwrap().unwrap_err();
}

fn a_fork_waits_for_no_thread_but_a_leaving_one() {
    for _ in 0..50 {
        thread::spawn(|| ()).join().unwrap();
        drop(Crew::new(StartMethod::Fork).unwrap());
    }
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let thread = thread::spawn(move || stopped.recv());
    let error = Crew::new(StartMethod::Fork).unwrap_err().to_string();
    assert!(error.contains("which has 2 threads"), "{error}");
    drop(stop);
    thread.join().unwrap().unwrap_err();
}

fn a_forked_server_that_is_killed_is_not_replaced() {
    let mut crew = Crew::new(StartMethod::Fork).unwrap();
    let mut witness = crew.start().unwrap();
    let server: i32 = witness.ask("parent").unwrap().parse().unwrap();
    kill(Pid::from_raw(server), Signal::SIGKILL).unwrap();
    assert_eq!(crew.end_of(&witness), Exit::Unknown);
    let error = crew.start().unwrap_err().to_string();
    assert!(error.contains("build the pool anew"), "{error}");
    drop(crew);
    assert!(children().is_empty());
}

fn two_forked_pools_end_apart() {
    let mut first = Crew::new(StartMethod::Fork).unwrap();
    let one = first.start().unwrap();
    // The server of the second is a copy of a program that holds sockets of the first.
    let mut second = Crew::new(StartMethod::Fork).unwrap();
    let mut two = second.start().unwrap();
    drop(first);
    eventually("the workers of the first end", soon(), || has_ended(one.pid()));
    assert_eq!(two.ask("echo hello").unwrap(), "hello");
    assert_eq!(second.start().unwrap().ask("echo hello").unwrap(), "hello");
}

fn starts_and_kills_leave_nothing() {
    for method in METHODS {
        let mut crew = Crew::new(method).unwrap();
        let mut first = crew.start().unwrap();
        let server: u32 = first.ask("parent").unwrap().parse().unwrap();
        let before = (children(), descriptor_count(std::process::id()), descriptor_count(server));
        for round in 0..200 {
            let witness = crew.start().unwrap();
            if round % 3 == 0 {
                drop(witness);
                continue;
            }
            witness.kill().unwrap();
            assert_eq!(crew.end_of(&witness), Exit::Signal { number: 9, core_dumped: false });
        }
        // Those of which the channel was closed end by themselves.
        // What the server has handed over it may have closed only after the first look.
        eventually(&format!("{method:?} comes back to {before:?}"), patience(), || {
            crew.take_news();
            children() == before.0
                && descriptor_count(std::process::id()) == before.1
                && descriptor_count(server) <= before.2
        });
        let below = fs::read_to_string(format!("/proc/{server}/task/{server}/children")).unwrap();
        if method != StartMethod::Spawn {
            assert_eq!(below.trim(), first.pid().to_string());
        }
    }
    assert!(children().is_empty());
}

fn pools_that_come_and_go_leave_nothing() {
    for method in METHODS {
        let before = descriptor_count(std::process::id());
        for round in 0..200 {
            let mut crew = Crew::new(method).unwrap();
            let mut witnesses: Vec<Witness> = (0..round % 3).map(|_| crew.start().unwrap()).collect();
            if let Some(witness) = witnesses.first_mut() {
                witness.tell("sleep").unwrap();
            }
        }
        assert_eq!(descriptor_count(std::process::id()), before, "{method:?}");
        assert!(children().is_empty(), "{method:?}");
    }
}

/// An owner that was started as a program of its own, and those that belong to it.
struct Owner {
    child: Child,
    output: BufReader<ChildStdout>,
    below: Vec<u32>,
}

impl Owner {
    fn start(mut command: Command) -> Owner {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let below = line.split_whitespace().map(|pid| pid.parse().unwrap()).collect();
        Owner { child, output, below }
    }

    fn of(method: StartMethod, end: &str) -> Owner {
        let mut command = Command::new("/proc/self/exe");
        command.args(["owner", &format!("{method:?}"), end]);
        Owner::start(command)
    }

    fn go_on(&mut self) {
        writeln!(self.child.stdin.as_mut().unwrap()).unwrap();
    }

    fn next_line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }
}

/// An owner: starts workers by each method, of which one sleeps in a job and one waits for questions, says who they
/// are, waits for a word, and comes to its end.
fn own(methods: &[StartMethod], end: &str) {
    let mut crews: Vec<_> = methods.iter().rev().map(|&method| Crew::new(method).unwrap()).collect();
    let mut witnesses = Vec::new();
    let mut below = BTreeSet::new();
    for crew in &mut crews {
        for _ in 0..2 {
            let mut witness = crew.start().unwrap();
            below.insert(witness.pid());
            below.insert(witness.ask("parent").unwrap().parse().unwrap());
            witnesses.push(witness);
        }
    }
    below.remove(&std::process::id());
    if end != "interrupted" && end != "childless" {
        for witness in witnesses.iter_mut().step_by(2) {
            witness.tell("sleep").unwrap();
        }
    }
    let list: Vec<String> = below.iter().map(u32::to_string).collect();
    println!("{}", list.join(" "));
    let mut word = String::new();
    match end {
        "interrupted" => {
            for witness in &mut witnesses {
                witness.tell("run echo started >&2; exec sleep 30").unwrap();
            }
            for witness in &mut witnesses {
                println!("{}", witness.answer().unwrap());
            }
            for witness in &mut witnesses {
                println!("{}", witness.ask("echo here").unwrap());
            }
        }
        "childless" => {
            for (crew, witness) in crews.iter_mut().zip(witnesses.iter_mut().step_by(2)) {
                assert!(witness.ask("exit 3").is_err());
                println!("{:?}", crew.end_of(witness));
            }
        }
        _ => {}
    }
    std::io::stdin().read_line(&mut word).unwrap();
    match end {
        "exits" => std::process::exit(0),
        "leaks" => std::mem::forget(crews),
        "panics" => panic!("on purpose"),
        _ => {}
    }
}

fn leaves_nobody(method: StartMethod, end: &str) {
    let mut owner = Owner::of(method, end);
    assert!(owner.below.len() >= 2, "{:?}", owner.below);
    assert!(!owner.below.iter().any(|&pid| has_ended(pid)));
    if end == "killed" {
        owner.child.kill().unwrap();
    } else {
        owner.go_on();
    }
    owner.child.wait().unwrap();
    eventually(&format!("{method:?}: nobody is left"), soon(), || owner.below.iter().all(|&pid| has_ended(pid)));
}

fn an_owner_that_is_killed_leaves_nobody() {
    for method in METHODS {
        for _ in 0..5 {
            leaves_nobody(method, "killed");
        }
    }
}

fn an_owner_that_exits_leaves_nobody() {
    for method in METHODS {
        leaves_nobody(method, "exits");
        leaves_nobody(method, "leaks");
        leaves_nobody(method, "returns");
    }
}

fn an_owner_that_panics_leaves_nobody() {
    for method in METHODS {
        leaves_nobody(method, "panics");
    }
}

fn an_executable_that_was_deleted_still_starts() {
    let path = std::env::temp_dir().join(format!("executor-process-{}", std::process::id()));
    fs::copy("/proc/self/exe", &path).unwrap();
    let status = Command::new(&path).arg("unlinked").arg(&path).status().unwrap();
    assert!(status.success());
    assert!(!path.exists());
}

fn unlinked(path: &str) {
    fs::remove_file(path).unwrap();
    for method in METHODS {
        assert_eq!(Crew::new(method).unwrap().start().unwrap().ask("echo hello").unwrap(), "hello");
    }
}

/// A program that ignores a signal and owns workers of each method.
fn ignoring(signal: Signal, end: &str) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.args(["ignoring", signal.as_str(), end]);
    command
}

fn an_interrupt_reaches_what_a_job_runs_and_no_worker() {
    // The owner ignores it here, as one does that decides for itself.
    let mut command = ignoring(Signal::SIGINT, "interrupted");
    command.process_group(0).stderr(Stdio::piped());
    let mut owner = Owner::start(command);
    let mut started = BufReader::new(owner.child.stderr.take().unwrap()).lines();
    for _ in 0..6 {
        assert_eq!(started.next().unwrap().unwrap(), "started");
    }
    killpg(Pid::from_raw(owner.child.id().try_into().unwrap()), Signal::SIGINT).unwrap();
    for _ in 0..6 {
        assert_eq!(owner.next_line(), "signal 2 (SIGINT) ended it");
    }
    for _ in 0..6 {
        assert_eq!(owner.next_line(), "here");
    }
    owner.go_on();
    assert!(owner.child.wait().unwrap().success());
}

fn a_program_that_ignores_its_children() {
    let mut owner = Owner::start(ignoring(Signal::SIGCHLD, "childless"));
    // From the last method to the first.
    assert_eq!(owner.next_line(), "Code(3)");
    assert_eq!(owner.next_line(), "Unknown");
    assert_eq!(owner.next_line(), "Code(3)");
    owner.go_on();
    assert!(owner.child.wait().unwrap().success());
    eventually("nobody is left", soon(), || owner.below.iter().all(|&pid| has_ended(pid)));
}
