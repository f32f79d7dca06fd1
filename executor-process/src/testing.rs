//! For the tests of this crate: workers that answer questions about themselves, and a pool of them without jobs.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::signal::{Signal, raise};

use crate::entry;
use crate::exit::Exit;
use crate::start::{Event, Launch, StartMethod, Starter, Ticket, Worker};
use crate::worker::{Role, WorkerStart};

/// How long anything here may take before a test fails: 20 s, times `EXECUTOR_TEST_SCALE` if that is set.
pub fn patience() -> Duration {
    let scale = std::env::var("EXECUTOR_TEST_SCALE").ok().and_then(|scale| scale.parse().ok()).unwrap_or(1);
    Duration::from_secs(20) * scale
}

/// What a program notes for workers that see its memory.
pub static NOTE: Mutex<String> = Mutex::new(String::new());

/// A pool of witnesses.
#[derive(Debug)]
pub struct Crew {
    starter: Starter,
    started: usize,
    events: Vec<Event>,
}

/// One of them.
#[derive(Debug)]
pub struct Witness {
    pub(crate) worker: Worker,
    answers: BufReader<UnixStream>,
}

impl Crew {
    /// Checks what the builder of a pool checks, and makes a crew without members.
    pub fn new(method: StartMethod) -> io::Result<Crew> {
        Crew::with(method, Launch::default())
    }

    pub(crate) fn with(method: StartMethod, mut launch: Launch) -> io::Result<Crew> {
        entry::check().map_err(io::Error::other)?;
        launch.settings.role = Role::Witness;
        if launch.settings.name.is_empty() {
            "crew".clone_into(&mut launch.settings.name);
        }
        Ok(Crew { starter: Starter::new(method, launch)?, started: 0, events: Vec::new() })
    }

    /// Starts a member.
    pub fn start(&mut self) -> io::Result<Witness> {
        self.start_with(&[])
    }

    /// Starts a member with a copy of each of these.
    pub fn start_with(&mut self, fds: &[OwnedFd]) -> io::Result<Witness> {
        let ticket = self.order(fds)?;
        match self.next_of(ticket) {
            Event::Started(worker) => Witness::new(worker),
            Event::Failed { error, .. } => Err(error),
            Event::Ended { exit, .. } => Err(io::Error::other(exit.to_string())),
        }
    }

    pub(crate) fn order(&mut self, fds: &[OwnedFd]) -> io::Result<Ticket> {
        let fds: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
        self.started += 1;
        self.starter.start(self.started - 1, &fds, &mut self.events)
    }

    /// Waits for the end of a member.
    pub fn end_of(&mut self, witness: &Witness) -> Exit {
        match self.next_of(witness.worker.ticket) {
            Event::Ended { exit, .. } => exit,
            other => panic!("the member should have ended, but: {other:?}"),
        }
    }

    /// The next event about one order; those about others are kept.
    pub(crate) fn next_of(&mut self, ticket: Ticket) -> Event {
        let deadline = Instant::now() + patience();
        loop {
            let place = self.events.iter().position(|event| match event {
                Event::Started(worker) => worker.ticket == ticket,
                Event::Failed { ticket: other, .. } | Event::Ended { ticket: other, .. } => *other == ticket,
            });
            if let Some(place) = place {
                return self.events.remove(place);
            }
            assert!(Instant::now() < deadline, "nothing was heard of {ticket:?}; there is {:?}", self.events);
            wait_readable(&self.starter);
            self.starter.drain(&mut self.events).expect("the starter works");
        }
    }

    /// Takes what the starter has to tell, and waits for nothing.
    pub fn take_news(&mut self) {
        self.starter.drain(&mut self.events).expect("the starter works");
    }

    #[cfg(all(test, feature = "hook"))]
    pub(crate) fn starter(&self) -> &Starter {
        &self.starter
    }
}

fn wait_readable(fd: &impl AsFd) {
    // An interruption makes the caller look again.
    let _ = poll(&mut [PollFd::new(fd.as_fd(), PollFlags::POLLIN)], PollTimeout::from(1000_u16));
}

impl Witness {
    pub(crate) fn new(worker: Worker) -> io::Result<Witness> {
        let channel = UnixStream::from(worker.channel.try_clone()?);
        channel.set_nonblocking(false)?;
        channel.set_read_timeout(Some(patience()))?;
        Ok(Witness { worker, answers: BufReader::new(channel) })
    }

    /// The number of the process.
    pub fn pid(&self) -> u32 {
        self.worker.pid
    }

    /// Asks something, and gives the answer. The end of the worker is the error `UnexpectedEof`.
    pub fn ask(&mut self, question: &str) -> io::Result<String> {
        self.tell(question)?;
        self.answer()
    }

    /// The next answer.
    pub fn answer(&mut self) -> io::Result<String> {
        let mut answer = String::new();
        if self.answers.read_line(&mut answer)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(answer.trim_end().to_owned())
    }

    /// Asks something, and waits for no answer.
    pub fn tell(&mut self, question: &str) -> io::Result<()> {
        self.answers.get_mut().write_all(format!("{question}\n").as_bytes())
    }

    /// Kills it.
    pub fn kill(&self) -> io::Result<bool> {
        self.worker.kill()
    }
}

/// What a witness runs: it answers one line with one line, and ends with the connection.
pub(crate) fn witness(start: WorkerStart) -> ! {
    let channel = UnixStream::from(start.channel.try_clone().expect("a worker has room for a descriptor"));
    let mut answers = channel.try_clone().expect("a worker has room for a descriptor");
    for question in BufReader::new(channel).lines() {
        let Ok(question) = question else { break };
        let answer = answer(&start, &question).unwrap_or_else(|error| format!("error: {error}"));
        if writeln!(answers, "{answer}").is_err() {
            break;
        }
    }
    crate::sys::exit_now(0)
}

fn answer(start: &WorkerStart, question: &str) -> io::Result<String> {
    let (verb, rest) = question.split_once(' ').unwrap_or((question, ""));
    Ok(match verb {
        "echo" => rest.to_owned(),
        "exit" => std::process::exit(rest.parse().expect("a code")),
        "abort" => std::process::abort(),
        "raise" => {
            raise(Signal::try_from(rest.parse::<i32>().expect("a signal")).expect("a signal"))?;
            "still here".into()
        }
        "overflow" => format!("{}", overflow(0)),
        "sleep" => loop {
            std::thread::sleep(patience());
        },
        "print" => {
            writeln!(io::stdout(), "{rest}")?;
            io::stdout().flush()?;
            "printed".into()
        }
        "complain" => {
            writeln!(io::stderr(), "{rest}")?;
            "complained".into()
        }
        "panic" => {
            let caught = std::panic::catch_unwind(|| panic!("on purpose"));
            format!("caught {}", caught.is_err())
        }
        "thread" => std::thread::spawn(|| "joined".to_owned()).join().expect("it does not panic"),
        "index" => start.index.to_string(),
        "depth" => start.depth.to_string(),
        "pool" => start.name.clone(),
        "name" => fs::read_to_string("/proc/self/comm")?.trim_end().to_owned(),
        "parent" => nix::unistd::getppid().to_string(),
        "group" => nix::unistd::getpgrp().to_string(),
        "variable" => std::env::var(rest).unwrap_or_else(|_| "not set".into()),
        "directory" => std::env::current_dir()?.display().to_string(),
        "status" => {
            let status = fs::read_to_string("/proc/self/status")?;
            let line = status.lines().find_map(|line| line.strip_prefix(rest)?.strip_prefix(':'));
            line.unwrap_or("not there").trim().to_owned()
        }
        "niceness" => {
            let stat = fs::read_to_string("/proc/self/stat")?;
            let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
            after.split_whitespace().nth(16).unwrap_or_default().to_owned()
        }
        "limit" => {
            let resource = match rest {
                "files" => Resource::RLIMIT_NOFILE,
                "memory" => Resource::RLIMIT_AS,
                _ => Resource::RLIMIT_CPU,
            };
            format!("{:?}", getrlimit(resource)?)
        }
        "allocate" => {
            let mut bytes = Vec::<u8>::new();
            bytes.try_reserve_exact(rest.parse().expect("a size")).map_or("no".into(), |()| "yes".into())
        }
        "spin" => loop {
            std::hint::spin_loop();
        },
        "read" => {
            let mut text = String::new();
            let file = start.fds[rest.parse::<usize>().expect("a place")].try_clone()?;
            fs::File::from(file).read_to_string(&mut text)?;
            text
        }
        "stdin" => fs::read_link("/proc/self/fd/0")?.display().to_string(),
        "descriptors" => list("/proc/self/fd", |entry| fs::read_link(entry).ok()?.to_str().map(str::to_owned)),
        "children" => list("/proc/self/task", |entry| fs::read_to_string(entry.join("children")).ok()),
        // What a program sees that a job executes.
        "execute" => {
            let output = std::process::Command::new("/bin/sh").args(["-c", rest]).output()?;
            String::from_utf8_lossy(&output.stdout).replace('\n', " ")
        }
        // How such a program ends.
        "run" => {
            let status = std::process::Command::new("/bin/sh").args(["-c", rest]).status()?;
            Exit::from_status(std::os::unix::process::ExitStatusExt::into_raw(status)).to_string()
        }
        // What the program left in the memory that the worker was forked from.
        "noted" => NOTE.lock().expect("nobody panics under it").clone(),
        // A pool in a worker, and so on to some depth.
        "nest" => {
            let levels: u32 = rest.parse().expect("a number");
            if levels == 0 {
                return Ok(format!("at depth {}", start.depth));
            }
            let mut crew = Crew::new(StartMethod::ForkServer)?;
            crew.start()?.ask(&format!("nest {}", levels - 1))?
        }
        _ => format!("what is {question}?"),
    })
}

fn list(folder: &str, show: impl Fn(std::path::PathBuf) -> Option<String>) -> String {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut shown: Vec<String> = entries.filter_map(|entry| show(entry.path())).collect();
    shown.sort();
    shown.join("|")
}

#[expect(unconditional_recursion, reason = "it is to overflow the stack")]
fn overflow(depth: u64) -> u64 {
    let frame = [depth; 64];
    std::hint::black_box(&frame);
    overflow(depth + 1) + frame[63]
}
