//! Every way in which a job can fail, at every point of its life, for each start method: the outcome is the one that is
//! promised, and nobody else is touched. What ends the process where the owner encodes or decodes ends the owner, as it
//! would in any function of its own, and nobody is left.
//!
//! Without a harness, so that the program has one thread and can be forked: each method is tried by a process of its own,
//! this program with the name of the method, and so is each end of an owner.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test, without the harness by which a lint would know it"
)]

mod common;

use std::hint::black_box;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use common::{METHODS, all_workers_of, below, has_ended, method_of, named, watched};
use executor_core::{Executor, JobError, JobFuture, WorkerDeath, job};
use executor_process::{ProcessExecutor, StartMethod};
use executor_testkit::{Gate, Log, ON_PURPOSE, Pen, eventually, jobs};
use nix::sys::signal::{Signal, raise};
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum What {
    Err,
    Panic,
    Exit0,
    Exit3,
    Abort,
    Segfault,
    StackOverflow,
    Kill,
}

/// Where it fails. The last two are in the owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Point {
    Decode,
    Body,
    Encode,
    Drop,
    OwnerEncode,
    OwnerDecode,
}

const WHATS: [What; 8] =
    [What::Err, What::Panic, What::Exit0, What::Exit3, What::Abort, What::Segfault, What::StackOverflow, What::Kill];
const WORKER_POINTS: [Point; 4] = [Point::Decode, Point::Body, Point::Encode, Point::Drop];
const OWNER_POINTS: [Point; 2] = [Point::OwnerEncode, Point::OwnerDecode];

/// What no process survives.
const ENDS: [What; 6] = [What::Exit0, What::Exit3, What::Abort, What::Segfault, What::StackOverflow, What::Kill];

/// What fails at its point.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Trap {
    what: What,
    point: Point,
    owner: u32,
    pen: Pen,
}

impl Trap {
    /// Fails, if this is the point. It writes down the process before.
    fn pass(&self, point: Point) -> Result<(), &'static str> {
        if self.point != point {
            return Ok(());
        }
        self.pen.write(std::process::id().into());
        match self.what {
            What::Err => return Err("it refuses, on purpose"),
            What::Panic => panic!("{point:?} fails, {ON_PURPOSE}"),
            What::Exit0 => std::process::exit(0),
            What::Exit3 => std::process::exit(3),
            What::Abort => std::process::abort(),
            What::Segfault => loop {
                // The handler of the standard library, where there is one, takes itself away at the first.
                raise(Signal::SIGSEGV).unwrap();
            },
            What::StackOverflow => _ = black_box(dig(black_box(0))),
            What::Kill => raise(Signal::SIGKILL).unwrap(),
        }
        Ok(())
    }

    fn is_in_owner(&self) -> bool {
        self.owner == std::process::id()
    }
}

#[expect(unconditional_recursion, reason = "it overflows the stack, on purpose")]
fn dig(depth: u64) -> u64 {
    let page = black_box([depth; 512]);
    dig(depth + 1) + page[511]
}

/// On its way to the worker.
#[derive(Clone)]
struct Argument(Trap);

impl Serialize for Argument {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.pass(Point::OwnerEncode).map_err(S::Error::custom)?;
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Argument {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let trap = Trap::deserialize(deserializer)?;
        trap.pass(Point::Decode).map_err(D::Error::custom)?;
        Ok(Argument(trap))
    }
}

impl Drop for Argument {
    fn drop(&mut self) {
        if !self.0.is_in_owner() {
            let _ = self.0.pass(Point::Drop);
        }
    }
}

/// On its way back.
struct Output(Trap);

impl Serialize for Output {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.pass(Point::Encode).map_err(S::Error::custom)?;
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Output {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let trap = Trap::deserialize(deserializer)?;
        trap.pass(Point::OwnerDecode).map_err(D::Error::custom)?;
        Ok(Output(trap))
    }
}

#[job]
fn walk(argument: Argument) -> Result<Output, String> {
    argument.0.pass(Point::Body)?;
    Ok(Output(argument.0))
}

/// The argument is borrowed, so that it is dropped after the body.
#[job]
fn walk_borrowed(argument: &Argument) -> Result<Output, String> {
    argument.0.pass(Point::Body)?;
    Ok(Output(argument.0))
}

fn main() {
    executor_process::init();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["method", name] => matrix(method_of(name)),
        ["owner", method, what, point] => own(method_of(method), value_of(&ENDS, what), value_of(&OWNER_POINTS, point)),
        _ => {
            for method in METHODS {
                let name = format!("{method:?}");
                let status = Command::new("/proc/self/exe").args(["method", &name]).status().unwrap();
                println!("test matrix_of_{name} ... {}", if status.success() { "ok" } else { "FAILED" });
                assert!(status.success(), "{name}: {status}");
                owners_end(method);
                println!("test owners_end_under_{name} ... ok");
            }
        }
    }
}

/// The one of these values that has this name.
fn value_of<T: Copy + std::fmt::Debug>(values: &[T], name: &str) -> T {
    *values.iter().find(|value| format!("{value:?}") == name).unwrap()
}

/// An owner that ends where it encodes a job, or decodes an output, while another of its workers is in a job.
fn own(method: StartMethod, what: What, point: Point) {
    let pool = named("matrix", 2).start_method(method).build().unwrap();
    let (gate, log) = (Gate::new(), Log::new());
    let _held = pool.submit(jobs::pass::job(gate.pass(), 7));
    gate.wait_for(1);
    all_workers_of("matrix", 2);
    println!("{}", below(std::process::id()).iter().map(u32::to_string).collect::<Vec<_>>().join(" "));
    let trap = Argument(Trap { what, point, owner: std::process::id(), pen: log.pen() });
    let result = pool.submit(walk::job(trap)).result();
    panic!("{what:?} in {point:?}: the owner goes on, with {:?}", result.map(drop));
}

fn owners_end(method: StartMethod) {
    let _watched = watched();
    for what in ENDS {
        for point in OWNER_POINTS {
            let case = format!("{method:?}: {what:?} in {point:?}");
            let mut command = Command::new("/proc/self/exe");
            command.args(["owner", &format!("{method:?}"), &format!("{what:?}"), &format!("{point:?}")]);
            // The standard library has something to say about a stack that overflows.
            let mut owner = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
            let mut line = String::new();
            // Read to its end, which comes when the last process that has inherited it has ended.
            owner.stdout.take().unwrap().read_to_string(&mut line).unwrap();
            let status = owner.wait().unwrap();
            let death = status.code().map_or_else(|| status.signal().unwrap(), |code| -code);
            let expected = match what {
                What::Exit0 => 0,
                What::Exit3 => -3,
                // The owner has the handler of the standard library, which aborts.
                What::Abort | What::StackOverflow => Signal::SIGABRT as i32,
                What::Segfault => Signal::SIGSEGV as i32,
                _ => Signal::SIGKILL as i32,
            };
            assert_eq!(death, expected, "{case}: {status}");
            let pids: Vec<u32> = line.split_whitespace().map(|pid| pid.parse().unwrap()).collect();
            assert!(pids.len() >= 2, "{case}: {line}");
            eventually(&format!("{case}: nobody is left"), || pids.iter().all(|&pid| has_ended(pid)));
        }
    }
}

const HOSTS: usize = 3;
const NEIGHBOURS: u64 = 8;

struct Matrix {
    /// Before the pool, which waits for the job that it holds.
    gate: Gate,
    method: StartMethod,
    pool: ProcessExecutor,
    log: Log,
    died: u64,
    failed: u64,
    finished: u64,
}

fn matrix(method: StartMethod) {
    // A fork needs a program of one thread, so that the pool comes first.
    let pool = named("matrix", HOSTS).start_method(method).build().unwrap();
    let _watched = watched();
    let gate = Gate::new();
    let log = Log::new();
    let held = pool.submit(jobs::note_pass::job(log.pen(), gate.pass(), 7));
    gate.wait_for(1);
    assert_eq!(log.entries(), [7]);
    let mut matrix = Matrix { gate, method, pool, log, died: 0, failed: 0, finished: 0 };
    for what in WHATS {
        for point in WORKER_POINTS {
            if (what, point) != (What::Err, Point::Drop) {
                matrix.check(what, point, false);
                matrix.check(what, point, true);
            }
        }
    }
    for point in OWNER_POINTS {
        matrix.check(What::Err, point, false);
        matrix.check(What::Panic, point, false);
    }
    // It ran beside all this, once.
    matrix.gate.open();
    assert_eq!(held.result().unwrap(), 7);
    assert_eq!(matrix.log.entries().iter().filter(|&&entry| entry == 7).count(), 1);
    let stats = matrix.pool.stats();
    assert_eq!((stats.queued, stats.running, stats.cancelled), (0, 0, 0));
    assert_eq!((stats.finished, stats.failed), (matrix.finished + 1, matrix.failed));
    assert_eq!(stats.worker_restarts, matrix.died);
    println!("{method:?}: {} died", matrix.died);
}

/// Where the pool counts the job.
enum Counts {
    Failed,
    Finished,
    Nowhere,
}

impl Matrix {
    fn check(&mut self, what: What, point: Point, borrowed: bool) {
        let case = format!("{:?}: {what:?} in {point:?}, borrowed: {borrowed}", self.method);
        let told = self.log.len();
        let trap = Argument(Trap { what, point, owner: std::process::id(), pen: self.log.pen() });
        let neighbours: Vec<_> = (0..NEIGHBOURS).map(|n| self.pool.submit(jobs::echo::job(n))).collect();
        let future =
            if borrowed { self.pool.submit(walk_borrowed::job(trap)) } else { self.pool.submit(walk::job(trap)) };
        let map = executor_core::map(self.pool.clone(), jobs::echo::job, 0..NEIGHBOURS);
        let name = if borrowed { "walk_borrowed" } else { "walk" };
        let counts = self.outcome(&case, name, what, point, told, future);
        for (n, neighbour) in (0..).zip(neighbours) {
            self.untouched(&case, n, neighbour.result());
        }
        for (n, item) in (0..).zip(map) {
            self.untouched(&case, n, item);
        }
        assert_eq!(self.log.len(), told + 1, "{case}: it ran once");
        let stats = self.pool.stats();
        match counts {
            Counts::Failed => self.failed += 1,
            Counts::Finished => self.finished += 1,
            Counts::Nowhere => {}
        }
        assert_eq!((stats.finished, stats.failed), (self.finished, self.failed), "{case}");
        assert_eq!(stats.worker_restarts, self.died, "{case}");
    }

    fn untouched(&mut self, case: &str, n: u64, result: Result<u64, JobError>) {
        match result {
            Ok(value) => {
                assert_eq!(value, n, "{case}");
                self.finished += 1;
            }
            Err(error) => panic!("{case}: a neighbour ended so: {error}"),
        }
    }

    /// Looks at the outcome, and says how the pool counts it.
    fn outcome(
        &mut self,
        case: &str,
        name: &str,
        what: What,
        point: Point,
        told: usize,
        future: JobFuture<Result<Output, String>>,
    ) -> Counts {
        let result = future.result();
        let pid = *self.log.entries().get(told).unwrap_or_else(|| panic!("{case}: {:?}", result.as_ref().err()));
        let pid = u32::try_from(pid).unwrap();
        match (what, point, result) {
            (What::Err, Point::Body, Ok(Err(text))) => assert_eq!(text, "it refuses, on purpose", "{case}"),
            (What::Err | What::Panic, Point::Decode | Point::OwnerDecode, Err(error @ JobError::Decode { .. }))
            | (What::Err | What::Panic, Point::Encode | Point::OwnerEncode, Err(error @ JobError::Encode { .. })) => {
                let (JobError::Decode { what, cause } | JobError::Encode { what, cause }) = &error else {
                    return Counts::Nowhere;
                };
                assert!(what.contains(name), "{case}: {error}");
                assert!(cause.to_string().contains(ON_PURPOSE), "{case}: {error}: {cause}");
                assert!(!has_ended(pid), "{case}: the worker is kept");
                return match point {
                    // It never came to the pool.
                    Point::OwnerEncode => Counts::Nowhere,
                    // It ended well; nobody but the reader of its result sees that it cannot be read.
                    Point::OwnerDecode => Counts::Finished,
                    _ => Counts::Failed,
                };
            }
            (What::Panic, Point::Body | Point::Drop, Err(JobError::Panicked { job, message, location, .. })) => {
                assert!(job.contains(name), "{case}: {job}");
                assert!(message.contains(ON_PURPOSE) && message.contains(&format!("{point:?}")), "{case}: {message}");
                assert!(location.is_some_and(|location| location.contains("failures.rs:")), "{case}");
                assert!(!has_ended(pid), "{case}: the worker is kept");
            }
            (_, _, Err(JobError::WorkerDied { job, pid: died, death, .. })) => {
                assert!(job.contains(name), "{case}: {job}");
                assert_eq!(died, pid, "{case}");
                assert_eq!(death, self.death(what, case), "{case}");
                eventually("the process is gone", || has_ended(pid));
                self.died += 1;
            }
            (_, _, result) => panic!("{case}: {:?}", result.map(|_| ())),
        }
        Counts::Failed
    }

    fn death(&self, what: What, case: &str) -> WorkerDeath {
        match what {
            What::Exit0 => WorkerDeath::Exited(0),
            What::Exit3 => WorkerDeath::Exited(3),
            What::Abort => WorkerDeath::Signalled { number: 6, name: "SIGABRT" },
            What::Segfault => WorkerDeath::Signalled { number: 11, name: "SIGSEGV" },
            // A fork has the handler of the standard library, which aborts.
            What::StackOverflow if self.method == StartMethod::Fork => {
                WorkerDeath::Signalled { number: 6, name: "SIGABRT" }
            }
            What::StackOverflow => WorkerDeath::Signalled { number: 11, name: "SIGSEGV" },
            What::Kill => WorkerDeath::Signalled { number: 9, name: "SIGKILL" },
            What::Err | What::Panic => panic!("{case}: the worker died"),
        }
    }
}
