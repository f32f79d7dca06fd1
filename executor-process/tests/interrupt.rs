//! Ctrl-C while a map runs: the terminal sends `SIGINT` to every process of its foreground group, the owner, its workers,
//! and the programs that jobs run. The owner decides, those programs end, and no worker takes it for its own.
//!
//! Without a harness, so that an owner has one thread and can be forked: it is this program once more, in a group of its
//! own.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test, without the harness by which a lint would know it"
)]

mod common;

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Stdio};
use std::time::Duration;

use common::{METHODS, below, has_ended, method_of, watched};
use executor_core::{Executor, Shutdown, job};
use executor_process::{ProcessExecutor, StartMethod};
use executor_testkit::eventually;
use nix::sys::signal::{SigHandler, SigSet, Signal, killpg, signal};
use nix::unistd::Pid;

/// How many jobs run a program. One worker more has short jobs to run meanwhile.
const PROGRAMS: usize = 2;

fn main() {
    executor_process::init();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["owner", method, end] => {
            heed_interrupts();
            if end == "dies" { own(method_of(method)) } else { decide(method_of(method)) }
        }
        _ => {
            let _watched = watched();
            for method in METHODS {
                an_owner_that_dies_leaves_nobody(method);
                an_owner_that_decides_goes_on(method);
                println!("test interrupt_of_{method:?} ... ok");
            }
        }
    }
}

/// Runs a program that says its number and sleeps, and tells how it ended; or does a short piece of work.
#[job]
fn work(runs_program: bool) -> String {
    if runs_program {
        let status = Command::new("/bin/sh").args(["-c", "echo $$; exec sleep 1000"]).status();
        return status.unwrap().to_string();
    }
    std::thread::sleep(Duration::from_micros(100));
    "short".to_owned()
}

fn pool(method: StartMethod) -> ProcessExecutor {
    ProcessExecutor::builder().workers(PROGRAMS + 1).start_method(method).build().unwrap()
}

/// Has the signal end this program, also where this test was started by a shell in the background, which has such programs
/// ignore it.
#[expect(unsafe_code, reason = "a handler could do anything; there is none")]
fn heed_interrupts() {
    // SAFETY: no code runs at the signal: the system ends the program.
    unsafe { signal(Signal::SIGINT, SigHandler::SigDfl) }.unwrap();
}

/// A program that does nothing about the signal, which ends it.
fn own(method: StartMethod) {
    let pool = pool(method);
    pool.map_unordered(work::job, (0..).map(|n| n < PROGRAMS)).for_each(drop);
}

/// A program that keeps the signal from itself, as one does that has a thread to wait for it.
fn decide(method: StartMethod) {
    let mut interrupt = SigSet::empty();
    interrupt.add(Signal::SIGINT);
    interrupt.thread_block().unwrap();
    let pool = pool(method);
    let mut map = pool.map(work::job, (0..).map(|n| n < PROGRAMS));
    for item in map.by_ref().take(PROGRAMS + 100) {
        println!("{}", item.unwrap());
    }
    assert_eq!(interrupt.wait().unwrap(), Signal::SIGINT);
    eprintln!("interrupted");
    drop(map);
    pool.shutdown(Shutdown::CancelPending).unwrap();
    assert_eq!(pool.stats().worker_restarts, 0);
    std::process::exit(130);
}

/// Runs an owner until its programs run, interrupts its group, and gives how it ended and what it wrote, once nobody of it
/// is left.
fn interrupt(method: StartMethod, end: &str) -> (std::process::ExitStatus, Vec<String>, String) {
    let mut command = Command::new("/proc/self/exe");
    command.args(["owner", &format!("{method:?}"), end]).process_group(0);
    let mut owner = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(owner.stdout.take().unwrap()).lines().map(Result::unwrap);
    let programs: Vec<u32> = lines.by_ref().take(PROGRAMS).map(|line| line.parse().unwrap()).collect();
    let processes = below(owner.id());
    assert!(programs.iter().all(|program| processes.contains(program)), "{method:?}: {programs:?} {processes:?}");
    assert!(processes.len() > 2 * PROGRAMS, "{method:?}: {processes:?}");
    killpg(Pid::from_raw(owner.id().cast_signed()), Signal::SIGINT).unwrap();
    // Both end with the last process that holds the other end of the pipe.
    let rest = lines.collect();
    let mut said = String::new();
    owner.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    let status = owner.wait().unwrap();
    eventually(&format!("{method:?}: nobody is left"), || processes.iter().all(|&pid| has_ended(pid)));
    (status, rest, said)
}

fn an_owner_that_dies_leaves_nobody(method: StartMethod) {
    let (status, rest, said) = interrupt(method, "dies");
    assert_eq!(status.signal(), Some(Signal::SIGINT as i32), "{method:?}: {status}");
    assert_eq!((rest, said.as_str()), (Vec::new(), ""), "{method:?}");
}

fn an_owner_that_decides_goes_on(method: StartMethod) {
    let (status, rest, said) = interrupt(method, "decides");
    assert_eq!(status.code(), Some(130), "{method:?}: {status}: {said}");
    let (programs, others) = rest.split_at(PROGRAMS);
    assert!(programs.iter().all(|end| end == "signal: 2 (SIGINT)"), "{method:?}: {programs:?}");
    assert!(others.len() == 100 && others.iter().all(|end| end == "short"), "{method:?}: {others:?}");
    assert_eq!(said, "interrupted\n", "{method:?}");
}
