//! `service`, asked by real requests: what it answers, what it refuses, what one bad request does to others, and its end.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

/// Nothing here takes longer than some seconds.
const HANG: Duration = Duration::from_secs(60);

/// A deadline that no test comes to see.
const NEVER_MS: u64 = 600_000;

/// As the program says of itself.
const WORKERS: usize = 2;
const QUEUE: usize = 8;

fn eventually<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + HANG;
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for this: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// The program, on a port of its own.
struct Service {
    program: Child,
    address: String,
    /// What it prints after its first line, to its end.
    rest: mpsc::Receiver<String>,
}

impl Service {
    fn start() -> Service {
        let mut command = Command::new(env!("CARGO_BIN_EXE_service"));
        let mut program = command.arg("127.0.0.1:0").stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(program.stdout.take().unwrap());
        let (line, printed) = mpsc::channel();
        thread::spawn(move || {
            let (mut first, mut rest) = (String::new(), String::new());
            stdout.read_line(&mut first).unwrap();
            // A test that fails does not listen any more.
            drop(line.send(first));
            stdout.read_to_string(&mut rest).unwrap();
            drop(line.send(rest));
        });
        let first = printed.recv_timeout(HANG).unwrap();
        let address = first.trim_end().strip_prefix("listening on http://").unwrap().to_owned();
        Service { program, address, rest: printed }
    }

    fn send(&self, text: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(HANG)).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        stream
    }

    /// A request that is under way; dropping it closes its connection.
    fn post(&self, path: &str, body: &Value) -> TcpStream {
        let (head, body) = (head(path, body), body.to_string());
        self.send(&format!("{head}\r\n{body}"))
    }

    fn ask(&self, path: &str, body: &Value) -> Answer {
        answer(self.post(path, body))
    }

    fn primes(&self, below: u64) -> Answer {
        self.ask("/primes", &json!({"below": below, "deadline_ms": NEVER_MS}))
    }

    fn glob(&self, pattern: &str, text: &str) -> Answer {
        self.ask("/glob", &json!({"pattern": pattern, "text": text, "deadline_ms": NEVER_MS}))
    }

    fn count(&self, pool: &str, column: &str) -> u64 {
        let Answer { status, body, .. } =
            answer(self.send("GET /stats HTTP/1.1\r\nHost: service\r\nConnection: close\r\n\r\n"));
        assert_eq!(status, 200);
        body[pool][column].as_u64().unwrap()
    }

    fn until(&self, pool: &str, column: &str, count: usize) {
        eventually(&format!("{column} of {pool} is {count}"), || {
            (self.count(pool, column) == count as u64).then_some(())
        });
    }

    /// The worker processes, which are children of a child of the program.
    fn workers(&self) -> Vec<i32> {
        let children = |parent: i32| {
            let tasks = fs::read_dir(format!("/proc/{parent}/task")).unwrap().flatten();
            let texts = tasks.map(|task| fs::read_to_string(task.path().join("children")).unwrap_or_default());
            texts.flat_map(|text| text.split(' ').filter_map(|pid| pid.parse().ok()).collect::<Vec<i32>>())
        };
        let is_worker =
            |pid: &i32| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.starts_with("risky-"));
        children(self.program.id() as i32).flat_map(children).filter(is_worker).collect()
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.program.id() as i32), signal).unwrap();
    }

    /// It takes no more connections: so it has heard the signal.
    fn until_closed(&self) {
        eventually("the service is closed", || TcpStream::connect(&self.address).is_err().then_some(()));
    }

    fn ends_well(mut self) {
        let status = eventually("the service ends", || self.program.try_wait().unwrap());
        assert_eq!(status.code(), Some(0), "{status}");
        assert_eq!(self.rest.recv_timeout(HANG).unwrap(), "stopped\n");
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It has ended already, where all went well.
        drop(self.program.kill());
        drop(self.program.wait());
    }
}

fn head(path: &str, body: &Value) -> String {
    let length = body.to_string().len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: service\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n"
    )
}

/// A request that takes for ever, with its deadline.
fn endless(path: &str, deadline_ms: u64) -> Value {
    match path {
        "/primes" => json!({"below": u64::MAX, "deadline_ms": deadline_ms}),
        _ => json!({"pattern": "*a".repeat(20) + "b", "text": "a".repeat(200), "deadline_ms": deadline_ms}),
    }
}

#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: Value,
}

impl Answer {
    fn is(&self, status: u16, body: impl Into<Value>) {
        assert_eq!((self.status, &self.body), (status, &body.into()), "{self:?}");
    }

    fn fails(&self, status: u16, why: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert!(self.body["error"].as_str().unwrap().contains(why), "{self:?}");
    }
}

fn answer(mut stream: TcpStream) -> Answer {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_lowercase(), body: serde_json::from_str(body).unwrap_or_default() }
}

#[test]
fn answers_from_both_pools() {
    let service = Service::start();
    service.primes(100).is(200, 25);
    service.glob("*.tar.*", "executor.tar.gz").is(200, true);
    service.glob("*.tar.*", "executor.zip").is(200, false);
    let unread = service.ask("/primes", &json!({"below": -1}));
    assert_eq!(unread.status, 422, "{unread:?}");
}

#[test]
fn a_deadline_ends_the_work() {
    let service = Service::start();
    for (path, pool) in [("/primes", "threads"), ("/glob", "processes")] {
        service.ask(path, &endless(path, 100)).fails(504, "no outcome within 100ms");
        service.until(pool, "running", 0);
    }
    // A thread has stopped when it was asked to, and a process was replaced.
    service.until("processes", "workers_replaced", 1);
    service.glob("*", "").is(200, true);
    service.primes(3).is(200, 1);
}

#[test]
fn a_full_queue_is_told_at_once() {
    let service = Service::start();
    for (path, pool) in [("/primes", "threads"), ("/glob", "processes")] {
        let request = endless(path, NEVER_MS);
        let send = |count| (0..count).map(|_| service.post(path, &request)).collect::<Vec<_>>();
        let running = send(WORKERS);
        service.until(pool, "running", WORKERS);
        let queued = send(QUEUE);
        service.until(pool, "queued", QUEUE);
        let refused = service.ask(path, &request);
        refused.fails(503, "the queue is full");
        assert!(refused.head.contains("\r\nretry-after: 1"), "{refused:?}");

        // Whoever goes away leaves no work behind.
        drop((running, queued));
        service.until(pool, "queued", 0);
        service.until(pool, "running", 0);
    }
    service.primes(3).is(200, 1);
    service.glob("*", "").is(200, true);
}

#[test]
fn a_crash_costs_one_request() {
    let service = Service::start();
    let other = service.post("/glob", &endless("/glob", NEVER_MS));
    service.until("processes", "running", 1);
    service.glob("a\\", "a").fails(500, "signal 6 (SIGABRT) ended it");
    service.glob("*", "").is(200, true);
    service.primes(3).is(200, 1);
    assert_eq!(service.count("processes", "running"), 1);
    drop(other);
}

#[test]
fn a_worker_that_is_killed_costs_one_request() {
    let service = Service::start();
    let (done, answers) = mpsc::channel();
    for _ in 0..WORKERS {
        let (stream, done) = (service.post("/glob", &endless("/glob", NEVER_MS)), done.clone());
        thread::spawn(move || drop(done.send(answer(stream))));
    }
    service.until("processes", "running", WORKERS);
    let workers = service.workers();
    assert_eq!(workers.len(), WORKERS);
    kill(Pid::from_raw(workers[0]), Signal::SIGKILL).unwrap();
    let killed = answers.recv_timeout(HANG).unwrap();
    killed.fails(500, &format!("worker process {} died", workers[0]));
    killed.fails(500, "signal 9 (SIGKILL) ended it");
    // The worker that took its place answers, and the other one is where it was.
    service.glob("*", "").is(200, true);
    assert_eq!(service.count("processes", "running"), 1);
    assert!(answers.try_recv().is_err());
}

#[test]
fn sigterm_ends_it_when_all_are_answered() {
    let service = Service::start();
    // Of one request nothing but the head has come; the service has read that, because it asks for more.
    let body = json!({"below": 100});
    let mut begun = service.send(&(head("/primes", &body) + "Expect: 100-continue\r\n\r\n"));
    let mut go_on = [0; 25];
    begun.read_exact(&mut go_on).unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    // The work of another runs.
    let running = service.post("/glob", &endless("/glob", NEVER_MS));
    service.until("processes", "running", 1);
    let worker = service.workers();

    service.signal(Signal::SIGTERM);
    service.until_closed();
    begun.write_all(body.to_string().as_bytes()).unwrap();
    answer(begun).is(200, 25);
    for pid in worker {
        kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    }
    answer(running).fails(500, "signal 9 (SIGKILL) ended it");
    service.ends_well();
}

#[test]
fn sigterm_ends_it_when_nobody_asks() {
    let service = Service::start();
    service.signal(Signal::SIGTERM);
    service.ends_well();
}
