//! [`run_alone`]: a program that runs each law in a process of its own, which has one thread until its pool is built.

use std::collections::VecDeque;
use std::io::{self, PipeReader, Read, Write};
use std::num::NonZeroUsize;
use std::process::{Child, Command, ExitCode, ExitStatus};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::test_law;
use crate::lab::Lab;
use crate::subject::Subject;
use crate::time::{LAW_LIMIT, hang_guard, scaled};
use crate::verdict::Verdict;

/// The argument with which this program runs the law that is named next.
const RUN: &str = "--run-law";

/// How often a process is asked whether it has ended.
const LOOK: Duration = Duration::from_millis(2);

/// A law and its name.
type Law<S> = (&'static str, fn(&Lab<S>) -> Verdict);

/// The `main` that [`laws_alone!`](crate::laws_alone!) writes. As with the harness of the standard library, words among the
/// arguments choose laws by parts of their names, and `--list` names them.
pub fn run_alone<S: Subject>(laws: &[Law<S>], not_claimed: &[&str]) -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).filter(|word| !word.starts_with('-')).collect();
    if arguments.first().is_some_and(|first| first == RUN) {
        let law = laws.iter().find(|(name, _)| words.contains(name));
        let Some((name, law)) = law else { return ExitCode::FAILURE };
        test_law::<S>(name, not_claimed, law);
        return ExitCode::SUCCESS;
    }
    let names = laws.iter().map(|(name, _)| *name);
    let chosen: Vec<_> =
        names.filter(|name| words.is_empty() || words.iter().any(|word| name.contains(word))).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        chosen.iter().for_each(|name| say(&format!("{name}: test")));
        return ExitCode::SUCCESS;
    }
    run_each(&chosen, laws.len() - chosen.len())
}

/// Runs these laws, as many at a time as the machine has processors.
fn run_each(chosen: &[&'static str], filtered_out: usize) -> ExitCode {
    let open = Mutex::new(chosen.iter().copied().collect::<VecDeque<_>>());
    let next = || open.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    let failed = Mutex::new(Vec::new());
    let beside = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    say(&format!("\nrunning {} tests", chosen.len()));
    thread::scope(|scope| {
        for _ in 0..beside {
            scope.spawn(|| {
                while let Some(name) = next() {
                    let ran = run(name).unwrap_or_else(|error| Err(format!("it cannot be run: {error}")));
                    say(&format!("test {name} ... {}", if ran.is_ok() { "ok" } else { "FAILED" }));
                    if let Err(text) = ran {
                        failed.lock().unwrap_or_else(PoisonError::into_inner).push((name, text));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    for (name, text) in &failed {
        say(&format!("\n---- {name} ----\n{text}"));
    }
    let word = if failed.is_empty() { "ok" } else { "FAILED" };
    let passed = chosen.len() - failed.len();
    say(&format!("\ntest result: {word}. {passed} passed; {} failed; {filtered_out} filtered out\n", failed.len()));
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs one law in a process of its own. The inner error is what there is to read if it is broken.
fn run(name: &str) -> io::Result<Result<(), String>> {
    let (reader, writer) = io::pipe()?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args([RUN, name]).stdout(writer.try_clone()?).stderr(writer);
    let mut child = command.spawn()?;
    // It holds the ends of the pipe that the law writes to.
    drop(command);
    let written = read_all(reader);
    let ended = wait_for(&mut child)?;
    // The pipe stays open as long as a process that the law started is there.
    let text = written.recv_timeout(hang_guard());
    Ok(match (ended, text) {
        (Some(status), Ok(_)) if status.success() => Ok(()),
        (Some(status), Ok(text)) => Err(format!("{status}\n{text}")),
        (Some(_), Err(_)) => Err("it has ended, and a process that it started has not".to_owned()),
        (None, text) => Err(format!("it hangs, and was killed\n{}", text.unwrap_or_default())),
    })
}

/// Reads all that is written, on a thread of its own.
fn read_all(mut pipe: PipeReader) -> mpsc::Receiver<String> {
    let (tells, told) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What came before an error is all there is.
        let _ = pipe.read_to_end(&mut bytes);
        let _ = tells.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    told
}

/// Waits for the end of a law, which has a watchdog of its own once its pool is built. `None` if it had to be killed.
fn wait_for(child: &mut Child) -> io::Result<Option<ExitStatus>> {
    let deadline = Instant::now() + scaled(2 * LAW_LIMIT);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(LOOK);
    }
}

/// One line for whoever runs the tests.
fn say(line: &str) {
    // Nobody may be reading, as behind `head`.
    let _ = writeln!(io::stdout(), "{line}");
}
