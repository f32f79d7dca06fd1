//! The pools of Python, where there is a `python3`: one interpreter, asked by lines.
//!
//! What it takes to ask is part of what is measured only for `submit` and `map`, a tenth of a millisecond for a million jobs;
//! everything else is timed inside the interpreter.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use super::{Around, Payload, Processes, Start, Trips};
use crate::line::{Figures, Line};
use crate::outcome::{Failure, Outcome, check_sum};
use crate::peers::{Open, Peer};

/// `concurrent.futures`.
pub(crate) const EXECUTOR: Peer = Peer {
    name: "python-executor",
    package: "concurrent.futures",
    how: "ProcessPoolExecutor of Python; the best of seven chunk sizes in map",
    open: Open::Python(|workers| open("executor", workers)),
};

/// `multiprocessing`.
pub(crate) const POOL: Peer = Peer {
    name: "python-pool",
    package: "multiprocessing",
    how: "Pool of Python: apply_async, and map with the best of eight chunk sizes, its own among them",
    open: Open::Python(|workers| open("pool", workers)),
};

/// loky, which is not part of Python.
pub(crate) const LOKY: Peer = Peer {
    name: "loky",
    package: "loky",
    how: "its ProcessPoolExecutor, for Python; the best of seven chunk sizes in map",
    open: Open::Python(|workers| open("loky", workers)),
};

/// The program that the interpreter runs: a file, because workers that are started anew read it again.
const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/peers/processes/pools.py");

/// The version of a module, or of the interpreter where the module belongs to it.
///
/// # Errors
///
/// The reason why there is none.
pub(crate) fn version_of(module: &str) -> Result<String, String> {
    let ask = format!("import sys, {module} as m; print(getattr(m, '__version__', 'of ' + sys.version.split()[0]))");
    let answer = Command::new("python3").args(["-c", &ask]).stdin(Stdio::null()).output();
    let answer = answer.map_err(|error| format!("python3 does not start: {error}"))?;
    match answer.status.success() {
        true => Ok(String::from_utf8_lossy(&answer.stdout).trim().to_owned()),
        false => Err(format!("python3 cannot import {module}")),
    }
}

fn open(kind: &'static str, workers: usize) -> Outcome<Box<dyn Processes>> {
    Ok(Box::new(Python { kind, ..Python::start(&[PROGRAM, kind, &workers.to_string()])? }))
}

/// An interpreter. It ends with this process, and its workers end with it.
pub(crate) struct Python {
    /// Which of its pools it runs, if it does.
    kind: &'static str,
    ends: RefCell<(ChildStdin, BufReader<ChildStdout>)>,
    _child: Child,
}

/// What the interpreter answered.
pub(crate) struct Answer(Figures);

impl Answer {
    fn figure(&self, name: &str) -> Outcome<f64> {
        let found = self.0.iter().find(|(key, _)| key == name).map(|&(_, value)| value);
        found.ok_or_else(|| Failure::because(format!("Python did not tell `{name}`")))
    }

    /// Whole numbers up to 2⁵³ survive the way through `f64`.
    pub(crate) fn whole(&self, name: &str) -> Outcome<u64> {
        Ok(self.figure(name)? as u64)
    }
}

impl Python {
    /// Starts an interpreter that runs a program.
    pub(crate) fn start(program: &[&str]) -> Outcome<Self> {
        let mut child = Command::new("python3").args(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let questions = child.stdin.take().expect("stdin was asked to be a pipe");
        let answers = child.stdout.take().expect("stdout was asked to be a pipe");
        Ok(Python { kind: "", ends: RefCell::new((questions, BufReader::new(answers))), _child: child })
    }

    pub(crate) fn ask(&self, question: &str) -> Outcome<Answer> {
        let (questions, answers) = &mut *self.ends.borrow_mut();
        writeln!(questions, "{question}")?;
        questions.flush()?;
        let mut line = String::new();
        answers.read_line(&mut line)?;
        match Line::parse(&line) {
            Some(Line::Figures(figures)) => Ok(Answer(figures)),
            Some(Line::Failed(cause)) => Err(Failure::because(cause)),
            _ => Err(Failure::because("Python ended without an answer")),
        }
    }
}

impl Processes for Python {
    fn fewer_jobs(&self) -> u64 {
        20
    }

    fn submit(&self, jobs: u64) -> Outcome<u64> {
        self.ask(&format!("submit {jobs}"))?.whole("sum")
    }

    fn map(&self, items: u64) -> Outcome<u64> {
        self.ask(&format!("map {items}"))?.whole("sum")
    }

    fn round_trips(&self, count: u64) -> Outcome<Trips> {
        let answer = self.ask(&format!("round_trips {count}"))?;
        Ok(Trips { p50: answer.figure("p50")?, p99: answer.figure("p99")? })
    }

    fn gets(&self, count: u64) -> Outcome<Trips> {
        // It is of `multiprocessing`, as the pool of that name is.
        if self.kind != "pool" {
            return Err(Failure::NotOffered);
        }
        let answer = self.ask(&format!("gets {count}"))?;
        Ok(Trips { p50: answer.figure("p50")?, p99: answer.figure("p99")? })
    }

    fn start(&self, times: usize) -> Outcome<Start> {
        let first_ms = self.ask(&format!("start {times}"))?.figure("ms")?;
        Ok(Start { first_ms, further_ms: None, idle_kib: None })
    }

    fn payload(&self, bytes: usize, times: usize) -> Outcome<Payload> {
        let fresh_ms = self.ask(&format!("payload {bytes} {times}"))?.figure("ms")?;
        Ok(Payload { fresh_ms: Some(fresh_ms), kept_ms: None })
    }

    fn busy(&self, jobs: u64, length: Duration) -> Outcome<()> {
        check_sum(self.ask(&format!("busy {jobs} {}", length.as_nanos()))?.whole("sum")?, jobs)
    }

    fn busy_map(&self, jobs: u64, length: Duration) -> Outcome<()> {
        check_sum(self.ask(&format!("busy_map {jobs} {}", length.as_nanos()))?.whole("sum")?, jobs)
    }

    fn around(&self, jobs: u64, long: Duration) -> Outcome<Around> {
        let answer = self.ask(&format!("around {jobs} {}", long.as_nanos()))?;
        check_sum(answer.whole("sum")?, crate::kernel::sum_of(jobs))?;
        Ok(Around { delayed: answer.whole("delayed")?, last_ms: answer.figure("last_ms")? })
    }
}
