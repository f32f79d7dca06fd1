//! What workers print, where it is captured: whole lines, of whom they are, all of them, and nobody waits for ever.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "these are tests of what is printed"
)]

mod common;

use std::collections::HashMap;
use std::io::Write;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{THREADED_METHODS, all_workers_of, descriptors, has_ended, kill, named, watched};
use executor_core::{Executor, JobError, JobId, JobOptions, Retries, Shutdown, ShutdownError, WorkerDeath, job};
use executor_process::{LineEnd, OutputLine, OutputStream, ProcessExecutor, ProcessExecutorBuilder, StartMethod};
use executor_testkit::{Gate, Log, ON_PURPOSE, Pass, Pen, eventually, jobs};

/// A builder whose pool sends its lines here.
fn capturing(name: &str, workers: usize) -> (ProcessExecutorBuilder, Receiver<OutputLine>) {
    let (told, lines) = mpsc::channel();
    (named(name, workers).on_output(move |line| drop(told.send(line))), lines)
}

/// The lines that a pool has told by its end.
fn all_lines(pool: ProcessExecutor, lines: &Receiver<OutputLine>) -> Vec<OutputLine> {
    pool.shutdown(Shutdown::Drain).unwrap();
    lines.try_iter().collect()
}

/// The texts of the lines of a job on a stream, each joined to the one that it was cut off.
fn texts(lines: &[OutputLine], job: JobId, stream: OutputStream) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    let mut goes_on = false;
    for line in lines.iter().filter(|line| line.stream == stream && line.job.as_ref().map(|job| job.id) == Some(job)) {
        if goes_on {
            texts.last_mut().unwrap().push_str(&line.text);
        } else {
            texts.push(line.text.clone());
        }
        goes_on = line.end == LineEnd::Cut;
    }
    texts
}

fn line_text(job: u64, line: u64) -> String {
    format!("{job}:{line}:{}", "x".repeat((job * 31 + line * 7) as usize % 300))
}

/// Prints many lines, piece by piece, to both streams.
#[job]
fn print_many(number: u64, lines: u64) -> u64 {
    for line in 0..lines {
        let text = line_text(number, line);
        let (first, second) = text.split_at(text.len() / 2);
        print!("{first}");
        eprint!("{first}");
        println!("{second}");
        eprintln!("{second}");
    }
    number
}

/// Prints its number, and a newline only if it is even.
#[job]
fn print_one(number: u64) -> u64 {
    if number.is_multiple_of(2) {
        println!("{number}")
    } else {
        print!("{number}")
    }
    number
}

/// Prints as an initializer does.
#[job]
fn print_at_start() {
    println!("at the start");
    eprint!("without an end");
}

/// Writes these bytes to a stream at once, past all buffers; gives how many were written.
#[job]
fn write_raw(to_stderr: bool, bytes: Vec<u8>) -> usize {
    let written = if to_stderr { std::io::stderr().write_all(&bytes) } else { nix_write_all(&bytes) };
    written.map_or(0, |()| bytes.len())
}

fn nix_write_all(mut bytes: &[u8]) -> std::io::Result<()> {
    while !bytes.is_empty() {
        let length = nix::unistd::write(std::io::stdout(), bytes)?;
        bytes = &bytes[length..];
    }
    Ok(())
}

/// Writes as many bytes, in lines of 64, and tells how far it is.
#[job]
fn pour(pen: Option<Pen>, bytes: usize) -> usize {
    let block = [b"0123456789abcdef".repeat(4)[..63].to_vec(), b"\n".to_vec()].concat().repeat(1024);
    let mut written = 0;
    while written < bytes {
        nix_write_all(&block).unwrap();
        written += block.len();
        if let Some(pen) = pen {
            pen.write(written as u64);
        }
    }
    written
}

/// Prints last words without a newline, and dies of it.
#[job]
fn die_talking(words: String) {
    print!("out {words}");
    std::io::stdout().flush().unwrap();
    eprint!("err {words}");
    std::process::abort();
}

/// Dies without a word.
#[job]
fn die_silently() {
    std::process::abort();
}

/// Panics where a panic aborts, as in a program that is built so.
#[job]
fn panic_and_abort() {
    let tells = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        tells(info);
        std::process::abort();
    }));
    panic!("it cannot go on");
}

/// Needs more memory than there is.
#[job]
fn allocate(bytes: usize) -> usize {
    std::hint::black_box(vec![1_u8; bytes]).len()
}

/// Prints a line, and says that it has.
#[job]
fn print_and_note(pen: Pen) {
    println!("a line");
    pen.write(1);
}

/// Closes its standard streams.
#[job]
fn close_streams() {
    nix::unistd::close(1).unwrap();
    nix::unistd::close(2).unwrap();
}

/// Starts a program that prints for as long as its standard output is read.
#[job]
fn leave_a_printer() -> u32 {
    let mut command = std::process::Command::new("yes");
    // Nobody waits for it, and the system reaps it when the worker has ended.
    command.arg("left behind").spawn().map(|program| program.id()).unwrap()
}

/// Leaves a thread that waits at the gate before it prints.
#[job]
fn print_behind_the_gate(gate: Pass) {
    println!("before the gate");
    gate.go();
    println!("behind the gate");
}

#[test]
fn lines_of_workers_and_streams_never_mix() {
    let _watched = watched();
    for method in THREADED_METHODS {
        let (builder, lines) = capturing("whole", 2);
        let pool = builder.start_method(method).build().unwrap();
        let futures: Vec<_> = (0..30).map(|number| pool.submit(print_many::job(number, 100))).collect();
        let ids: Vec<_> = futures.iter().map(|future| future.id()).collect();
        futures.into_iter().for_each(|future| assert!(future.result().is_ok()));
        let lines = all_lines(pool, &lines);
        assert_eq!(lines.len(), 2 * 30 * 100);
        for (number, id) in (0..).zip(ids) {
            let wanted: Vec<_> = (0..100).map(|line| line_text(number, line)).collect();
            for stream in [OutputStream::Stdout, OutputStream::Stderr] {
                assert_eq!(texts(&lines, id, stream), wanted, "{method:?}, job {number}, {stream}");
            }
        }
        let pids: HashMap<u32, usize> = lines.iter().map(|line| (line.pid, line.worker)).collect();
        assert!(
            lines.iter().all(|line| pids[&line.pid] == line.worker && line.worker < 2 && line.end == LineEnd::Newline)
        );
    }
}

#[test]
fn each_line_has_the_name_of_its_job() {
    let _watched = watched();
    for method in THREADED_METHODS {
        let (builder, lines) = capturing("names", 2);
        let pool = builder.start_method(method).build().unwrap();
        let name = |number: u64| JobOptions::new().name(format!("job {number}"));
        let futures: Vec<_> = (0..600).map(|number| pool.submit_with(print_one::job(number), name(number))).collect();
        let ids: Vec<_> = futures.iter().map(|future| future.id()).collect();
        for (number, result) in (600..).zip(pool.map(print_one::job, 600..1200)) {
            assert_eq!(result.unwrap(), number);
        }
        futures.into_iter().for_each(|future| assert!(future.result().is_ok()));
        let lines = all_lines(pool, &lines);
        assert_eq!(lines.len(), 1200, "{method:?}");
        let mut seen = HashMap::new();
        for line in lines {
            let number: u64 = line.text.parse().unwrap();
            assert_eq!(line.end == LineEnd::Newline, number.is_multiple_of(2), "{number}");
            let job = line.job.unwrap();
            if let Some(id) = ids.get(number as usize) {
                assert_eq!((job.id, &*job.name), (*id, &*format!("job {number}")));
            }
            assert!(seen.insert(job.id, number).is_none(), "{number}: two lines have one job");
        }
    }
}

#[test]
fn what_a_job_printed_is_on_its_way_before_it_is_done() {
    let _watched = watched();
    let (builder, lines) = capturing("before", 1);
    let pool = builder.build().unwrap();
    let gate = Gate::new();
    let future = pool.submit(print_behind_the_gate::job(gate.pass()));
    assert_eq!(lines.recv().unwrap().text, "before the gate");
    assert!(!future.is_done());
    gate.open();
    future.result().unwrap();
    assert_eq!(lines.recv().unwrap().text, "behind the gate");
}

#[test]
fn an_initializer_prints_in_nobodys_name() {
    let _watched = watched();
    let (builder, lines) = capturing("start", 2);
    let pool = builder.initializer(print_at_start::job()).build().unwrap();
    let both = [0, 1].map(|_| lines.iter().take(2).collect::<Vec<_>>()).concat();
    assert_eq!(both.iter().filter(|line| line.text == "at the start" && line.job.is_none()).count(), 2);
    let id = {
        let future = pool.submit(print_one::job(4));
        let id = future.id();
        future.result().unwrap();
        id
    };
    let more = all_lines(pool, &lines);
    assert_eq!(texts(&more, id, OutputStream::Stdout), ["4"]);
    let unfinished = both.iter().chain(&more).filter(|line| line.text == "without an end");
    assert!(unfinished.clone().all(|line| line.job.is_none() && line.end == LineEnd::Missing));
    assert_eq!(unfinished.count(), 2);
}

#[test]
fn fifty_megabytes_come_whole() {
    const BYTES: usize = 50 << 20;
    let _watched = watched();
    let sum = Arc::new(Mutex::new((0_usize, 0_usize)));
    let theirs = Arc::clone(&sum);
    let add = move |line: OutputLine| {
        let mut sum = theirs.lock().unwrap();
        sum.0 += line.text.len() + 1;
        sum.1 += usize::from(line.text.len() != 63 || line.end != LineEnd::Newline);
    };
    let pool = named("much", 2).on_output(add).build().unwrap();
    let poured = pool.submit(pour::job(None, BYTES));
    assert_eq!(pool.map(jobs::echo::job, 0..1000).filter(Result::is_ok).count(), 1000);
    let written = poured.result().unwrap();
    pool.shutdown(Shutdown::Drain).unwrap();
    assert_eq!(*sum.lock().unwrap(), (written, 0));
}

#[test]
fn a_slow_callback_holds_those_who_print_and_nobody_else() {
    const BYTES: usize = 16 << 20;
    let _watched = watched();
    for method in THREADED_METHODS {
        let (go, going) = mpsc::channel::<()>();
        let (going, told) = (Mutex::new(going), Arc::new(Mutex::new(0_usize)));
        let theirs = Arc::clone(&told);
        let slow = move |line: OutputLine| {
            // Until the other end is dropped.
            let _ = going.lock().unwrap().recv();
            *theirs.lock().unwrap() += line.text.len() + 1;
        };
        let pool = named("slow", 2).start_method(method).on_output(slow).build().unwrap();
        let log = Log::new();
        let poured = pool.submit(pour::job(Some(log.pen()), BYTES));
        log.wait_for(1);
        let pid = all_workers_of("slow", 2).into_iter().find(|&pid| {
            // Which of the two it is, is seen when it stands still.
            let wait = || std::fs::read_to_string(format!("/proc/{pid}/wchan")).unwrap_or_default();
            executor_testkit::comes_about(|| wait().contains("pipe") || log.len() > 64) && wait().contains("pipe")
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
    let (go, going) = mpsc::channel::<()>();
    let going = Mutex::new(going);
    let stuck = move |_| assert!(going.lock().unwrap().recv().is_err());
    let pool = named("stuck", 4).on_output(stuck).build().unwrap();
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
    let (go, going) = mpsc::channel::<()>();
    let (going, told) = (Mutex::new(going), Arc::new(Mutex::new(0_usize)));
    let theirs = Arc::clone(&told);
    let slow = move |line: OutputLine| {
        let _ = going.lock().unwrap().recv();
        *theirs.lock().unwrap() += line.text.len();
    };
    let pool = named("bounded", 2).on_output(slow).build().unwrap();
    let words = "w".repeat(60_000);
    let futures: Vec<_> = (0..100).map(|_| pool.submit(die_talking::job(words.clone()))).collect();
    // 120 kB each, so that some twenty of them fill what may wait.
    eventually("no worker is left", || pool.stats().failed >= 8 && common::workers_of("bounded").is_empty());
    assert!(pool.stats().failed < 40, "{:?}", pool.stats());
    drop(go);
    let died = |future: executor_core::JobFuture<()>| matches!(future.result(), Err(JobError::WorkerDied { .. }));
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
    eventually("the workers have ended", || common::workers_of("asks").is_empty());
    eventually("the threads have ended", || common::threads_named("asks") == 0);
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

#[test]
fn last_words_are_told_with_the_death() {
    let _watched = watched();
    for method in THREADED_METHODS {
        let (builder, lines) = capturing("last", 2);
        let pool = builder.start_method(method).build().unwrap();
        let mut ids = Vec::new();
        for round in 0..10 {
            // What another job said is not what this one said.
            pool.submit(write_raw::job(true, b"an older word\n".to_vec())).result().unwrap();
            let future = pool.submit(die_talking::job(format!("word {round}")));
            ids.push(future.id());
            match future.result() {
                Err(error @ JobError::WorkerDied { .. }) => {
                    let text = error.to_string();
                    assert!(
                        text.ends_with(&format!("; it last wrote to its standard error: err word {round}")),
                        "{text}"
                    );
                    let JobError::WorkerDied { stderr, .. } = error else { unreachable!() };
                    assert_eq!(stderr.as_deref(), Some(&*format!("err word {round}")));
                }
                other => panic!("{other:?}"),
            }
        }
        let silent = pool.submit(die_silently::job()).result().unwrap_err();
        assert!(matches!(silent, JobError::WorkerDied { stderr: None, .. }), "{silent}");
        let lines = all_lines(pool, &lines);
        for (round, id) in (0..).zip(ids) {
            for (stream, short) in [(OutputStream::Stdout, "out"), (OutputStream::Stderr, "err")] {
                let of_job =
                    |line: &&OutputLine| line.job.as_ref().is_some_and(|job| job.id == id) && line.stream == stream;
                let of_job: Vec<_> = lines.iter().filter(of_job).collect();
                assert_eq!(of_job.len(), 1, "{lines:?}");
                assert_eq!((&*of_job[0].text, of_job[0].end), (&*format!("{short} word {round}"), LineEnd::Missing));
            }
        }
    }
}

#[test]
fn a_death_tells_what_the_runtime_said() {
    let _watched = watched();
    for method in THREADED_METHODS {
        let pool = named("said", 1)
            .start_method(method)
            .address_space_max(1 << 30)
            .env("RUST_BACKTRACE", "0")
            .on_output(drop)
            .build()
            .unwrap();
        let panicked = pool.submit(panic_and_abort::job()).result().unwrap_err();
        let JobError::WorkerDied { death, stderr: Some(stderr), .. } = &panicked else { panic!("{panicked:?}") };
        assert_eq!(*death, WorkerDeath::Signalled { number: 6, name: "SIGABRT" });
        assert!(stderr.contains("output.rs") && stderr.contains("\nit cannot go on\n"), "{stderr}");
        let text = panicked.to_string();
        assert!(text.lines().count() == 1 && text.contains("| it cannot go on |"), "{text}");
        let large = pool.submit(allocate::job(2 << 30)).result().unwrap_err();
        assert!(large.to_string().contains("memory allocation of 2147483648 bytes failed"), "{large}");
        assert_eq!(pool.submit(allocate::job(1 << 20)).result().unwrap(), 1 << 20);
    }
}

#[test]
fn without_capture_a_death_has_no_words() {
    let _watched = watched();
    let pool = named("silent", 1).build().unwrap();
    let error = pool.submit(die_talking::job("nothing".to_owned())).result().unwrap_err();
    assert!(matches!(error, JobError::WorkerDied { stderr: None, .. }), "{error}");
}

#[test]
fn the_last_word_of_the_builder_counts() {
    let _watched = watched();
    let (builder, lines) = capturing("nowhere", 1);
    let pool = builder.discard_output().build().unwrap();
    pool.submit(print_one::job(2)).result().unwrap();
    pool.submit(print_many::job(3, 10)).result().unwrap();
    assert_eq!(all_lines(pool, &lines), []);
    assert!(lines.recv().is_err(), "nobody kept the callback");
}

#[test]
fn streams_and_protocol_do_not_touch() {
    let _watched = watched();
    for method in THREADED_METHODS {
        let (builder, lines) = capturing("bytes", 1);
        let pool = builder.start_method(method).build().unwrap();
        // What a frame could look like, and bytes that are no text.
        let bytes: Vec<u8> = (0..100_000_u32).flat_map(|n| n.wrapping_mul(0x9E37_79B9).to_le_bytes()).collect();
        for to_stderr in [false, true] {
            let id = {
                let future = pool.submit(write_raw::job(to_stderr, bytes.clone()));
                let id = future.id();
                assert_eq!(future.result().unwrap(), bytes.len());
                id
            };
            assert_eq!(pool.submit(jobs::echo::job(1)).result().unwrap(), 1);
            let _ = id;
        }
        pool.submit(close_streams::job()).result().unwrap();
        for number in 0..50 {
            assert_eq!(pool.submit(print_one::job(number)).result().unwrap(), number);
        }
        assert_eq!(pool.stats().worker_restarts, 0);
        let lines = all_lines(pool, &lines);
        for stream in [OutputStream::Stdout, OutputStream::Stderr] {
            let newlines = lines.iter().filter(|line| line.stream == stream && line.end == LineEnd::Newline).count();
            assert_eq!(newlines, bytes.iter().filter(|&&byte| byte == b'\n').count(), "{stream}");
        }
    }
}

#[test]
fn long_lines_are_cut_and_can_be_joined() {
    let _watched = watched();
    let (builder, lines) = capturing("long", 1);
    let pool = builder.build().unwrap();
    let text = "äöü€".repeat(20_000);
    let future = pool.submit(write_raw::job(false, format!("{text}\nshort\n").into_bytes()));
    let id = future.id();
    future.result().unwrap();
    let lines = all_lines(pool, &lines);
    assert!(lines.iter().all(|line| line.text.len() <= 16 << 10));
    assert_eq!(texts(&lines, id, OutputStream::Stdout), [&*text, "short"]);
}

#[test]
fn a_program_that_a_job_left_does_not_hold_the_pool() {
    let _watched = watched();
    for method in THREADED_METHODS {
        let pool = named("left", 1).start_method(method).on_output(drop).build().unwrap();
        let printer = pool.submit(leave_a_printer::job()).result().unwrap();
        for number in 0..20 {
            assert_eq!(pool.submit(print_one::job(number)).result().unwrap(), number);
        }
        kill(all_workers_of("left", 1)[0]);
        let again = JobOptions::new().retries(Retries::times(3));
        assert_eq!(pool.submit_with(print_one::job(5), again).result().unwrap(), 5);
        drop(pool);
        // Nobody reads what it prints.
        eventually("the program has ended", || has_ended(printer));
    }
}

#[test]
fn workers_that_are_killed_while_they_print_tear_no_line() {
    let _watched = watched();
    let before = Arc::new(Mutex::new(Vec::new()));
    let theirs = Arc::clone(&before);
    let pool = named("torn", 2)
        .start_method(StartMethod::ForkServer)
        .on_output(move |line| theirs.lock().unwrap().push(line))
        .build()
        .unwrap();
    let mut dice = common::Dice::new(7);
    for round in 0..15 {
        let futures: Vec<_> = (0..4).map(|number| pool.submit(print_many::job(number, 300))).collect();
        let until = std::time::Instant::now() + Duration::from_micros(dice.below(4000));
        while std::time::Instant::now() < until {
            std::hint::spin_loop();
        }
        common::workers_of("torn").into_iter().take(1 + round % 2).for_each(|pid| {
            kill(pid);
        });
        for future in futures {
            match future.result() {
                Ok(_) | Err(JobError::WorkerDied { .. } | JobError::OutcomeLost { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }
    pool.shutdown(Shutdown::Drain).unwrap();
    let lines = before.lock().unwrap();
    assert!(lines.len() > 100);
    for line in lines.iter().filter(|line| line.end == LineEnd::Newline) {
        let mut words = line.text.split(':');
        let (job, number) = (words.next().unwrap().parse().unwrap(), words.next().unwrap().parse().unwrap());
        assert_eq!(line.text, line_text(job, number));
    }
}

#[test]
fn pools_with_captured_output_leave_no_descriptor() {
    let _watched = watched();
    let status = std::process::Command::new("/proc/self/exe")
        .args(["--exact", "descriptors_come_back", "--ignored", "--test-threads=1"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&status.stdout);
    assert!(status.status.success() && text.contains("1 passed"), "{text}");
}

#[test]
#[ignore = "it counts what the whole process has, and is run alone by the test above"]
fn descriptors_come_back() {
    let round = || {
        let (builder, lines) = capturing("passing", 2);
        let pool = builder.build().unwrap();
        assert_eq!(pool.map(print_one::job, 0..20).filter(Result::is_ok).count(), 20);
        let _ = pool.submit(die_talking::job("x".to_owned())).result();
        assert_eq!(all_lines(pool, &lines).len(), 22);
    };
    round();
    let before = descriptors();
    (0..20).for_each(|_| round());
    eventually("the descriptors are back", || descriptors() == before);
}
