//! What a pool does to the end of its program. Each test runs this file's program again as a child, with the name of a
//! program to be, and looks at what comes out of it.

#![allow(clippy::unwrap_used, reason = "these are tests")]
#![expect(clippy::print_stdout, reason = "what a program prints shows how far it came")]

mod common;

use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, Stdio};
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use common::watched;
use executor_core::{Backend, Executor, JobFuture, Shutdown, ShutdownError, current, job};
use executor_testkit::comes_about;
use executor_thread::ThreadExecutor;

/// Says which program a child is.
const PROGRAM: &str = "EXECUTOR_THREAD_PROGRAM";

/// The exit code of a `main` that panics.
const PANICKED: i32 = 101;

/// What came out of a child.
struct Ended {
    code: Option<i32>,
    out: String,
    err: String,
}

/// Runs a program as a child.
fn run(program: &str) -> Ended {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "a_program", "--nocapture", "--test-threads=1"])
        .env(PROGRAM, program)
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    if !comes_about(|| child.try_wait().unwrap().is_some()) {
        child.kill().unwrap();
        let output = child.wait_with_output().unwrap();
        panic!("the program `{program}` does not end: {output:?}");
    }
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    // What the programs say themselves; the rest of each line is from the test harness.
    let out = text(output.stdout);
    let out = out.lines().filter_map(|line| line.split_once("> ")).map(|(_, word)| word).collect::<Vec<_>>().join(" ");
    Ended { code: output.status.code(), out, err: text(output.stderr) }
}

/// The programs, each a `main`. This is no test of its own.
#[test]
fn a_program() {
    let Ok(program) = env::var(PROGRAM) else { return };
    let main = match program.as_str() {
        "local pool" => local_pool,
        "unread failure" => unread_failure,
        "static pool" => static_pool,
        "leaked pool" => leaked_pool,
        "pool in a job" => pool_in_a_job,
        "begun drain" => || begun_shutdown(Shutdown::Drain),
        "begun cancel" => || begun_shutdown(Shutdown::CancelPending),
        "begun kill" => || begun_shutdown(Shutdown::Kill),
        "expired shutdown" => expired_shutdown,
        "panics" => panics_that_concern_nobody,
        "awaited after its pool" => awaited_after_its_pool,
        "panic" => panic_in_main,
        "exit" => exit_in_main,
        "exit in a job" => exit_in_a_job,
        "thread local pool" => thread_local_pool,
        other => panic!("there is no program `{other}`"),
    };
    // As a `main` ends, with the code that it would have.
    let code = catch_unwind(AssertUnwindSafe(main)).map_or(PANICKED, |()| 0);
    std::process::exit(code);
}

#[job]
fn say_late(word: &str) {
    // Long enough that a program that does not wait is over by then.
    thread::sleep(Duration::from_millis(50));
    println!("> {word}");
}

/// Goes on for ever.
#[job]
fn never_ends() {
    loop {
        thread::park();
    }
}

fn say_all(pool: &ThreadExecutor) {
    for word in ["one", "two", "three"] {
        drop(pool.submit(say_late::job(word)));
    }
}

fn local_pool() {
    let pool = ThreadExecutor::new(1).unwrap();
    say_all(&pool);
}

/// Law 121.
#[test]
fn the_end_of_main_waits_for_what_was_submitted() {
    let _watched = watched();
    let ended = run("local pool");
    assert_eq!((ended.code, ended.out.as_str(), ended.err.as_str()), (Some(0), "one two three", ""));
}

fn unread_failure() {
    let pool = ThreadExecutor::new(2).unwrap();
    let job: JobFuture<()> = pool.spawn(|| std::panic::resume_unwind(Box::new(1)));
    drop(job);
    let pending = pool.spawn(|| ());
    pool.shutdown(Shutdown::CancelPending).unwrap();
    drop(pending);
}

#[test]
fn a_library_prints_nothing_by_itself() {
    let _watched = watched();
    let ended = run("unread failure");
    assert_eq!((ended.code, ended.out.as_str(), ended.err.as_str()), (Some(0), "", ""));
}

fn panics_that_concern_nobody() {
    let pool = ThreadExecutor::builder().workers(1).on_worker_exit(|_| panic!("the hook fails")).build().unwrap();
    pool.spawn(|| ()).on_done(|_| panic!("the callback fails"));
    drop(pool.spawn(|| rayon::spawn(|| panic!("the closure fails"))));
}

/// Law 30, 109, 302.
#[test]
fn a_panic_that_concerns_nobody_reaches_the_panic_hook() {
    let _watched = watched();
    let ended = run("panics");
    assert_eq!((ended.code, ended.out.as_str()), (Some(0), ""));
    for text in ["the hook fails", "the callback fails", "the closure fails"] {
        assert_eq!(ended.err.matches(text).count(), 1, "{text}: {}", ended.err);
    }
}

fn static_pool() {
    static POOL: OnceLock<ThreadExecutor> = OnceLock::new();
    let pool = POOL.get_or_init(|| ThreadExecutor::new(2).unwrap());
    // The pool works, and then does not stand in the way of the end.
    pool.submit(say_late::job("done")).result().unwrap();
    drop(pool.submit(never_ends::job()));
    drop((0..100).map(|_| pool.submit(never_ends::job())).collect::<Vec<_>>());
}

/// Law 121, 236.
#[test]
fn a_pool_in_a_static_does_not_hold_up_the_end() {
    let _watched = watched();
    let ended = run("static pool");
    assert_eq!((ended.code, ended.out.as_str(), ended.err.as_str()), (Some(0), "done", ""));
}

fn leaked_pool() {
    let pool = ThreadExecutor::new(2).unwrap();
    drop(pool.submit(never_ends::job()));
    pool.submit(say_late::job("done")).result().unwrap();
    std::mem::forget(pool);
}

/// Law 121.
#[test]
fn a_leaked_pool_does_not_hold_up_the_end() {
    let _watched = watched();
    let ended = run("leaked pool");
    assert_eq!((ended.code, ended.out.as_str(), ended.err.as_str()), (Some(0), "done", ""));
}

/// Gives `kept` to a job that runs, and goes on for ever.
fn keep_in_a_job(pool: &ThreadExecutor, kept: impl Send + 'static) {
    let (tx, rx) = mpsc::channel();
    drop(pool.spawn(move || {
        let _kept = kept;
        tx.send(()).unwrap();
        never_ends();
    }));
    rx.recv().unwrap();
}

/// A job has a handle of its own pool, so that the one in `main` is not the last.
fn pool_in_a_job() {
    let pool = ThreadExecutor::new(1).unwrap();
    keep_in_a_job(&pool, pool.clone());
    println!("> end");
}

#[test]
fn a_pool_that_a_job_holds_does_not_hold_up_the_end() {
    let _watched = watched();
    let ended = run("pool in a job");
    assert_eq!((ended.code, ended.out.as_str(), ended.err.as_str()), (Some(0), "end", ""));
}

/// Says that it runs, and then goes on when the program may be about to end.
fn run_late(pool: &ThreadExecutor) -> JobFuture<()> {
    let (tx, rx) = mpsc::channel();
    let running = pool.spawn(move || {
        tx.send(()).unwrap();
        say_late("running");
    });
    rx.recv().unwrap();
    running
}

fn begun_shutdown(mode: Shutdown) {
    let pool = ThreadExecutor::new(1).unwrap();
    drop(run_late(&pool));
    drop(pool.submit(say_late::job("pending")));
    pool.begin_shutdown(mode);
}

/// Law 123.
#[test]
fn the_end_of_main_waits_for_a_shutdown_that_was_begun() {
    let _watched = watched();
    for (program, out) in [("begun drain", "running pending"), ("begun cancel", "running"), ("begun kill", "running")] {
        let ended = run(program);
        assert_eq!((ended.code, ended.out.as_str(), ended.err.as_str()), (Some(0), out, ""), "{program}");
    }
}

fn expired_shutdown() {
    let pool = ThreadExecutor::new(1).unwrap();
    keep_in_a_job(&pool, ());
    let ended = pool.shutdown_timeout(Shutdown::Kill, Duration::from_millis(1));
    assert_eq!(ended, Err(ShutdownError::TimedOut { jobs: 1 }));
    println!("> end");
}

#[test]
fn a_shutdown_whose_limit_passed_does_not_hold_up_the_end() {
    let _watched = watched();
    let ended = run("expired shutdown");
    assert_eq!((ended.code, ended.out.as_str(), ended.err.as_str()), (Some(0), "end", ""));
}

fn awaited_after_its_pool() {
    let pool = ThreadExecutor::new(1).unwrap();
    let running = run_late(&pool);
    // The limit passes, and the drop does not wait.
    assert!(pool.shutdown_timeout(Shutdown::Drain, Duration::ZERO).is_err());
    drop(pool);
    running.result().unwrap();
    println!("> end");
}

#[test]
fn what_runs_beyond_its_pool_can_be_waited_for() {
    let _watched = watched();
    let ended = run("awaited after its pool");
    assert_eq!((ended.code, ended.out.as_str(), ended.err.as_str()), (Some(0), "running end", ""));
}

fn panic_in_main() {
    let pool = ThreadExecutor::new(1).unwrap();
    let (tx, rx) = mpsc::channel();
    let running = pool.spawn(move || {
        tx.send(()).unwrap();
        say_late("running");
        assert!(!current().should_stop());
    });
    rx.recv().unwrap();
    drop(pool.submit(say_late::job("pending")));
    drop(running);
    panic!("the main function fails");
}

#[test]
fn a_panic_in_main_waits_for_what_runs_and_cancels_the_rest() {
    let _watched = watched();
    let ended = run("panic");
    assert_eq!((ended.code, ended.out.as_str()), (Some(PANICKED), "running"));
    assert_eq!(ended.err.matches("panicked at").count(), 1, "{}", ended.err);
    assert!(ended.err.contains("the main function fails"), "{}", ended.err);
}

fn exit_in_main() {
    let pool = ThreadExecutor::new(2).unwrap();
    drop(pool.submit(never_ends::job()));
    pool.submit(say_late::job("done")).result().unwrap();
    std::process::exit(3);
}

fn exit_in_a_job() {
    let pool = ThreadExecutor::new(2).unwrap();
    drop(pool.submit(never_ends::job()));
    drop(pool.spawn(|| std::process::exit(4)));
}

#[test]
fn an_exit_asks_no_pool() {
    let _watched = watched();
    let ended = run("exit");
    assert_eq!((ended.code, ended.out.as_str(), ended.err.as_str()), (Some(3), "done", ""));
    let ended = run("exit in a job");
    assert_eq!((ended.code, ended.out.as_str(), ended.err.as_str()), (Some(4), "", ""));
}

thread_local! {
    static OWN_POOL: ThreadExecutor = ThreadExecutor::new(2).unwrap();
}

/// The pool is dropped when its thread ends, in the middle of the drops of other thread-locals.
fn thread_local_pool() {
    let owner = thread::spawn(|| OWN_POOL.with(say_all));
    owner.join().unwrap();
    println!("> end");
}

#[test]
fn a_pool_of_a_thread_ends_with_the_thread() {
    let _watched = watched();
    let ended = run("thread local pool");
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    let mut words: Vec<_> = ended.out.split(' ').collect();
    assert_eq!(words.pop(), Some("end"));
    words.sort_unstable();
    assert_eq!(words, ["one", "three", "two"]);
}
