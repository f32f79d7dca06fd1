//! Who hears the lines may be slow, may panic, and may not wait for its own pool.

use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use executor_core::{Executor, JobError, JobFuture, JobOptions, Shutdown, ShutdownError, job};
use executor_process::{OutputLine, ProcessExecutor};
use executor_testkit::{Gate, Log, ON_PURPOSE, Pen, comes_about, eventually, jobs};

use crate::all_lines;
use crate::common::{THREADED_METHODS, all_workers_of, named, threads_named, watched, workers_of};
use crate::printers::{die_talking, pour, print_behind_the_gate, print_one};

/// Prints a line, and says that it has.
#[job]
fn print_and_note(pen: Pen) {
    println!("a line");
    pen.write(1);
}

#[test]
fn a_slow_callback_holds_those_who_print_and_nobody_else() {
    const BYTES: usize = 16 << 20;
    let _watched = watched();
    for method in THREADED_METHODS {
        let (sender, going) = mpsc::channel::<()>();
        let (going, told) = (Mutex::new(going), Arc::new(Mutex::new(0_usize)));
        let theirs = Arc::clone(&told);
        let slow = move |line: OutputLine| {
            // Until the other end is dropped.
            let _ = going.lock().unwrap().recv();
            *theirs.lock().unwrap() += line.text.len() + 1;
        };
        let pool = named("slow", 2).start_method(method).on_output(slow).build().unwrap();
        // It is dropped before the pool, which waits for the callback: so a test that fails does not hang.
        let go = sender;
        let log = Log::new();
        let poured = pool.submit(pour::job(Some(log.pen()), BYTES));
        log.wait_for(1);
        let pid = all_workers_of("slow", 2).into_iter().find(|&pid| {
            // Which of the two it is, is seen when it stands still.
            let wait = || std::fs::read_to_string(format!("/proc/{pid}/wchan")).unwrap_or_default();
            comes_about(|| wait().contains("pipe") || log.len() > 64) && wait().contains("pipe")
        });
        assert!(pid.is_some(), "nobody waits");
        // Beside what waits for the callback, only the pipe and what the job was about to write were taken.
        assert!(log.entries().last().is_some_and(|&written| written < 3 << 20), "{:?}", log.entries().last());
        // The other worker prints nothing and goes on.
        assert_eq!(pool.map(jobs::echo::job, 0..1000).filter(Result::is_ok).count(), 1000);
        drop(go);
        let written = poured.result().unwrap();
        pool.shutdown(Shutdown::Drain).unwrap();
        assert_eq!(*told.lock().unwrap(), written);
    }
}

#[test]
fn what_waits_for_the_callback_can_be_killed() {
    let _watched = watched();
    let (sender, going) = mpsc::channel::<()>();
    let going = Mutex::new(going);
    let stuck = move |_| assert!(going.lock().unwrap().recv().is_err());
    let pool = named("stuck", 4).on_output(stuck).build().unwrap();
    // It is dropped before the pool, which waits for the callback: so a test that fails does not hang.
    let go = sender;
    let log = Log::new();
    let first = pool.submit(pour::job(Some(log.pen()), 64 << 20));
    log.wait_for(1);
    assert!(first.kill());
    assert!(matches!(first.result(), Err(JobError::Killed)));
    let limited = JobOptions::new().run_limit(Duration::from_millis(50));
    let second = pool.submit_with(pour::job(None, 64 << 20), limited);
    assert!(matches!(second.result(), Err(JobError::RunLimit { .. })));
    // It has run, and waits to be heard.
    let notes = Log::new();
    let unheard = pool.submit(print_and_note::job(notes.pen()));
    notes.wait_for(1);
    assert!(unheard.kill());
    assert!(matches!(unheard.result(), Err(JobError::Killed)));
    // Of four workers, three may have died and not been replaced, because what they print could not be taken.
    let third = pool.submit(pour::job(Some(notes.pen()), 64 << 20));
    notes.wait_for(2);
    // The shutdown would wait for the callback too.
    let _ = pool.shutdown_timeout(Shutdown::Kill, Duration::from_millis(1));
    assert!(matches!(third.result(), Err(JobError::Killed)));
    drop(go);
    pool.shutdown(Shutdown::Kill).unwrap();
}

#[test]
fn a_worker_is_replaced_only_while_its_output_can_be_taken() {
    let _watched = watched();
    let (sender, going) = mpsc::channel::<()>();
    let (going, told) = (Mutex::new(going), Arc::new(Mutex::new(0_usize)));
    let theirs = Arc::clone(&told);
    let slow = move |line: OutputLine| {
        let _ = going.lock().unwrap().recv();
        *theirs.lock().unwrap() += line.text.len();
    };
    let pool = named("bounded", 2).on_output(slow).build().unwrap();
    // It is dropped before the pool, which waits for the callback: so a test that fails does not hang.
    let go = sender;
    let words = "w".repeat(60_000);
    let futures: Vec<_> = (0..100).map(|_| pool.submit(die_talking::job(words.clone()))).collect();
    // 120 kB each, so that some twenty of them fill what may wait.
    eventually("no worker is left", || pool.stats().failed >= 8 && workers_of("bounded").is_empty());
    assert!(pool.stats().failed < 40, "{:?}", pool.stats());
    drop(go);
    let died = |future: JobFuture<()>| matches!(future.result(), Err(JobError::WorkerDied { .. }));
    assert!(futures.into_iter().all(died));
    pool.shutdown(Shutdown::Drain).unwrap();
    assert_eq!(*told.lock().unwrap(), 100 * 2 * ("out ".len() + 60_000));
}

#[test]
fn a_callback_may_not_wait_for_its_pool() {
    let _watched = watched();
    let (told, tells) = mpsc::channel();
    let shared: Arc<Mutex<Option<ProcessExecutor>>> = Arc::default();
    let theirs = Arc::clone(&shared);
    let asks = move |_: OutputLine| {
        let Some(pool) = theirs.lock().unwrap().take() else { return };
        let waited = pool.submit(jobs::echo::job(7)).result();
        let shut = pool.shutdown(Shutdown::Drain);
        // It is the last handle.
        drop(pool);
        told.send((waited, shut)).unwrap();
    };
    let pool = named("asks", 1).on_output(asks).build().unwrap();
    let gate = Gate::new();
    let future = pool.submit(print_behind_the_gate::job(gate.pass()));
    gate.wait_for(1);
    *shared.lock().unwrap() = Some(pool);
    gate.open();
    let (waited, shut) = tells.recv().unwrap();
    assert!(matches!(waited, Err(JobError::WouldBlock { .. })), "{waited:?}");
    assert!(matches!(shut, Err(ShutdownError::OwnWorker)), "{shut:?}");
    future.result().unwrap();
    eventually("the workers have ended", || workers_of("asks").is_empty());
    eventually("the threads have ended", || threads_named("asks") == 0);
}

#[test]
fn a_callback_that_panics_hears_the_next_line() {
    let _watched = watched();
    let (told, lines) = mpsc::channel();
    let panics = move |line: OutputLine| {
        told.send(line).unwrap();
        panic!("the callback panics, {ON_PURPOSE}");
    };
    let pool = named("panics", 1).on_output(panics).build().unwrap();
    pool.map(print_one::job, 0..50).for_each(|result| assert!(result.is_ok()));
    let lines = all_lines(pool, &lines);
    assert_eq!(lines.iter().map(|line| line.text.parse().unwrap()).collect::<Vec<u64>>(), Vec::from_iter(0..50));
}
